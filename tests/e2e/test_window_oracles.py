# SPDX-License-Identifier: Apache-2.0
"""Every statistic of tapewatch/window.h at every position of a series, against arithmetic that is not its own."""
import functools
import pathlib
import subprocess

import numpy as np
import pandas as pd
import pytest

import kit
import oracle_statistics as oracle

CLI = pathlib.Path(kit.BIN).resolve().parent.parent / "tests" / "window_cli"
NAN = float("nan")


def ask(statistic, *numbers, rows, restore=False, program=CLI):
    """The statistic's values after each row."""
    rows = np.ascontiguousarray(np.asarray(rows, dtype=np.float64))
    columns = {n: int(out) for n, _, _, out in map(str.split, names(program))}[statistic]
    argv = [str(program), *(["--restore"] if restore else []), statistic, *map(repr, map(float, numbers))]
    done = subprocess.run(argv, input=rows.tobytes(), capture_output=True, timeout=kit.PATIENCE, check=True)
    out = np.frombuffer(done.stdout).reshape(-1, columns)
    assert len(out) == len(rows)
    return out


@functools.lru_cache
def names(program):
    return subprocess.run([str(program)], capture_output=True, text=True, check=True).stdout.splitlines()


def same(found, expected, relative=1e-9, absolute=0.0):
    """NaN where NaN is expected and nowhere else; `absolute` may be an array, for what cancellation leaves."""
    found, expected = np.asarray(found, dtype=np.longdouble), np.asarray(expected, dtype=np.longdouble)
    assert found.shape == expected.shape
    assert (np.isnan(found) == np.isnan(expected)).all(), np.flatnonzero(
        (np.isnan(found) != np.isnan(expected)).reshape(len(found), -1).any(axis=1))[:10]
    bad = np.abs(found - expected) > relative * np.abs(expected) + absolute
    at = np.argwhere(bad)[:5]
    assert not bad.any(), [(tuple(i), float(found[tuple(i)]), float(expected[tuple(i)])) for i in at]


def _walk():
    return 1.3 + np.cumsum(np.random.default_rng(1).integers(-3, 4, 3000)) * 1e-5


def _offset():
    """Drifts, far from 0: naive sums of squares have no correct digit here."""
    rng = np.random.default_rng(2)
    return 1e9 + np.arange(3000) * 1e-3 + rng.normal(size=3000)


def _jumps():
    """Among small values some of another world, in runs, which must leave nothing behind."""
    rng = np.random.default_rng(3)
    v = rng.normal(size=3000)
    v[rng.integers(0, 3000, 40)] *= 1e6
    v[500:530] += 1e9
    v[1200:1500] = 7.25
    v[2000:2003] = [1e12, -1e12, 0]
    return v


SERIES = {
    "noise": lambda: np.random.default_rng(4).normal(size=3000) * 3 + 100,
    "few": lambda: np.random.default_rng(5).integers(0, 6, 3000).astype(float),
    "constant": lambda: np.full(400, 0.1),
    "rising": lambda: np.arange(1000) * 0.25,
    "falling": lambda: 1e6 - np.arange(1000) * 0.3,
    "walk": _walk,
    "offset": _offset,
    "jumps": _jumps,
    "saw": lambda: np.tile([1.0, 5.0, 2.0, 8.0, 1.0, 1.0, 9.0], 200),
}


@pytest.fixture(params=[*SERIES, "real"])
def series(request):
    if request.param != "real":
        return request.param, SERIES[request.param]()
    return "real", bars(request.getfixturevalue("data")).Close.to_numpy()


def bars(data):
    path = data / "equities_daily" / "SPY.csv"
    if not path.exists():
        pytest.skip(f"no {path}")
    return pd.read_csv(path).iloc[:3000]


def scale(values, n):
    """The largest value that was in the window or left it within the last n pushes: its rounding may show."""
    return pd.Series(np.abs(values)).rolling(2 * n, min_periods=1).max().to_numpy()


