# SPDX-License-Identifier: Apache-2.0
"""A detector that is new on an old store: filled from the tape, silent meanwhile, and at the same event in every replay.

The measure is a run over the stretch alone, in which the detector has been there from its beginning."""
import json
import random

import pytest

import kit
import reload_kit

START = 1767571200000  # ms
STEP = 100  # ms between rows


def rows(n, seed=7):
    """(ms, symbol, value): noise around a slow wave, with outliers; a detector's memory shows in every score."""
    rng = random.Random(seed)
    return [(START + i * STEP, "ABC"[rng.randrange(3)],
             round(rng.gauss(100 + i % 977 / 50, 1) + (30 if rng.random() < 0.01 else 0), 3)) for i in range(n)]


def write(pipeline, some, name="ticks.csv"):
    pipeline.write(name, "time,symbol,price,size\n" + "".join(f"{t},{s},{v},1\n" for t, s, v in some))


def far(**more):
    return {"plugin": "zscore", "inputs": ["series"], "fields": "price", "window": 64, "threshold": 3.5, **more}


def config(**new):
    return {
        "sources": {"series": {"plugin": "csv", "path": "ticks.csv", "kind": "trade"}},
        "detectors": {"old": far(cooldown="1s"), **new},
        "sinks": {"nothing": {"plugin": "null", "inputs": ["*"]}},
    }


def told(alerts, detector, after=0):
    """What a detector said about events later than a time in ms, without what depends on the tape."""
    return [(a["ts"], a["symbol"], a["score"], a["reason"], a["type"]) for a in alerts
            if a["detector"] == detector and kit.ns(a["ts"]) > after * 10**6]


def replayed(pipeline, *args):
    done = kit.tapewatch("replay", "data", "-c", "c.yaml", *args, cwd=pipeline.folder)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


ALL = rows(9000)
CUT = 6000  # so many rows are on the tape when the detector joins
END = ALL[CUT - 1][0]


def joined(pipeline, new, *args, all=ALL):
    """Run over the first rows without, then over all with the new detectors."""
    write(pipeline, all[:CUT])
    pipeline.run(config())
    write(pipeline, all)
    return pipeline.run(config(**new), *args)


def measure(pipeline, new, seconds):
    """The same detectors over the stretch and what came after it."""
    write(pipeline, [r for r in ALL if r[0] >= END - seconds * 1000])
    pipeline.configure(config(**new))
    pipeline.run(dir="measure")
    return pipeline.alerts(dir="measure")


@pytest.mark.parametrize("workers", [1, 3])
def test_after_the_warmup_it_says_what_one_says_that_was_there_from_its_beginning(pipeline, workers):
    new = {"late": far(warmup="120s"), "rhythm": {"plugin": "rate", "inputs": ["series"], "window": "5s", "k": 2,
                                                  "warmup": "120s", "min_history": 5}}
    done = joined(pipeline, new, "--workers", workers)
    got = pipeline.alerts()
    want = measure(pipeline, new, 120)
    assert "events 4801 to 6000 of the tape fill it" not in done.stderr  # ts >= end - 120 s: one row more
    assert "events 4800 to 6000 of the tape fill it (warmup: 120s)" in done.stderr
    for name in new:
        assert told(want, name, END), f"nothing to compare for {name}"
        assert told(got, name) == told(want, name, END)


def test_it_says_nothing_while_the_tape_is_shorter_than_the_warmup(pipeline):
    new = {"late": far(warmup="700s")}  # 600 s are on the tape, 300 s come
    joined(pipeline, new)
    got = told(pipeline.alerts(), "late")
    assert got
    # the symbols are first seen within the first rows, and may be spoken of 700 s later
    first = {s: next(t for t, x, _ in ALL if x == s) for s in "ABC"}
    assert all(kit.ns(ts) >= (first[s] + 700_000) * 10**6 for ts, s, *_ in got)
    assert kit.ns(got[0][0]) < (START + 720_000) * 10**6


def test_old_detectors_do_not_notice(pipeline):
    write(pipeline, ALL)
    pipeline.run(config(), dir="alone")
    joined(pipeline, {"late": far(warmup="120s", max_keys=2), "later": far(warmup="1s")})
    assert told(pipeline.alerts(), "old") == told(pipeline.alerts(dir="alone"), "old")


def test_a_replay_gives_the_digest_of_the_run(pipeline):
    joined(pipeline, {"late": far(warmup="120s", max_keys=2), "plain": far()})
    live = pipeline.digest()
    for workers in (1, 2, 7):
        assert replayed(pipeline, "--workers", workers) == live
    assert replayed(pipeline, "--batch", 1) == live
    assert replayed(pipeline, "--batch", 7, "--workers", 2) == live
    assert replayed(pipeline, "--whole") != live  # then they speak of what was before, too


