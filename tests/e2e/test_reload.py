# SPDX-License-Identifier: Apache-2.0
"""Another configuration in a run that goes on: nothing lost, nothing twice, and a bad one changes nothing."""
import os
import pathlib
import shutil
import signal

import pytest

import kit
import reload_kit as rk
from reload_kit import ENV, TEST_PLUGINS, ask_reload, config, grown, lines, need, outcome, series, started, undisturbed

N = 6000


@pytest.fixture(autouse=True)
def plugins():
    need("slow_detector", "aged_detector")


@pytest.mark.parametrize("workers", [1, 3])
def test_the_same_configuration_again_and_again_leaves_no_trace(pipeline, workers):
    series(pipeline, N)
    conf = config()
    digest, alerts = undisturbed(pipeline, conf)
    process = started(pipeline, conf, "--workers", workers)
    for n in (10, 60, 120, 180):
        grown(pipeline, process, "alerts.jsonl", n)
        assert "4 kept, 0 changed, 0 added, 0 removed" in ask_reload(pipeline).stdout
    assert process.wait(timeout=60) == 0, pipeline.log()
    assert pipeline.digest() == digest
    assert rk.ids(lines(pipeline, "alerts.jsonl")) == rk.ids(pipeline.alerts())
    assert pipeline.info()["events"] == N
    assert f"done: {N:,} events" in pipeline.log()  # of all configurations together
    assert rk.rebuilt(pipeline) == digest


def test_a_reoptioned_source_and_sink_go_on_where_the_old_ones_stopped(pipeline):
    series(pipeline, N)
    conf = config()
    digest, alerts = undisturbed(pipeline, conf)
    process = started(pipeline, conf)
    grown(pipeline, process, "alerts.jsonl", 20)
    conf["sources"]["series"]["speed"] = "5x"
    conf["sinks"]["lines"]["path"] = "later.jsonl"
    pipeline.configure(conf)
    said = ask_reload(pipeline).stdout
    assert "changed  source 'series': speed" in said and "changed  sink 'lines': path" in said
    assert "2 kept, 2 changed, 0 added, 0 removed" in said
    assert process.wait(timeout=60) == 0, pipeline.log()
    assert pipeline.digest() == digest
    assert pipeline.info()["events"] == N
    first, later = lines(pipeline, "alerts.jsonl"), lines(pipeline, "later.jsonl")
    assert first and later
    assert rk.ids(first + later) == rk.ids(pipeline.alerts())


def chain(rows):
    """What tests/plugins/slow_detector.c with a timer of 5 s makes of the series, event by event: {events: chain}."""
    def mix(c, v):
        c = (c ^ v) * 0x9e3779b97f4a7c15 & rk.MASK
        return c ^ c >> 29
    c, due, found = 0, None, {}
    for seq, (ts, _) in enumerate(rows, 1):
        if due is not None and ts >= due:
            c, due = mix(c, ~due & rk.MASK), None
        c = mix(mix(c ^ c, ts), seq)
        due = ts + 5 * 10**9
        found[seq] = c
    return found


def test_a_reoptioned_detector_keeps_its_state(pipeline):
    rows = series(pipeline, N)
    expected = chain(rows)
    conf = config()
    process = started(pipeline, conf)
    grown(pipeline, process, "alerts.jsonl", 20)
    conf["detectors"]["slow"]["every"] = 70
    pipeline.configure(conf)
    assert "changed  detector 'slow': every" in ask_reload(pipeline).stdout
    assert process.wait(timeout=60) == 0, pipeline.log()
    slow = [a for a in pipeline.alerts() if a["detector"] == "slow"]
    counts = [int(a["reason"].split("after ")[1].split()[0]) for a in slow]
    assert [a["seq"] for a in slow] == counts, "the count of events began anew"
    for a, n in zip(slow, counts):
        assert a["reason"].startswith(f"chain {expected[n]:016x} ")
    turn = next(i for i, n in enumerate(counts) if n != 50 * (i + 1))  # 700 is a turn of both
    assert counts[turn:] == [n for n in range(70, N + 1, 70) if n > counts[turn - 1]][-len(counts[turn:]):]
    assert len({a["config"] for a in slow}) == 2  # each alert tells which options it was raised with


