# SPDX-License-Identifier: Apache-2.0
"""What every detector has from the host: where, severity, cooldown, warmup, max_keys, ttl, key and max_errors, against
the same rules in Python."""
import collections
import random
import shutil
import subprocess

import numpy as np
import pytest

import kit
import oracle_windows as oracle
import test_bad_input

SYMBOLS = ["EURUSD", "EURGBP", "GBPUSD", "USDJPY"]
SECOND = 10**9


def walk(n=8000, seed=77):
    """Trades of four symbols by three accounts: (seconds, symbol, account, price, size)."""
    rng = np.random.default_rng(seed)
    price = {s: 100.0 * (i + 1) for i, s in enumerate(SYMBOLS)}
    out, t = [], 0
    for i in range(n):
        t += int(rng.integers(1, 4))
        s = SYMBOLS[int(rng.integers(0, 4)) if i % 500 > 60 else int(rng.integers(0, 2))]
        price[s] += round(float(rng.normal() * (1 if rng.random() > 0.02 else 8)), 2)
        out.append((t, s, f"A{int(rng.integers(0, 3))}", round(price[s], 2), int(rng.integers(1, 100))))
    return out


TRADES = walk()


@pytest.fixture
def trades(pipeline):
    pipeline.write("t.csv", "time,symbol,account,price,size\n" + "".join(
        f"{1767571200 + t},{s},{a},{p},{z}\n" for t, s, a, p, z in TRADES))
    return pipeline


def run(pipeline, plugin="zscore", **options):
    return pipeline.run({"sources": {"t": {"plugin": "csv", "path": "t.csv"}},
                         "detectors": {"d": {"plugin": plugin, "inputs": ["t"], **options}}})


def beyond(key=lambda row: row[1], column=3, threshold=2.5, keep=lambda row: True, window=30):
    """(seq, key, seconds, how many events of its key so far) of every event that alone would alert."""
    series = collections.defaultdict(list)
    for i, row in enumerate(TRADES):
        if keep(row):
            series[key(row)].append((i + 1, row))
    out = []
    for k, rows in series.items():
        scores = oracle.zscore([r[column] for _, r in rows], window)
        out += [(seq, k, row[0], n + 1) for n, ((seq, row), s) in enumerate(zip(rows, scores)) if abs(s) > threshold]
    return sorted(out)


def seqs(pipeline):
    return [a["seq"] for a in pipeline.alerts()]


def test_without_options_every_event_beyond_alerts(trades):
    run(trades)
    assert seqs(trades) == [seq for seq, *_ in beyond()]
    assert len(beyond()) > 100


# ---- where --------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("where, keep", [
    ({"symbol": "EURUSD"}, lambda r: r[1] == "EURUSD"),
    ({"symbol": "EUR*"}, lambda r: r[1].startswith("EUR")),
    ({"symbol": ["EUR*", "USD???"]}, lambda r: r[1][:3] in ("EUR", "USD")),
    ({"symbol": "!EUR*"}, lambda r: not r[1].startswith("EUR")),
    ({"symbol": ["EUR*", "!*GBP"]}, lambda r: r[1] == "EURUSD"),
    ({"account": "A1"}, lambda r: r[2] == "A1"),
    ({"account": ["A1", "A2"], "symbol": "*USD"}, lambda r: r[2] in ("A1", "A2") and r[1].endswith("USD")),
    ({"kind": "trade"}, lambda r: True),
    ({"kind": ["quote", "bar"]}, lambda r: False),
])
def test_where_lets_only_these_events_through(where, keep, trades):
    run(trades, where=where)
    assert seqs(trades) == [seq for seq, *_ in beyond(keep=keep)]


# ---- severity -----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("option, expected", [(None, "medium"), ("auto", "medium"), ("info", "info"), ("low", "low"),
                                              ("medium", "medium"), ("high", "high"), ("critical", "critical")])
def test_severity(option, expected, trades):
    run(trades, **({"severity": option} if option else {}))
    assert {a["severity"] for a in trades.alerts()} == {expected}


