# SPDX-License-Identifier: Apache-2.0
"""Sinks are cursors over the alert log: each gets what it wants, in order, whatever happens to it or to the others."""
import json
import os
import random
import signal
import subprocess

import pytest

import kit
import test_resume


def config(sinks, threshold=3, rows=20000):
    return {"sources": {"t": {"plugin": "csv", "path": "t.csv"}},
            "detectors": {"z": {"plugin": "zscore", "inputs": ["t"], "threshold": threshold},
                          "fences": {"plugin": "iqr", "inputs": ["t"], "multiplier": 2, "emit": True,
                                     "severity": "high"}},
            "sinks": sinks, "host": test_resume.HOST}


@pytest.fixture(scope="module")
def ticks():
    """Two symbols, alternating."""
    euro, pound = (test_resume.ticks(51, 10000, symbol).splitlines() for symbol in ("EUR/USD", "GBP/USD"))
    return b"".join(a + b"\n" + b + b"\n" for a, b in zip(euro, pound))


@pytest.fixture
def fed(pipeline, ticks):
    pipeline.write("t.csv", ticks)
    return pipeline


def lines(path):
    return kit.json_lines(path.read_text())


def same(line):
    """The sinks write all nine digits of a time; the verb as many as it takes."""
    return {**line, "ts": kit.ns(line["ts"])}


def jsonl(path, inputs=("*",), **options):
    return {"plugin": "jsonl", "path": str(path), "inputs": list(inputs), **options}


def test_jsonl_to_a_file_is_the_alert_log(fed):
    fed.run(config({"out": jsonl("out.jsonl")}))
    alerts = fed.alerts()
    assert len(alerts) > 500
    assert [same(x) for x in lines(fed.path("out.jsonl"))] == [same(a) for a in alerts]


def test_jsonl_to_standard_output_is_the_alert_log(fed):
    done = fed.run(config({"out": jsonl("-")}))
    assert [same(x) for x in kit.json_lines(done.stdout)] == [same(a) for a in fed.alerts()]


def test_console_prints_one_line_an_alert_with_time_severity_detector_symbol_and_reason(fed):
    done = fed.run(config({"screen": {"plugin": "console", "inputs": ["*"]}}))
    alerts = fed.alerts()
    printed = done.stdout.splitlines()
    assert len(printed) == len(alerts)
    for line, a in zip(printed, alerts):
        assert line[23:] == f"  {a['severity']:8}  {a['detector']}  {a['symbol']}  {a['reason']}"
        assert kit.ns(line[:10] + "T" + line[11:23] + "Z") == kit.ns(a["ts"]) // 10**6 * 10**6


def test_null_takes_everything_and_says_nothing(fed):
    done = fed.run(config({"nothing": {"plugin": "null", "inputs": ["*"]}}))
    assert done.stdout == "" and len(fed.alerts()) > 500


def test_sinks_get_the_detectors_of_their_inputs(fed):
    fed.run(config({"a": jsonl("a.jsonl", ["z"]), "b": jsonl("b.jsonl", ["fences"]), "c": jsonl("c.jsonl", ["f*"])}))
    by = {d: [a["id"] for a in fed.alerts() if a["detector"] == d] for d in ("z", "fences")}
    assert by["z"] and by["fences"]
    assert [x["id"] for x in lines(fed.path("a.jsonl"))] == by["z"]
    assert [x["id"] for x in lines(fed.path("b.jsonl"))] == by["fences"]
    assert [x["id"] for x in lines(fed.path("c.jsonl"))] == by["fences"]


@pytest.mark.parametrize("where, keep", [
    ({"symbol": "EUR*"}, lambda a: a["symbol"].startswith("EUR")),
    ({"symbol": "!EUR*"}, lambda a: not a["symbol"].startswith("EUR")),
    ({"symbol": ["EUR/USD", "GBP/USD"]}, lambda a: True),
    ({"symbol": "XAU*"}, lambda a: False),
    ({"account": "A*"}, lambda a: False),
])
def test_sinks_get_what_their_where_lets_through(where, keep, fed):
    fed.run(config({"some": jsonl("some.jsonl", where=where), "all": jsonl("all.jsonl")}))
    everything = fed.alerts()
    assert [x["id"] for x in lines(fed.path("all.jsonl"))] == [a["id"] for a in everything]
    found = fed.path("some.jsonl").read_text() if fed.path("some.jsonl").exists() else ""
    assert [x["id"] for x in kit.json_lines(found)] == [a["id"] for a in everything if keep(a)]


def test_a_sink_that_wants_scores_gets_one_for_every_judged_event(fed):
    fed.run(config({"scores": jsonl("scores.jsonl", ["fences"], kinds=["score"]),
                    "both": jsonl("both.jsonl", ["fences"], kinds=["score", "alert"])}))
    scores, both = lines(fed.path("scores.jsonl")), lines(fed.path("both.jsonl"))
    assert {x["kind"] for x in scores} == {"score"} and {x["kind"] for x in both} == {"score", "alert"}
    assert 19000 < len({x["seq"] for x in scores}) == len(scores) <= 20000 - 60
    alerts = {a["seq"]: a["score"] for a in fed.alerts("--detector", "fences")}
    assert {x["seq"]: x["score"] for x in scores if x["seq"] in alerts} == alerts
    assert {x["seq"] for x in scores if x["score"] > 0} == set(alerts)
    assert [x for x in both if x["kind"] == "score"] == scores


# ---- rotation ----------------------------------------------------------------------------------------------------

