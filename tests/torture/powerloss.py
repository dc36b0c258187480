# SPDX-License-Identifier: Apache-2.0
"""Power failures: the store on an ext4 that is shut down in the middle of a run.

A second sink writes to a disk that stays. What it has was committed, so after the power is back the store must have it too.
"""
import json
import random
import signal
import time

from harness import Case, Violation, guarded
from mounts import PowerlessDisk

OUTSIDE = "sinks:\n  outside: {plugin: jsonl, inputs: [\"*\"], path: \"${env:TORTURE_OUTSIDE}\", fsync: false}\n"


class PoweredCase(Case):
    """A case whose store and sink live on a disk that can be switched off."""

    def __init__(self, torture, world, config):
        super().__init__(torture, world, "power")
        self.disk = PowerlessDisk(self.folder)
        self.store, self.out = self.disk.path / "store", self.disk.path / "out.jsonl"
        self.outside, self.config = self.folder / "outside.jsonl", config

    def command(self, *args):
        return super().command(*args, "-c", self.config)

    def environment(self, extra=None):
        return {**super().environment(extra), "TORTURE_OUTSIDE": str(self.outside)}

    def outage(self, after):
        began = time.monotonic()
        at = self.log.stat().st_size if self.log.exists() else 0
        p = self.start()
        time.sleep(after)
        self.disk.cut_power()
        p.send_signal(signal.SIGKILL)
        result = self.finish(p, began, at)
        self.remember((), None, f" & sleep {after:.4f}; # the ext4 below {self.disk.path} is shut down; kill -9 $!")
        self.disk.off()
        self.disk.on()
        return result

    def seen_outside(self):
        """Full lines by id; the sink was killed and may have left half a line."""
        lines = {}
        if self.outside.exists():
            for line in self.outside.read_bytes().split(b"\n")[:-1]:
                lines[json.loads(line)["id"]] = line
        return lines


def after_outage(torture, case):
    """What was told to the outside is in the log, and the whole store is good."""
    outside = case.seen_outside()
    done = torture.call("tape", "info", "--json", case.store)
    if done.returncode != 0:
        if outside or "there is no " not in done.stderr:
            raise Violation(f"after a power failure the store cannot be read: {done.stderr[-300:]}")
        return
    case.look("tape", "verify", case.store)
    log = set(case.alerts())
    lost = [i for i in outside if i not in log]
    if lost:
        torture.tally.add("lost", len(lost))
        raise Violation(f"{len(lost)} alerts that a sink had been told are not in the log after a power failure, the first "
                        f"is {lost[0]}")


def run(torture, worlds, why_not):
    if why_not:
        torture.skip("power loss", why_not)
        return
    config = torture.work / "worlds/outside.yaml"
    config.write_text(OUTSIDE)
    outages = 6 if torture.quick else 100
    number = 0
    while outages > 0:
        world = worlds[("ticks", "merge", "demo")[number % 3]]
        rng, number = torture.rng("power", number), number + 1
        try:
            case = PoweredCase(torture, world, config)
        except OSError as e:
            torture.skip("power loss", f"no ext4 of our own: {e}")
            return
        n = min(outages, rng.randint(1, 5))
        outages -= n
        guarded(torture, "power loss", case, lambda case, n=n, rng=rng: several(torture, case, n, rng))


def several(torture, case, n, rng: random.Random):
    try:
        case.disk.on()
        for _ in range(n):
            result = case.outage(rng.uniform(0, case.world.seconds * 0.5))
            if result.code not in (-signal.SIGKILL, 0, 3, 4):  # it may have noticed the dead disk before it was killed
                raise Violation(f"a power failure ended the run with exit code {result.code}: {result.err[-300:]}")
            torture.tally.add("power losses")
            after_outage(torture, case)
        case.complete()
        case.check()
    finally:
        case.disk.off()
