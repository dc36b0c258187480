# SPDX-License-Identifier: Apache-2.0
"""Any number of workers and any size of batches give the same alerts, dead letters and states."""
import json
import pathlib
import random
import re
import shutil
import signal
import subprocess

import pytest

import kit

PLUGINS = pathlib.Path(kit.BIN).resolve().parent.parent / "tests/plugins"
WORKERS = [1, 2, 3, 7]
BATCHES = [1, 7, 256, 4096]
MATRIX = [(w, b) for w in WORKERS for b in BATCHES]
LONG = 40  # minutes
if kit.SANITIZED:  # ten times as slow; each number of workers and each size once
    MATRIX, LONG = [(1, 4096), (2, 256), (3, 1), (7, 7)], 20
HOST = {"checkpoint": "100ms", "segment_size": "1MiB"}
ATTEMPTS = 20  # until enough kills come in the middle
MINUTES = 12


def sources(minutes=MINUTES):
    """A simulated market, and trades of accounts that come and go beside it."""
    return {"market": {"plugin": "demo", "duration": f"{minutes}m", "accounts": 25, "seed": 11},
            "trades": {"plugin": "csv", "path": f"trades{minutes}.csv", "kind": "trade", "max_bad": 1000,
                       "columns": {"ts": "time", "symbol": "symbol", "account": "account", "price": "price", "size": "size"}}}


def write_trades(pipeline, minutes=MINUTES):
    rng = random.Random(minutes)
    rows, ms = ["time,symbol,account,price,size\n"], 0
    while ms < minutes * 60000:
        ms += rng.choice([0, 1, 20, 60, 200])
        if rng.random() < 0.001:
            ms += 15000 # nobody trades: time for timers and for being forgotten
        # half of the trades are of a few accounts, and which ones changes
        account = rng.randrange(6) + ms // 40000 % 30 if rng.random() < 0.5 else rng.randrange(36)
        price = "none" if rng.random() < 0.002 else f"1.{rng.randrange(10**5):05d}"
        rows.append(f"2026-01-05T00:{ms // 60000:02d}:{ms // 1000 % 60:02d}.{ms % 1000:03d}Z,"
                    f"{rng.choice(['EURUSD', 'USDJPY', 'XAUUSD', 'S' + str(account % 5)])},A{account:05d},{price},1\n")
    pipeline.write(f"trades{minutes}.csv", "".join(rows))


BOTH = ["market", "trades"]


def touchy(inputs=None, **options):
    return {"plugin": "touchy_detector", "inputs": inputs or BOTH, **options}


# Every way in which a key, a timer, a stage, a limit or a failure can matter.
DETECTORS = {
    "symbols": touchy(every=40, emit=True),
    "accounts": touchy(["trades"], key="account", every=20, span="2s", emit=True),
    "pairs": touchy(key="account,symbol", every=10, twice=True),
    "all": touchy(key="none", every=90, span="700ms"),
    "few_keys": touchy(key="account,symbol", every=3, max_keys=17),
    "short_lives": touchy(key="account", every=4, ttl="20s"),
    "short_timed": touchy(key="account", every=4, span="9s", ttl="13s"),
    "crowded": touchy(key="account,symbol", every=5, span="30s", max_keys=23),
    "some": touchy(every=30, where={"kind": "trade", "symbol": ["*USD", "!XAU*"], "account": ["A0000*", "A0001*"]}),
    "failing": touchy(key="account", every=15, fail=41, max_errors=1000000),
    "broken": touchy(key="symbol", every=7, fail=23, after="6m", max_errors=30, span="1s", emit=True),
    "quiet": touchy(every=3, cooldown="30s", warmup="20 events"),
    "second": touchy(["symbols", "accounts", "broken"], key="symbol", every=60, emit=True),
    "second_timed": touchy(["accounts", "trades"], key="account", every=50, span="3s", emit=True, fail=301,
                           max_errors=1000000),
    "third": touchy(["second", "second_timed"], key="none", every=70),
    "rate": {"plugin": "rate", "inputs": BOTH, "window": "5s", "k": 2},
    "spikes": {"plugin": "zscore", "inputs": BOTH, "fields": "return", "threshold": 4, "cooldown": "10 events"},
}
CONFIG = {"sources": sources(), "detectors": DETECTORS, "host": HOST}


@pytest.fixture(scope="module", autouse=True)
def plugins():
    if not (PLUGINS / "touchy_detector.so").exists():
        pytest.skip(f"{PLUGINS}/touchy_detector.so is missing: built with TAPEWATCH_TESTS=OFF")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TAPEWATCH_PLUGINS", f"{PLUGINS}:{PLUGINS.parent.parent / 'plugins'}")
        yield


