#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Figures of the real binary beside a yardstick of the same run.

Every row is a whole process pinned to one core, start-up included; rows are run in turn, round after round, and the
median is printed with the smallest and largest. The yardstick is what one pass of memcpy and of counting lines over
the same bytes costs on this machine, now. Nothing is asserted: a shared machine is noisy, so look at the ratios.
"""
import argparse
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import promises

HERE = pathlib.Path(__file__).resolve().parent
BIN = pathlib.Path(os.environ.get("TAPEWATCH_BIN", HERE.parent.parent / "build/bin/tapewatch")).resolve()
PROGRAMS = BIN.parent.parent / "bench"

CSV = "  ticks: {{plugin: csv, path: {path}, format: truefx}}\n"
ONE = "  z: {plugin: zscore, inputs: [ticks], window: 256, threshold: 6}\n"
SIX = """\
  z: {plugin: zscore, inputs: [ticks], window: 256, threshold: 6}
  i: {plugin: iqr, inputs: [ticks], multiplier: 6}
  m: {plugin: moving_average, inputs: [ticks], threshold_pct: 1}
  v: {plugin: volume, inputs: [ticks], threshold: 6}
  t: {plugin: technical, inputs: [ticks], cooldown: 10m}
  r: {plugin: rate, inputs: [ticks], k: 8, cooldown: 10m}