def test_what_is_added_begins_and_what_is_removed_ends(pipeline):
    series(pipeline, N)
    series(pipeline, 300, "other.csv", seed=2)
    conf = config()
    _, alerts = undisturbed(pipeline, conf)
    process = started(pipeline, conf)
    grown(pipeline, process, "alerts.jsonl", 20)
    conf["sources"]["other"] = rk.source("other.csv")
    conf["detectors"]["new"] = {"plugin": "aged_detector", "inputs": ["other"], "every": 100}
    conf["sinks"]["more"] = {"plugin": "jsonl", "inputs": ["new"], "path": "more.jsonl"}
    pipeline.configure(conf)
    said = ask_reload(pipeline).stdout
    assert "4 kept, 0 changed, 3 added, 0 removed" in said and "added    detector 'new' (aged_detector)" in said
    grown(pipeline, process, "more.jsonl", 3)
    for section, name in (("sources", "other"), ("detectors", "new"), ("sinks", "more")):
        del conf[section][name]
    pipeline.configure(conf)
    said = ask_reload(pipeline).stdout
    assert "4 kept, 0 changed, 0 added, 3 removed" in said and "removed  sink 'more' (jsonl)" in said
    assert process.wait(timeout=60) == 0, pipeline.log()
    found = pipeline.alerts()
    assert [a["reason"] for a in found if a["detector"] == "new"] == ["100 events", "200 events", "300 events"]
    assert pipeline.info()["events"] == N + 300
    # far looks at values only: where its events stand in the order is no matter to it
    for key in ("ts", "score", "reason", "config"):
        assert [a[key] for a in found if a["detector"] == "far"] == [a[key] for a in alerts if a["detector"] == "far"]


def test_every_mistake_is_told_and_the_old_configuration_runs_on(pipeline):
    series(pipeline, N)
    conf = config()
    digest, _ = undisturbed(pipeline, conf)
    process = started(pipeline, conf)
    grown(pipeline, process, "alerts.jsonl", 10)
    bad = config(every="fifty")
    bad["detectors"]["far"]["windw"] = 3
    pipeline.configure(bad)
    done = ask_reload(pipeline, 2)
    assert "'fifty' is not an integer" in done.stderr and "did you mean 'window'?" in done.stderr
    assert f"process {process.pid} was not asked" in done.stderr
    assert outcome(pipeline)[0] == 0  # nobody disturbed it
    process.send_signal(signal.SIGHUP)
    assert kit.wait_for(lambda: outcome(pipeline)[0] == 1, process)
    assert outcome(pipeline)[1] == "refused"
    for text in (outcome(pipeline)[2], pipeline.log()):
        assert "'fifty' is not an integer" in text and "did you mean 'window'?" in text
        assert "the old configuration runs on" in text
    assert process.wait(timeout=60) == 0, pipeline.log()
    assert pipeline.digest() == digest


def test_a_plugin_that_crashes_when_it_is_loaded_does_not_take_the_run_with_it(pipeline):
    need("bad_crash")
    series(pipeline, N)
    conf = config()
    digest, _ = undisturbed(pipeline, conf)
    process = started(pipeline, conf)
    bad = config()
    bad["detectors"]["far"]["plugin"] = "bad_crash"
    pipeline.configure(bad)
    process.send_signal(signal.SIGHUP)
    assert kit.wait_for(lambda: outcome(pipeline)[0] == 1, process)
    assert outcome(pipeline)[1] == "refused" and "crashes while it is loaded" in outcome(pipeline)[2]
    assert process.wait(timeout=60) == 0, pipeline.log()
    assert pipeline.digest() == digest


@pytest.mark.parametrize("workers", [1, 3])
def test_what_cannot_be_built_leaves_the_old_machine_as_it_was(pipeline, workers):
    """Source and sink are changed, too: they have been closed by the time a detector refuses to open."""
    series(pipeline, N)
    conf = config()
    conf["detectors"]["aged"] = {"plugin": "aged_detector", "inputs": ["series"]}
    conf["sinks"]["lines"]["inputs"] = ["*"]
    digest, _ = undisturbed(pipeline, conf)
    process = started(pipeline, conf, "--workers", workers)
    for n in (20, 100):
        grown(pipeline, process, "alerts.jsonl", n)
        bad = {**conf, "sources": {"series": rk.source(speed="7x")},
               "detectors": {**conf["detectors"], "aged": {"plugin": "aged_detector", "inputs": ["series"], "refuse": True}},
               "sinks": {"lines": {"plugin": "jsonl", "inputs": ["far", "slow"], "path": "never.jsonl"}}}
        pipeline.configure(bad)
        done = ask_reload(pipeline, 2)
        assert "detector 'aged' did not open: it was told to refuse; the old configuration runs on" in done.stderr
    pipeline.configure(conf)
    assert "5 kept" in ask_reload(pipeline).stdout
    assert process.wait(timeout=60) == 0, pipeline.log()
    assert pipeline.digest() == digest
    assert rk.ids(lines(pipeline, "alerts.jsonl")) == rk.ids(pipeline.alerts())
    assert not pipeline.path("never.jsonl").exists()


