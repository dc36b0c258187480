# SPDX-License-Identifier: Apache-2.0
"""The same answer every time: live, replayed, rebuilt, with batches of any size."""
import shutil
from fractions import Fraction

import pytest

import kit
import oracle_windows as oracle
import test_resume

CONFIG = {
    "detectors": {
        **test_resume.DETECTORS,
        "martingale": {"plugin": "martingale", "inputs": ["world"]},
        "wash": {"plugin": "wash_trade", "inputs": ["world"], "fills": 3, "window": "1m"},
        "fences": {"plugin": "iqr", "inputs": ["world"], "fields": "return", "multiplier": 3, "warmup": "50 events",
                   "max_keys": 11},
        "volumes": {"plugin": "volume", "inputs": ["world"], "where": {"kind": "trade", "symbol": "!X*"},
                    "threshold": 5, "ttl": "10m"},
        "quiet": {"plugin": "rate", "inputs": ["world"], "window": "10s", "silence": "20s", "cooldown": "5m"},
    },
    "host": {"segment_size": "1MiB", "checkpoint": "100ms"},
}


@pytest.fixture(scope="module")
def live(tmp_path_factory):
    """A simulated broker of quotes, trades, deals and news, and a file of ticks beside it; run once."""
    p = kit.Pipeline(tmp_path_factory.mktemp("live"))
    p.write("ticks.csv", test_resume.ticks(21, 20000, "XAG/USD", 150))
    p.run({**CONFIG, "sources": {"world": {"plugin": "demo", "duration": "1h", "seed": 3},
                                 "ticks": {"plugin": "csv", "path": "ticks.csv"}}})
    return p


def replay(p, *args):
    done = kit.tapewatch("replay", "-c", "c.yaml", "-q", *args, cwd=p.folder)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_live_run_has_something_to_compare(live):
    said = {a["detector"] for a in live.alerts()}
    assert {"z", "robust", "bands", "rate", "far", "fences", "volumes"} <= said
    assert len(live.info()["segments"]) >= 2  # large commits make fewer


@pytest.mark.parametrize("batch", [1, 7, 256])
def test_replay_gives_the_digest_of_the_live_run_whatever_the_batch(batch, live):
    assert replay(live, "data", "--batch", batch) == live.digest()


@pytest.mark.parametrize("workers", [2, 8])
def test_replay_gives_the_digest_of_the_live_run_whatever_the_workers(workers, live):
    assert replay(live, "data", "--workers", workers) == live.digest()


def test_replay_twice_gives_the_same_twice(live):
    assert replay(live, "data") == replay(live, "data")


@pytest.mark.parametrize("batch", [1, 7])
def test_a_live_run_gives_the_same_digest_whatever_the_batch(batch, live):
    live.run(None, "--batch", batch, dir=f"batch{batch}")
    assert live.digest(f"batch{batch}") == live.digest()


def test_the_alerts_of_a_replay_are_those_of_the_run_row_for_row(live):
    replay(live, "data", "-d", "again")
    assert live.alerts(dir="again") == live.alerts()  # with their ids: they come from the tape that was replayed


def test_a_replay_leaves_nothing_behind_without_d(live, tmp_path):
    done = kit.tapewatch("replay", "-c", "c.yaml", "-q", "data", cwd=live.folder, env={"TMPDIR": str(tmp_path)})
    assert done.returncode == 0
    assert list(tmp_path.iterdir()) == []


def test_a_segment_is_a_recording_of_its_own(live, tmp_path):
    """One segment, copied elsewhere without its store: its events are those the store has in that stretch."""
    segments = live.info()["segments"]
    chosen = segments[1]
    copy = tmp_path / "copied.tape"
    shutil.copy(live.folder / "data/tape" / chosen["path"].rsplit("/")[-1], copy)
    events = kit.json_lines(kit.tapewatch("tape", "cat", "--json", copy).stdout)
    assert [e["seq"] for e in events] == list(range(chosen["first"], chosen["last"] + 1))
    whole = {e["seq"]: e for e in live.events()}
    assert all(whole[e["seq"]] == e for e in events)


def test_replay_of_a_copied_first_segment_gives_the_alerts_of_its_events(live, tmp_path):
    first = live.info()["segments"][0]
    copy = tmp_path / "one.tape"
    shutil.copy(live.folder / "data/tape" / first["path"].rsplit("/")[-1], copy)
    replay(live, copy, "-d", "of_one")
    found = kit.without_tape(live.alerts(dir="of_one"))
    expected = [a for a in kit.without_tape(live.alerts()) if a["seq"] <= first["last"]]
    assert expected and found == expected


def test_rebuild_computes_the_same_states(live):
    shutil.copytree(live.folder / "data", live.folder / "rebuilt")
    before = live.alerts(dir="rebuilt")
    live.run(None, "--rebuild", dir="rebuilt")
    assert live.alerts(dir="rebuilt") == before
    assert live.digest("rebuilt") == live.digest()


def test_a_changed_threshold_changes_the_digest(live):
    text = (live.folder / "c.yaml").read_text()
    changed = text.replace('"threshold": 4', '"threshold": 4.5', 1)
    assert changed != text
    live.write("changed.yaml", changed)
    done = kit.tapewatch("replay", "-c", "changed.yaml", "-q", "data", cwd=live.folder)
    assert done.returncode == 0 and done.stdout.strip() != live.digest()


def test_two_stages_the_average_of_prices_and_then_zscores_of_the_average(pipeline):
    """The second stage hears the first one's scores, each at the event that caused it."""
    lines = test_resume.ticks(22, 20000)
    pipeline.write("t.csv", lines)
    pipeline.run({"sources": {"t": {"plugin": "csv", "path": "t.csv"}},
                  "detectors": {"far": {"plugin": "zscore", "inputs": ["mean"], "fields": "score", "threshold": 3},
                                "mean": {"plugin": "moving_average", "inputs": ["t"], "emit": True, "window": 10,
                                         "threshold_pct": 1000}}})
    prices = [(float(line.split(b",")[2]) + float(line.split(b",")[3])) / 2 for line in lines.splitlines()]
    means = dict(oracle_means(prices, 10))
    scores = oracle.zscore(list(means.values()))
    may = {(i + 1, "score_spike" if s > 0 else "score_drop"): abs(s)
           for i, s in zip(means, scores) if abs(s) > 3 - 1e-7}
    must = {k: s for k, s in may.items() if s > 3 + 1e-7}
    # an average of ten prices has lost digits that its own deviation of some points magnifies
    kit.same_alerts(pipeline.alerts(), must, may, relative=1e-7, absolute=1e-7)
    assert replay(pipeline, "data", "--batch", 3) == pipeline.digest()


def oracle_means(values, window):
    total, exact = Fraction(0), [Fraction(v) for v in values]
    for i, v in enumerate(exact):
        total += v
        if i >= window:
            total -= exact[i - window]
        if i >= window - 1:
            yield i, float(total / window)
