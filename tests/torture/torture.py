#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""torture: do everything to the real binary that must not matter, and compare with the run to which nothing was done.

The seed decides what is done; only the moments of kills depend on the machine. The summary at the end can be published as
it is. Exit code 1 when anything was lost, doubled or different, with the commands that led there.
"""
import argparse
import os
import pathlib
import platform
import shutil
import subprocess
import sys
import tempfile
import time

import damage
import faults
import images
import kills
import mounts
import points
import powerloss
import pressure
import worlds
from harness import ROOT, Torture, Violation

SECTIONS = ("kills", "points", "faults", "images", "power", "damage", "pressure")

SECTION_OF = {"live": "kills", "crash points": "points", "memory": "faults", "power loss": "power", "full disk": "pressure", "full map": "pressure",
              "stop": "pressure", "clock": "pressure", "overload": "pressure"}


def arguments():
    p = argparse.ArgumentParser(prog="./dev torture", description=__doc__.split("\n\n")[0])
    p.add_argument("--kills", type=int, help="random kills (default 300; quick: 60)")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--quick", action="store_true", help="a selection that takes two or three minutes")
    p.add_argument("--only", action="append", choices=SECTIONS, help="these sections only; may be given several times")
    p.add_argument("--jobs", type=int, default=os.cpu_count() or 2, help="runs side by side (default: one a core)")
    p.add_argument("--dir", help="where the stores are made (default: a temporary folder, removed when all was well)")
    args = p.parse_args()
    if args.kills is None:
        args.kills = 60 if args.quick else 300
    return args


def git(*words):
    done = subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else ""


def version():
    commit = git("rev-parse", "--short=12", "HEAD") or "unknown"
    return commit + (" with changes" if git("status", "--porcelain", "--untracked-files=no") else "")


def summary(torture, args, seconds):
    n, points_all = torture.tally.counts, len(torture.points)
    reached = sum(1 for p in torture.points if torture.tally.reached[p])
    rows = [
        ("random kills", f"{n['kills']} kill -9, {n['terminations']} SIGTERM, on {n['stores killed']} stores, "
                         f"{n['rebuilds']} of them rebuilt"),
        ("workers", ", ".join(map(str, torture.workers)) if torture.workers else "1 (this binary has no --workers)"),
        ("crash points", f"{reached} of {points_all} reached; {n['crashes']} crashes, {n['crashes in recovery']} attempts during "
                         "a recovery"),
        ("power losses", f"{n['power losses']} (ext4 shut down), {n['images']} torn images, {n['images resumed']} of them run on"),
        ("failing calls", f"{n['faults']} writes and syncs, {n['faults refused']} of them ended the run with exit code 4"),
        ("failing allocations", f"{n['allocations refused']}, {n['deaths in libraries']} of them ended inside libev or libfyaml"),
        ("damaged stores", f"{n['damages']}, {n['damages refused']} of them refused by run, "
                           f"{n['damages found the hard way']} after it had died of them"),
        ("pressure", f"{n['full disks']} full disks, {n['full maps']} full maps, {n['stops']} stops, {n['second instances refused']} second instances "
                     f"refused, {n['clocks that jump']} clocks that jump, {n['overloaded seconds']} s of overload"),
        ("events", f"{n['events']:,} compared, {n['events replayed']:,} of them replayed"),
        ("alerts", f"{n['alerts compared']:,} compared"),
        ("lost", f"{n['lost']}"),
        ("doubled", f"{n['doubled']}"),
        ("divergent", f"{n['divergent']}"),
        ("violations", f"{len(torture.violations)}"),
        ("seed", f"{args.seed}{' (quick)' if args.quick else ''}{', only ' + ', '.join(args.only) if args.only else ''}"),
        ("version", version()),
        ("machine", f"{os.cpu_count()} cores, {platform.system()} {platform.release()}"),
        ("duration", f"{seconds / 60:.1f} min"),
    ]
    print()
    for name, text in rows:
        print(f"{name:<20} {text}")
    for what, why in torture.skipped:
        print(f"{'skipped':<20} {what}: {why}")


def tell(torture, args):
    """What went wrong, with all that is needed to see it again."""
    again = f"./dev torture --seed {args.seed} --kills {args.kills}{' --quick' if args.quick else ''}"
    for section, text, script in torture.violations:
        only = section if section in SECTIONS else SECTION_OF.get(section)
        print(f"\nVIOLATION in {section}: {text}")
        print(f"  again: {again}{' --only ' + only if only else ''}")
        for line in script.splitlines():
            print(f"    {line}")


def section(torture, args, name, work):
    if args.only and name not in args.only:
        return
    began, before = time.monotonic(), len(torture.violations)
    try:
        work()
    except Violation as v:
        torture.violated(name, str(v))
    bad = len(torture.violations) - before
    print(f"{name:<10} {time.monotonic() - began:6.1f} s  {'good' if not bad else f'{bad} violations'}", flush=True)


def main():
    args = arguments()
    why_not = mounts.private_namespace()
    binary = os.environ.get("TAPEWATCH_BIN", str(ROOT / "build/bin/tapewatch"))
    work = pathlib.Path(args.dir or tempfile.mkdtemp(prefix="tapewatch-torture-")).resolve()
    work.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    torture = Torture(binary, work, args.seed, args.quick, max(1, args.jobs))
    try:
        made = worlds.make(torture)
    except Violation as v:
        print(f"torture: the undisturbed runs are not what they should be: {v}\n  stores: {work}", file=sys.stderr)
        return 1
    print(f"{'worlds':<10} {time.monotonic() - began:6.1f} s  "
          + ", ".join(f"{w.name} {w.rows:,} rows" for w in made.values()), flush=True)
    section(torture, args, "kills", lambda: kills.run(torture, made, args.kills))
    section(torture, args, "points", lambda: points.run(torture, made))
    section(torture, args, "faults", lambda: faults.run(torture, made))
    section(torture, args, "images", lambda: images.run(torture, made))
    section(torture, args, "power", lambda: powerloss.run(torture, made, why_not))
    section(torture, args, "damage", lambda: damage.run(torture, made))
    section(torture, args, "pressure", lambda: pressure.run(torture, made, why_not))
    tell(torture, args)
    summary(torture, args, time.monotonic() - began)
    if torture.violations:
        print(f"\nThe stores of the violations are kept in {work}")
        return 1
    if not args.dir:
        shutil.rmtree(work, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
