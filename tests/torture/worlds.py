# SPDX-License-Identifier: Apache-2.0
"""The pipelines that are tortured: small, quick, and full of checkpoints and segments.

Real ticks when they are there (TAPEWATCH_DATA), else the same shape made from a seed; several files merged by time with
rows that must become dead letters; and the demo. Every one has a `chain`, whose every alert depends on every event before.
"""
import collections
import json
import os
import pathlib
import random
import shutil
import subprocess

from harness import ROOT, Case, Violation
from special import Joined, Kept, Picky, Poisoned, Reloaded, TakenOver, without_tape

HOST = "host: {checkpoint: 100ms, segment_size: 1MiB}\n"
SINK = "sinks:\n  lines: {plugin: jsonl, inputs: [\"*\"], path: \"${env:TORTURE_OUT}\"}\n"

TICKS = HOST + """\
sources:
  ticks: {plugin: csv, path: <ticks>, format: truefx}
detectors:
  spikes: {plugin: zscore, inputs: [ticks], cooldown: 10s}
  mean: {plugin: moving_average, inputs: [ticks], threshold_pct: 0.01, emit: true}
  rate: {plugin: rate, inputs: [ticks]}
  chain: {plugin: slow_detector, inputs: [ticks], rounds: <rounds>, every: 50, cooldown: 0s}
  behind: {plugin: zscore, inputs: [mean], fields: score, threshold: 3, cooldown: 20 events}
""" + SINK

MERGE = HOST + """\
sources:
  euro: {plugin: csv, path: <euro>, format: truefx, max_bad: 10%}
  gold: {plugin: csv, path: <gold>, format: truefx, max_bad: 10%}
  late: {plugin: csv, path: [<late1>, <late2>], format: truefx}
detectors:
  spikes: {plugin: zscore, inputs: [euro, late], cooldown: 100 events}
  fences: {plugin: iqr, inputs: ["*"], multiplier: 6}
  chain: {plugin: slow_detector, inputs: ["*"], rounds: <rounds>, every: 40, span: 30s, cooldown: 0s}
  all: {plugin: slow_detector, inputs: [gold, euro], key: none, every: 100, cooldown: 0s}
""" + SINK

LIVE = HOST + """\
sources:
  a: {plugin: counting_source, symbol: A}
  b: {plugin: counting_source, symbol: B, burst: 7, pause: 300us, mark_every: 10}
detectors:
  chain: {plugin: slow_detector, inputs: ["*"], rounds: 100, every: 10, span: 100ms, key: none, cooldown: 0s}
  rate: {plugin: rate, inputs: [a, b], window: 100ms, forget: 10m}
""" + SINK

LATE = TICKS.replace("detectors:\n", "detectors:\n  late: {plugin: slow_detector, inputs: [ticks], every: 30, warmup: 30m}\n")
KEPT = TICKS.replace("segment_size: 1MiB", "segment_size: 1MiB, retain_size: 1MiB, retain_alerts: 1ms") + """\
  hoard: {plugin: hoarding_sink, inputs: ["*"], path: "${env:TORTURE_HOARD}", pause: 5ms}
"""
PICKY = TICKS + """\
  picky: {plugin: picky_sink, inputs: ["*"], every: %d}
""" % Picky.every
VARIANT = (MERGE.replace("max_bad: 10%", "max_bad: 11%").replace("path: \"${env", "fsync: false, path: \"${env")
           + "  more: {plugin: \"null\", inputs: [\"*\"]}\n")

