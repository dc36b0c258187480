# SPDX-License-Identifier: Apache-2.0
"""Running the real binary on a store, and the invariants that every store must keep whatever was done to it.

A Case is one store with everything that happened to it. Its check() compares with the undisturbed run of the same world:
the digest of the alerts, that of a replay of its tape, the balance of the books, `tape verify`, and the lines of the
jsonl sink. What does not hold raises a Violation, which carries the command lines that led there.
"""
import collections
import json
import os
import pathlib
import random
import shlex
import shutil
import signal
import subprocess
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
RUN_LIMIT = 120  # seconds after which a run counts as hanging
SENTENCE_MIN = 20


class Violation(Exception):
    pass


class Tally:
    """Counters of the summary, added to from several threads."""

    def __init__(self):
        self.lock = threading.Lock()
        self.counts = collections.Counter()
        self.reached = collections.Counter()

    def add(self, name, n=1):
        with self.lock:
            self.counts[name] += n

    def reach(self, point):
        with self.lock:
            self.reached[point] += 1


class Torture:
    """What all sections share: the program, the folders, the seed, the tally and what went wrong."""

    def __init__(self, binary, work, seed, quick, jobs):
        self.bin = pathlib.Path(binary).resolve()
        build = self.bin.parent.parent
        self.preload = build / "tests/fault_preload.so"
        self.plugins = f"{build / 'plugins'}:{build / 'tests/plugins'}"
        self.work, self.seed, self.quick, self.jobs = pathlib.Path(work), seed, quick, jobs
        self.tally = Tally()
        self.violations, self.skipped = [], []
        self.number = 0
        self.lock = threading.Lock()
        usage = self.call("run", "--help").stdout
        self.workers = [1, 2, 4] if "--workers" in usage else []
        self.points = [line.split()[0] for line in self.call("--crash-points").stdout.splitlines() if line]

    def rng(self, *words):
        return random.Random("/".join(str(w) for w in (self.seed, *words)))

    def env(self, extra=None):
        env = {k: v for k, v in os.environ.items() if not k.startswith(("TW_", "TAPEWATCH_DEMO", "FAKETIME", "LD_PRELOAD"))}
        env.update(TAPEWATCH_PLUGINS=self.plugins, TERM="dumb")
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS"):  # which would make an exit code of a signal
            env[name] = env.get(name, "") + ":handle_segv=0:handle_sigbus=0:handle_abort=0:handle_sigfpe=0:handle_sigill=0"
        env.update(extra or {})
        return env

    def call(self, *args, env=None, timeout=RUN_LIMIT):
        """A verb that only looks. Its output, both streams."""
        return subprocess.run([self.bin, *map(str, args)], env=self.env(env), timeout=timeout, text=True,
                              capture_output=True, stdin=subprocess.DEVNULL)

    def fresh(self, name):
        with self.lock:
            self.number += 1
            folder = self.work / f"{self.number:05d}-{name}"
        folder.mkdir(parents=True)
        return folder

    def skip(self, what, why):
        with self.lock:
            self.skipped.append((what, why))

    def violated(self, section, text, case=None):
        with self.lock:
            self.violations.append((section, text, case.script() if case else ""))

    def note(self, text):
        with self.lock:
            print(text, flush=True)


class Result:
    def __init__(self, code, err, seconds):
        self.code, self.err, self.seconds = code, err, seconds

    @property
    def died(self):
        """The signal that ended it, if it was not we who sent it."""
        return self.code < 0 and self.code not in (-signal.SIGKILL, -signal.SIGTERM)