def test_rotation_by_size_keeps_every_line_and_the_bound(fed):
    fed.run(config({"out": jsonl("out.jsonl", rotate_size="64KiB", keep=1000)}))
    old = sorted(fed.folder.glob("out.jsonl.*"), key=lambda p: -int(p.suffix[1:]))
    assert len(old) > 3
    files = old + [fed.path("out.jsonl")]
    assert all(p.stat().st_size <= 64 * 1024 for p in files)
    assert [same(x) for p in files for x in lines(p)] == [same(a) for a in fed.alerts()]


def test_rotation_keeps_no_more_files_than_asked_for(fed):
    fed.run(config({"out": jsonl("out.jsonl", rotate_size="64KiB", keep=2)}))
    assert sorted(p.name for p in fed.folder.glob("out.jsonl*")) == ["out.jsonl", "out.jsonl.1", "out.jsonl.2"]
    ids = [x["id"] for p in ("out.jsonl.2", "out.jsonl.1", "out.jsonl") for x in lines(fed.path(p))]
    assert ids == [a["id"] for a in fed.alerts()][-len(ids):]


# ---- a sink that cannot write -------------------------------------------------------------------------------------

def blocked_by_a_missing_folder(p):
    return lambda: p.path("out").mkdir()


def blocked_by_a_file_in_the_way(p):
    p.write("out", "not a folder")
    return lambda: (p.path("out").unlink(), p.path("out").mkdir())


def blocked_by_a_read_only_folder(p):
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    p.path("out").mkdir(mode=0o500)
    return lambda: p.path("out").chmod(0o700)


@pytest.mark.parametrize("block", [blocked_by_a_missing_folder, blocked_by_a_file_in_the_way,
                                   blocked_by_a_read_only_folder])
def test_a_sink_that_cannot_write_is_exit_code_3_and_is_served_by_the_next_run(block, fed):
    repair = block(fed)
    done = fed.run(config({"bad": jsonl("out/a.jsonl"), "good": jsonl("good.jsonl")}), code=3)
    assert "bad" in done.stderr and "out/a.jsonl" in done.stderr and "the sink gives up" in done.stderr
    alerts = [a["id"] for a in fed.alerts()]
    assert [x["id"] for x in lines(fed.path("good.jsonl"))] == alerts  # the other one had all of them
    repair()
    fed.run()
    assert [x["id"] for x in lines(fed.path("out/a.jsonl"))] == alerts
    assert [x["id"] for x in lines(fed.path("good.jsonl"))] == alerts


def test_a_sink_added_later_is_filled_from_the_beginning(fed):
    fed.run(config({}))
    fed.run(config({"late": jsonl("late.jsonl")}))
    assert [x["id"] for x in lines(fed.path("late.jsonl"))] == [a["id"] for a in fed.alerts()]


def test_a_reader_that_goes_away_is_exit_code_3_and_nothing_is_forgotten(fed):
    fed.configure(config({"out": jsonl("-")}, threshold=1))
    process = fed.start(stdout=subprocess.PIPE)
    first = kit.read_lines(process, 1)
    process.stdout.close()
    assert process.wait(timeout=60) == 3
    done = fed.run()
    ids = [x["id"] for x in kit.json_lines(done.stdout)]
    alerts = [a["id"] for a in fed.alerts()]
    assert json.loads(first[0])["id"] == alerts[0]
    assert ids == alerts[len(alerts) - len(ids):] and len(ids) > 100


def test_a_half_written_last_line_is_cut_off_and_written_again(fed):
    fed.run(config({"out": jsonl("out.jsonl")}))
    whole = fed.path("out.jsonl").read_bytes()
    with open(fed.path("out.jsonl"), "ab") as out:
        out.write(b'{"kind":"alert","ts":"2026-')
    fed.run()
    assert fed.path("out.jsonl").read_bytes() == whole


def test_somebody_elses_file_is_not_cut(fed):
    fed.write("notes.txt", "remember the milk")
    done = fed.run(config({"out": jsonl("notes.txt")}), code=3)
    assert "notes.txt does not end in a line of JSON" in done.stderr
    assert fed.path("notes.txt").read_text() == "remember the milk"


# ---- kills --------------------------------------------------------------------------------------------------------

def test_at_least_once_after_kills_no_id_is_missing_and_order_holds(fed):
    fed.configure(config({"a": jsonl("a.jsonl"), "b": jsonl("b.jsonl", ["z"], rotate_size="64KiB", keep=1000)}))
    fed.run(dir="calm")
    total = fed.path("a.jsonl").stat().st_size
    for path in fed.folder.glob("[ab].jsonl*"):
        path.unlink()
    rng, killed = random.Random(99), 0
    for at in sorted(rng.random() for _ in range(8)):
        process = fed.start()
        target = total * at
        if kit.wait_for(lambda: fed.path("a.jsonl").exists() and fed.path("a.jsonl").stat().st_size >= target, process):
            killed += kit.stop(process, signal.SIGKILL) == -signal.SIGKILL
    assert killed >= 3
    fed.run()
    alerts = fed.alerts()
    ids = [x["id"] for x in lines(fed.path("a.jsonl"))]
    assert list(dict.fromkeys(ids)) == [a["id"] for a in alerts]
    files = sorted(fed.folder.glob("b.jsonl.*"), key=lambda p: -int(p.suffix[1:])) + [fed.path("b.jsonl")]
    ids = [x["id"] for p in files for x in lines(p)]
    assert list(dict.fromkeys(ids)) == [a["id"] for a in alerts if a["detector"] == "z"]
    assert kit.without_tape(alerts) == kit.without_tape(fed.alerts(dir="calm"))