# ---- cooldown -----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("seconds", [1, 60, 600])
def test_cooldown_of_a_time_keeps_a_key_quiet_for_so_long(seconds, trades):
    done = run(trades, cooldown=f"{seconds}s")
    expected, quiet, last = [], 0, {}
    for seq, key, t, _ in beyond():
        if key in last and t < last[key] + seconds:
            quiet += 1
        else:
            expected.append(seq)
            last[key] = t
    assert seqs(trades) == expected
    assert not quiet or f"{quiet} in cooldown" in done.stderr


@pytest.mark.parametrize("events", [1, 25, 300])
def test_cooldown_of_events_keeps_a_key_quiet_for_so_many(events, trades):
    run(trades, cooldown=f"{events} events")
    expected, last = [], {}
    for seq, key, _, n in beyond():
        if key not in last or n > last[key] + events:
            expected.append(seq)
            last[key] = n
    assert 10 < len(expected) < len(beyond()) or events == 1
    assert seqs(trades) == expected


def test_the_window_learns_on_during_a_cooldown(trades):
    """Alerts after a cooldown have the scores they would have without one."""
    run(trades)
    free = {a["seq"]: a["score"] for a in trades.alerts()}
    trades.run({"sources": {"t": {"plugin": "csv", "path": "t.csv"}},
                "detectors": {"d": {"plugin": "zscore", "inputs": ["t"], "cooldown": "5m"}}}, dir="cooled")
    cooled = {a["seq"]: a["score"] for a in trades.alerts(dir="cooled")}
    assert cooled and all(free[seq] == score for seq, score in cooled.items())


# ---- warmup -------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("events", [10, 500])
def test_warmup_of_events_holds_back_the_alerts_of_a_new_key(events, trades):
    run(trades, warmup=f"{events} events")
    assert seqs(trades) == [seq for seq, _, _, n in beyond() if n > events]


def test_warmup_of_a_time_holds_back_the_alerts_of_a_new_key(trades):
    run(trades, warmup="20m")
    first = {}
    for t, s, *_ in TRADES:
        first.setdefault(s, t)
    expected = [seq for seq, key, t, _ in beyond() if t - first[key] >= 1200]
    assert 0 < len(expected) < len(beyond())
    assert seqs(trades) == expected


# ---- key ----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("option, key", [
    ("symbol", lambda r: r[1]), ("account", lambda r: r[2]), ("account,symbol", lambda r: r[1:3]),
    ("none", lambda r: 0)])
def test_key_says_what_has_a_series_of_its_own(option, key, trades):
    run(trades, key=option, fields="size", threshold=1.7)
    assert seqs(trades) == [seq for seq, *_ in beyond(key, 4, 1.7)]


def test_events_without_the_key_are_counted_and_not_judged(trades):
    trades.write("t.csv", "time,symbol,price\n" + "".join(f"{1767571200 + i},X,{i}\n" for i in range(100)))
    done = run(trades, key="account", threshold=0)
    assert trades.alerts() == [] and "100 without its key" in done.stderr


# ---- max_keys, ttl ------------------------------------------------------------------------------------------------

def test_beyond_max_keys_the_one_not_seen_for_longest_is_forgotten(trades):
    window = 5
    run(trades, max_keys=2, window=window, threshold=3)
    kept, expected = collections.OrderedDict(), []
    for i, (t, symbol, _, price, _) in enumerate(TRADES):
        if symbol not in kept and len(kept) == 2:
            kept.popitem(last=False)
        series = kept.setdefault(symbol, [])
        kept.move_to_end(symbol)
        series.append(price)
        score = abs(oracle.zscore(series[-window - 1:], window)[-1]) if len(series) > window else 0
        if score > 3:
            expected.append(i + 1)
    assert len(expected) > 10
    assert seqs(trades) == expected


@pytest.mark.parametrize("seconds", [30, 60])
def test_ttl_forgets_a_key_that_was_not_seen_for_so_long(seconds, trades):
    run(trades, ttl=f"{seconds}s", window=10, threshold=3)
    series, last, expected, forgotten = {}, {}, [], 0
    for i, (t, symbol, _, price, _) in enumerate(TRADES):
        if symbol in last and t - last[symbol] > seconds:
            del series[symbol]
            forgotten += 1
        last[symbol] = t
        series.setdefault(symbol, []).append(price)
        if len(series[symbol]) > 10 and abs(oracle.zscore(series[symbol][-11:], 10)[-1]) > 3:
            expected.append(i + 1)
    assert forgotten > 10 and expected
    assert seqs(trades) == expected