def test_another_plugin_under_the_same_name_starts_afresh(pipeline):
    series(pipeline, N)
    conf = config()
    process = started(pipeline, conf)
    grown(pipeline, process, "alerts.jsonl", 10)
    conf["detectors"]["slow"] = {"plugin": "aged_detector", "inputs": ["series"], "every": 1000}
    pipeline.configure(conf)
    assert "plugin aged_detector 1.0.0, before slow_detector 1.0.0" in ask_reload(pipeline).stdout
    assert process.wait(timeout=60) == 0, pipeline.log()
    assert "its plugin was 'slow_detector' and is 'aged_detector' now: it starts afresh" in pipeline.log()
    reasons = [a["reason"] for a in pipeline.alerts() if a["detector"] == "slow"]
    assert [r for r in reasons if not r.startswith("chain")] == [f"{n} events" for n in range(1000, N, 1000)][
        :len([r for r in reasons if not r.startswith("chain")])]


def test_another_key_starts_afresh(pipeline):
    series(pipeline, N)
    conf = config()
    process = started(pipeline, conf)
    grown(pipeline, process, "alerts.jsonl", 10)
    conf["detectors"]["slow"]["key"] = "symbol"
    pipeline.configure(conf)
    ask_reload(pipeline)
    assert process.wait(timeout=60) == 0, pipeline.log()
    assert "slow: its key was none and is symbol now: it starts afresh" in pipeline.log()


def test_a_changed_secret_is_a_change_although_the_words_are_the_same(pipeline):
    series(pipeline, N)
    target = pipeline.write("target", "alerts.jsonl")
    os.chmod(target, 0o600)
    conf = config()
    conf["sinks"]["lines"]["path"] = "${file:target}"
    process = started(pipeline, conf)
    grown(pipeline, process, "alerts.jsonl", 10)
    target.write_text("later.jsonl")
    assert "changed  sink 'lines': path" in ask_reload(pipeline).stdout
    assert process.wait(timeout=60) == 0, pipeline.log()
    assert rk.ids(lines(pipeline, "alerts.jsonl") + lines(pipeline, "later.jsonl")) == rk.ids(pipeline.alerts())


def test_a_sink_that_is_down_does_not_hold_the_reload_up(pipeline):
    """It has a folder where its file should be; what it could not deliver goes to the one that takes its place."""
    series(pipeline, N)
    conf = config()
    pipeline.path("alerts.jsonl").mkdir()
    process = started(pipeline, conf)
    assert kit.wait_for(lambda: "lines" in pipeline.log(), process)
    conf["sinks"]["lines"]["path"] = "good.jsonl"
    pipeline.configure(conf)
    assert "changed  sink 'lines': path" in ask_reload(pipeline).stdout
    assert process.wait(timeout=60) == 0, pipeline.log()
    assert rk.ids(lines(pipeline, "good.jsonl")) == rk.ids(pipeline.alerts())


@pytest.mark.parametrize("workers", [1, 2])
def test_a_live_run_is_recorded_and_judged_the_same_through_reloads(pipeline, workers):
    """One source is left alone, the other is changed each time; both count, so a loss or a repetition shows."""
    need("counting_source")
    conf = {
        "sources": {name: {"plugin": "counting_source", "symbol": name, "burst": 7} for name in ("kept", "changed")},
        "detectors": {"all": {"plugin": "slow_detector", "inputs": ["*"], "every": 500, "key": "none", "span": "50ms"},
                      "each": {"plugin": "slow_detector", "inputs": ["*"], "every": 400, "span": "20ms"}},
        "sinks": {"lines": {"plugin": "jsonl", "inputs": ["*"], "path": "alerts.jsonl"}},
    }
    process = started(pipeline, conf, "--workers", workers)
    for i, n in enumerate((5, 25, 50)):
        grown(pipeline, process, "alerts.jsonl", n)
        conf["sources"]["changed"]["burst"] = 8 + i
        pipeline.configure(conf)
        said = ask_reload(pipeline).stdout
        assert "changed  source 'changed': burst\n4 kept, 1 changed" in said
    grown(pipeline, process, "alerts.jsonl", 75)
    assert kit.stop(process) == 0, pipeline.log()
    events, digest = pipeline.events(), pipeline.digest()
    assert [e["seq"] for e in events] == list(range(1, len(events) + 1))
    for name in ("kept", "changed"):
        sizes = [int(e["size"]) for e in events if e.get("symbol") == name]
        assert sizes == list(range(1, len(sizes) + 1)), f"{name} lost or repeated something"
    assert rk.ids(lines(pipeline, "alerts.jsonl")) == rk.ids(pipeline.alerts())
    done = kit.tapewatch("replay", "-c", "c.yaml", "-d", "again", "data", cwd=pipeline.folder, env=ENV)
    assert done.returncode == 0, done.stderr
    assert pipeline.digest("again") == digest


