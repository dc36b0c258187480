# SPDX-License-Identifier: Apache-2.0
"""Retention in real runs: the store stays within its bounds, nothing that is still needed goes, and nobody who reads
notices more than a later beginning."""
import datetime
import re

import pytest

import kit

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


def test_a_sink_that_is_gone_holds_until_it_is_dropped(filled):
    filled.run(config())
    old = segments(filled)
    append(filled, N, N)
    done = filled.run(config({"retain": "1ms"}, {"other": {"plugin": "null", "inputs": ["far"]}}))
    assert re.search(rf"sink 'lines' is at record {ALERTS} of \d+; ", done.stderr)
    assert "it is not in the configuration: `tapewatch state drop lines` forgets it" in done.stderr
    held = segments(filled)
    assert held[0] >= old[-1] and len(held) > 2  # the next record is about event N + 5000
    assert filled.events("--limit", "1")[0]["seq"] <= N + 5000
    forgotten = kit.tapewatch("state", "drop", "lines", "-d", "data", cwd=filled.folder)
    assert forgotten.returncode == 0, forgotten.stderr
    filled.run()
    assert segments(filled) == held[-1:]


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
