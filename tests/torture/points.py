# SPDX-License-Identifier: Apache-2.0
"""Every named crash point: first, second and last occurrence, then a second crash while recovering from the first."""
import collections
import concurrent.futures
import re
import signal

from harness import ROOT, Violation, guarded
from kills import options, raise_late

DEATH = 137

# A world, and what has happened to its store before: nothing; a crash at a point; a death by poison. Each point is tried in
# the first of these in which it is passed.
SCENES = [
    ("short", None),
    ("short", ("recorder.after_tape", 8)),        # behind a checkpoint, with some tape that is not judged
    ("short", ("recorder.after_checkpoint", 1)),  # right behind a checkpoint
    ("merge", None),                              # dead letters
    ("kept", None),
    ("kept", ("retain.unlinked", 1)),
    ("picky", None),
    ("poison", ("poison", 6)),                    # the run in which all of them are set aside
    ("reloaded", None),
    ("taken", None),
    ("joined", ("recorder.after_checkpoint", 2)),  # the next run has a detector more
]
# Points that a process passes once, when it dies: how often it did so is not written down.
DEADLY = [("death.caught", "first", ("poison", 0)), ("death.caught", "second", ("poison", 1)),
          ("death.recorded", "first", ("poison", 0)), ("death.recorded", "second", ("poison", 1))]
# In the end of a process that is taken over.
LAST_STEPS = ("pipeline.before_hand", "recorder.after_tape", "recorder.after_alerts", "recorder.after_checkpoint",
              "delivery.flushed", "run.drained", "run.closed")


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
    counts = case.folder / "counts"
    counts.unlink(missing_ok=True)
    result = case.run(*args, env={"TW_CRASH": f"{point}:{turn}", "TW_CRASH_COUNT": counts})
    if result.code == DEATH and f"crash point {point}" in result.err:
        torture.tally.reach(point)
        torture.tally.add("crashes")
        return True
    if result.code != 0 and not (case.mortal and result.died):
        raise Violation(f"a run with TW_CRASH={point}:{turn} ended with exit code {result.code}: {result.err[-300:]}")
    return False


def prepare(torture, case, before):
    """What has happened to the store. False when it did not come to that."""
    if not before:
        return True
    what, turn = before
    if what != "poison":
        return crash(torture, case, what, turn)
    for _ in range(turn):
        if case.run().code != -signal.SIGSEGV:
            raise Violation("an event that kills did not kill")
    return True


def count(torture, world, before):
    """How often each point is passed in one run, after that."""
    case = world.case("count")
    prepare(torture, case, before)
    counts = {}
    while not counts:
        result = case.run(env={"TW_CRASH_COUNT": case.folder / "counts"})
        counts = read_counts(case.folder / "counts")
        if result.code != 0 and not result.died:
            raise Violation(f"a run that was to be counted ended with exit code {result.code}: {result.err[-300:]}")
    case.drop()
    return counts


def one(torture, world, before, point, which, turn):
    rng = torture.rng("points", point, which, bool(before))

    def work(case):
        attempt = turn
        for _ in range(8):
            if prepare(torture, case, before) and crash(torture, case, point, attempt):
                break
            # How often a point is passed depends on how the threads ran: take the number of that run.
            attempt = max(1, min(attempt - 1, read_counts(case.folder / "counts").get(point, 1)))
            case.drop()
            case.folder.mkdir()
            case.renew()
        else:
            raise Violation(f"{point} was not reached a {which} time in 8 runs")
        for _ in range(rng.choice((1, 1, 2))):
            case.old_crash = f"{rng.choice(LAST_STEPS)}:{rng.choice((1, 1, 3))}"
            crash(torture, case, rng.choice(torture.points), rng.choice((1, 1, 1, 2)), *options(torture, rng, world))
            torture.tally.add("crashes in recovery")
        case.complete(*options(torture, rng, world))
        case.check()

    guarded(torture, "crash points", world.case(point.replace(".", "-")), work)


def plan(torture, worlds):
    """(world, before, point, which, turn) of everything to be tried."""
    seen, todo = set(), [(worlds["poison"], before, point, which, 1) for point, which, before in DEADLY]
    seen.update(point for point, _, _ in DEADLY)
    for name, before in SCENES:
        for point, n in count(torture, worlds[name], before).items():
            if not n or point in seen or point not in torture.points:
                continue
            seen.add(point)
            turns = {"first": 1, **({"second": 2} if n > 1 else {}), **({"last": n} if n > 2 else {})}
            todo += [(worlds[name], before, point, which, turn) for which, turn in turns.items()]
    return todo


def run(torture, worlds):
    compare_lists(torture)
    with concurrent.futures.ThreadPoolExecutor(torture.jobs) as pool:
        for what in plan(torture, worlds):
            done = pool.submit(one, torture, *what)
            done.add_done_callback(raise_late(torture, "crash points"))
    for point in torture.points:
        if not torture.tally.reached[point]:
            torture.violated("crash points", f"{point} was never reached")