@pytest.mark.parametrize("n", [1, 2, 30, 250])
def test_mean_and_deviation_of_the_last_values(series, n):
    name, v = series
    found, expected = ask("window", n, rows=v), oracle.window(v, n)
    eps = np.finfo(float).eps * np.abs(expected[:, 0]).astype(float)
    # a mean is only as good as the spread of what it is the mean of
    same(found[:, 0], expected[:, 0], 1e-15, 4e-9 * expected[:, 3] + 4 * eps)
    same(found[:, 1], expected[:, 1], 1e-14, n * (4e-9 * expected[:, 3] + 4 * eps))
    same(found[:, 2:], expected[:, 2:], 1e-6 if name == "jumps" else 1e-9)
    if name == "constant":
        assert (found[:, 2:] == 0).all()


def test_pandas_agrees_where_it_does_not_drift(series):
    name, v = series
    rolling = pd.Series(v).rolling(30, min_periods=2)
    found = ask("window", 30, rows=v)
    if name == "jumps":  # it does: what a far value leaves behind in pandas' sums stays there
        exact = oracle.window(v, 30)[1:, 2]
        ours, theirs = np.abs(found[1:, 2] - exact), np.abs(rolling.std()[1:] - exact)
        assert ours.max() < 1e-3 * theirs.max()
        return
    same(found[1:, 0], rolling.mean()[1:], 1e-9)
    same(found[1:, 2], rolling.std()[1:], 1e-6, 1e-9 * np.abs(v).max())


@pytest.mark.parametrize("n", [1, 2, 7, 100])
def test_ring_and_extremes_are_those_of_the_last_values(series, n):
    _, v = series
    same(ask("ring", n, rows=v), oracle.ring(v, n), 0)
    same(ask("extremes", n, rows=v), oracle.extremes(v, n), 0)


@pytest.mark.parametrize("n,q", [(1, 0.5), (2, 0.3), (30, 0.95), (65, 0.01), (250, 0.75)])
def test_rolling_quantiles_and_medians(series, n, q):
    _, v = series
    found = ask("sorted", n, q, rows=v)
    rounding = 1e-15 * np.array([np.abs(w).max() for _, w in oracle.last(v, n)])[:, None]
    same(found, oracle.ordered(v, n, q), 1e-14, rounding)
    rolling = pd.Series(v).rolling(n, min_periods=1)
    same(found[:, 0], rolling.quantile(q, interpolation="linear"), 1e-14, rounding[:, 0])
    same(found[:, 1], rolling.median(), 1e-14, rounding[:, 0])


@pytest.mark.parametrize("alpha", [0.5, 2 / 27, 0.01])
@pytest.mark.parametrize("adjust", [True, False])
def test_fading_means_and_variances(series, alpha, adjust):
    name, v = series
    v = v[:800]
    found = ask("ewm" if adjust else "ewma", alpha, rows=v)
    # what a far value left is as large as its rounding, for as long as it fades
    worst = np.maximum.accumulate(np.abs(v - v[0])) if name == "jumps" else np.zeros(len(v))
    eps = 1e-15 * (np.abs(v) + worst) / alpha
    expected = oracle.ewm(v, alpha, adjust)
    same(found[:, 0], expected[:, 0], 1e-12, eps)
    same(found[:, 1:], expected[:, 1:], 1e-9, (eps**2 + eps * np.sqrt(expected[:, 1]).astype(float))[:, None] + 1e-15 * worst[:, None]**2)
    if name not in ("offset", "jumps"):
        ewm = pd.Series(v).ewm(alpha=alpha, adjust=adjust)
        same(found[:, 0], ewm.mean(), 1e-10)
        same(found[:, 1], ewm.var(bias=True), 1e-7, 1e-12 * np.abs(v).max()**2)
        same(found[:, 2], ewm.var(), 1e-7, 1e-12 * np.abs(v).max()**2)


def test_fading_by_time_is_that_of_pandas():
    rng = np.random.default_rng(6)
    times = 1_700_000_000_000_000_000 + np.cumsum(rng.integers(0, 4, 1000)) * 1024  # what a double can hold
    v = rng.normal(size=1000) + 5
    found = ask("ewm_at", 10240, rows=np.column_stack([times, v]))
    frame = pd.Series(v).ewm(halflife="10240ns", times=pd.to_datetime(times)).mean()
    same(found[:, 0], frame, 1e-12)
    same(found, oracle.ewm_at(times - times[0], v, 10240), 1e-10)