class Case:
    def __init__(self, torture, world, name, folder=None):
        self.t, self.world = torture, world
        self.folder = folder or torture.fresh(f"{name}-{world.name}")
        self.store, self.out = self.folder / "store", self.folder / "out.jsonl"
        self.log = self.folder / "log"
        self.history = []

    # ---- doing ----

    def script(self):
        """The commands that led here, to be pasted into a shell."""
        constants = {"TAPEWATCH_PLUGINS": self.t.plugins, **self.environment(), "T": self.t.bin, "S": self.store}
        head = "; ".join(f"export {k}={shlex.quote(str(v))}" for k, v in constants.items())
        return "\n".join([head, f"# {self.folder} is as it was at the end; begin with another S and TORTURE_OUT", *self.history])

    def config_args(self):
        return self.world.config_args()

    def command(self, *args):
        return [str(self.t.bin), "run", *self.config_args(), "-d", str(self.store), "-q", *map(str, args)]

    def environment(self, extra=None):
        return {**self.world.env, "TORTURE_OUT": str(self.out), "TORTURE_HOARD": str(self.folder / "hoard"), **(extra or {})}

    def remember(self, args, extra, what=""):
        words = "".join(f"{k}={shlex.quote(str(v))} " for k, v in (extra or {}).items())
        command = shlex.join(self.command(*args)[1:]).replace(str(self.store), "$S")
        self.history.append(f"{words}$T {command}{what}")

    def start(self, *args, env=None):
        """The process, its log going to the case's file."""
        log = open(self.log, "ab")
        try:
            return subprocess.Popen(self.command(*args), env=self.t.env(self.environment(env)), stdin=subprocess.DEVNULL,
                                    stdout=subprocess.DEVNULL, stderr=log)
        finally:
            log.close()

    def finish(self, p, began, at, limit=RUN_LIMIT):
        try:
            p.wait(limit)
        except subprocess.TimeoutExpired:
            p.kill()
            p.wait()
            raise Violation(f"a run did not end within {limit} s") from None
        with open(self.log, "rb") as f:
            f.seek(at)
            err = f.read().decode(errors="replace")
        return Result(p.returncode, err, time.monotonic() - began)

    def renew(self):
        """Its folder is empty again."""

    rebuilds = True  # --rebuild may be among the options: the tape is whole
    mortal = ()  # texts of deaths that are fine in every run of this case

    def attend(self, p, until):
        """While it runs, until that moment or (None) its end."""
        if until is not None:
            try:
                p.wait(max(0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                pass

    def run(self, *args, env=None, after=None, how=signal.SIGKILL, limit=RUN_LIMIT, mortal=()):
        """Run to the end, or until `after` seconds, when it gets the signal `how`. mortal: texts of deaths that are fine."""
        at = self.log.stat().st_size if self.log.exists() else 0
        began = time.monotonic()
        p = self.start(*args, env=env)
        what = ""
        try:
            self.attend(p, began + after if after is not None else None)
        except Violation:
            p.kill()
            p.wait()
            raise
        if after is not None and p.poll() is None:
            p.send_signal(how)
            what = f" & sleep {after:.4f}; kill -{signal.Signals(how).name[3:]} $!; wait $!"
        result = self.finish(p, began, at, limit)
        self.remember(args, env, what + f"  # exit {result.code}")
        if result.died and not any(text in result.err for text in mortal or self.mortal):
            raise Violation(f"the process died of signal {-result.code} ({signal.Signals(-result.code).name}): "
                            f"{result.err[-300:]}")
        return result

    def complete(self, *args, env=None):
        """A run that must reach the end of its sources."""
        result = self.run(*args, env=env)
        if result.code != 0:
            raise Violation(f"a run without a fault ended with exit code {result.code}: {result.err[-400:]}")
        return result

    # ---- looking ----

    def look(self, *args, good=(0,), env=None):
        done = self.t.call(*args, env=self.environment(env))
        if done.returncode not in good:
            raise Violation(f"`tapewatch {shlex.join(map(str, args))}` ended with exit code {done.returncode}: "
                            f"{done.stderr[-300:]}")
        return done.stdout

    def digest(self):
        return self.look("alerts", "-d", self.store, "--digest").strip()

    def info(self):
        return json.loads(self.look("tape", "info", "--json", self.store))

    def dead(self):
        return [json.loads(line) for line in self.look("tape", "cat", "--json", "--dead", self.store).splitlines()]

    def replay(self, *args):
        """The digest of judging the tape again. Its sink must write, once each, the lines that the run's sink has."""
        again = self.folder / "replay.jsonl"
        again.unlink(missing_ok=True)
        text = self.look("replay", self.store, *self.config_args(), "-q", *args,
                         env={"TORTURE_OUT": again, "TORTURE_HOARD": self.folder / "replay.hoard"})
        if sorted(again.read_bytes().splitlines()) != sorted(self.delivered().values()):
            raise Violation("the jsonl sink of a replay wrote other lines than that of the run")
        return text.splitlines()[-1]

    def alerts(self):
        """Record of each alert in the log by its id."""
        lines = self.look("alerts", "-d", self.store, "--json").splitlines()
        ids = [json.loads(line)["id"] for line in lines]
        if len(set(ids)) != len(ids):
            doubled = [i for i, n in collections.Counter(ids).items() if n > 1]
            self.t.tally.add("doubled", len(doubled))
            raise Violation(f"{len(doubled)} alerts are in the log twice, the first is {doubled[0]}")
        return ids

    def delivered(self):
        """Lines of the jsonl sink by id; a line that comes again must say the same."""
        lines = {}
        if not self.out.exists():
            return lines
        for number, line in enumerate(self.out.read_bytes().split(b"\n"), 1):
            if not line:
                continue
            try:
                key = json.loads(line)["id"]
            except (ValueError, KeyError):
                raise Violation(f"{self.out}:{number} is not a line of JSON: {line[:80]!r}") from None
            if lines.setdefault(key, line) != line:
                self.t.tally.add("divergent")
                raise Violation(f"{self.out}:{number}: alert {key} came again and says something else")
        return lines

    # ---- the invariants ----

    def check(self, replay=True, same=True):
        """All that must hold once a run has come to its end. same: compare with the undisturbed run."""
        info, world = self.info(), self.world
        if info["complete"] != info["last_seq"]:
            raise Violation(f"alerts are complete through {info['complete']}, the tape ends at {info['last_seq']}")
        if info["events"] != info["last_seq"]:
            raise Violation(f"{info['events']} events are on the tape, the last has number {info['last_seq']}")
        if same and info["events"] + info["dead"] != world.rows:
            lost = world.rows - info["events"] - info["dead"]
            self.t.tally.add("lost" if lost > 0 else "doubled", abs(lost))
            raise Violation(f"{info['events']} events and {info['dead']} dead letters of {world.rows} rows")
        if same and info["dead"] != world.dead:
            raise Violation(f"{info['dead']} dead letters, the undisturbed run has {world.dead}")
        ids = self.alerts()
        plain = [i.split("-", 1)[1] for i in ids]
        if same and plain != world.ids:
            missing, extra = set(world.ids) - set(plain), set(plain) - set(world.ids)
            if missing and extra or not missing and not extra:
                self.t.tally.add("divergent")
            else:
                self.t.tally.add("lost" if missing else "doubled", len(missing or extra))
            raise Violation(f"{len(missing)} alerts are missing, {len(extra)} are too many, of {len(world.ids)}")
        digest = self.digest()
        if same and digest != world.digest:
            self.t.tally.add("divergent")
            raise Violation(f"the digest of the alerts is {digest}, that of the undisturbed run {world.digest}")
        self.check_sink(ids)
        self.look("tape", "verify", self.store)
        if replay:
            again = self.replay()
            if again != digest:
                self.t.tally.add("divergent")
                raise Violation(f"a replay of the tape has the digest {again}, the alert log {digest}")
            self.t.tally.add("events replayed", info["events"])
        self.t.tally.add("alerts compared", len(ids))
        self.t.tally.add("events", info["events"])

    def check_sink(self, ids):
        lines = self.delivered()
        missing = [i for i in ids if i not in lines]
        if missing:
            self.t.tally.add("lost", len(missing))
            raise Violation(f"{len(missing)} alerts of the log never reached the jsonl sink, the first is {missing[0]}")
        if len(lines) != len(ids):
            raise Violation(f"the jsonl sink has {len(lines)} alerts, the log {len(ids)}")
        self.check_hoard(ids)

    def check_hoard(self, ids):
        """The sink that writes when it is flushed, where there is one."""
        hoard, ids = self.folder / "hoard", set(ids)
        if not hoard.exists():
            return
        hoarded = set(hoard.read_text().split())
        if hoarded != ids:
            self.t.tally.add("lost", len(ids - hoarded))
            raise Violation(f"the sink that writes when it is flushed misses {len(ids - hoarded)} alerts of {len(ids)}")

    def drop(self):
        shutil.rmtree(self.folder, ignore_errors=True)


def refused_well(result):
    """A refusal: exit code 4, and a sentence that says why."""
    return result.code == 4 and any(len(line) > SENTENCE_MIN for line in result.err.splitlines())


def detected(result):
    """A damaged store is noticed: by the run, or by a sink that reads the log and gives up (exit code 3)."""
    return refused_well(result) or (result.code == 3 and "the file was changed or the disk is failing" in result.err)


def guarded(torture, section, case, work):
    """Do the work on a case; a violation is noted and its folder kept."""
    try:
        work(case)
    except Violation as v:
        torture.violated(section, f"{v}\n  kept: {case.folder}", case)
    except subprocess.TimeoutExpired as v:
        torture.violated(section, f"{v.cmd[1:3]} did not end within {v.timeout} s\n  kept: {case.folder}", case)
    else:
        case.drop()
