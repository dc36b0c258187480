# SPDX-License-Identifier: Apache-2.0
"""Everything that squeezes a healthy process: full disks, stops, clocks that jump, a second instance, too much to do."""
import os
import pathlib
import resource
import signal
import time

from harness import Case, Violation, guarded, refused_well
from mounts import tmpfs

FAKETIME = ["/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1", "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1",
            "/usr/lib/faketime/libfaketime.so.1"]
WAITS = "it goes on by itself"
GOES_ON = "there is room again"

SLOW = """\
host: {checkpoint: 200ms}
sources:
  ticks: {plugin: csv, path: <ticks>, format: truefx}
detectors:
  chain: {plugin: slow_detector, inputs: [ticks], rounds: 40000, every: 50, cooldown: 0s}
sinks:
  lines: {plugin: jsonl, inputs: ["*"], path: "${env:TORTURE_OUT}"}
"""


def wait_for(p, log, words, limit):
    """Until the log holds these words; False when the process ended before."""
    until = time.monotonic() + limit
    while time.monotonic() < until:
        if words in log.read_text(errors="replace"):
            return True
        if p.poll() is not None:
            return False
        time.sleep(0.01)
    raise Violation(f"'{words}' did not come within {limit} s: {log.read_text(errors='replace')[-300:]}")


def waits_and_goes_on(torture, case, relieve):
    """A run that meets a full disk says so, waits, and ends well once there is room. Its result."""
    began = time.monotonic()
    p = case.start()
    try:
        if wait_for(p, case.log, WAITS, 60):
            before = case.log.stat().st_size
            time.sleep(1.2)  # some attempts
            if p.poll() is not None:
                raise Violation(f"on a full disk the run ended with exit code {p.returncode}")
            if case.log.stat().st_size - before > 400:
                raise Violation("a full disk is reported over and over")
        if p.poll() is None:
            relieve(p)
        result = case.finish(p, began, 0)
    finally:
        if p.poll() is None:
            p.kill()
            p.wait()
    case.remember((), None, "  # on a full disk, made free later")
    torture.tally.add("full disks")
    return result


def full_disk(torture, world, megabytes):
    def work(case):
        try:
            with tmpfs(case.folder / "small", "32M") as small:
                case.store, case.out = small / "store", small / "out.jsonl"
                ballast = small / "ballast"
                ballast.write_bytes(bytes((32 - megabytes) << 20))
                result = waits_and_goes_on(torture, case, lambda p: ballast.unlink())
                if not megabytes and refused_well(result):  # too full to open the store at all
                    ballast.unlink()
                    case.complete()
                elif result.code != 0 or GOES_ON not in result.err:
                    raise Violation(f"a run on a disk that was full for a while ended with exit code {result.code}: "
                                    f"{result.err[-300:]}")
                case.check()
        except OSError as e:
            torture.skip("full disk", str(e))

    guarded(torture, "full disk", Case(torture, world, "full"), work)


def full_file(torture, world, kilobytes):
    """A limit on the size of files, which needs no root: EFBIG, or a short write first, which looks like a failing disk."""
    def work(case):
        unlimited = resource.RLIM_INFINITY

        def limit(p):
            resource.prlimit(p.pid, resource.RLIMIT_FSIZE, (kilobytes << 10, unlimited))
            return p

        start = case.start
        case.start = lambda *args, **kwargs: limit(start(*args, **kwargs))
        result = waits_and_goes_on(torture, case,
                                   lambda p: resource.prlimit(p.pid, resource.RLIMIT_FSIZE, (unlimited, unlimited)))
        case.start = start
        if result.code != 0 and not refused_well(result):
            raise Violation(f"at the largest file size the run ended with exit code {result.code}: {result.err[-300:]}")
        case.complete()
        case.check()

    guarded(torture, "full disk", Case(torture, world, "file-limit"), work)


def full_map(torture, world, segment, state):
    """Maps of so many KiB: a segment goes on in the next one, a state waits, and the next run has a larger map."""
    def work(case):
        if state:
            p = case.start(env={"TW_MAP": f"{segment}:{state}"})
            try:
                if not wait_for(p, case.log, WAITS, 60):
                    raise Violation(f"a map of {state} KiB was not full")
            finally:
                p.kill()
                p.wait()
            case.remember((), {"TW_MAP": f"{segment}:{state}"}, " & # killed when the map was full")
        else:
            case.complete(env={"TW_MAP": f"{segment}:{state}"})
            if not any(s["bytes"] < 1 << 20 for s in case.info()["segments"][:-1]):
                raise Violation(f"with maps of {segment} KiB every segment is as large as without")
        torture.tally.add("full maps")
        case.complete()
        case.check()

    guarded(torture, "full map", Case(torture, world, "map"), work)


def is_stopped(pid):
    """It may have come to its end just before the signal."""
    for _ in range(200):
        try:
            state = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return False
        if state in "TZX":
            return state == "T"
        time.sleep(0.005)
    return False


def stopped(torture, world, number, seconds):
    """SIGSTOP for seconds; a second instance in the meantime is refused; SIGCONT and on."""
    rng = torture.rng("stop", number)

    def work(case):
        began = time.monotonic()
        p = case.start()
        try:
            lock = case.store / "LOCK"
            while p.poll() is None and not (lock.exists() and lock.read_text().strip() == str(p.pid)):
                time.sleep(0.002)
            time.sleep(rng.uniform(0, world.seconds * 0.5))
            p.send_signal(signal.SIGSTOP)
            locked = is_stopped(p.pid)
            if locked:
                second = torture.call("run", *world.config_args(), "-d", case.store, "-q", env=case.environment())
                if second.returncode != 4 or f"is in use by process {p.pid}" not in second.stderr:
                    raise Violation(f"a second instance ended with exit code {second.returncode}: {second.stderr[-300:]}")
                torture.tally.add("second instances refused")
            time.sleep(seconds)
            p.send_signal(signal.SIGCONT)
            result = case.finish(p, began, 0)
        finally:
            if p.poll() is None:
                p.kill()
                p.wait()
        case.remember((), None, f"  # stopped for {seconds:.2f} s, exit {result.code}")
        if result.code != 0:
            raise Violation(f"after SIGSTOP and SIGCONT the run ended with exit code {result.code}: {result.err[-300:]}")
        torture.tally.add("stops")
        case.check()

    guarded(torture, "stop", Case(torture, world, "stop"), work)