def test_a_rebuild_goes_on_as_if_there_had_been_none(pipeline):
    new = {"late": far(warmup="120s", max_keys=2), "plain": far()}
    more = rows(12000)
    assert more[:9000] == ALL
    joined(pipeline, new)
    write(pipeline, more[:10000])
    pipeline.run(None, "--rebuild")
    assert replayed(pipeline) == pipeline.digest()
    write(pipeline, more)
    pipeline.run(None, "--workers", 2)
    assert replayed(pipeline) == pipeline.digest()
    assert told(pipeline.alerts(), "plain", more[10000][0])


def test_new_detectors_that_hear_each_other_are_warmed_together(pipeline):
    new = {"waves": {"plugin": "zscore", "inputs": ["series"], "fields": "price", "window": 32, "emit": True,
                     "threshold": 100, "warmup": "100s"},
           "over": {"plugin": "zscore", "inputs": ["waves"], "fields": "score", "window": 64, "threshold": 3,
                    "warmup": "100s"}}
    joined(pipeline, new)
    got = pipeline.alerts()
    live = pipeline.digest()
    assert replayed(pipeline) == live
    want = measure(pipeline, new, 100)
    assert told(want, "over", END)
    assert told(got, "over") == told(want, "over", END)


def test_one_that_hears_an_old_one_begins_without_it_and_says_so(pipeline):
    old = {**config()["detectors"]["old"], "emit": True}
    base = config()
    base["detectors"]["old"] = old
    write(pipeline, ALL[:CUT])
    pipeline.run(base)
    base["detectors"]["over"] = {"plugin": "zscore", "inputs": ["old"], "fields": "score", "window": 32,
                                 "threshold": 3, "warmup": "100s"}
    write(pipeline, ALL)
    done = pipeline.run(base)
    assert "the scores of 'old' before that are not on the tape; it begins without them" in done.stderr
    assert replayed(pipeline) == pipeline.digest()


POINTS = ["joins.begin:1", "joins.warmed:1", "joins.recorded:1", "checkpoint.before_commit:1",
          "checkpoint.after_commit:1", "recorder.after_alerts:2"]


@pytest.mark.parametrize("point", POINTS)
def test_killed_in_the_middle_the_next_start_does_the_right_thing(pipeline, point):
    new = {"late": far(warmup="120s"), "plain": far()}
    undisturbed = pipeline.path("u")
    undisturbed.mkdir()
    other = kit.Pipeline(undisturbed)
    joined(other, new)
    write(pipeline, ALL[:CUT])
    pipeline.run(config())
    write(pipeline, ALL)
    pipeline.configure(config(**new))
    done = kit.tapewatch("run", "-c", "c.yaml", "-d", "data", cwd=pipeline.folder,
                         env={"TW_CRASH": point})
    assert done.returncode == 137, done.stderr
    pipeline.run()
    assert kit.without_tape(pipeline.alerts()) == kit.without_tape(other.alerts())
    assert replayed(pipeline) == pipeline.digest()


def test_a_detector_that_is_dropped_joins_anew(pipeline):
    write(pipeline, ALL[:CUT])
    pipeline.run(config())
    kit.tapewatch("state", "drop", "old", "-d", "data", cwd=pipeline.folder)
    write(pipeline, ALL)
    conf = config()
    conf["detectors"]["old"]["warmup"] = "60s"
    done = pipeline.run(conf)
    assert "is new: events" in done.stderr, done.stderr


def test_a_reload_warms_what_it_adds(pipeline):
    some = rows(40000)
    write(pipeline, some)
    conf = config()
    conf["sources"]["series"]["speed"] = "400x"
    process = reload_kit.started(pipeline, conf)
    try:
        assert kit.wait_for(lambda: len(pipeline.alerts()) >= 20, process), pipeline.log()
        conf["detectors"]["late"] = far(warmup="30s")
        pipeline.configure(conf)
        reload_kit.ask_reload(pipeline)
        assert kit.wait_for(lambda: told(pipeline.alerts(), "late"), process), pipeline.log()
    finally:
        process.terminate()
        process.wait(timeout=kit.PATIENCE)
    assert "the warm-up took" in pipeline.log()
    assert replayed(pipeline) == pipeline.digest()
    # from the store: since when it takes part; and what it says then, against the stretch alone
    since = min(a["seq"] for a in pipeline.alerts() if a["detector"] == "late")
    line = next(x for x in pipeline.log().splitlines() if "of the tape fill it" in x)
    first, last = (int(w) for w in (line.split("events ")[1].split()[0], line.split(" to ")[1].split()[0]))
    assert last < since
    got = told(pipeline.alerts(), "late")
    write(pipeline, some[first - 1:])
    conf["sources"]["series"].pop("speed")
    conf["detectors"].pop("old")
    pipeline.configure(conf)
    pipeline.run(dir="measure")
    want = [a for a in told(pipeline.alerts(dir="measure"), "late") if kit.ns(a[0]) >= kit.ns(got[0][0])]
    assert got == want[:len(got)]