def test_late_values_count_as_if_they_had_come_in_time():
    rng = np.random.default_rng(7)
    times = np.cumsum(rng.integers(0, 9, 600)) * 100
    times[rng.random(600) < 0.3] -= 700
    v = rng.normal(size=600)
    same(ask("ewm_at", 1000, rows=np.column_stack([times, v])), oracle.ewm_at(times, v, 1000), 1e-9)


@pytest.mark.parametrize("n", [2, 20, 250])
def test_covariance_correlation_and_beta(series, n):
    name, v = series
    rng = np.random.default_rng(8)
    other = 0.5 * v + rng.normal(size=len(v)) * (np.std(v[:20]) + 0.01)
    if name == "jumps":
        other[500:530] = rng.normal(size=30)
    found, expected = ask("pair", n, rows=np.column_stack([v, other])), oracle.pair(v, other, n)
    spread = np.sqrt((oracle.window(v, n)[:, 2] * oracle.window(other, n)[:, 2]).astype(float))
    loose = 1e-4 if name == "jumps" else 1e-8
    same(found[:, 0], expected[:, 0], loose, loose * spread**2)
    same(found[:, 1], expected[:, 1], loose, loose)
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = np.nan_to_num((oracle.window(other, n)[:, 2] / oracle.window(v, n)[:, 2]).astype(float), posinf=0)
    same(found[:, 2], expected[:, 2], loose, loose * slope)
    same(found[:, 3:], expected[:, 3:], 1e-13, loose * spread[:, None])
    if name in ("noise", "walk", "real") and n > 2:
        rolling = pd.Series(v).rolling(n)
        same(found[n - 1:, 0], rolling.cov(pd.Series(other))[n - 1:], 1e-6, 1e-7 * spread[n - 1:]**2)
        same(found[n - 1:, 1], rolling.corr(pd.Series(other))[n - 1:], 1e-6, 1e-6)


@pytest.mark.parametrize("n", [2, 14, 100])
@pytest.mark.parametrize("wilder", [0, 1])
def test_relative_strength(series, n, wilder):
    name, v = series
    found, expected = ask("rsi", n, wilder, rows=v), oracle.rsi(v, n, wilder)
    if name == "jumps":
        # what is left of a gain of 1e9 in Wilder's averages is rounding, and a flat stretch keeps it
        near = scale(v, 30 * n) < 1e5
        found, expected = found[near], expected[near]
    same(found, expected, 0, 1e-5 if name in ("jumps", "offset") else 1e-8)


def test_average_true_range(data):
    frame = bars(data)
    rows = frame[["High", "Low", "Close"]].to_numpy()
    for n in (1, 2, 14):
        same(ask("atr", n, rows=rows), oracle.atr(frame.High, frame.Low, frame.Close, n), 1e-12, 1e-12)


@pytest.mark.parametrize("periods", [(12, 26, 9), (1, 2, 1), (5, 5, 3), (3, 10, 16)])
def test_convergence_of_averages(series, periods):
    _, v = series
    size = np.maximum.accumulate(np.abs(v))[:, None]
    same(ask("macd", *periods, rows=v), oracle.macd(v, *periods), 1e-9, 1e-13 * size)


def test_bollinger_bands(series):
    name, v = series
    found, expected = ask("bollinger", 20, 2, rows=v), oracle.bollinger(v, 20, 2)
    reach = (expected[:, 2] - expected[:, 0])[:, None]
    same(found, expected, 1e-15, (1e-6 if name == "jumps" else 1e-8) * reach + 4e-15 * np.abs(expected[:, 1:2]))


def test_volume_weighted_prices(data):
    frame = bars(data)
    price, volume = frame.Close.to_numpy(), frame.Volume.to_numpy(dtype=float)
    session = np.arange(len(price)) // 60
    volume[120:125] = 0  # a session begins without volume
    found = ask("vwap", rows=np.column_stack([session, price, volume]))
    same(found, oracle.vwap(session, price, volume), 1e-12)
    volume[200:260] = 0
    for n in (1, 2, 30):
        same(ask("vwap_last", n, rows=np.column_stack([price, volume])), oracle.vwap_last(price, volume, n), 1e-13)


def test_a_rolling_price_forgets_far_prices_and_large_volumes():
    rng = np.random.default_rng(9)
    price, volume = 100 + rng.normal(size=2000), rng.random(2000)
    price[300:320] += 1e9
    volume[700:710] *= 1e12
    price[705] = -1e7
    for n in (5, 50):
        found, expected = ask("vwap_last", n, rows=np.column_stack([price, volume])), oracle.vwap_last(price, volume, n)
        same(found, expected, 1e-9, 1e-7)


