# SPDX-License-Identifier: Apache-2.0
"""Retention in real runs: the store stays within its bounds, nothing that is still needed goes, and nobody who reads
notices more than a later beginning."""
import datetime
import json
import re

import pytest

import kit
import reload_kit

START = datetime.datetime(2026, 1, 5)
MIB = 1 << 20
N = 200000  # a group of commits may make a segment of 9 MiB, whatever segment_size says: these are three at least
ALERTS = N // 5000


def ticks(n, first=0):
    """One quote a second; every 5000th jumps."""
    lines = []
    for i in range(first, first + n):
        bid = 1.1 + i % 7 * 1e-4 + (0.5 if i % 5000 == 4999 else 0)
        lines.append(f"{(START + datetime.timedelta(seconds=i)).isoformat()}Z,EURUSD,{bid:.5f},{bid + 2e-4:.5f}\n")
    return "".join(lines)


def config(host=None, sinks=None):
    return {"host": {"segment_size": "1MiB", **(host or {})},
            "sources": {"ticks": {"plugin": "csv", "path": "ticks.csv", "kind": "quote",
                                  "columns": {"ts": "time", "symbol": "symbol", "bid": "bid", "ask": "ask"}}},
            "detectors": {"far": {"plugin": "zscore", "inputs": ["ticks"]}},
            "sinks": {"lines": {"plugin": "jsonl", "inputs": ["far"], "path": "alerts.jsonl"}}
            if sinks is None else sinks}


@pytest.fixture
def filled(pipeline):
    pipeline.write("ticks.csv", "time,symbol,bid,ask\n" + ticks(N))
    return pipeline


def append(pipeline, n, first):
    with open(pipeline.path("ticks.csv"), "a") as file:
        file.write(ticks(n, first))


def segments(pipeline):
    return sorted(int(p.name[:6]) for p in pipeline.path("data/tape").glob("*.tape"))


def cursors(pipeline):
    return json.loads(pipeline.ask("state", "ls", "--json", "-d", "data"))["sinks"]


def test_without_limits_everything_stays(filled):
    filled.run(config())
    assert len(segments(filled)) > 2 and segments(filled)[0] == 1
    assert filled.events("--limit", "1")[0]["seq"] == 1


def test_the_tape_stays_within_its_size_and_the_alerts_are_the_same(filled):
    filled.run(config(), dir="whole")
    whole = filled.digest("whole")
    filled.path("alerts.jsonl").unlink()
    filled.run(config({"retain_size": "12MiB"}))
    assert filled.tape_bytes() <= 12 * MIB
    left = segments(filled)
    assert left[0] > 1 and left == list(range(left[0], left[-1] + 1))
    assert filled.digest() == whole
    seqs = [e["seq"] for e in filled.events()]
    assert seqs == list(range(seqs[0], N + 1)) and seqs[0] > 1
    assert kit.tapewatch("tape", "verify", "data", cwd=filled.folder).returncode == 0

    # it goes on, and every alert has been delivered once
    append(filled, 10000, N)
    filled.run(config(), dir="whole")
    filled.path("alerts.jsonl").unlink()
    filled.run(config({"retain_size": "12MiB"}))
    assert filled.digest() == filled.digest("whole")
    assert len(kit.json_lines(filled.path("alerts.jsonl").read_text())) == 2
    assert filled.tape_bytes() <= 12 * MIB


def test_what_is_old_goes_and_a_rebuild_is_refused(filled):
    filled.run(config({"retain": "1ms"}))
    assert len(segments(filled)) == 1
    assert len(list(filled.path("data/tape").iterdir())) == 2  # with its lock file
    done = filled.run(None, "--rebuild", code=2)
    first = filled.events("--limit", "1")[0]["seq"]
    assert f"begins at event {first}: what was before has been given up" in done.stderr
    filled.run()  # without --rebuild it goes on
    replayed = kit.tapewatch("replay", "data", "-c", "c.yaml", cwd=filled.folder)
    assert replayed.returncode == 0 and re.fullmatch(r"[0-9a-f]{64}\n", replayed.stdout)