"""


def ticks(path, events, symbols):
    """A random walk of `symbols` pairs in TrueFX lines, seeded; kept between runs."""
    import numpy as np

    if path.exists() and path.stat().st_size > 0:
        return
    rng = np.random.default_rng(7)
    names = [f"{a}{b}{c}/USD" for a in "ABCDEFGH" for b in "ABCDE" for c in "ABCDE"][:symbols]
    which = rng.integers(0, symbols, events)
    level = 100000 + rng.integers(0, 100000, symbols)
    step = rng.integers(-3, 4, events)
    ms = np.cumsum(rng.integers(0, 40, events))
    with open(path.with_suffix(".part"), "w", encoding="ascii") as out:
        for start in range(0, events, 100000):
            lines = []
            for s, d, t in zip(which[start:start + 100000].tolist(), step[start:start + 100000].tolist(),
                               ms[start:start + 100000].tolist()):
                level[s] += d
                bid = int(level[s])
                day, rest = divmod(t, 86400000)
                h, rest = divmod(rest, 3600000)
                m, rest = divmod(rest, 60000)
                sec, milli = divmod(rest, 1000)
                lines.append(f"{names[s]},201401{1 + day:02d} {h:02d}:{m:02d}:{sec:02d}.{milli:03d},"
                             f"{bid / 100000:.5f},{(bid + 6) / 100000:.5f}\n")
            out.write("".join(lines))
    path.with_suffix(".part").rename(path)


def pipeline(folder, name, detectors, path):
    config = folder / f"{name}.yaml"
    config.write_text("sources:\n" + CSV.format(path=path) + "detectors:\n" + detectors +
                      "sinks:\n  out: {plugin: \"null\", inputs: [\"*\"]}\n", encoding="ascii")
    return str(config)


def timed(argv, core):
    """Wall and CPU seconds of a pinned process that must succeed, and its own word on peak memory in MB."""
    before = time.perf_counter()
    child = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                             preexec_fn=lambda: os.sched_setaffinity(0, core))
    errors = child.stderr.read()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        sys.exit(f"bench: {' '.join(argv)} ended with {child.returncode}:\n{errors.decode()}")
    peak = re.search(rb"peak memory ([0-9.]+) MB", errors)
    return time.perf_counter() - before, usage.ru_utime + usage.ru_stime, float(peak.group(1)) if peak else 0.0


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--events", type=int, default=4000000, help="ticks in the file")
    args.add_argument("--symbols", type=int, default=200)
    args.add_argument("--runs", type=int, default=5)
    args.add_argument("--keep", default=str(BIN.parent.parent / "bench-data"), help="folder for the generated ticks")
    a = args.parse_args()

    keep = pathlib.Path(a.keep)
    keep.mkdir(parents=True, exist_ok=True)
    path = keep / f"ticks-{a.events}-{a.symbols}.csv"
    ticks(path, a.events, a.symbols)
    core = {max(os.sched_getaffinity(0))}
    work = pathlib.Path(tempfile.mkdtemp(prefix="tapewatch-bench-", dir=keep))
    try:
        run(a, path, core, work)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def run(a, path, core, work):
    one, six = pipeline(work, "one", ONE, path), pipeline(work, "six", SIX, path)
    tape, fresh = work / "tape", work / "fresh"
    subprocess.run([BIN, "run", "-q", "-c", one, "-d", tape], check=True)
    rows = [
        ("tape -> zscore -> alert log", 20, [BIN, "replay", tape, "-c", one]),
        ("csv -> zscore -> alerts, --no-tape", 10, [BIN, "run", "--no-tape", "-c", one, "-d", fresh]),
        ("csv -> zscore -> alerts, recorded, sync always", 3, [BIN, "run", "-c", one, "-d", fresh]),
        ("tape -> six detectors -> alert log", 8, [BIN, "replay", tape, "-c", six]),
    ]
    results = [[] for _ in rows]
    for _ in range(a.runs + 1):
        for i, (_, _, argv) in enumerate(rows):
            shutil.rmtree(fresh, ignore_errors=True)
            results[i].append(timed([str(x) for x in argv], core))
    results = [r[1:] for r in results]  # the first round warms the page cache

    stick = subprocess.run([PROGRAMS / "yardstick", path], capture_output=True, text=True, check=True).stdout.split()
    memcpy, lines = float(stick[1]), float(stick[3])
    print(f"{a.events:,} ticks of {a.symbols} symbols, {path.stat().st_size / 1e6:.0f} MB of CSV, one core, "
          f"medians of {a.runs} interleaved runs (min..max)")
    print(f"yardstick over the CSV: memcpy {memcpy / a.events * 1e9:.2f} ns a line, counting lines "
          f"{lines / a.events * 1e9:.2f} ns a line\n")
    print(f"{'whole process':48} {'M events/s':>10} {'(min..max)':>15} {'goal':>5} {'cpu ns/event':>12} "
          f"{'x lines':>8} {'x memcpy':>8} {'MB':>6}")
    for (name, goal, _), result in zip(rows, results):
        speed = sorted(a.events / wall / 1e6 for wall, _, _ in result)
        cpu = statistics.median(c for _, c, _ in result) / a.events
        print(f"{name:48} {statistics.median(speed):10.2f} {f'({speed[0]:.1f}..{speed[-1]:.1f})':>15} {goal:>5} "
              f"{cpu * 1e9:12.1f} {cpu * a.events / lines:8.1f} {cpu * a.events / memcpy:8.1f} "
              f"{max(m for _, _, m in result):6.1f}")
    print("\nMB is the peak of resident memory and counts the pages of the tape that are mapped while it is read.")

    print()
    runs = promises.Runs(BIN, work)
    promises.workers(runs, tape, six, a.events, a.runs)
    promises.recording(runs, one, a.events, a.runs, sum(f.stat().st_size for f in (tape / "tape").glob("*.tape")))
    promises.checkpoint(runs)
    promises.restart(runs)
    print()
    promises.latency(runs)
    print()

    config = work / "demo.yaml"
    config.write_bytes((HERE.parent.parent / "conf.d/10-demo.yaml").read_bytes())
    os.environ["TAPEWATCH_DEMO_DURATION"] = "1s"
    _, _, peak = timed([str(BIN), "run", "-c", str(config), "-d", str(work / "base")], core)
    print(f"base process with the demo's configuration: {peak:.1f} MB (goal: under 30)\n")

    detectors = sorted(str(p) for p in (BIN.parent.parent / "plugins").glob("*.so")
                       if p.stem in ("zscore", "iqr", "moving_average", "volume", "technical", "rate"))
    for program, argv in (("codec", []), ("window", []), ("detectors", detectors)):
        subprocess.run([PROGRAMS / program, *argv], check=True)
        print()


if __name__ == "__main__":
    main()
