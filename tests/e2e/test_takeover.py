# SPDX-License-Identifier: Apache-2.0
"""A new process in the place of an old one: it checks everything first, and between the two nothing is lost or doubled."""
import subprocess
import sys

import pytest

import kit
import reload_kit as rk
from reload_kit import ENV, config, grown, lines, need, series, started, undisturbed

N = 6000


@pytest.fixture(autouse=True)
def plugins():
    need("slow_detector", "aged_detector")


def take_over(pipeline, *args, config="c.yaml", env=ENV):
    return kit.tapewatch("run", "-c", config, "-d", "data", "--takeover", *args, cwd=pipeline.folder, env=env)


@pytest.mark.parametrize("workers", [1, 2])
def test_the_new_process_goes_on_where_the_old_one_stopped(pipeline, workers):
    series(pipeline, N)
    conf = config()
    digest, _ = undisturbed(pipeline, conf)
    old = started(pipeline, conf)
    for speed in ("5x", "6x"):
        grown(pipeline, old, "alerts.jsonl", len(lines(pipeline, "alerts.jsonl")) + 10)
        conf["sources"]["series"]["speed"] = speed
        pipeline.configure(conf)
        before = pipeline.log()
        new = pipeline.start("--takeover", "--workers", workers, env=ENV)
        assert old.wait(timeout=60) == 0
        assert f"process {old.pid} has been asked to stop" in pipeline.log()[len(before):]
        old = new
    assert new.wait(timeout=60) == 0, pipeline.log()
    assert pipeline.digest() == digest
    assert pipeline.info()["events"] == N
    assert rk.ids(lines(pipeline, "alerts.jsonl")) == rk.ids(pipeline.alerts())
    assert rk.rebuilt(pipeline) == digest


def test_a_live_source_neither_loses_nor_repeats(pipeline):
    need("counting_source")
    conf = {
        "sources": {"count": {"plugin": "counting_source", "symbol": "X"}},
        "detectors": {"each": {"plugin": "slow_detector", "inputs": ["*"], "every": 400, "span": "20ms"}},
        "sinks": {"lines": {"plugin": "jsonl", "inputs": ["*"], "path": "alerts.jsonl"}},
    }
    old = started(pipeline, conf)
    for n in (5, 15, 25):
        grown(pipeline, old, "alerts.jsonl", n)
        new = pipeline.start("--takeover", env=ENV)
        assert old.wait(timeout=60) == 0, pipeline.log()
        old = new
    grown(pipeline, old, "alerts.jsonl", 35)
    assert kit.stop(old) == 0, pipeline.log()
    sizes = [int(e["size"]) for e in pipeline.events() if e.get("symbol") == "X"]
    assert sizes == list(range(1, len(sizes) + 1))
    assert rk.ids(lines(pipeline, "alerts.jsonl")) == rk.ids(pipeline.alerts())
    done = kit.tapewatch("replay", "-c", "c.yaml", "-d", "again", "data", cwd=pipeline.folder, env=ENV)
    assert done.returncode == 0, done.stderr
    assert pipeline.digest("again") == pipeline.digest()


def left_alone(pipeline, old, digest):
    assert old.poll() is None, "the old process has ended"
    assert "stopping" not in pipeline.log()
    assert old.wait(timeout=60) == 0, pipeline.log()
    assert pipeline.digest() == digest


def test_a_mistake_leaves_the_old_one_running(pipeline):
    series(pipeline, N)
    conf = config()
    digest, _ = undisturbed(pipeline, conf)
    old = started(pipeline, conf)
    pipeline.configure(config(every="fifty"), "wrong.yaml")
    done = take_over(pipeline, config="wrong.yaml")
    assert done.returncode == 2 and "'fifty' is not an integer" in done.stderr
    left_alone(pipeline, old, digest)


@pytest.mark.parametrize("what, env, sentence", [
    ("refuse", {}, "detector 'aged' did not open: it was told to refuse"),
    ("version", {"AGED_STATE_VERSION": "2"}, "which now has version 2 and no migration"),
])
def test_new_code_that_cannot_go_on_from_the_state_leaves_the_old_one_running(pipeline, what, env, sentence):
    series(pipeline, N)
    conf = config()
    conf["host"] = {"checkpoint": "100ms"}
    conf["detectors"]["aged"] = {"plugin": "aged_detector", "inputs": ["series"]}
    digest, _ = undisturbed(pipeline, conf)
    old = started(pipeline, conf)
    state = ["state", "ls", "-d", "data"]
    assert kit.wait_for(lambda: "aged" in kit.tapewatch(*state, cwd=pipeline.folder).stdout, old)
    if what == "refuse":
        conf["detectors"]["aged"]["refuse"] = True
    pipeline.configure(conf, "new.yaml")
    done = take_over(pipeline, config="new.yaml", env={**ENV, **env})
    assert done.returncode == 2, done.stderr
    assert sentence in done.stderr and "nothing was taken over" in done.stderr
    left_alone(pipeline, old, digest)


def test_with_nobody_there_it_is_a_start_like_any_other(pipeline):
    series(pipeline, 500)
    conf = config(speed="max")
    digest, _ = undisturbed(pipeline, conf)
    pipeline.configure(conf)
    for _ in range(2):
        done = take_over(pipeline)
        assert done.returncode == 0, done.stderr
        assert "nobody has data: nothing to take over" in done.stderr
    assert pipeline.digest() == digest


def test_a_number_left_in_the_lock_file_does_not_kill_a_stranger(pipeline):
    series(pipeline, 500)
    pipeline.configure(config(speed="max"))
    pipeline.run(env=ENV)
    stranger = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    try:
        pipeline.path("data/LOCK").write_text(f"{stranger.pid}\n")
        done = take_over(pipeline)
        assert done.returncode == 0, done.stderr
        assert "nothing to take over" in done.stderr
        assert rk.ask_reload(pipeline, 4).stderr.startswith("tapewatch reload: no process runs on data")
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.communicate()
