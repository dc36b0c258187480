# SPDX-License-Identifier: Apache-2.0
"""Nothing lost, nothing twice: a run that was stopped or killed, however often, and then run again, leaves the same
alerts, events and dead letters as one that was left alone."""
import gzip
import json
import random
import re
import signal
import subprocess

import numpy as np
import pytest

import kit

ROWS = 100000
ATTEMPTS = 20  # until a signal comes at the moment that is wanted
HOST = {"checkpoint": "100ms", "segment_size": "1MiB"}
DETECTORS = {
    "z": {"plugin": "zscore", "inputs": ["*"], "window": 50, "threshold": 4, "cooldown": "20 events"},
    "robust": {"plugin": "zscore", "inputs": ["*"], "method": "robust", "threshold": 8, "window": 20},
    "bands": {"plugin": "technical", "inputs": ["*"], "signal": "cross", "cooldown": "30s", "smoothing": "wilder"},
    "rate": {"plugin": "rate", "inputs": ["*"], "window": "5s", "k": 3},
    "average": {"plugin": "moving_average", "inputs": ["*"], "threshold_pct": 0.3, "emit": True, "window": 100},
    "far": {"plugin": "zscore", "inputs": ["average"], "threshold": 6, "fields": "score"},
}


def ticks(seed, rows=ROWS, symbol="EUR/USD", step_ms=25):
    """TrueFX lines of a seeded walk with jumps; every 40th stands at the time of the one before it."""
    rng = np.random.default_rng(seed)
    points = 110000 + np.cumsum(rng.integers(-3, 4, rows) + (rng.random(rows) < 0.002) * rng.integers(-60, 60, rows))
    ms = np.cumsum(np.where(np.arange(rows) % 40 == 39, 0, rng.integers(1, 2 * step_ms, rows)))
    lines = []
    for p, t in zip(points.tolist(), ms.tolist()):
        second = t // 1000
        lines.append(f"{symbol},20260105 {second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}.{t % 1000:03d},"
                     f"{p // 100000}.{p % 100000:05d},{(p + 2) // 100000}.{(p + 2) % 100000:05d}\n")
    return "".join(lines).encode()


def plain(p):
    p.write("ticks.csv", ticks(1, 3 * ROWS))
    return {"ticks": {"plugin": "csv", "path": "ticks.csv"}}


def gzipped(p):
    p.write("ticks.csv.gz", gzip.compress(ticks(2), 1))
    return {"ticks": {"plugin": "csv", "path": "ticks.csv.gz"}}


def zstandard(p):
    p.write("ticks.csv.zst", kit.zstd(ticks(3)))
    return {"ticks": {"plugin": "csv", "path": "ticks.csv.zst"}}


