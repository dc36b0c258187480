# SPDX-License-Identifier: Apache-2.0
"""What each detector should say, worked out with numpy and pandas from the documentation and not from the C code.

Every function takes arrays in the order of the events of one key and returns a list of alerts: tuples of the event's
index, the score and the type's direction or name (see each). Absent values are NaN and are neither judged nor kept.
"""
import numpy as np
import pandas as pd

NAN = float("nan")


def _windows(values, window):
    """Index of each usable value, the value, and the window of usable values before it (as rows)."""
    values = np.asarray(values, dtype=np.float64)
    index = np.flatnonzero(np.isfinite(values) & (np.abs(values) <= 1e150))
    kept = values[index]
    if len(kept) <= window:
        return index[:0], kept[:0], np.empty((0, window))
    before = np.lib.stride_tricks.sliding_window_view(kept, window)[:-1]
    return index[window:], kept[window:], before


def _alerts(index, score, up, beyond, sided):
    if sided == "upper":
        beyond = beyond & up
    elif sided == "lower":
        beyond = beyond & ~up
    return [(int(i), float(s), "up" if u else "down") for i, s, u, b in zip(index, score, up, beyond) if b]


def mid(bid, ask):
    return (np.asarray(bid, dtype=np.float64) + np.asarray(ask, dtype=np.float64)) / 2


def returns(prices, logarithm=False):
    """Change from the price before; NaN for the first, behind prices of 0 or less, and for absent prices."""
    prices = np.asarray(prices, dtype=np.float64)
    out = np.full(len(prices), NAN)
    previous = 0.0
    for i, price in enumerate(prices):
        if not np.isfinite(price):
            continue
        if previous > 0 and (price > 0 or not logarithm):
            out[i] = np.log(price / previous) if logarithm else price / previous - 1
        previous = price
    return out


def percent_changes(volumes):
    """Change from the volume before in percent, for the detector volume with `change: true`."""
    return 100 * returns(volumes)


def zscore(values, window=30, threshold=2.5, method="classic", sided="both", deviation="sample", noise=None):
    """noise: deviations up to this much are rounding; 4 eps of the values if not given (1 x 4 eps for returns, of the
    ask for spreads)."""
    index, x, before = _windows(values, window)
    if method == "robust":
        centre = np.median(before, axis=1)
        spread = 1.4826 * np.median(np.abs(before - centre[:, None]), axis=1)
        wide = (np.quantile(before, 0.95, axis=1) - np.quantile(before, 0.05, axis=1)) / 3.29
        spread = np.where(spread > 0, spread, wide)
    else:
        centre = before.mean(axis=1)
        # from a value of the window, so that equal values have a deviation of exactly 0
        shifted = before - before[:, :1]
        spread = shifted.std(axis=1, ddof=0 if deviation == "population" else 1)
        centre = before[:, 0] + shifted.mean(axis=1)
    if noise is None:
        noise = 4 * np.finfo(float).eps * np.maximum(np.abs(x), np.abs(centre))
    spread = np.where(spread > noise, spread, NAN)
    score = np.abs(x - centre) / spread
    return _alerts(index, score, x > centre, score > threshold, sided)


def volume(volumes, window=20, threshold=3.0, change=False, sided="both", deviation="sample"):
    if change:
        return zscore(percent_changes(volumes), window, threshold, "classic", sided, deviation,
                      noise=400 * np.finfo(float).eps)
    return zscore(volumes, window, threshold, "classic", sided, deviation)


def iqr(values, window=30, multiplier=1.5, sided="both"):
    index, x, before = _windows(values, window)
    if not len(x):
        return []
    q1, q3 = np.quantile(before, [0.25, 0.75], axis=1)
    spread = np.where(q3 - q1 > 0, q3 - q1, NAN)
    score = np.maximum(x - q3, q1 - x) / spread - multiplier
    return _alerts(index, score, x > q3, score > 0, sided)


def moving_average(values, window=20, threshold_pct=5.0, sided="both"):
    index, x, before = _windows(values, window)
    mean = before.mean(axis=1)
    pct = 100 * (x - mean) / np.where(mean != 0, np.abs(mean), NAN)
    return _alerts(index, np.abs(pct) / threshold_pct, pct > 0, np.abs(pct) > threshold_pct, sided)


def running_average(values, window=20):
    """What moving_average emits: (index, mean of the last `window` values, this one included)."""
    usable = pd.Series(values, dtype="float64").dropna()
    mean = usable.rolling(window).mean().dropna()
    return list(zip(mean.index.astype(int), mean))


def rsi(values, window=14, smoothing="simple"):
    """The index for each value, NaN where there is none (too early, or all prices are the same)."""
    values = pd.Series(values, dtype="float64")
    d = values.dropna().diff()
    gain, loss = d.clip(lower=0), (-d).clip(lower=0)
    if smoothing == "simple":
        up, down = gain.rolling(window).mean(), loss.rolling(window).mean()
    else:
        up, down = (_wilder(s.to_numpy()[1:], window, s.index[1:]) for s in (gain, loss))
    return (100 * up / (up + down).where(lambda t: t > 0)).reindex(values.index).to_numpy()