def test_a_sink_that_is_down_holds_what_it_has_not(filled):
    filled.write("blocked", "a file where the sink wants a folder")
    sinks = {"lines": {"plugin": "jsonl", "inputs": ["far"], "path": "blocked/alerts.jsonl"}}
    done = filled.run(config({"retain": "1ms", "retain_alerts": "1ms"}, sinks), code=3)
    held = segments(filled)
    assert held[0] == 1 and len(held) > 2
    said = re.findall(rf"sink 'lines' is at record 0 of \d+; (\d+) segments? / (\d+) MiB.* wait for it", done.stderr)
    assert len(said) == 1 and int(said[0][0]) < len(held)

    filled.path("blocked").unlink()
    filled.path("blocked").mkdir()
    filled.run()
    assert len(kit.json_lines(filled.path("blocked/alerts.jsonl").read_text())) == ALERTS
    assert segments(filled) == held[-1:]
    assert filled.alerts() == []


def test_a_sink_that_is_gone_is_forgotten_when_it_would_hold(filled):
    filled.run(config())
    append(filled, N, N)
    filled.run(config(None, {"other": {"plugin": "null", "inputs": ["far"]}}))
    assert {s["name"]: s["record"] for s in cursors(filled)}["lines"] == ALERTS  # nothing has a time to be beyond
    done = filled.run(config({"retain": "1ms"}, {"other": {"plugin": "null", "inputs": ["far"]}}))
    assert f"sink 'lines' is not in the configuration and stands at record {ALERTS} of {2 * ALERTS}" in done.stderr
    assert "its cursor is forgotten" in done.stderr
    assert [s["name"] for s in cursors(filled)] == ["other"]
    assert len(segments(filled)) == 1


def test_a_sink_that_is_gone_can_be_dropped_by_hand(filled):
    filled.run(config())
    assert [s["name"] for s in cursors(filled)] == ["lines"]
    forgotten = kit.tapewatch("state", "drop", "lines", "-d", "data", cwd=filled.folder)
    assert forgotten.returncode == 0, forgotten.stderr
    assert cursors(filled) == []


def live(host=None):
    """Trades whose size counts 1, 2, 3 ... without end, and a sink whose folder is a file for now."""
    return {"host": {"segment_size": "1MiB", "retain_size": "8MiB", "checkpoint": "100ms", **(host or {})},
            "sources": {"count": {"plugin": "counting_source", "symbol": "X", "burst": 100}},
            "detectors": {"every": {"plugin": "slow_detector", "inputs": ["count"], "every": 5000, "key": "none"}},
            "sinks": {"lines": {"plugin": "jsonl", "inputs": ["every"], "path": "blocked/alerts.jsonl"}}}


@pytest.fixture
def stuck(pipeline):
    """A live run that has come to the bound of its tape because of a sink that is down."""
    reload_kit.need("counting_source", "slow_detector")
    pipeline.write("blocked", "a file where the sink wants a folder")
    pipeline.configure(live())
    pipeline.process = pipeline.start(env=reload_kit.ENV)
    yield pipeline
    if pipeline.process.poll() is None:
        pipeline.process.kill()
        pipeline.process.wait()


def bound_reached(pipeline):
    return kit.wait_for(lambda: "sources are not read until it has fetched its" in pipeline.log(), pipeline.process, 120)


def unblock(pipeline):
    pipeline.path("blocked").unlink()
    pipeline.path("blocked").mkdir()


def check_books(pipeline):
    """Every trade that came is on the tape once, every alert was delivered once."""
    pipeline.process.terminate()
    assert pipeline.process.wait(timeout=kit.PATIENCE) == 0, pipeline.log()
    events = [e for e in pipeline.events() if e["kind"] == "trade"]
    assert [e["size"] for e in events] == list(range(int(events[0]["size"]), int(events[0]["size"]) + len(events)))
    delivered = kit.json_lines(pipeline.path("blocked/alerts.jsonl").read_text())
    assert [a["id"] for a in delivered] == [a["id"] for a in pipeline.alerts()]


def test_a_sink_that_is_down_stops_the_sources_at_the_bound_and_they_go_on(stuck):
    assert bound_reached(stuck), stuck.log()
    alerts = stuck.alerts()
    assert f"sink 'lines' is at record 0 of {len(alerts)}" in stuck.log()
    size, readings = stuck.tape_bytes(), []

    def still():
        readings.append(stuck.tape_bytes())
        return len(readings) > 20 and len(set(readings[-20:])) == 1
    assert kit.wait_for(still, stuck.process), "the tape goes on growing"
    assert size < 40 * MIB
    unblock(stuck)
    assert kit.wait_for(lambda: "sources are read again" in stuck.log(), stuck.process), stuck.log()
    assert kit.wait_for(lambda: len(stuck.alerts()) > len(alerts), stuck.process), stuck.log()
    assert stuck.log().count("sources are not read until") == 1
    check_books(stuck)