def test_returns_and_drawdown(series):
    _, v = series
    found, expected = ask("returns", rows=v), oracle.returns(v)
    same(found, expected, 1e-12, 1e-18)
    same(ask("drawdown", rows=v), oracle.drawdown(v), 1e-12)


@pytest.mark.parametrize("q", [1 / 16, 0.5, 63 / 64])  # sums of these are exact, so that both see the same ties
def test_p_square_is_the_published_algorithm(series, q):
    _, v = series
    same(ask("p2", q, rows=v), oracle.p2(v, q), 1e-6, 1e-9 * np.maximum.accumulate(np.abs(v))[:, None])


@pytest.mark.parametrize("compression", [20, 100, 500])
def test_a_digest_errs_by_less_than_a_cluster(series, compression):
    _, v = series
    for q in (0, 0.001, 0.05, 0.5, 0.9, 0.999, 1):
        found = ask("digest", compression, q, rows=v)
        for i in (*range(0, min(compression - 1, len(v)), 7), *range(compression, len(v), 211), len(v) - 1):
            seen = np.sort(v[:i + 1])
            if i < compression - 1:  # nothing was merged yet
                same(found[i:i + 1, 0], [np.quantile(seen, q)], 1e-12, 1e-12 * np.abs(seen).max())
            # ranks that this quantile may stand for, and those which the digest's answer has
            step = np.pi / compression
            error = 2.5 * step * (np.sqrt(q * (1 - q)) + step) + 1 / (i + 1)
            low, high = (np.searchsorted(seen, found[i, 0] + (d * 1e-9 * (np.abs(seen).max() + 1)), side)
                         for d, side in ((-1, "left"), (1, "right")))
            assert low / (i + 1) - error <= q <= high / (i + 1) + error
        if q in (0, 1):
            same(found[:, 0], (np.minimum if q == 0 else np.maximum).accumulate(v), 0)


def test_shares_of_a_digest_are_ranks():
    v = np.random.default_rng(10).lognormal(size=20000)
    found = ask("digest", 100, 0.5, rows=v)[:, 1]
    for i in range(50, 20000, 1237):
        rank = (np.sum(v[:i + 1] < v[i]) + 0.5 * np.sum(v[:i + 1] == v[i])) / (i + 1)
        assert abs(found[i] - rank) <= 2 * np.pi / 100 * np.sqrt(rank * (1 - rank)) + (np.pi / 100)**2


@pytest.mark.parametrize("precision", [4, 6, 8, 10, 12, 14])
def test_the_error_of_counting_different_ones_is_the_published_one(precision):
    """Root mean square of the relative error over many sets, at sizes where registers are empty, filling and full."""
    sets, sizes = 60, [1, 10, 100, 1000, 5000]
    errors = []
    for s in range(sets):
        v = np.arange(sizes[-1]) + s * 1e6
        found = ask("hll", precision, rows=np.repeat(v, 1))[:, 0]
        errors.append([(found[n - 1] - n) / n for n in sizes])
    errors = np.array(errors)
    theory = 1.04 / np.sqrt(2.0**precision)
    rms, bias = np.sqrt((errors**2).mean(axis=0)), errors.mean(axis=0)
    # 60 sets: the root mean square of a fair sample stays within +-40 %, its mean within 4 standard errors
    assert (rms <= 1.4 * theory).all(), rms / theory
    assert rms[-1] >= 0.4 * theory, "too good to be true"
    assert (np.abs(bias) <= 4 * theory / np.sqrt(sets)).all(), bias / theory


def test_counting_different_ones_twice_changes_nothing():
    v = np.random.default_rng(11).integers(0, 3000, 20000).astype(float)
    found = ask("hll", 12, rows=v)
    seen = set()
    for i, x in enumerate(v):
        assert not (x in seen and found[i, 1])
        seen.add(x)
    assert abs(found[-1, 0] - len(seen)) <= 4 * 1.04 / 64 * len(seen)


