# SPDX-License-Identifier: Apache-2.0
"""Figures that need a clock inside or a second core: latency, checkpoints, restarts, workers, the price of recording.

Sources, detectors and sinks are those of tests/bench/plugins/pace.c; each row is a run of the real binary.
"""
import os
import re
import shutil
import signal
import statistics
import subprocess
import time


class Runs:
    def __init__(self, binary, work):
        self.binary, self.work = str(binary), work
        build = binary.parent.parent
        self.env = {**os.environ, "TAPEWATCH_PLUGINS": f"{build / 'plugins'}:{build / 'bench/plugins'}"}
        self.n = 0

    def config(self, source, host="", key="symbol", detectors=None):
        self.n += 1
        path = self.work / f"pace-{self.n}.yaml"
        path.write_text(f"host: {{{host}}}\nsources:\n  feed: {{plugin: pace, {source}}}\ndetectors:\n" +
                        (detectors or f"  told: {{plugin: pace, inputs: [feed], key: {key}}}\n") +
                        "sinks:\n  meter: {plugin: pace, inputs: [\"*\"]}\n", encoding="ascii")
        return path

    def store(self):
        path = self.work / "pace-store"
        shutil.rmtree(path, ignore_errors=True)
        return path

    def run(self, config, *args, store=None):
        done = subprocess.run([self.binary, "run", "-c", config, "-d", store or self.store(), *args], env=self.env,
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
        if done.returncode != 0:
            raise SystemExit(f"bench: {config}: exit {done.returncode}\n{done.stderr}")
        return done.stderr

    def seconds(self, argv):
        began = time.perf_counter()
        done = subprocess.run(argv, env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
        if done.returncode != 0:
            raise SystemExit(f"bench: {argv}: exit {done.returncode}\n{done.stderr}")
        return time.perf_counter() - began


def speed(text):
    """Events a second of the run's own summary."""
    m = re.search(r"done: ([\d,]+) events in ([\d.]+) s", text)
    return int(m.group(1).replace(",", "")) / float(m.group(2))


def interleaved(runs, commands, rounds):
    """Medians of the seconds of each, run in turn; the first round is not counted."""
    took = [[] for _ in commands]
    for _ in range(rounds + 1):
        for i, argv in enumerate(commands):
            took[i].append(runs.seconds([str(a) for a in (argv() if callable(argv) else argv)]))
    return [statistics.median(t[1:]) for t in took]


def workers(runs, tape, six, events, rounds):
    one, two = interleaved(runs, [[runs.binary, "replay", tape, "-c", six, "--workers", n] for n in (1, 2)], rounds)
    print(f"two workers against one, six detectors from a tape: {events / two / 1e6:.2f} against {events / one / 1e6:.2f} M "
          f"events/s, {one / two:.2f} x (goal 1.7, on {len(os.sched_getaffinity(0))} cores)")


def disk(work, megabytes):
    """What the disk takes of plain writes of 2 MB, each forced out."""
    path, piece = work / "plain", os.urandom(1 << 21)
    fd = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    began = time.perf_counter()
    for _ in range(megabytes // 2):
        os.write(fd, piece)
        os.fdatasync(fd)
    took = time.perf_counter() - began
    os.close(fd)
    path.unlink()
    return megabytes * (1 << 20) / took


def recording(runs, one, events, rounds, size):
    def fresh(*more):
        return lambda: [runs.binary, "run", "-q", "-c", one, "-d", runs.store(), *more]

    free, kept = interleaved(runs, [fresh("--no-tape"), fresh()], rounds)
    plain = statistics.median(disk(runs.work, 256) for _ in range(3))
    print(f"recorded, sync always, against --no-tape, both cores: {events / kept / 1e6:.2f} against {events / free / 1e6:.2f} "
          f"M events/s, {100 * free / kept:.0f} % (goal 40); {size / kept / 1e6:.0f} MB/s of tape, where plain writes with "
          f"fdatasync get {plain / 1e6:.0f} MB/s")


def latency(runs):
    most = speed(runs.run(runs.config("events: 3000000, flag: 1000")))
    print(f"alert latency, from push() to the sink behind the commit, in microseconds; the most with these plugins is "
          f"{most / 1e6:.2f} M events/s")
    print(f"{'sync':10} {'events/s':>12} {'p50':>10} {'p99':>10} {'p99.9':>10}")
    for rate in (10000, int(most / 2)):
        medians = {}
        for sync in ("always", "interval", "off"):
            events = max(rate * 4, 40000)
            text = runs.run(runs.config(f"rate: {rate}, events: {events}, flag: {max(events // 20000, 1)}", f"sync: {sync}"))
            m = re.search(r"p50 ([\d.]+) p99 ([\d.]+) p99.9 ([\d.]+)", text)
            if not m:
                raise SystemExit(f"bench: no latency in\n{text}")
            medians[sync] = float(m.group(1))
            print(f"{sync:10} {rate:12,} {m.group(1):>10} {m.group(2):>10} {m.group(3):>10}")
        print(f"  of the median with sync always, {100 * (1 - medians['off'] / medians['always']):.0f} % is fsync")


CHECKPOINT = re.compile(r"checkpoint as of event \d+: (\d+) values, judging stood still for ([\d.]+) ms, committed in ([\d.]+) ms")


def checkpoint(runs, accounts=1000000, dirty=10000, seconds=12):
    """One sweep over the accounts, then `dirty` events a second of random accounts with a checkpoint each second."""
    config = runs.config(f"accounts: {accounts}, sweep: {accounts}, rate: {dirty}, events: {accounts + dirty * seconds}, "
                         "flag: 1000", "checkpoint: 1s", key="account")
    text = runs.run(config, "--log-level", "debug")
    found = [(int(n), float(a), float(b)) for n, a, b in CHECKPOINT.findall(text)]
    # what the sweep left behind, and the last one on the way out, are of another size
    usual = [f for f in found if dirty <= f[0] <= 4 * dirty]
    if len(usual) < 5:
        raise SystemExit(f"bench: {len(usual)} checkpoints of {dirty} keys, expected more: {found}")
    values, stall, commit = (statistics.median(f[i] for f in usual) for i in range(3))
    print(f"checkpoint with {accounts:,} accounts, {values:,.0f} values ({dirty:,} dirty states with their keys): judging "
          f"stands still for {stall:.2f} ms (goal 2), commit {commit:.1f} ms (goal 50); medians of {len(usual)}")


def restart(runs, accounts=1000000, behind=5):
    """kill -9 with `behind` seconds of tape after the last checkpoint, then the time until it is caught up."""
    rate = 200000
    store = runs.store()
    config = runs.config(f"accounts: {accounts}, sweep: {accounts}, rate: {rate}, events: 1000000000, flag: 1000",
                         "checkpoint: 3s", key="account")
    process = subprocess.Popen([runs.binary, "run", "-c", config, "-d", store, "--log-level", "debug"], env=runs.env,
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    seen = 0
    for line in process.stderr:
        seen += CHECKPOINT.search(line) is not None
        if seen == 2:
            break
    process.send_signal(signal.SIGSTOP)  # the next checkpoint must not come: the same store goes on with a longer interval
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stderr.close()
    config.write_text(config.read_text().replace("checkpoint: 3s", "checkpoint: 1h"))
    process = subprocess.Popen([runs.binary, "run", "-c", config, "-d", store, "-q"], env=runs.env, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    time.sleep(behind + 1)  # it has a checkpoint to read first
    process.kill()
    process.wait()
    began = time.perf_counter()
    process = subprocess.Popen([runs.binary, "run", "-c", config, "-d", store], env=runs.env, stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, text=True)
    first = None
    for line in process.stderr:
        m = re.search(r"judging events (\d+) to (\d+) of the tape", line)
        first = m or first
        if "caught up with the tape" in line:
            break
    took = time.perf_counter() - began
    process.kill()
    process.wait()
    process.stderr.close()
    events = int(first.group(2)) - int(first.group(1)) + 1
    print(f"restart with {accounts:,} accounts: caught up {took:.2f} s after exec (goal 2), {events:,} events of tape behind the "
          f"checkpoint, {events / rate:.1f} s of a feed of {rate:,} events/s")
