# SPDX-License-Identifier: Apache-2.0
"""Stores that somebody or something has changed: every file, in every way. Refused with a sentence, or harmless."""
import concurrent.futures
import json
import shutil

from harness import Case, Violation, detected, guarded
from kills import raise_late

PAGE = 4096
OUTSIDE = "died outside of any plugin call"
LIMIT = 60  # seconds: a damaged tree of pages must not be walked for ever


def flip(rng, data, _):
    for _ in range(rng.choice((1, 1, 3))):
        at = rng.randrange(len(data))
        data[at] ^= 1 << rng.randrange(8)
    return "bits flipped"


def flip_head(rng, data, _):
    """In the first pages, where the roots and the tables are."""
    at = rng.randrange(min(len(data), 6 * PAGE))
    data[at] ^= 1 << rng.randrange(8)
    return f"a bit flipped at {at}"


def zero(rng, data, _):
    at = rng.randrange(len(data)) // PAGE * PAGE
    data[at:at + PAGE] = bytes(len(data[at:at + PAGE]))
    return f"page {at // PAGE} zeroed"


def garbage(rng, data, _):
    at = rng.randrange(len(data)) // 512 * 512
    n = len(data[at:at + 512])
    data[at:at + n] = rng.randbytes(n)
    return f"rubbish at {at}"


def swap(rng, data, _):
    pages = len(data) // PAGE
    if pages < 2:
        return flip(rng, data, _)
    a, b = rng.sample(range(pages), 2)
    one, two = bytes(data[a * PAGE:(a + 1) * PAGE]), bytes(data[b * PAGE:(b + 1) * PAGE])
    data[a * PAGE:(a + 1) * PAGE], data[b * PAGE:(b + 1) * PAGE] = two, one
    return f"pages {a} and {b} swapped"


def cut(rng, data, _):
    n = rng.choice((0, rng.randrange(len(data)), rng.randrange(len(data)) // PAGE * PAGE))
    del data[n:]
    return f"cut to {n} bytes"


def old(_, data, before):
    """The file as it was earlier in the same store's life, as a half-restored backup leaves it."""
    if before is None:
        return None
    data[:] = before
    return "replaced by an older copy"


WAYS = [flip, flip_head, flip_head, zero, garbage, swap, cut, old]


class Victims:
    """A store in the middle of its work and at its end, with the sink's file of each, and what it was before."""

    def __init__(self, torture, world):
        self.case = Case(torture, world, "victims")
        case, commits = self.case, count_commits(torture, world)
        self.crash(case, max(1, commits // 4))
        self.before = self.keep("before")
        self.crash(case, max(1, commits // 4))
        self.keep("middle")
        case.complete()
        self.keep("end")

    @staticmethod
    def crash(case, turn):
        result = case.run(env={"TW_CRASH": f"recorder.after_alerts:{turn}"})
        if result.code not in (0, 137):
            raise Violation(f"preparing a store ended with exit code {result.code}: {result.err[-300:]}")

    def keep(self, name):
        folder = self.case.folder / name
        shutil.copytree(self.case.store, folder / "store")
        if self.case.out.exists():
            shutil.copy(self.case.out, folder / "out.jsonl")
        return folder

    def place(self, name, case):
        shutil.copytree(self.case.folder / name / "store", case.store)
        source = self.case.folder / name / "out.jsonl"
        if source.exists():
            shutil.copy(source, case.out)


def count_commits(torture, world):
    """How many commits a run of this world makes."""
    case = Case(torture, world, "count")
    case.complete(env={"TW_CRASH_COUNT": case.folder / "counts"})
    counts = dict(line.split() for line in (case.folder / "counts").read_text().splitlines())
    case.drop()
    return int(counts["recorder.after_alerts"])


def look_all(case, world, refused):
    """Every verb that reads: a sentence and exit code 4, or the right answer."""
    for args in (("alerts", "-d", case.store, "--digest"), ("tape", "info", "--json", case.store),
                 ("tape", "verify", case.store), ("tape", "cat", "--json", case.store),
                 ("replay", case.store, *world.config_args(), "-q")):
        done = case.t.call(*args, env=case.environment({"TORTURE_OUT": case.folder / "again.jsonl"}), timeout=LIMIT)
        if done.returncode < 0:
            raise Violation(f"`tapewatch {args[0]} {args[1]}` died of signal {-done.returncode}")
        if done.returncode not in (0, 4):
            raise Violation(f"`tapewatch {args[0]} {args[1]}` of a damaged store ended with exit code {done.returncode}: "
                            f"{done.stderr[-300:]}")
        if done.returncode == 4 and len(done.stderr) < 20:
            raise Violation(f"`tapewatch {args[0]} {args[1]}` refused a damaged store without a sentence")
        if refused or done.returncode == 4:
            continue
        answer = done.stdout.strip().splitlines()[-1] if done.stdout.strip() else ""
        if args[0] in ("alerts", "replay") and answer != world.digest:
            raise Violation(f"`tapewatch {args[0]}` of a damaged store gives a wrong answer: {answer}, right is {world.digest}")
        if args[1] == "info" and json.loads(answer)["last_seq"] != world.rows - world.dead:
            raise Violation("`tapewatch tape info` of a damaged store gives a wrong answer")


def one(torture, world, victims, number):
    rng = torture.rng("damage", number)

    def work(case):
        victims.place(stage, case)
        files = sorted(p for p in case.store.rglob("*") if p.is_file() and p.stat().st_size)
        path = rng.choice([p for p in files if not p.name.endswith("-lock")] * 4 + files)
        name = path.relative_to(case.store)
        earlier = victims.before / "store" / name
        data = bytearray(path.read_bytes())
        what = rng.choice(WAYS)(rng, data, earlier.read_bytes() if earlier.exists() else None)
        if what is None:
            what = cut(rng, data, None)
        path.write_bytes(data)
        case.history.append(f"# seed {torture.seed}, damage {number}: {stage} of the run, {name}: {what}")
        result = case.run(limit=LIMIT, mortal=(OUTSIDE,))
        torture.tally.add("damages")
        if result.died:  # the next start reads everything, and finds it
            torture.tally.add("damages found the hard way")
            result = case.run(limit=LIMIT)
            if result.code == 0:
                raise Violation("a damaged store killed a run, and the next one found nothing")
        if result.code == 0:
            check_harmless(case, world)
        elif detected(result):
            torture.tally.add("damages refused")
        else:
            raise Violation(f"a damaged store ended the run with exit code {result.code}: {result.err[-300:]}")
        look_all(case, world, result.code != 0)

    stage = rng.choice(("middle", "middle", "end"))
    guarded(torture, "damage", Case(torture, world, f"damage-{number}"), work)


def check_harmless(case, world):
    done = case.t.call("alerts", "-d", case.store, "--digest")
    if done.returncode == 4:
        return  # the run had no need of what is broken; whoever reads it is told
    if done.stdout.strip() != world.digest:
        raise Violation(f"a damaged store was accepted and gives a wrong answer: {done.stdout.strip()}, right is {world.digest}")
    case.check_sink(case.alerts())


def run(torture, worlds):
    world = worlds["short"]
    victims = Victims(torture, world)
    with concurrent.futures.ThreadPoolExecutor(torture.jobs) as pool:
        for number in range(40 if torture.quick else 1000):
            pool.submit(one, torture, world, victims, number).add_done_callback(raise_late(torture, "damage"))
    victims.case.drop()
