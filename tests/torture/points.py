# SPDX-License-Identifier: Apache-2.0
"""Every named crash point: first, second and last occurrence, then a second crash while recovering from the first."""
import collections
import concurrent.futures
import re

from harness import ROOT, Case, Violation, guarded
from kills import options, raise_late

DEATH = 137
ELSEWHERE = ("joins.",)  # a detector must be new for them: tests/e2e/test_warmup.py passes and kills there


def in_source():
    names = []
    for path in sorted((ROOT / "core").glob("*/*.c")):
        names += re.findall(r'CRASH_POINT\("([a-z_.]+)"\)', path.read_text())
    return names


def compare_lists(torture):
    """The list that the program prints against the source, when that is at hand."""
    listed = collections.Counter(torture.points)
    for name, n in listed.items():
        if n > 1:
            torture.violated("crash points", f"`tapewatch --crash-points` lists {name} {n} times")
    placed = set(in_source())
    for name in sorted(placed - set(listed)):
        torture.violated("crash points", f"{name} stands in the source and not in the list")
    for name in sorted(set(listed) - placed):
        torture.violated("crash points", f"{name} is in the list and nowhere in the source")


def read_counts(path):
    if not path.exists():
        return {}
    return {name: int(n) for name, n in (line.split() for line in path.read_text().splitlines())}


def crash(torture, case, point, turn, *args):
    """Die at that point. False when the run ended before it came to that."""
    result = case.run(*args, env={"TW_CRASH": f"{point}:{turn}", "TW_CRASH_COUNT": case.folder / "counts"})
    if result.code == DEATH and f"crash point {point}" in result.err:
        torture.tally.reach(point)
        torture.tally.add("crashes")
        return True
    if result.code != 0:
        raise Violation(f"a run with TW_CRASH={point}:{turn} ended with exit code {result.code}: {result.err[-300:]}")
    return False


def count(torture, world, before):
    """How often each point is passed in one run; before: in the run after a crash at that point."""
    case = Case(torture, world, "count")
    if before:
        crash(torture, case, *before)
    case.complete(env={"TW_CRASH_COUNT": case.folder / "counts"})
    counts = read_counts(case.folder / "counts")
    case.drop()
    return counts


def one(torture, world, before, point, which, turn):
    rng = torture.rng("points", point, which, bool(before))

    def work(case):
        attempt = turn
        for tries in range(5):
            if before:
                crash(torture, case, *before)
            if crash(torture, case, point, attempt):
                break
            # How often a point is passed depends on how the threads ran: take the number of that run.
            attempt = max(1, min(attempt - 1, read_counts(case.folder / "counts").get(point, 1)))
            case.drop()
            case.folder.mkdir()
        else:
            raise Violation(f"{point} was not reached a {which} time in 5 runs")
        for _ in range(rng.choice((1, 1, 2))):
            crash(torture, case, rng.choice(torture.points), rng.choice((1, 1, 1, 2)), *options(torture, rng))
            torture.tally.add("crashes in recovery")
        case.complete(*options(torture, rng))
        case.check()

    guarded(torture, "crash points", Case(torture, world, point.replace(".", "-")), work)


def run(torture, worlds):
    compare_lists(torture)
    world = worlds["short"]
    plans = {}
    # after nothing; behind a checkpoint, with some tape that is not judged; right behind a checkpoint
    for before in (None, ("recorder.after_tape", 8), ("recorder.after_checkpoint", 1)):
        for point, n in count(torture, world, before).items():
            if n and point not in plans:
                plans[point] = (before, {"first": 1, **({"second": 2} if n > 1 else {}), **({"last": n} if n > 2 else {})})
    with concurrent.futures.ThreadPoolExecutor(torture.jobs) as pool:
        for point in torture.points:
            before, turns = plans.get(point, (None, {}))
            for which, turn in turns.items():
                done = pool.submit(one, torture, world, before, point, which, turn)
                done.add_done_callback(raise_late(torture, "crash points"))
    for point in torture.points:
        if not torture.tally.reached[point] and not point.startswith(ELSEWHERE):
            torture.violated("crash points", f"{point} was never reached")