# Many keys, some of them forgotten, timers, stages, and a detector that fails on some events.
KEYS = HOST + """\
sources:
  trades: {plugin: csv, path: <trades>, kind: trade, max_bad: 10%,
           columns: {ts: time, symbol: symbol, account: account, price: price, size: size}}
detectors:
  accounts: {plugin: touchy_detector, inputs: [trades], key: account, every: 20, span: 2s, emit: true}
  pairs: {plugin: touchy_detector, inputs: [trades], key: "account,symbol", every: 10, max_keys: 90}
  forgetful: {plugin: touchy_detector, inputs: [trades], key: account, every: 4, span: 9s, ttl: 13s}
  failing: {plugin: touchy_detector, inputs: [trades], key: account, every: 15, fail: 41, max_errors: 1000000}
  behind: {plugin: touchy_detector, inputs: [accounts], key: none, every: 70}
  chain: {plugin: slow_detector, inputs: [trades], rounds: <rounds>, every: 50, cooldown: 0s}
""" + SINK + """\
  hoard: {plugin: hoarding_sink, inputs: ["*"], path: "${env:TORTURE_HOARD}", pause: 15ms}
"""

POISON = HOST + """\
sources:
  series: {plugin: csv, path: <series>, kind: score, columns: {ts: time, value: value}}
detectors:
  bad: {plugin: poison_detector, inputs: [series], mark: 666.5, key: none}
  good: {plugin: zscore, inputs: [series], fields: value, cooldown: 0s}
  chain: {plugin: slow_detector, inputs: [series], rounds: <rounds>, every: 50, cooldown: 0s}
""" + SINK
MARKS = [1234, 4321, 4322]  # events that kill `bad`

DEMO = HOST + """\
detectors:
  chain: {plugin: slow_detector, inputs: [market], rounds: <rounds>, every: 100, span: 1m, cooldown: 0s}
sinks:
  lines: {plugin: jsonl, inputs: ["*"], path: "${env:TORTURE_OUT}"}
"""


class World:
    """A configuration, its rows, and what the undisturbed run made of them."""

    kind = Case  # what happens to its runs
    variants = None
    marks = ()

    def __init__(self, torture, name, configs, rows=None, env=None):
        self.name, self.configs, self.rows, self.env, self.torture = name, configs, rows, env or {}, torture
        self.dead, self.ids, self.digest, self.seconds, self.lines = None, None, None, None, None

    def config_args(self):
        return [word for path in self.configs for word in ("-c", str(path))]

    def case(self, name):
        return self.kind(self.torture, self, name)

    def like(self, other):
        """The same input and the same results, whatever else happens: `other` was measured."""
        self.dead, self.ids, self.digest, self.seconds, self.lines = (other.dead, other.ids, other.digest, other.seconds,
                                                                      other.lines)
        self.rows = other.rows
        return self

    def measure(self, torture):
        """The undisturbed run, checked against itself: twice, replayed, and resumed with --rebuild."""
        case = Poisoned(torture, self, "undisturbed") if self.marks else Case(torture, self, "undisturbed")
        result = case.complete()
        info = case.info()
        if self.rows is None:
            self.rows = info["events"] + info["dead"]
        self.seconds, self.dead, self.digest = result.seconds, info["dead"], case.digest()
        self.ids = [i.split("-", 1)[1] for i in case.alerts()]
        if not self.ids:
            raise Violation(f"the undisturbed run of {self.name} has no alert; nothing could be compared")
        self.letters = collections.Counter(d["reason"] for d in case.dead())
        self.lines = {key.split("-", 1)[1]: without_tape(line) for key, line in case.delivered().items()}
        case.check()
        case.complete("--rebuild")
        case.check()
        if self.marks:
            check_survivors(case, self.rows - len(self.marks))
        case.drop()
        return self


def check_survivors(case, events):
    """What tests/plugins/poison_detector.c says of all events but the marked ones."""
    chain, shown, found = 0, 0, []
    for seq in range(1, events + 1):
        if seq in MARKS:
            continue
        chain = (chain ^ seq) * 0x9e3779b97f4a7c15 & ((1 << 64) - 1)
        shown += 1
        if shown % 10 == 0:
            found.append((seq, f"chain {chain:016x} after {shown} events"))
    said = [(a["seq"], a["reason"]) for a in map(json.loads, case.delivered().values()) if a["detector"] == "bad"]
    if sorted(said) != found:
        raise Violation(f"`bad` said {len(said)} things, {len(found)} were expected, or others")