def _wilder(changes, window, index):
    out = np.full(len(changes), NAN)
    if len(changes) >= window:
        out[window - 1] = changes[:window].mean()
        for i in range(window, len(changes)):
            out[i] = (out[i - 1] * (window - 1) + changes[i]) / window
    return pd.Series(out, index=index)


def technical(values, rsi_window=14, overbought=70.0, oversold=30.0, smoothing="simple", bollinger_window=20,
              bollinger_width=2.0, deviation="sample", signal="beyond", use_rsi=True, use_bollinger=True):
    """Alerts in the detector's order, with their types."""
    found = []
    if use_rsi:
        before = None
        for i, r in enumerate(rsi(values, rsi_window, smoothing)):
            side = "rsi_overbought" if r > overbought else "rsi_oversold" if r < oversold else None
            if side and not (signal == "cross" and side == before):
                found.append((i, 0, abs(r - 50) / 20, side))
            if np.isfinite(values[i]):
                before = side
    if use_bollinger:
        before, last = None, None
        for i, z, side in zscore(values, bollinger_window, bollinger_width, deviation=deviation):
            side = "bollinger_breach_upper" if side == "up" else "bollinger_breach_lower"
            run = last is not None and not np.isfinite(values[last + 1:i]).any() and side == before
            if not (signal == "cross" and run):
                found.append((i, 1, z - bollinger_width, side))
            before, last = side, i
    return [(i, score, side) for i, _, score, side in sorted(found)]


def rate(times, until, window, k=4.0, history=60, min_history=10, forget=86400 * 10**9, adapt=30, repeat=False):
    """times, until, window in ns; times of one key, ascending; until: where event time ends. Returns (end of the window,
    score, type) with types rate_high, rate_low and silence."""
    alerts, learned, out_of_bounds, silent = [], [], 0, False
    times = np.asarray(times, dtype=np.int64)
    at = 0
    while at < len(times):
        end = (times[at] // window + 1) * window  # the window in which the key shows up is not complete
        at = int(np.searchsorted(times, end))
        learned, out_of_bounds, silent = [], 0, False
        while end + window <= until:
            if end - times[at - 1] >= forget:
                break
            end += window
            next_at = int(np.searchsorted(times, end))
            count, at = next_at - at, next_at
            silent = silent and not count
            past = np.array(learned[-history:], dtype=float)
            mean = past.mean() if len(past) else NAN
            sd = past.std(ddof=1) if len(past) > 1 else NAN
            if len(past) >= min_history and count == 0 and mean - k * sd > 0:
                if not silent or repeat:
                    alerts.append((int(end), mean / max(sd, 1), "silence"))
                silent = True
                continue
            if len(past) >= min_history and sd > 0 and abs(count - mean) > k * sd:
                alerts.append((int(end), abs(count - mean) / sd, "rate_high" if count > mean else "rate_low"))
                out_of_bounds += 1
                if out_of_bounds < adapt:
                    continue
                learned = []
            out_of_bounds = 0
            learned.append(count)
        else:
            break
    return alerts


def martingale(deals, ratio=1.3, pairs=20, min_pairs=5, steps=2, step=2.0, within=6 * 3600 * 10**9, keep=32):
    """deals: a DataFrame of one account in the order of closing, with columns symbol, side, open_ts, close_ts (ns), size
    and profit. Returns (row number, score, type)."""
    alerts, ratios, kept = [], [], []
    for i, d in enumerate(deals.itertuples(index=False)):
        if not d.size > 0 or d.open_ts <= 0 or d.open_ts > d.close_ts:
            continue
        earlier = [e for e in kept if e.symbol == d.symbol and e.open_ts <= d.open_ts]
        last = max(enumerate(earlier), key=lambda e: (e[1].open_ts, e[0]))[1] if earlier else None
        if last and last.close_ts <= d.open_ts and last.profit < 0:
            ratios.append(d.size / last.size)
            median = float(np.median(ratios[-pairs:]))
            if len(ratios) >= min_pairs and median > ratio and ratios[-1] > 1:
                alerts.append((i, median, "martingale_sizing"))
        kept = (kept + [d])[-keep:]
        row = [(n, e) for n, e in enumerate(kept) if e.symbol == d.symbol and e.side == d.side]
        row.sort(key=lambda e: (e[1].open_ts, e[1].size, e[0]))
        here = [n for n, _ in row].index(len(kept) - 1)
        row = [e for _, e in row]
        first = last = here

        def raised(a, b):
            return b.size >= step * a.size * (1 - 1e-9) and \
                (a.profit < 0 and a.close_ts <= b.open_ts or a.close_ts == b.close_ts)

        while first > 0 and d.open_ts - row[first - 1].open_ts <= within and raised(row[first - 1], row[first]):
            first -= 1
        while last + 1 < len(row) and row[last + 1].open_ts - row[first].open_ts <= within and \
                raised(row[last], row[last + 1]):
            last += 1
        if last - first >= steps:
            alerts.append((i, float(last - first), "martingale_run"))
    return alerts
