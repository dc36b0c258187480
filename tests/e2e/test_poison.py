# SPDX-License-Identifier: Apache-2.0
"""Events that kill: who died of what is said, and the second death by the same event is the last."""
import signal

import pytest

import kit
import reload_kit as rk
from reload_kit import need, series, source

ENV = {**rk.ENV, **kit.DIES}
N = 2000
MARK = 666.5


@pytest.fixture(autouse=True)
def plugins():
    need("poison_detector", "poison_ends")


def config(by="segv", **sources):
    return {
        "sources": sources or {"series": source()},
        "detectors": {"bad": {"plugin": "poison_detector", "inputs": ["*"], "mark": MARK, "by": by, "key": "none"},
                      "good": {"plugin": "zscore", "inputs": ["*"], "fields": "value", "cooldown": "0s"}},
        "sinks": {"lines": {"plugin": "jsonl", "inputs": ["*"], "path": "alerts.jsonl"}},
    }


def run(pipeline, *args, dir="data", env=ENV):
    return kit.tapewatch("run", "-c", "c.yaml", "-d", dir, *args, cwd=pipeline.folder, env=env)


def until_it_lives(pipeline, *args, most=3):
    """Start it again and again, as a service manager would: all the runs. No more than `most` may die."""
    runs = []
    while len(runs) <= most:
        runs.append(run(pipeline, *args))
        if runs[-1].returncode >= 0:
            assert runs[-1].returncode == 0, runs[-1].stderr
            return runs
    raise AssertionError("it dies again and again\n" + runs[-1].stderr)


def survivors(n, skip, every=10):
    """Alerts of tests/plugins/poison_detector.c over n events without those in skip: [(seq, reason)]."""
    chain, events, found = 0, 0, []
    for seq in range(1, n + 1):
        if seq in skip:
            continue
        chain = (chain ^ seq) * 0x9e3779b97f4a7c15 & rk.MASK
        events += 1
        if events % every == 0:
            found.append((seq, f"chain {chain:016x} after {events} events"))
    return found


def said_by(pipeline, detector, dir="data"):
    return [(a["seq"], a["reason"]) for a in pipeline.alerts(dir=dir) if a["detector"] == detector]


def same_everywhere(pipeline, *args):
    """The digest of the run is that of a rebuild and of replays, of the store and of nothing but its segments."""
    digest = pipeline.digest()
    assert run(pipeline, "--rebuild", *args).returncode == 0
    assert pipeline.digest() == digest
    for tape in ("data", "data/tape"):
        done = kit.tapewatch("replay", "-c", "c.yaml", "-d", "replay-" + tape.replace("/", "-"), tape, cwd=pipeline.folder,
                             env=ENV)
        assert done.returncode == 0, done.stderr
        assert pipeline.digest("replay-" + tape.replace("/", "-")) == digest


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("by, number", [("segv", signal.SIGSEGV), ("abort", signal.SIGABRT), ("fpe", signal.SIGFPE),
                                        ("stack", signal.SIGSEGV)])
def test_after_the_second_death_the_event_is_set_aside(pipeline, by, number, workers):
    series(pipeline, N, marks={1233: MARK})
    pipeline.configure(config(by))
    runs = until_it_lives(pipeline, "--workers", workers)
    assert [r.returncode for r in runs] == [-number, -number, 0]
    name = signal.Signals(number).name
    for dead in runs[:2]:
        assert (f"plugin 'poison_detector' (detector 'bad') died of {name} on event 1234 of source 'series'; "
                "recorded in data/crash") in dead.stderr
    assert "bad: an earlier run died in it on event 1234" in runs[1].stderr
    assert ("event 1234 of source 'series' has killed plugin 'poison_detector' twice: it is not shown to detector 'bad'"
            in runs[2].stderr)
    assert said_by(pipeline, "bad") == survivors(N, {1234})
    assert pipeline.info()["events"] == N  # it is on the tape: others see it
    letters = [d for d in pipeline.dead() if d["reason"] == "poison"]
    assert [(d["source"], d["seq"]) for d in letters] == [("bad", 1234)]
    assert rk.once(rk.lines(pipeline, "alerts.jsonl")) == rk.ids(pipeline.alerts())
    same_everywhere(pipeline, "--workers", workers)
    assert len(pipeline.dead()) == 1


def test_others_are_shown_the_event(pipeline):
    series(pipeline, N, marks={1233: MARK})
    pipeline.configure(config())
    until_it_lives(pipeline)
    good = {seq for seq, _ in said_by(pipeline, "good")}
    assert 1234 in good  # 666.5 among numbers around 0


def test_a_timer_that_kills_is_set_aside(pipeline):
    rows = series(pipeline, N, marks={1233: MARK})
    due = rows[1233][0] + 10**9
    at = next(i for i, (ts, _) in enumerate(rows) if ts >= due) + 1
    pipeline.configure(config("timer"))
    runs = until_it_lives(pipeline)
    assert [r.returncode for r in runs] == [-signal.SIGSEGV, -signal.SIGSEGV, 0]
    for dead in runs[:2]:
        assert f"died of SIGSEGV in a timer at event {at} of source 'series'" in dead.stderr
    assert said_by(pipeline, "bad") == survivors(N, set())
    assert [(d["source"], d["seq"], d["reason"]) for d in pipeline.dead()] == [("bad", at, "poison")]
    same_everywhere(pipeline)


def test_two_poisons_are_two_quarantines(pipeline):
    series(pipeline, N, marks={500: MARK, 1233: MARK})
    pipeline.configure(config())
    runs = until_it_lives(pipeline, most=6)
    assert len(runs) <= 5 and all(r.returncode == -signal.SIGSEGV for r in runs[:-1])
    assert said_by(pipeline, "bad") == survivors(N, {501, 1234})
    assert sorted(d["seq"] for d in pipeline.dead()) == [501, 1234]
    same_everywhere(pipeline)