class Live:
    """Two live sources that count: only what was recorded can be compared with, but no number may be missing."""

    kind = Case

    def __init__(self, torture):
        self.name, self.env, self.rows, self.torture = "live", {}, None, torture
        self.path = torture.work / "worlds/live.yaml"
        self.path.write_text(LIVE)

    def config_args(self):
        return ["-c", str(self.path)]

    def case(self, name):
        return Case(self.torture, self, name)


def trades(path, rows):
    """Of accounts that come and go, a price in a hundred missing."""
    rng, ms = random.Random(5), 1767571200000
    with open(path, "w", encoding="ascii") as out:
        out.write("time,symbol,account,price,size\n\n")  # the empty line is no row
        for i in range(rows):
            ms += rng.choice((0, 1, 20, 60, 200))
            ms += 15000 if rng.random() < 0.001 else 0
            account = rng.randrange(6) + ms // 40000 % 30 if rng.random() < 0.5 else rng.randrange(60)
            price = "none" if i % 100 == 50 else f"1.{rng.randrange(10 ** 5):05d}"
            out.write(f"{ms},S{account % 7},A{account:05d},{price},1\n" + ("\n" if i % 1000 == 500 else ""))


def poisonous(path, rows):
    """A series in which some events are marked."""
    rng, ms = random.Random(4), 1767571200000
    with open(path, "w", encoding="ascii") as out:
        out.write("time,value\n")
        for seq in range(1, rows + 1):
            ms += rng.randint(1, 3)
            value = 666.5 if seq in MARKS else round(rng.gauss(0, 1) + (50 if seq % 500 == 0 else 0), 4)
            out.write(f"{ms},{value}\n")


def walk(path, rows, seed, symbol):
    """A random walk in TrueFX lines, for machines without the real ticks."""
    rng, ms, level = random.Random(seed), 0, 139000
    with open(path, "w", encoding="ascii") as out:
        for _ in range(rows):
            ms += rng.choice((0, 5, 200, 900, 4000))
            level += rng.choice((-3, -1, 0, 1, 3)) if rng.random() < 0.999 else rng.choice((-60, 60))
            minute, rest = divmod(ms, 60000)
            hour, minute = divmod(minute, 60)
            day, hour = divmod(hour, 24)
            out.write(f"{symbol},201405{8 + day:02d} {hour:02d}:{minute:02d}:{rest // 1000:02d}.{rest % 1000:03d},"
                      f"{level / 100000:.5f},{(level + 12) / 100000:.5f}\n")


def real(path, name, rows):
    """The first rows of a file of real ticks; False when it is not there."""
    data = pathlib.Path(os.environ.get("TAPEWATCH_DATA", ROOT.parent / "shared/data")) / "fx_ticks" / name
    if not data.exists() or not shutil.which("zstd"):
        return False
    p = subprocess.Popen(["zstd", "-dcq", str(data)], stdout=subprocess.PIPE)
    with open(path, "wb") as out:
        for _, line in zip(range(rows), p.stdout):
            out.write(line)
    p.stdout.close()
    p.wait()
    return True


