# SPDX-License-Identifier: Apache-2.0
"""Random kills: kill -9 (now and then SIGTERM) at random moments of a run, many times in the life of one store."""
import concurrent.futures
import json
import signal
import threading

from harness import Case, Violation, guarded
from worlds import Live


class Budget:
    """So many kills are wanted; chains take from it, and give back what they did not need."""

    def __init__(self, n):
        self.left, self.number, self.lock = n, 0, threading.Lock()

    def take(self, torture):
        """The number of the next chain and of its kills; None when all are taken."""
        with self.lock:
            number, self.number = self.number, self.number + 1
            n = min(torture.rng("length", number).randint(3, 8 if torture.quick else 20), self.left)
            self.left -= n
            return (number, n) if n else None

    def give_back(self, n):
        with self.lock:
            self.left += n


def moment(rng, seconds):
    """Some in the start and the recovery, most anywhere in the first half, so that there are several to a run."""
    kind = rng.random()
    if kind < 0.25:
        return rng.uniform(0.001, 0.03)
    return rng.uniform(0, seconds * (0.4 if kind < 0.85 else 1.1))


def options(torture, rng, world):
    """What may change between two runs on the same store without changing a result."""
    args = []
    if torture.workers:
        args += ["--workers", rng.choice(torture.workers)]
    if rng.random() < 0.5:
        args += ["--batch", rng.choice((1, 7, 64, 256))]
    if rng.random() < 0.1 and world.kind.rebuilds:
        args += ["--rebuild"]
    return args


def chain(torture, world, number, kills):
    """One store: up to `kills` deaths, then to the end, then everything is compared. How many deaths it was."""
    rng = torture.rng("kills", world.name, number)
    done = 0

    def work(case):
        nonlocal done
        while done < kills:
            how = signal.SIGTERM if rng.random() < 0.15 else signal.SIGKILL
            result = case.run(*options(torture, rng, world), after=moment(rng, world.seconds), how=how)
            if result.code == -signal.SIGKILL:
                torture.tally.add("kills")
                done += 1
            elif how == signal.SIGTERM and result.code in (0, -signal.SIGTERM):
                torture.tally.add("terminations")
            elif result.code == 0:
                break  # at its end
            elif result.died and case.mortal:
                torture.tally.add("deaths by poison")
            else:
                raise Violation(f"a run that was to be killed ended with exit code {result.code}: {result.err[-400:]}")
        case.complete(*options(torture, rng, world))
        case.check()
        if world.kind.rebuilds and number % 2:
            case.complete("--rebuild")
            case.check(replay=False)
            torture.tally.add("rebuilds")
        torture.tally.add("stores killed")

    guarded(torture, "kills", world.case("kills"), work)
    return done


def chains(torture, worlds, budget):
    """Of one thread: stores, until nothing is left of the budget or a good part of it has gone wrong."""
    names = ("keys", "merge", "demo", "ticks", "poison", "keys", "reloaded", "kept", "joined", "picky")
    while len(torture.violations) < 20:
        plan = budget.take(torture)
        if not plan:
            break
        number, n = plan
        budget.give_back(n - chain(torture, worlds[names[number % len(names)]], number, n))


def check_counting(torture, case):
    """The trades of each source count from 1 on without a gap."""
    last = {"A": 0, "B": 0}
    for line in case.look("tape", "cat", "--json", "--kind", "trade", case.store).splitlines():
        trade = json.loads(line)
        name, size = trade["symbol"], int(trade["size"])
        if size != last[name] + 1:
            torture.tally.add("lost" if size > last[name] + 1 else "doubled", abs(size - last[name] - 1))
            raise Violation(f"trade {size} of the live source {name} follows trade {last[name]}")
        last[name] = size
    if min(last.values()) < 100:
        raise Violation(f"the live run recorded next to nothing: {last}")


def live(torture, number):
    """A live source: there is no undisturbed run, so what was recorded is the truth, and a replay must say the same."""
    rng, world = torture.rng("live", number), Live(torture)

    def work(case):
        for _ in range(3):
            result = case.run(*options(torture, rng, world), after=rng.uniform(0.05, 0.5))
            if result.code == -signal.SIGKILL:
                torture.tally.add("kills")
        result = case.run(after=0.6, how=signal.SIGTERM)
        if result.code != 0:
            raise Violation(f"SIGTERM did not end a live run well: exit code {result.code}: {result.err[-300:]}")
        check_counting(torture, case)
        case.check(same=False)

    guarded(torture, "live", world.case("live"), work)


def run(torture, worlds, kills):
    budget = Budget(kills)
    with concurrent.futures.ThreadPoolExecutor(torture.jobs) as pool:
        for _ in range(torture.jobs):
            pool.submit(chains, torture, worlds, budget).add_done_callback(raise_late(torture, "kills"))
        for i in range(2 if torture.quick else 12):
            pool.submit(live, torture, i).add_done_callback(raise_late(torture, "live"))


def raise_late(torture, section):
    """A mistake of the torture program itself must not pass for a good run."""

    def look(future):
        if future.exception():
            torture.violated(section, f"the torture program failed: {future.exception()!r}")

    return look