def counts(pid):
    status = dict(line.split(":", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines())
    return len(os.listdir(f"/proc/{pid}/fd")), int(status["Threads"]), int(status["VmRSS"].split()[0])


def test_reloads_leave_no_descriptors_threads_or_memory_behind(pipeline):
    series(pipeline, N)
    conf = config(speed="2x")
    process = started(pipeline, conf)

    def reload_until(n):
        while outcome(pipeline)[0] < n:
            before = outcome(pipeline)[0]
            conf["detectors"]["slow"]["every"] = 50 + before % 2
            conf["sinks"]["lines"]["path"] = f"alerts{before % 2}.jsonl"
            pipeline.configure(conf)
            process.send_signal(signal.SIGHUP)
            assert kit.wait_for(lambda: outcome(pipeline)[0] > before, process), pipeline.log()
    reload_until(20)
    fds, threads, memory = counts(process.pid)
    reload_until(60)
    after = counts(process.pid)
    assert after[:2] == (fds, threads)
    # a sanitizer keeps what was freed for a while, and counts leaks by itself
    assert kit.SANITIZED or after[2] < memory * 1.2 + 4096
    assert kit.stop(process) == 0, pipeline.log()


def test_a_second_wish_during_a_reload_is_not_forgotten(pipeline):
    series(pipeline, N)
    conf = config()
    process = started(pipeline, conf)
    for i in range(50):
        process.send_signal(signal.SIGHUP)
    conf["detectors"]["slow"]["every"] = 77
    pipeline.configure(conf)
    process.send_signal(signal.SIGHUP)
    assert kit.wait_for(lambda: "changed  detector 'slow': every" in pipeline.log(), process), pipeline.log()
    assert process.wait(timeout=60) == 0, pipeline.log()


def test_a_stop_during_a_reload_ends_the_run_in_order(pipeline):
    series(pipeline, N)
    conf = config()
    digest, _ = undisturbed(pipeline, conf)
    for _ in range(5):
        process = started(pipeline, conf)
        process.send_signal(signal.SIGHUP)
        assert kit.stop(process) == 0, pipeline.log()
    process = started(pipeline, conf)
    assert process.wait(timeout=60) == 0, pipeline.log()
    assert pipeline.digest() == digest


def threads(pid):
    names = set()
    for path in pathlib.Path(f"/proc/{pid}/task").glob("*/comm"):
        try:
            names.add(path.read_text().strip())
        except (FileNotFoundError, ProcessLookupError):
            pass
    return names


def test_a_reload_at_the_very_end_does_not_keep_the_run_from_ending(pipeline):
    """Everything is judged and delivered, the other threads are gone, and the source is not yet closed."""
    need("late_source")
    conf = config()
    conf["sources"] = {"series": {"plugin": "late_source", "until": "closed"}}
    process = started(pipeline, conf)
    assert kit.wait_for(lambda: threads(process.pid) == {"tapewatch", "series"}, process), pipeline.log()
    process.send_signal(signal.SIGHUP)
    assert kit.wait_for(lambda: outcome(pipeline)[0] > 0, process), pipeline.log()
    pipeline.write("closed", "")
    assert process.wait(timeout=60) == 0, pipeline.log()
    assert pipeline.info()["events"] == 100


def test_without_a_tape_there_is_no_reload(pipeline):
    series(pipeline, N)
    process = started(pipeline, config(), "--no-tape")
    done = ask_reload(pipeline, 2)
    assert "this run keeps no tape" in done.stderr
    assert kit.stop(process) == 0, pipeline.log()


def test_the_run_is_asked_for_its_own_configuration(pipeline):
    series(pipeline, N)
    conf = config()
    process = started(pipeline, conf)
    ask_reload(pipeline, 0, "-c", "c.yaml")
    shutil.copy(pipeline.path("c.yaml"), pipeline.path("other.yaml"))
    done = ask_reload(pipeline, 2, "-c", "other.yaml")
    assert "started with another configuration (-c c.yaml)" in done.stderr
    # from any folder, with any environment: what counts is how the process was started
    done = kit.tapewatch("reload", "-d", pipeline.folder / "data", cwd="/", env={"TAPEWATCH_PLUGINS": "/nowhere"})
    assert done.returncode == 0, done.stderr
    assert kit.stop(process) == 0, pipeline.log()


def test_without_a_run_there_is_nothing_to_reload(pipeline):
    series(pipeline, 100)
    pipeline.configure(config(speed="max"))
    done = ask_reload(pipeline, 4)
    assert "no process runs on data" in done.stderr
    pipeline.run(env=ENV)
    assert "no process runs on data" in ask_reload(pipeline, 4).stderr
    assert TEST_PLUGINS.exists()