def several_files(p):
    for i, symbol in enumerate(("EUR/USD", "GBP/USD", "USD/JPY")):
        p.write(f"part{i}.csv", ticks(4 + i, ROWS // 3, symbol))
    return {"ticks": {"plugin": "csv", "path": "part*.csv"}}


def several_sources(p):
    p.write("a.csv", ticks(7, ROWS // 2, "EUR/USD"))
    p.write("b.csv.gz", gzip.compress(ticks(8, ROWS // 100, "EUR/USD", 1250), 1))
    p.write("c.csv", ticks(9, ROWS // 4, "GBP/USD", 50))
    return {name: {"plugin": "csv", "path": file} for name, file in
            (("one", "a.csv"), ("two", "b.csv.gz"), ("three", "c.csv"))}


def simulated(p):
    return {"world": {"plugin": "demo", "duration": "2h", "accounts": 10, "seed": 5}}


def judged_by_four(p):
    """The same answer with four workers as with the one of the run that nobody disturbs."""
    return several_files(p)


WORLDS = [plain, gzipped, zstandard, several_files, several_sources, simulated, judged_by_four]


class World:
    """Sources in a folder of their own, and what a run leaves that nobody disturbs."""

    def __init__(self, pipeline, sources, *args):
        self.p, self.args = pipeline, args  # args: of the disturbed runs
        pipeline.configure({"sources": sources, "detectors": DETECTORS, "host": HOST,
                            "sinks": {"lines": {"plugin": "jsonl", "inputs": ["*"], "path": "lines.jsonl"}}})
        pipeline.run(dir="calm")
        (pipeline.folder / "lines.jsonl").unlink()
        self.alerts = kit.without_tape(pipeline.alerts(dir="calm"))
        self.digest = pipeline.digest(dir="calm")
        self.events = pipeline.info(dir="calm")["events"]
        self.bytes = pipeline.tape_bytes("calm")
        assert 100 < len(self.alerts) < 20000 and self.events >= ROWS // 2

    def begin(self):
        """An empty store for another disturbed run."""
        subprocess.run(["rm", "-rf", "data", "lines.jsonl", "log"], cwd=self.p.folder, check=True)
        return self.p

    def interrupt(self, number, at):
        """Start, and send a signal once the tape has so many bytes. Returns the process's end, or None when it was
        over before."""
        process = self.p.start(*self.args)
        if not kit.wait_for(lambda: self.p.tape_bytes() >= at, process):
            assert process.returncode == 0, self.p.log()
            return None
        return kit.stop(process, number)

    def check(self):
        p = self.p
        assert kit.without_tape(p.alerts()) == self.alerts
        assert p.digest() == self.digest
        assert p.info()["events"] == self.events
        p.ask("tape", "verify", "data")


@pytest.fixture(scope="module", params=WORLDS, ids=lambda f: f.__name__)
def world(request, tmp_path_factory):
    pipeline = kit.Pipeline(tmp_path_factory.mktemp(request.param.__name__))
    args = ["--workers", "4"] if request.param is judged_by_four else []
    return World(pipeline, request.param(pipeline), *args)


def test_sigterm_in_the_middle_then_run_again(world):
    for _ in range(ATTEMPTS):
        p = world.begin()
        end = world.interrupt(signal.SIGTERM, world.bytes * 0.1)
        assert end in (None, 0)
        if end == 0 and 0 < p.info()["events"] < world.events:
            break
    else:
        pytest.fail("no signal came in the middle")
    assert "stopping" in p.log()
    p.run()
    world.check()


def test_killed_again_and_again_then_run_again(world):
    rng = random.Random(4711)
    for _ in range(ATTEMPTS):
        p = world.begin()
        killed = middle = 0
        for at in sorted(rng.random() for _ in range(7)):
            if world.interrupt(signal.SIGKILL, world.bytes * at) == -signal.SIGKILL:
                killed += 1
                middle += 0 < p.info()["events"] < world.events
        if killed >= 4 and middle >= 2:
            break
    else:
        pytest.fail("too few kills came in the middle")
    p.run()
    world.check()
    # the sink may have had a line twice, but none is missing and the first ones stand in order
    ids = [json.loads(line)["id"] for line in (p.folder / "lines.jsonl").read_text().splitlines()]
    assert list(dict.fromkeys(ids)) == [a["id"] for a in p.alerts()]


def test_run_again_after_the_end_adds_nothing(world):
    p = world.begin()
    p.run()
    alerts, lines, bytes = p.alerts(), (p.folder / "lines.jsonl").read_bytes(), p.info()["bytes"]
    done = p.run()
    assert done.stderr.startswith("done: 0 events") or "\ndone: 0 events" in done.stderr
    assert p.alerts() == alerts
    assert (p.folder / "lines.jsonl").read_bytes() == lines
    assert p.info()["bytes"] == bytes
    world.check()


def test_killed_while_it_starts(tmp_path_factory):
    """At every moment from the first file of the store on, with nothing on the tape yet."""
    p = kit.Pipeline(tmp_path_factory.mktemp("start"))
    world = World(p, plain(p))
    world.begin()
    moments = ["data", "data/LOCK", "data/state.lmdb", "data/tape", "data/tape/000001.tape"]
    for moment in moments * 3:
        process = p.start()
        kit.wait_for((p.folder / moment).exists, process)
        kit.stop(process, signal.SIGKILL)
    p.run()
    world.check()


# ---- dead letters -------------------------------------------------------------------------------------------------

def dirty_file(rows=150000):
    """Lines of which every 37th is spoilt in one of five ways. Returns the bytes, good bids in order, bad lines."""
    good, bad, out = [], [], []
    for number, line in enumerate(ticks(11, rows).splitlines(), 1):
        if number % 37:
            good.append(float(line.split(b",")[2]))
        else:
            bad.append(number)
            symbol, time, bid, ask = line.split(b",")
            line = [b",".join((symbol, time, b"nan", ask)), b",".join((symbol, b"20269905 00:00:00.000", bid, ask)),
                    b"EUR/USD", b",".join((symbol, time, b"1.1.1", ask)), b",".join((b"E\x00R", time, bid, ask))
                    ][number // 37 % 5]
        out.append(line + b"\n")
    return b"".join(out), good, bad


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"])
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_books_balance_with_dead_letters_in_between(number, packed, pipeline):
    content, good, bad = dirty_file()
    path = pipeline.write("dirty.csv.gz" if packed else "dirty.csv", gzip.compress(content, 1) if packed else content)
    pipeline.configure({"sources": {"s": {"plugin": "csv", "path": path.name}}, "detectors": DETECTORS, "host": HOST})
    pipeline.run(dir="calm")
    total, rng, middle = pipeline.tape_bytes("calm"), random.Random(int(number)), 0
    for at in sorted(rng.random() for _ in range(6)):
        process = pipeline.start()
        if kit.wait_for(lambda: pipeline.tape_bytes() >= total * at, process):
            kit.stop(process, number)
            middle += 0 < pipeline.info()["events"] < len(good)
    assert middle, "no run was interrupted in the middle"
    pipeline.run()
    assert [e["bid"] for e in pipeline.events()] == good
    assert [int(d["where"].split(":")[1]) for d in pipeline.dead()] == bad
    assert kit.without_tape(pipeline.alerts()) == kit.without_tape(pipeline.alerts(dir="calm"))


# ---- files that change between two runs ---------------------------------------------------------------------------

def config(path):
    return {"sources": {"s": {"plugin": "csv", "path": path}},
            "detectors": {"z": {"plugin": "zscore", "inputs": ["s"]}}}


@pytest.mark.parametrize("pack", [bytes, kit.zstd], ids=["plain", "zstd"])
def test_a_file_that_has_grown_is_read_on(pack, pipeline):
    lines = ticks(12, 9000).splitlines(keepends=True)
    pipeline.write("whole.csv", b"".join(lines))
    pipeline.run(config("whole.csv"), dir="calm")
    for n in (3000, 3001, 9000):
        pipeline.write("growing.csv", pack(b"".join(lines[:n])))
        pipeline.run(config("growing.csv"))
        assert pipeline.info()["events"] == n
    assert kit.without_tape(pipeline.alerts()) == kit.without_tape(pipeline.alerts(dir="calm"))


@pytest.mark.parametrize("spoil, sentence", [
    (lambda lines: lines[:100], "shorter"),
    (lambda lines: lines[:2990] + lines[2995:], "not the same"),
])
def test_a_file_that_changed_before_the_position_is_refused(spoil, sentence, pipeline):
    lines = ticks(13, 3000).splitlines(keepends=True)
    pipeline.write("s.csv", b"".join(lines))
    pipeline.run(config("s.csv"))
    pipeline.write("s.csv", b"".join(spoil(lines)) + b"".join(lines[:500] if sentence == "not the same" else []))
    done = pipeline.run(code=3)
    assert "s.csv changed behind the recorded position" in done.stderr and sentence in done.stderr
    assert pipeline.info()["events"] == 3000


# ---- a drain that cannot end --------------------------------------------------------------------------------------

def test_a_second_signal_ends_a_drain_that_waits_for_a_sink(pipeline):
    pipeline.write("s.csv", ticks(14, 30000))
    c = config("s.csv")
    c["detectors"]["z"]["threshold"] = 1
    pipeline.configure({**c, "sinks": {"screen": {"plugin": "console", "inputs": ["z"]}}})
    process = pipeline.start(stdout=subprocess.PIPE)  # which nobody reads
    kit.wait_for(lambda: pipeline.tape_bytes() > 0, process)
    process.send_signal(signal.SIGTERM)
    kit.wait_for(lambda: "stopping" in pipeline.log(), process)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) in (-signal.SIGTERM, 128 + signal.SIGTERM)
    process.stdout.close()
    done = pipeline.run()
    lines = len(re.findall(r"\n", done.stdout))
    assert 0 < lines <= len(pipeline.alerts())
    assert pipeline.info()["events"] == 30000