def test_a_forgotten_key_takes_its_cooldown_along(pipeline):
    """Or a key that comes back after a year would still be quiet."""
    once = [(i, 10 + i % 3) for i in range(20)] + [(20, 99)]
    rows = once + [(t + 5000, p) for t, p in once]
    pipeline.write("t.csv", "time,symbol,price\n" + "".join(f"{1767571200 + t},X,{p}\n" for t, p in rows))
    run(pipeline, window=10, threshold=5, ttl="10m", cooldown="30d")
    assert seqs(pipeline) == [21, 42]


# ---- max_errors ---------------------------------------------------------------------------------------------------

CHOOSY = """
#include <tapewatch/plugin.h>
static int32_t on_trade(struct tw_ctx *c, const void *self, const struct tw_event *ev, void *state)
{
	if (ev->trade.size == 13)
		return TW_E_DATA;
	return ev->trade.size > 90 ? tw_alert(c, ev, ev->trade.size, "large") : TW_OK;
}
TW_DETECTOR(on_trade, .name = "odd", .version = "1.0.0", .summary = "fails on 13 lots", .kinds = TW_TRADE)
"""


@pytest.fixture
def choosy(trades):
    """A detector that fails on some events."""
    if not shutil.which("cc"):
        pytest.skip("no C compiler (cc) to build a plugin with")
    trades.path("odd.d").mkdir()
    done = subprocess.run(["cc", "-shared", "-fPIC", "-w", f"-I{kit.ROOT / 'sdk/include'}", "-o",
                           trades.path("odd.d/odd.so"), "-x", "c", "-"], input=CHOOSY, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    return trades


def run_choosy(p, **options):
    return p.run({"sources": {"t": {"plugin": "csv", "path": "t.csv"}},
                  "detectors": {"d": {"plugin": "odd", "inputs": ["t"], **options}}},
                 env={"TAPEWATCH_PLUGINS": f"{p.path('odd.d')}:{test_bad_input.PLUGINS}"})


def test_an_event_that_a_detector_fails_on_is_a_dead_letter_and_the_rest_goes_on(choosy):
    done = run_choosy(choosy)
    failing = [i + 1 for i, r in enumerate(TRADES) if r[4] == 13]
    assert len(failing) > 30
    dead = choosy.dead()
    assert [d["seq"] for d in dead] == failing
    assert {(d["source"], d["reason"]) for d in dead} == {("d", "detector_error")}
    assert seqs(choosy) == [i + 1 for i, r in enumerate(TRADES) if r[4] > 90]
    assert f"{len(failing)} errors" in done.stderr


def test_beyond_max_errors_in_a_minute_it_is_switched_off_and_says_so(choosy):
    done = run_choosy(choosy, max_errors=1)
    per_minute, off = collections.Counter(), None
    for i, (t, *_, size) in enumerate(TRADES):
        if size == 13:
            per_minute[t // 60] += 1
            if per_minute[t // 60] > 1:
                off = i + 1
                break
    assert off
    assert "switched off" in done.stderr and "max_errors: 1" in done.stderr
    assert seqs(choosy) == [i + 1 for i, r in enumerate(TRADES) if r[4] > 90 and i + 1 < off]


# ---- max_names ----------------------------------------------------------------------------------------------------

def test_more_names_than_the_host_takes_is_said_and_does_no_harm(pipeline):
    rng = random.Random(1)
    pipeline.write("t.csv", "time,symbol,price\n" + "".join(
        f"{1767571200 + i},S{i},{rng.random()}\n" for i in range(500)))
    done = pipeline.run({"sources": {"t": {"plugin": "csv", "path": "t.csv"}}, "host": {"max_names": 16},
                         "detectors": {"d": {"plugin": "zscore", "inputs": ["t"]}}})
    assert pipeline.info()["events"] == 500
    assert len({e["symbol"] for e in pipeline.events()}) == 500
    assert "max_names" in done.stderr or "without its key" in done.stderr
