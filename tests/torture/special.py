# SPDX-License-Identifier: Apache-2.0
"""Cases in which more happens than a run from its start to its end: reloads, take-overs, retention, sinks that refuse, events
that kill."""
import collections
import json
import signal
import subprocess
import time

from harness import RUN_LIMIT, Case, Violation

RELOADS = 3


class Reloaded(Case):
    """While it runs its configuration changes between two that must give the same: other options of sources and sinks, one
    sink more or less."""

    def __init__(self, torture, world, name):
        super().__init__(torture, world, name)
        self.number = 0
        self.path = self.folder / "config.yaml"
        self.configure()

    def configure(self):
        self.path.write_text(self.world.variants[self.number % 2])
        self.number += 1

    def renew(self):
        self.configure()

    def config_args(self):
        return ["-c", str(self.path)]

    def answered(self, p):
        """The number of the last reload of this process, 0 before the first; None when it does not listen yet."""
        try:
            head = (self.store / "reload").read_text().split("\n\n", 1)[0]
            fields = dict(line.split(" ", 1) for line in head.splitlines())
            return int(fields["generation"]) if int(fields["pid"]) == p.pid else None
        except (OSError, ValueError, KeyError):
            return None

    def attend(self, p, until):
        done, limit = 0, until or time.monotonic() + RUN_LIMIT
        while p.poll() is None and time.monotonic() < limit:
            if done < RELOADS and self.answered(p) == done:
                self.configure()
                p.send_signal(signal.SIGHUP)
                done += 1
            try:
                p.wait(0.002)
            except subprocess.TimeoutExpired:
                pass


class TakenOver(Case):
    """The run takes the store over from another one that was there first. Its own end is that of the run."""

    def __init__(self, torture, world, name):
        super().__init__(torture, world, name)
        self.old_crash = None

    def is_up(self, p):
        try:
            return f"pid {p.pid}\n" in (self.store / "reload").read_text()
        except OSError:
            return False

    def start(self, *args, env=None):
        old_env = {"TW_CRASH": self.old_crash} if self.old_crash else {}
        self.old_crash = None
        self.old = super().start(*args, env=old_env)
        self.remember(args, old_env, " & # and, once it runs:")
        while self.old.poll() is None and not self.is_up(self.old):
            time.sleep(0.002)
        return super().start(*args, "--takeover", env=env)

    def finish(self, p, began, at, limit=RUN_LIMIT):
        result = super().finish(p, began, at, limit)
        old = super().finish(self.old, began, at, limit)
        if old.code not in (0, 137):
            raise Violation(f"the process that was taken over ended with exit code {old.code}: {old.err[-300:]}")
        return result


class Kept(Case):
    """Retention gives up what is old: what is left is the end of the undisturbed run, and the sink had all of it."""

    rebuilds = False
    limit = 1 << 20  # retain_size; what is in the segment that is written stays

    def check(self, replay=True, same=True):
        info, world = self.info(), self.world
        segments = info["segments"]
        if info["complete"] != info["last_seq"] or info["last_seq"] + info["dead"] != world.rows:
            raise Violation(f"the tape ends at event {info['last_seq']}, {world.rows} rows; complete through {info['complete']}")
        size = sum(path.stat().st_size for path in (self.store / "tape").glob("*.tape"))
        if len(segments) > 1 and size > self.limit:
            raise Violation(f"the tape takes {size} bytes in {len(segments)} segments, retain_size allows {self.limit}")
        first = segments[0]["first"]
        if info["events"] != info["last_seq"] - first + 1:
            raise Violation(f"{info['events']} events are on the tape from {first} to {info['last_seq']}")
        kept = [i.split("-", 1)[1] for i in self.alerts()]
        if kept != world.ids[len(world.ids) - len(kept):]:
            raise Violation("the alerts that are kept are not the last ones of the undisturbed run")
        said = {key.split("-", 1)[1]: without_tape(line) for key, line in self.delivered().items()}
        if said != world.lines:
            missing, extra = set(world.lines) - set(said), set(said) - set(world.lines)
            self.t.tally.add("lost" if missing else "doubled" if extra else "divergent", len(missing or extra) or 1)
            raise Violation(f"the jsonl sink misses {len(missing)} alerts, has {len(extra)} too many, or others")
        tape = info["tape"]
        self.check_hoard(f"{tape}-{i}" for i in world.ids)
        self.look("tape", "verify", self.store)
        self.t.tally.add("alerts compared", len(said))
        self.t.tally.add("events", info["events"])


def without_tape(line):
    record = json.loads(line)
    record["id"] = record["id"].split("-", 1)[1]
    return record


class Picky(Case):
    """A sink refuses some records: each is a dead letter, once at least; the books are kept of the others."""

    every = 7

    def info(self):
        info = super().info()
        refused = collections.Counter((d["seq"], d["raw"]) for d in self.dead() if d["reason"] == "sink_refused")
        info["dead"] -= sum(refused.values())
        self.refused = len(refused)
        return info

    def check(self, replay=True, same=True):
        super().check(replay, same)
        should = sum(1 for i in self.world.ids if int(i.split("-")[0]) % self.every == 0)
        if self.refused != should or not should:
            self.t.tally.add("lost", abs(should - self.refused))
            raise Violation(f"{self.refused} records that the sink refused are dead letters, {should} were expected")


class Poisoned(Case):
    """Some events kill: each does so twice, then it is set aside. A run may die, and is started again."""

    mortal = ("died of SIGSEGV",)

    def complete(self, *args, env=None):
        for _ in range(2 * len(self.world.marks) + 3):
            result = self.run(*args, env=env)
            if result.code != -signal.SIGSEGV:
                break
        if result.code != 0:
            raise Violation(f"a run with poison ended with exit code {result.code}: {result.err[-400:]}")
        return result

    def check(self, replay=True, same=True):
        letters = sorted((d["source"], d["seq"], d["reason"]) for d in self.dead())
        if letters != [("bad", seq, "poison") for seq in self.world.marks]:
            raise Violation(f"set aside are {letters}, expected are the events {self.world.marks}")
        super().check(replay, same)


class Joined(Case):
    """From its second run on there is one more detector, warmed from the tape; the others do not notice."""

    rebuilds = False  # a detector that is new in the very run that rebuilds has no join yet: see tapewatch-run(1)

    def __init__(self, torture, world, name):
        super().__init__(torture, world, name)
        self.path, self.runs = self.folder / "config.yaml", 0

    def renew(self):
        self.runs = 0

    def start(self, *args, env=None):
        self.path.write_text(self.world.variants[min(self.runs, 1)])
        self.runs += 1
        return super().start(*args, env=env)

    def config_args(self):
        return ["-c", str(self.path)]

    def check(self, replay=True, same=True):
        super().check(replay, same=False)
        info, world = self.info(), self.world
        if info["events"] + info["dead"] != world.rows:
            raise Violation(f"{info['events']} events and {info['dead']} dead letters of {world.rows} rows")
        others = [i for i in (i.split("-", 1)[1] for i in self.alerts()) if not i.split("-", 1)[1].startswith("late-")]
        if others != world.ids:
            missing, extra = set(world.ids) - set(others), set(others) - set(world.ids)
            self.t.tally.add("lost" if missing else "doubled", len(missing or extra))
            raise Violation(f"{len(missing)} alerts of the old detectors are missing, {len(extra)} are too many")