def clock_jumps(torture, world, number):
    library = next((p for p in FAKETIME if pathlib.Path(p).exists()), None)
    if not library:
        torture.skip("clock jumps", "libfaketime is not installed")
        return False
    rng = torture.rng("clock", number)

    def work(case):
        clock = case.folder / "clock"
        clock.write_text("+0\n")
        env = {"LD_PRELOAD": library, "FAKETIME_TIMESTAMP_FILE": str(clock), "FAKETIME_NO_CACHE": "1",
               "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
        began = time.monotonic()
        p = case.start(env=env)
        while p.poll() is None and time.monotonic() - began < 60:
            clock.write_text(rng.choice(("+1h", "-1h", "+2d", "-2d", "+0", "+20y", "-3s")) + "\n")
            time.sleep(rng.uniform(0.01, 0.08))
        result = case.finish(p, began, 0)
        case.remember((), env, f"  # with a clock that jumps, exit {result.code}")
        if result.code != 0:
            raise Violation(f"with a clock that jumps the run ended with exit code {result.code}: {result.err[-300:]}")
        torture.tally.add("clocks that jump")
        case.check()

    guarded(torture, "clock", Case(torture, world, "clock"), work)
    return True


# ---- overload ----


def watch(pid):
    """Anonymous memory in bytes, open files, threads."""
    status = dict(line.split(":", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line)
    return int(status["RssAnon"].split()[0]) * 1024, len(os.listdir(f"/proc/{pid}/fd")), int(status["Threads"])


class Slow:
    def __init__(self, torture, ticks, seconds):
        self.name, self.env = "overload", {}
        self.path, rows = torture.work / "worlds/overload.yaml", torture.work / "worlds/overload.csv"
        self.path.write_text(SLOW.replace("<ticks>", str(rows)))
        lines = ticks.read_text().splitlines(keepends=True)
        day, self.rows = 0, 0
        with open(rows, "w", encoding="ascii") as out:  # as many days as the detector needs for that long
            while self.rows < seconds * 40000:
                day += 1
                out.writelines(line.replace(",201405", f",20{10 + day // 12:02d}{1 + day % 12:02d}", 1) for line in lines)
                self.rows += len(lines)

    def config_args(self):
        return ["-c", str(self.path)]


def overload(torture, seconds):
    """A source many times as fast as the detector: memory, files and threads stay what they are, nothing is lost."""
    world = Slow(torture, torture.work / "worlds/euro.csv", seconds)

    def work(case):
        began, samples = time.monotonic(), []
        p = case.start()
        while p.poll() is None and time.monotonic() - began < seconds:
            try:
                samples.append(watch(p.pid))
            except (OSError, KeyError):
                break
            time.sleep(0.02)
        p.send_signal(signal.SIGTERM)
        result = case.finish(p, began, 0)
        case.remember((), None, f" & sleep {seconds}; kill -TERM $!; wait $!  # exit {result.code}")
        if result.code != 0:
            raise Violation(f"SIGTERM under load ended with exit code {result.code}: {result.err[-300:]}")
        flat(torture, samples)
        info = case.info()
        if info["events"] >= world.rows:
            raise Violation("the detector was not slower than the source: nothing was tried")
        case.check(same=False)

    guarded(torture, "overload", Case(torture, world, "overload"), work)


def flat(torture, samples):
    settled = samples[len(samples) // 4:]  # the beginning fills rings and buffers
    half = len(settled) // 2
    if half < 20:
        raise Violation(f"only {len(samples)} samples of an overloaded run")
    first, second = settled[:half], settled[half:]
    memory = max(s[0] for s in first), max(s[0] for s in second)
    if memory[1] > memory[0] * 1.1 + (2 << 20):
        raise Violation(f"memory grows under overload: {memory[0] >> 10} KiB, then {memory[1] >> 10} KiB")
    for name, i in (("open files", 1), ("threads", 2)):
        a, b = max(s[i] for s in first), max(s[i] for s in second)
        if b > a:
            raise Violation(f"{name} grow under overload: {a}, then {b}")
    torture.tally.add("overloaded seconds", round(len(samples) * 0.02))


def run(torture, worlds, why_not):
    quick = torture.quick
    if why_not:
        torture.skip("full disk on a tmpfs", why_not)
    else:
        for megabytes in (1, 3) if quick else (0, 1, 2, 3):
            full_disk(torture, worlds["short"], megabytes)
    for kilobytes in (1100,) if quick else (600, 1100, 1300, 2000):
        full_file(torture, worlds["short"], kilobytes)
    for segment, state in ((1024, 0), (0, 320)) if quick else ((900, 0), (1024, 0), (0, 192), (0, 320), (1024, 384)):
        full_map(torture, worlds["short"], segment, state)
    for i in range(2 if quick else 12):
        stopped(torture, worlds[("ticks", "demo")[i % 2]], i, 1.0 if quick else torture.rng("stop", "s", i).uniform(1, 6))
    for i in range(2 if quick else 20):
        if not clock_jumps(torture, worlds[("ticks", "merge", "demo")[i % 3]], i):
            break
    overload(torture, 4 if quick else 60)