def dead(pipeline, dir="data"):
    """Dead letters without the time they were written at. Their order is that of commits."""
    return sorted(json.dumps({k: v for k, v in d.items() if k not in ("wall", "n", "number", "time")}, sort_keys=True)
                  for d in pipeline.dead(dir=dir))


def summary(done):
    """The closing table, without what depends on the machine."""
    lines = re.findall(r"^  (\w+) +([\d,]+) events +([\d,]+) alerts(.*)$", done.stderr, re.M)
    return {name: (events, alerts, rest) for name, events, alerts, rest in lines}


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    """One worker, event by event."""
    p = kit.Pipeline(tmp_path_factory.mktemp("one"))
    write_trades(p)
    p.done = p.run(CONFIG, "--batch", 1)
    p.table = summary(p.done)
    p.letters = dead(p)
    p.said = p.digest()
    return p


def test_everything_that_is_to_be_compared_happens(one):
    alerts = one.alerts()
    said = {a["detector"] for a in alerts}
    assert said == set(DETECTORS), set(DETECTORS) - said
    timers = [a for a in alerts if a["detector"] == "short_timed" and re.search(r"[1-9]\d* timers", a["reason"])]
    assert timers
    letters = [d for d in one.dead() if d["reason"] == "detector_error"]
    count = {name: sum(d["source"] == name for d in letters) for name in ("failing", "broken", "second_timed")}
    assert count["failing"] > 100 and count["second_timed"] > 10
    assert count["broken"] > 30  # in one minute, and as many as there were before it
    assert "switched off" in one.table["broken"][2]


def test_a_detector_that_is_switched_off_says_nothing_behind_the_event_that_did_it(one):
    last = max(d["seq"] for d in one.dead() if d["source"] == "broken")
    seqs = [a["seq"] for a in one.alerts() if a["detector"] == "broken"]
    assert seqs and max(seqs) <= last < one.info()["events"] - 1000


