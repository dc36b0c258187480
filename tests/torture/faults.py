# SPDX-License-Identifier: Apache-2.0
"""Failing system calls and allocations: the Nth one, for N = 1, 2, 3 ... until it is no longer reached."""
import concurrent.futures

from harness import Case, Violation, guarded, refused_well
from kills import raise_late

# The exit codes that may come of it. A disk that fails is not written to again: 4. One that is full is waited for, unless
# the store cannot even be opened. A call that was interrupted, and whatever happens to a sink, is only a delay.
PLANS = [
    ("write", "EIO", "store", (4,)), ("write", "short", "store", (4,)), ("sync", "EIO", "store", (4,)),
    ("write", "ENOSPC", "store", (0, 4)), ("write", "EINTR", "store", (0,)), ("sync", "delay20", "store", (0,)),
    ("write", "EIO", "sink", (0,)), ("write", "ENOSPC", "sink", (0,)), ("write", "short", "sink", (0,)),
    ("sync", "EIO", "sink", (0,)),
]
RUNNING = 450  # so many of the last allocations of a run are made while events flow
LIBEV = "(libev) cannot allocate"  # it says so and aborts; there is no other way to go on from there
LIBFYAML = "libfyaml.so.0 fails"  # while it reads the configuration, before there is a store, it may follow a null pointer


def faulty(torture, case, root, fault=None):
    env = {"LD_PRELOAD": torture.preload, "TW_FAULT_ROOT": root, "TW_FAULT_COUNT": case.folder / "calls"}
    if fault:
        env["TW_FAULT"] = fault
    return {k: str(v) for k, v in env.items()}


def roots(case):
    """The sink's file lies beside the store; a folder of its own keeps the two apart."""
    sink = case.folder / "sink"
    sink.mkdir()
    case.out = sink / "out.jsonl"
    return {"store": case.store, "sink": sink}


def count_calls(torture, world, where):
    case = Case(torture, world, "calls")
    case.complete(env=faulty(torture, case, roots(case)[where]))
    counts = {name: int(n) for name, n in (line.split() for line in (case.folder / "calls").read_text().splitlines())}
    case.check(replay=False)
    case.drop()
    return counts


def one(torture, world, call, what, where, wanted, n):
    def work(case):
        result = case.run(env=faulty(torture, case, roots(case)[where], f"{call}:{n}:{what}"))
        torture.tally.add("faults")
        if result.code == 0:
            # Not reached this time, or of no consequence (the number in LOCK is for people): then nothing may be amiss.
            case.check(replay=False)
        elif result.code not in wanted or not refused_well(result):
            raise Violation(f"{what} at {call} {n} of the {where} ended the run with exit code {result.code}: "
                            f"{result.err[-300:]}")
        case.complete()
        case.check(replay=False)
        torture.tally.add("faults refused", result.code == 4)

    guarded(torture, "faults", Case(torture, world, f"{what}-{where}-{call}"), work)


def memory(torture, world, n):
    """Any exit code with a sentence will do, a crash will not, and the next run must find everything."""
    def work(case):
        env = faulty(torture, case, roots(case)["store"], f"alloc:{n}:null")
        result = case.run(env=env, mortal=(LIBEV, LIBFYAML))
        torture.tally.add("allocations refused")
        if result.died:
            torture.tally.add("deaths in libraries")
        elif result.code not in (0, 2, 3, 4):
            raise Violation(f"allocation {n} failed, and the exit code is {result.code}: {result.err[-300:]}")
        words = [line for line in result.err.splitlines() if not line.startswith("fault_preload:")]
        if result.code and not result.died and len("".join(words)) < 10:
            raise Violation(f"allocation {n} failed, and exit code {result.code} came without a sentence")
        case.complete()
        case.check(replay=False)

    guarded(torture, "memory", Case(torture, world, "alloc"), work)


def sample(rng, n, limit):
    return range(1, n + 1) if n <= limit else sorted(rng.sample(range(1, n + 1), limit))


def run(torture, worlds):
    if not torture.preload.exists():
        torture.skip("failing calls", f"{torture.preload} was not built (sanitizers do not go with it)")
        return
    world, rng = worlds["tiny"], torture.rng("faults")
    counts = {where: count_calls(torture, world, where) for where in ("store", "sink")}
    for where, calls in counts.items():
        if min(calls.values()) == 0:
            torture.violated("faults", f"no calls of the {where} were seen: {calls}")
    with concurrent.futures.ThreadPoolExecutor(torture.jobs) as pool:
        for call, what, where, wanted in PLANS:
            # A run makes a few more or fewer calls than the one that was counted.
            for n in sample(rng, counts[where][call] + 3, 5 if torture.quick else 1000):
                done = pool.submit(one, torture, world, call, what, where, wanted, n)
                done.add_done_callback(raise_late(torture, "faults"))
        # Most allocations are made before there is a store; those of the run itself, at the end, matter more.
        n = counts["store"]["alloc"]
        early, late = sample(rng, n - RUNNING, 12 if torture.quick else 900), sample(rng, RUNNING, 18 if torture.quick else RUNNING)
        for n in [*early, *(n - RUNNING + i for i in late)]:
            pool.submit(memory, torture, world, n).add_done_callback(raise_late(torture, "memory"))