TIMES = {
    "rising": lambda r: np.cumsum(r.integers(0, 30, 3000)),
    "gaps": lambda r: np.cumsum(np.where(r.random(2000) < 0.01, 5000, 3)),
    "late": lambda r: np.cumsum(r.integers(0, 30, 3000)) - np.where(r.random(3000) < 0.2, r.integers(0, 900, 3000), 0),
    "before 1970": lambda r: np.cumsum(r.integers(0, 30, 3000)) - 20000 - r.integers(0, 200, 3000),
    "back": lambda r: r.integers(-500, 500, 2000),
}


@pytest.mark.parametrize("kind", TIMES)
def test_counters_with_late_events(kind):
    rng = np.random.default_rng(12)
    times = TIMES[kind](rng)
    amounts = np.round(rng.normal(size=len(times)), 3)
    for width in (1, 60, 100):
        same(ask("tumbling", width, rows=times), oracle.tumbling(times, width), 0)
        for buckets in (1, 2, 10):
            found = ask("sliding", buckets, width, rows=np.column_stack([times, amounts]))
            same(found, oracle.sliding(times, amounts, buckets, width), 1e-12, 1e-12)


CALLS = [("window", 30), ("ring", 5), ("extremes", 9), ("sorted", 30, 0.9), ("sorted", 70, 0.1), ("ewma", 0.1), ("ewm", 0.1),
         ("ewm_at", 50), ("pair", 20), ("rsi", 14, 0), ("rsi", 14, 1), ("atr", 14), ("macd", 12, 26, 9),
         ("bollinger", 20, 2), ("vwap",), ("vwap_last", 10), ("returns",), ("drawdown",), ("p2", 0.9), ("digest", 50, 0.9),
         ("hll", 6), ("tumbling", 60), ("sliding", 6, 10)]


def mixed(statistic, rows, hostile=False):
    """Rows for any statistic: times and sessions where it expects them."""
    rng = np.random.default_rng(13)
    columns = {n: int(i) for n, _, i, _ in map(str.split, names(CLI))}[statistic]
    v = rng.normal(size=(rows, columns)) + 3
    if statistic == "atr":
        v = np.sort(v)[:, [2, 0, 1]]
    if hostile:
        worst = [NAN, np.inf, -np.inf, 1e300, -1e300, 5e-324, -5e-324, 0.0, -0.0, 1e150, -1e150, 1e-310]
        bad = rng.random(v.shape) < 0.3
        v[bad] = rng.choice(worst, bad.sum())
    if statistic in ("ewm_at", "sliding", "tumbling"):
        v[:, 0] = np.cumsum(rng.integers(-3, 9, rows))
    if statistic == "vwap":
        v[:, 0] = np.arange(rows) // 40
    return v


def test_the_list_of_calls_is_complete():
    assert {c[0] for c in CALLS} == {line.split()[0] for line in names(CLI)}


@pytest.mark.parametrize("call", CALLS, ids=lambda c: "-".join(map(str, c)))
def test_moving_the_state_between_any_two_values_changes_nothing(call):
    for hostile in (False, True):
        rows = mixed(call[0], 700, hostile)
        plain, moved = ask(*call, rows=rows), ask(*call, rows=rows, restore=True)
        assert plain.tobytes() == moved.tobytes()


@pytest.mark.parametrize("call", [c for c in CALLS if c[0] not in ("hll", "tumbling", "sliding", "returns")],
                         ids=lambda c: "-".join(map(str, c)))
def test_values_that_cannot_be_used_leave_no_trace(call):
    """What comes of a series with them is what comes of it without."""
    rows = mixed(call[0], 500)
    bad = np.random.default_rng(14).random(500) < 0.25
    spoilt = np.repeat(rows, 1 + bad, axis=0)
    where = np.flatnonzero(bad) + np.arange(1, bad.sum() + 1)  # behind each marked row its spoilt copy
    column = 1 if call[0] == "ewm_at" else -1
    spoilt[where, column] = np.resize([NAN, np.inf, -np.inf, 1e300, -1e151], len(where))
    kept = np.delete(ask(*call, rows=spoilt), where, axis=0)
    assert kept.tobytes() == ask(*call, rows=rows).tobytes()


@pytest.mark.parametrize("call", CALLS, ids=lambda c: "-".join(map(str, c)))
def test_results_are_finite_or_absent_whatever_comes(call):
    found = ask(*call, rows=mixed(call[0], 3000, hostile=True))
    assert not np.isinf(found).any()
