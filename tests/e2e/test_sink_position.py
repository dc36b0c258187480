# SPDX-License-Identifier: Apache-2.0
"""A sink that keeps the cursor with its data has every alert once, whatever is killed when; and a record that a sink
refuses has one dead letter."""
import os
import random
import signal

import pytest

import kit
import reload_kit

N = 20000


def config(refuse=0, **more):
    sink = {"plugin": "ledger_sink", "inputs": ["z"], "path": "ledger", "refuse": refuse}
    return {"host": {"checkpoint": "200ms"},
            "sources": {"s": {"plugin": "csv", "path": "s.csv", "kind": "trade", **more}},
            "detectors": {"z": {"plugin": "zscore", "inputs": ["s"], "fields": "price", "window": 32, "threshold": 2}},
            "sinks": {"kept": sink}}


@pytest.fixture
def run(pipeline):
    reload_kit.need("ledger_sink")
    rng = random.Random(3)
    pipeline.write("s.csv", "time,symbol,price,size\n" + "".join(
        f"{reload_kit.START + 10 * i},X,{rng.gauss(100, 1):.3f},1\n" for i in range(N)))
    return pipeline


def ledger(run):
    return run.path("ledger").read_text().splitlines()[1:]


def ids(run, refuse=0):
    return [a["id"] for a in run.alerts() if not refuse or a["seq"] % refuse]


def letters(run):
    return [d["seq"] for d in run.dead() if d["reason"] == "sink_refused"]


def refused(run, refuse):
    return [a["seq"] for a in run.alerts() if a["seq"] % refuse == 0]


POINTS = ["delivery.opened", "delivery.written", "delivery.flushed", "delivery.moved", "recorder.after_tape",
          "alerts.before_commit", "tape.after_commit"]


@pytest.mark.parametrize("refuse", [0, 7])
@pytest.mark.parametrize("point", POINTS)
def test_a_crash_between_sink_and_store_neither_loses_nor_repeats(run, point, refuse):
    run.configure(config(refuse))
    for turn in (1, 2, 5):
        done = kit.tapewatch("run", "-c", "c.yaml", "-d", "data", cwd=run.folder,
                             env={**reload_kit.ENV, "TW_CRASH": f"{point}:{turn}"})
        assert done.returncode in (137, 0), done.stderr
    run.run(env=reload_kit.ENV)
    assert len(ids(run)) > 500
    assert ledger(run) == ids(run, refuse)
    if refuse:
        assert letters(run) == refused(run, refuse)


def test_killed_at_random_it_has_everything_once(run):
    conf = config(7, speed="40x")
    rng = random.Random(11)
    run.configure(conf)
    for _ in range(12):
        process = run.start(env=reload_kit.ENV)
        size = run.path("ledger").stat().st_size if run.path("ledger").exists() else 0
        grown = size + rng.randrange(1, 4000)
        kit.wait_for(lambda: run.path("ledger").exists() and run.path("ledger").stat().st_size > grown, process)
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
        process.wait()
    run.run(config(7), env=reload_kit.ENV)
    assert ledger(run) == ids(run, 7)
    assert letters(run) == refused(run, 7)


def test_a_ledger_that_was_put_back_is_filled_again(run):
    """The data is older than the store's cursor: what the data says counts."""
    run.run(config(), env=reload_kit.ENV)
    whole = run.path("ledger").read_text()
    first, *rest = whole.splitlines()
    half = len(rest) // 2
    number = half.to_bytes(8, "little").hex()
    run.write("ledger", "\n".join([first[:64] + number, *rest[:half]]) + "\n")
    done = run.run(env=reload_kit.ENV)
    assert f"its data holds alerts through record {half}, the store says {len(rest)}" in done.stderr
    assert run.path("ledger").read_text() == whole


def test_the_data_of_another_tape_is_refused(run):
    run.run(config(), env=reload_kit.ENV)
    done = run.run(None, dir="other", env=reload_kit.ENV, code=3)
    assert "the sink's data belongs to the tape" in done.stderr
    assert ledger(run) == ids(run)