def test_the_event_is_known_again_under_another_number(pipeline):
    """The first run dies before anything is on the tape; the second has one more source, and so other numbers."""
    rows = series(pipeline, N, marks={30: MARK})
    pipeline.configure(config(series=source(speed="max")))
    first = run(pipeline)
    assert first.returncode == -signal.SIGSEGV
    on_tape = pipeline.info()["events"] >= 31
    pipeline.write("early.csv", "time,value\n" + "".join(f"{rows[0][0] // 10**6 - 100 + i},{i % 5}\n" for i in range(50)))
    pipeline.configure(config(early=source("early.csv"), series=source()))
    runs = until_it_lives(pipeline, most=2)
    seq = 31 if on_tape else 81
    assert len(runs) == 2
    assert f"on event {seq} of source 'series'" in runs[0].stderr
    assert [(d["source"], d["seq"]) for d in pipeline.dead()] == [("bad", seq)]
    same_everywhere(pipeline)


def test_a_poison_after_a_checkpoint_is_met_again_on_the_tape(pipeline):
    """Paced, so that there are checkpoints and commits before it."""
    series(pipeline, N, marks={1233: MARK})
    conf = config(series=source(speed="4x"))
    conf["host"] = {"checkpoint": "100ms"}
    pipeline.configure(conf)
    runs = until_it_lives(pipeline)
    assert [r.returncode for r in runs] == [-signal.SIGSEGV, -signal.SIGSEGV, 0]
    assert said_by(pipeline, "bad") == survivors(N, {1234})
    assert rk.once(rk.lines(pipeline, "alerts.jsonl")) == rk.ids(pipeline.alerts())
    same_everywhere(pipeline)


@pytest.mark.parametrize("kind, conf", [
    ("source", {"sources": {"ends": {"plugin": "poison_ends"}}, "detectors": {}, "sinks": {}}),
    ("sink", {"sources": {"series": source()},
              "detectors": {"far": {"plugin": "zscore", "inputs": ["series"], "fields": "value"}},
              "sinks": {"ends": {"plugin": "poison_ends", "inputs": ["far"]}}}),
])
def test_a_source_or_sink_that_kills_is_named(pipeline, kind, conf):
    series(pipeline, N)
    if kind == "source":
        conf = {**conf, "detectors": {"far": {"plugin": "zscore", "inputs": ["ends"], "fields": "value"}},
                "sinks": {"nothing": {"plugin": "null", "inputs": ["*"]}}}
    pipeline.configure(conf)
    done = run(pipeline)
    assert done.returncode == -signal.SIGABRT
    assert f"plugin 'poison_ends' ({kind} 'ends') died of SIGABRT" in done.stderr
    assert f"SIGABRT {kind} poison_ends ends" in pipeline.path("data/crash").read_text()


def test_rubbish_in_the_file_of_deaths_is_passed_over(pipeline):
    series(pipeline, N, marks={1233: MARK})
    pipeline.configure(config())
    assert run(pipeline).returncode == -signal.SIGSEGV
    crash = pipeline.path("data/crash")
    record = crash.read_bytes()
    crash.write_bytes(b"\0\xff\xfe death\n" + b"death " * 5000 + b"\ndeath 1 SIGSEGV detector p bad s event 99999999999999999999 "
                      b"1 1\ndeath 1 SIGSEGV detector p nobody s event 1 1 1\n" + record[:-1])
    runs = until_it_lives(pipeline)
    assert [r.returncode for r in runs] == [-signal.SIGSEGV, 0]


def test_a_long_file_of_deaths_is_cut(pipeline):
    series(pipeline, 100)
    pipeline.configure(config())
    assert run(pipeline).returncode == 0
    crash = pipeline.path("data/crash")
    line = "death 1795236271 SIGSEGV detector poison_detector another series event 1 1767571323500000000 94d470f17b72545d\n"
    crash.write_text(line * 20000)
    done = run(pipeline)
    assert done.returncode == 0, done.stderr
    assert crash.stat().st_size <= 1 << 19
    assert crash.read_text().splitlines(keepends=True)[0] == line


def test_deaths_of_one_detector_are_not_those_of_another(pipeline):
    series(pipeline, N, marks={1233: MARK})
    pipeline.configure(config())
    assert run(pipeline).returncode == -signal.SIGSEGV
    conf = config()
    conf["detectors"]["worse"] = conf["detectors"].pop("bad")
    pipeline.configure(conf)
    runs = until_it_lives(pipeline)
    assert [r.returncode for r in runs] == [-signal.SIGSEGV, -signal.SIGSEGV, 0]
    assert [d["source"] for d in pipeline.dead()] == ["worse"]


def test_a_reload_goes_on_leaving_it_out(pipeline):
    series(pipeline, 6000, marks={233: MARK, 234: MARK})
    conf = config(series=source(speed="4x"))
    pipeline.configure(conf)
    while run_until_death(pipeline, conf):
        pass
    assert said_by(pipeline, "bad") == survivors(6000, {234, 235})
    same_everywhere(pipeline)


def run_until_death(pipeline, conf):
    """One run with reloads in its course: whether it died."""
    process = pipeline.start(env=ENV)
    generation = -1

    def answered():
        nonlocal generation
        found = rk.outcome(pipeline)  # its file goes when the run ends
        new = found is not None and found[3] == process.pid and found[0] > generation
        generation = found[0] if new else generation
        return new

    while kit.wait_for(answered, process):
        process.send_signal(signal.SIGHUP)
    code = process.wait(timeout=60)
    assert code in (0, -signal.SIGSEGV), pipeline.log()
    return code != 0