def test_taking_the_sink_out_by_a_reload_lets_the_sources_go_on(stuck):
    assert bound_reached(stuck), stuck.log()
    before = len(stuck.alerts())
    stuck.configure({**live(), "sinks": {"nothing": {"plugin": "null", "inputs": ["every"]}}})
    reload_kit.ask_reload(stuck)
    assert kit.wait_for(lambda: len(stuck.alerts()) > before, stuck.process), stuck.log()


def test_dropping_the_oldest_leaves_a_dead_letter(pipeline):
    reload_kit.need("counting_source", "slow_detector")
    pipeline.write("blocked", "a file where the sink wants a folder")
    pipeline.configure(live({"when_full": "drop", "retain_alerts": "3s"}))
    pipeline.process = pipeline.start(env=reload_kit.ENV)
    try:
        reload_kit.ready(pipeline, pipeline.process)

        def dropped():
            return json.loads(pipeline.ask("state", "ls", "--json", "-d", "data"))["alerts"]["first"] > 1
        assert kit.wait_for(dropped, pipeline.process, 120), pipeline.log()
        unblock(pipeline)
        assert kit.wait_for(lambda: "were given up before this sink had them" in pipeline.log(), pipeline.process)
        assert kit.wait_for(lambda: pipeline.path("blocked/alerts.jsonl").exists(), pipeline.process)
        pipeline.process.terminate()
        assert pipeline.process.wait(timeout=kit.PATIENCE) == 0, pipeline.log()
    finally:
        pipeline.process.kill()
    letters = [d for d in pipeline.dead() if d["reason"] == "given_up"]
    assert [d["source"] for d in letters] == ["lines"]
    gone = re.search(r"records (\d+) to (\d+) of the alert log were given up", letters[0]["detail"])
    first, last = int(gone[1]), int(gone[2])
    delivered = kit.json_lines(pipeline.path("blocked/alerts.jsonl").read_text())
    numbers = [int(a["reason"].split("after ")[1].split()[0]) // 5000 for a in delivered]  # of the record
    assert numbers == [n for n in range(1, numbers[-1] + 1) if not first <= n <= last]


def test_alerts_are_dropped_once_delivered(filled):
    filled.run(config({"retain_alerts": "1ms"}))
    assert filled.alerts() == []
    assert len(kit.json_lines(filled.path("alerts.jsonl").read_text())) == ALERTS
    append(filled, 10000, N)
    filled.run(config())
    assert [a["seq"] for a in filled.alerts()] == [N + 5000, N + 10000]
    assert len(kit.json_lines(filled.path("alerts.jsonl").read_text())) == ALERTS + 2
    assert kit.tapewatch("tape", "verify", "data", cwd=filled.folder).returncode == 0
    asked = kit.tapewatch("alerts", "--digest", "-d", "data", cwd=filled.folder)
    assert f"begins with record {ALERTS + 1}" in asked.stderr


def test_a_kill_in_the_middle_changes_nothing(pipeline):
    pipeline.write("ticks.csv", "time,symbol,bid,ask\n" + ticks(600000))
    pipeline.run(config(), dir="whole")
    pipeline.path("alerts.jsonl").unlink()
    pipeline.configure(config({"retain": "1ms", "checkpoint": "100ms"}))
    tape = pipeline.path("data/tape")
    for gone in (0, 1, 2):  # the first time nothing need be gone; later starts begin with what is due
        process = pipeline.start()
        kit.wait_for(lambda: (tape / "000004.tape").exists() and not (tape / f"{gone:06d}.tape").exists(), process)
        process.kill()
        process.wait()
        assert kit.tapewatch("tape", "verify", "data", cwd=pipeline.folder).returncode == 0
    pipeline.run()
    assert pipeline.digest() == pipeline.digest("whole")
    assert len(segments(pipeline)) == 1


@pytest.mark.parametrize("option, value, sentence", [
    ("retain", "-1s", "retain"), ("retain_size", "many", "retain_size"), ("retain_alerts", "7 days ago", "retain_alerts"),
    ("retian", "1d", "did you mean 'retain'?")])
def test_a_wrong_limit_is_named(pipeline, option, value, sentence):
    pipeline.write("ticks.csv", "time,symbol,bid,ask\n")
    pipeline.configure(config({option: value}))
    done = kit.tapewatch("check", "-c", "c.yaml", cwd=pipeline.folder)
    assert done.returncode == 2
    assert sentence in done.stderr