@pytest.mark.parametrize("workers, batch", MATRIX)
def test_replay_gives_the_digest_of_one_worker_event_by_event(workers, batch, one):
    done = kit.tapewatch("replay", "-c", "c.yaml", "data", "--workers", workers, "--batch", batch, cwd=one.folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == one.said


@pytest.mark.parametrize("workers, batch", MATRIX)
def test_a_run_gives_the_same_alerts_and_dead_letters(workers, batch, one):
    dir = f"run-{workers}-{batch}"
    done = one.run(None, "--workers", workers, "--batch", batch, dir=dir)
    assert one.digest(dir) == one.said
    assert dead(one, dir) == one.letters
    table = summary(done)
    assert {n: r[1] for n, r in table.items()} == {n: r[1] for n, r in one.table.items()}
    # what a detector is shown behind its end depends on how far the workers are; all else does not
    assert {n: r for n, r in table.items() if n != "broken"} == {n: r for n, r in one.table.items() if n != "broken"}
    shutil.rmtree(one.folder / dir)


def half_way(pipeline, dir, *args):
    """Stopped with SIGTERM once some of the tape is there."""
    process = pipeline.start(*args, dir=dir)
    assert kit.wait_for(lambda: pipeline.tape_bytes(dir) > 400000, process), pipeline.log()
    assert kit.stop(process) == 0, pipeline.log()
    return pipeline.info(dir)["events"]


# A detector that was switched off is switched on again by the next start, so it has no part in what follows.
STEADY = {**CONFIG, "detectors": {k: v for k, v in DETECTORS.items() if k not in ("broken", "second", "third")} |
          {"second": touchy(["symbols", "accounts"], key="symbol", every=60, emit=True),
           "third": touchy(["second", "second_timed"], key="none", every=70)}}


@pytest.fixture(scope="module")
def steady(tmp_path_factory):
    p = kit.Pipeline(tmp_path_factory.mktemp("steady"))
    write_trades(p, LONG)
    p.run({**STEADY, "sources": sources(LONG)}, dir="calm")
    p.said = p.digest("calm")
    p.letters = dead(p, "calm")
    p.events = p.info("calm")["events"]
    p.bytes = p.tape_bytes("calm")
    return p


@pytest.mark.parametrize("workers, batch", MATRIX)
def test_states_computed_anew_go_on_as_if_nothing_had_been(workers, batch, steady):
    before = random.Random(workers * 10000 + batch).choice(WORKERS)
    dir = f"rebuilt-{workers}-{batch}"
    seen = half_way(steady, dir, "--workers", before)
    assert 0 < seen < steady.events, "it was over before it could be stopped"
    steady.run(None, "--rebuild", "--workers", workers, "--batch", batch, dir=dir)
    assert steady.digest(dir) == steady.said
    shutil.rmtree(steady.folder / dir)


def test_the_number_of_workers_may_change_with_every_start(steady):
    dir = "changing"
    seen = [half_way(steady, dir, "--workers", 3)]
    steady.run(None, "--workers", 2, dir=dir)
    assert 0 < seen[0] < steady.events
    assert steady.digest(dir) == steady.said
    steady.ask("tape", "verify", dir)


@pytest.mark.parametrize("seed", [1] if kit.SANITIZED else [1, 2, 3])
def test_killed_again_and_again_with_one_two_and_four_workers(seed, steady):
    """The digest is that of a run that was left alone, and so are the dead letters but for those that were recorded
    with events whose alerts were not: the next start judges these again."""
    rng = random.Random(seed)
    for attempt in range(ATTEMPTS):
        dir = f"killed-{seed}-{attempt}"
        middle = 0
        for at in sorted(rng.random() for _ in range(8)):
            process = steady.start("--workers", rng.choice([1, 2, 4]), "--batch", rng.choice([0, 5, 300]), dir=dir)
            if not kit.wait_for(lambda: steady.tape_bytes(dir) >= steady.bytes * at, process):
                assert process.returncode == 0, steady.log()
                continue
            if kit.stop(process, signal.SIGKILL) == -signal.SIGKILL:
                middle += 0 < steady.info(dir)["events"] < steady.events
        if middle >= 2:
            break
    else:
        pytest.fail("too few kills came in the middle")
    steady.run(None, "--workers", 2, dir=dir)
    assert steady.digest(dir) == steady.said
    assert steady.info(dir)["events"] == steady.events
    assert set(dead(steady, dir)) == set(steady.letters)
    steady.ask("tape", "verify", dir)


def test_the_checkpoint_is_the_same_for_any_number_of_workers(tmp_path):
    """After the same events the stored states differ in nothing."""
    p = kit.Pipeline(tmp_path)
    write_trades(p)
    p.configure(STEADY)
    shown = []
    for workers in (1, 2, 7):
        dir = f"store{workers}"
        p.run(None, "--workers", workers, dir=dir)
        shown.append({name: p.ask("state", "show", "-d", dir, "--json", name) for name in ("crowded", "short_lives",
                                                                                         "all", "second_timed")})
    assert shown[0] == shown[1] == shown[2]
    assert all(len(text) > 100 for text in shown[0].values())


def test_lowering_max_keys_between_runs_forgets_the_oldest(tmp_path):
    """More keys than there may be are in the checkpoint: those not seen for longest go, and the run goes on."""
    p = kit.Pipeline(tmp_path)
    rows = [f"2026-01-05T00:00:{i:02d}Z,S{i % 20},{i}\n" for i in range(40)]
    p.write("s.csv", "time,symbol,value\n" + "".join(rows))
    config = {"sources": {"s": {"plugin": "csv", "path": "s.csv", "kind": "score",
                                "columns": {"ts": "time", "symbol": "symbol", "value": "value"}}},
              "detectors": {"d": touchy("s", every=1, max_keys=100)}}
    p.run(config)
    with open(p.path("s.csv"), "a") as f:
        f.write("".join(f"2026-01-05T00:01:{i:02d}Z,S{i},{i}\n" for i in range(19, -1, -1)))
    config["detectors"]["d"]["max_keys"] = 16
    p.run(config, "--workers", 2)
    new = {a["symbol"]: int(re.search(r"after (\d+) events", a["reason"]).group(1)) for a in p.alerts()[40:]}
    assert len(new) == 20
    # 20 keys, 16 may stay: two at a time go, S0 to S3; then S19 to S4 come back as they were, S3 to S0 anew
    assert new == {f"S{i}": 3 if i >= 4 else 1 for i in range(20)}


@pytest.mark.parametrize("args, sentence", [
    (["--workers", "65"], "--workers takes a number from 1 to 64"),
    (["--workers", "two"], "two"),
    (["--batch", "4097"], "--batch takes a number from 1 to 4096"),
])
def test_numbers_out_of_range_are_refused(args, sentence, tmp_path):
    done = kit.tapewatch("run", *args, cwd=tmp_path)
    assert done.returncode == 2 and sentence in done.stderr


def test_the_configuration_may_say_how_many(tmp_path):
    p = kit.Pipeline(tmp_path)
    write_trades(p)
    for workers in (1, 3):
        p.run({**CONFIG, "host": {"workers": workers}}, dir=f"store{workers}")
    assert p.digest("store1") == p.digest("store3")
    p.run({**CONFIG, "host": {"workers": 65}}, code=2)