def spoil(path, every):
    """Make every so many rows one that cannot be an event. How many."""
    lines, bad = path.read_text().splitlines(), 0
    for i in range(every // 2, len(lines), every):
        lines[i] = lines[i].rsplit(",", 2)[0] + (",not-a-price,1.0" if bad % 2 else ",1.0")
        bad += 1
    path.write_text("\n".join(lines) + "\n")
    return bad


def count(path):
    with open(path, "rb") as f:
        return sum(1 for _ in f)


def make(torture):
    """All worlds, measured, by name."""
    folder = torture.work / "worlds"
    folder.mkdir()
    euro, gold, late = folder / "euro.csv", folder / "gold.csv", folder / "late.csv"
    oanda = real(euro, "truefx_EURUSD_oanda_20140508.csv.zst", 30000)
    if not oanda:
        torture.skip("real ticks", "TAPEWATCH_DATA has no fx_ticks, or zstd is missing; made-up ticks instead")
        walk(euro, 30000, 1, "EUR/USD")
    if not real(gold, "truefx_XAUUSD_oanda_20140501-20140505.csv.zst", 12000):
        walk(gold, 12000, 2, "XAU/USD")
    if not real(late, "truefx_EURUSD_fxcm_20140501-20140516.csv.zst", 16000):
        walk(late, 16000, 3, "EUR/USD")
    worlds = {}

    def add(name, text, *paths, env=None, configs=(), rounds=0, kind=Case, like=None, **more):
        config = folder / f"{name}.yaml"
        for word, value in {"rounds": rounds, **more}.items():
            text = text.replace(f"<{word}>", str(value))
        config.write_text(text)
        rows = sum(count(p) for p in paths) if paths else None  # else what the undisturbed run makes of it, see below
        world = worlds[name] = World(torture, name, [*configs, config], rows, env)
        world.marks = MARKS if kind is Poisoned else ()
        if kind is Poisoned:  # the head is no row; what is set aside is an event and a dead letter
            world.rows += len(MARKS) - 1
        if like:
            world.like(worlds[like])
        else:
            world.measure(torture)
        world.kind = kind
        return world

    add("ticks", TICKS, euro, ticks=euro, rounds=2500)

    lines = late.read_text().splitlines(keepends=True)
    late1, late2, euro2 = folder / "late1.csv", folder / "late2.csv", folder / "euro2.csv"
    late1.write_text("".join(lines[::2]))  # two files of one source with interleaved times
    late2.write_text("".join(lines[1::2]))
    euro2.write_text("".join(euro.read_text().splitlines(keepends=True)[:8000]))
    bad = spoil(euro2, 83) + spoil(gold, 131)
    add("merge", MERGE, euro2, gold, late1, late2, euro=euro2, gold=gold, late1=late1, late2=late2, rounds=2000)
    if worlds["merge"].dead != bad:
        raise Violation(f"{bad} rows of the world 'merge' are bad, {worlds['merge'].dead} became dead letters")

    short = folder / "short.csv"
    short.write_text("".join(euro.read_text().splitlines(keepends=True)[:20000]))
    add("short", TICKS, short, ticks=short, rounds=3500)
    tiny = folder / "tiny.csv"
    tiny.write_text("".join(euro.read_text().splitlines(keepends=True)[:14000]))
    add("tiny", TICKS, tiny, ticks=tiny, rounds=0)
    many = folder / "trades.csv"
    trades(many, 12000)
    add("keys", KEYS, trades=many, rounds=3000)
    series = folder / "series.csv"
    poisonous(series, 6000)
    add("poison", POISON, series, series=series, rounds=8000, kind=Poisoned)
    add("kept", KEPT, euro, ticks=euro, rounds=2500, kind=Kept, like="ticks")
    add("picky", PICKY, short, ticks=short, rounds=3500, kind=Picky, like="short")
    add("taken", TICKS, euro, ticks=euro, rounds=2500, kind=TakenOver, like="ticks")
    inputs = {"euro": euro2, "gold": gold, "late1": late1, "late2": late2}
    again = add("reloaded", MERGE, euro2, gold, late1, late2, rounds=2000, kind=Reloaded, like="merge", **inputs)
    again.variants = [MERGE, VARIANT]
    for word, value in {"rounds": 2000, **inputs}.items():
        again.variants = [text.replace(f"<{word}>", str(value)) for text in again.variants]
    if (worlds["keys"].letters["bad_price"], worlds["keys"].rows - worlds["keys"].letters["detector_error"]) != (120, 12000):
        raise Violation(f"the world 'keys' has 12,000 rows, 120 of them bad; the run found {worlds['keys'].letters}")
    late = add("joined", TICKS, short, ticks=short, rounds=3500, kind=Joined, like="short")
    late.variants = [text.replace("<ticks>", str(short)).replace("<rounds>", "3500") for text in (TICKS, LATE)]
    add("demo", DEMO, env={"TAPEWATCH_DEMO_DURATION": "1h", "TAPEWATCH_DEMO_SEED": str(torture.seed % 1000 + 1)},
        configs=[ROOT / "conf.d/10-demo.yaml"], rounds=1500)
    return worlds
