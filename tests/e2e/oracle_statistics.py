# SPDX-License-Identifier: Apache-2.0
"""The statistics of tapewatch/window.h after every value of a series, by their definitions: from the values in the window
and nothing else, in long double, or by pandas where pandas itself is exact enough.

Each function takes usable values only and returns an array with a row for each of them.
"""
import numpy as np
import pandas as pd

NAN = float("nan")
LONG = np.longdouble


def last(values, window):
    """(index, the last `window` values up to it) for every index; fewer in the beginning."""
    for i in range(len(values)):
        yield i, values[max(0, i + 1 - window):i + 1]


def window(values, n):
    """Mean, sum, sample and population deviation, in two passes over each window."""
    values = np.asarray(values, dtype=LONG)
    out = np.zeros((len(values), 4), dtype=LONG)
    for i, v in last(values, n):
        mean = v[0] + (v - v[0]).mean()
        squares = ((v - mean)**2).sum()
        out[i, 0] = mean
        out[i, 1] = v.sum()
        if len(v) > 1:
            out[i, 2] = np.sqrt(squares / (len(v) - 1))
            out[i, 3] = np.sqrt(squares / len(v))
    return out


def ring(values, n):
    out = np.full((len(values), 4), NAN)
    for column, back in enumerate((0, n // 2, n - 1)):
        out[back:, column] = values[:len(values) - back]
    return out


def extremes(values, n):
    rolling = pd.Series(values).rolling(n, min_periods=1)
    return np.column_stack([rolling.min(), rolling.max()])


def ordered(values, n, q):
    out = np.zeros((len(values), 3))
    for i, v in last(np.asarray(values), n):
        median = np.median(v)
        out[i] = np.quantile(v, q), median, np.median(np.abs(v - median))
    return out


def ewm(values, alpha, adjust):
    """Mean, variance with and without bias; the sums written out in long double."""
    values = np.asarray(values, dtype=LONG)
    out = np.full((len(values), 3), NAN, dtype=LONG)
    keep = 1 - LONG(alpha)
    for i in range(len(values)):
        weights = keep**np.arange(i, -1, -1, dtype=LONG)
        if not adjust:
            weights[1:] *= alpha
        out[i] = _weighted(values[:i + 1], weights)
    return out


def ewm_at(times, values, halflife):
    """As it would be had every value come in time."""
    times, values = np.asarray(times, dtype=LONG), np.asarray(values, dtype=LONG)
    out = np.full((len(values), 3), NAN, dtype=LONG)
    for i in range(len(values)):
        age = times[:i + 1].max() - times[:i + 1]
        out[i] = _weighted(values[:i + 1], LONG(2)**(-age / halflife))
    return out


def _weighted(values, weights):
    total, squares = weights.sum(), (weights**2).sum()
    mean = values[0] + ((values - values[0]) * weights).sum() / total
    variance = (weights * (values - mean)**2).sum() / total
    unbiased = total**2 / (total**2 - squares) if len(values) > 1 and squares < total**2 else LONG(NAN)
    return mean, variance, variance * unbiased


def pair(x, y, n):
    """Sample covariance, correlation, slope of y on x, both means."""
    x, y = np.asarray(x, dtype=LONG), np.asarray(y, dtype=LONG)
    out = np.full((len(x), 5), NAN, dtype=LONG)
    for i in range(len(x)):
        a, b = x[max(0, i + 1 - n):i + 1], y[max(0, i + 1 - n):i + 1]
        ma, mb = a[0] + (a - a[0]).mean(), b[0] + (b - b[0]).mean()
        xx, yy, xy = ((a - ma)**2).sum(), ((b - mb)**2).sum(), ((a - ma) * (b - mb)).sum()
        out[i, 3], out[i, 4] = ma, mb
        if len(a) > 1:
            out[i, 0] = xy / (len(a) - 1)
            out[i, 1] = xy / np.sqrt(xx) / np.sqrt(yy) if xx > 0 and yy > 0 else NAN
            out[i, 2] = xy / xx if xx > 0 else NAN
    return out


def rsi(values, n, wilder):
    values = np.asarray(values, dtype=LONG)
    out = np.full((len(values), 1), NAN, dtype=LONG)
    change = np.diff(values)
    up, down = np.maximum(change, 0), np.maximum(-change, 0)
    for i in range(n, len(values)):
        if wilder and i > n:
            gain, loss = (gain * (n - 1) + up[i - 1]) / n, (loss * (n - 1) + down[i - 1]) / n
        else:
            gain, loss = up[i - n:i].sum() / n, down[i - n:i].sum() / n
        out[i] = 100 * gain / (gain + loss) if gain + loss > 0 else NAN
    return out


def atr(high, low, close, n):
    """Average true range and true range."""
    frame = pd.DataFrame({"h": high, "l": low, "before": pd.Series(close).shift()})
    true = pd.concat([frame.h - frame.l, (frame.h - frame.before).abs(), (frame.l - frame.before).abs()], axis=1).max(axis=1)
    true[0] = NAN
    out = np.full((len(close), 2), NAN)
    out[:, 1] = true
    for i in range(n, len(close)):
        out[i, 0] = true[1:n + 1].mean() if i == n else (out[i - 1, 0] * (n - 1) + true[i]) / n
    return out


def ema(values, n):
    """An average that begins with a plain mean of n, as a series of the same length."""
    out = np.full(len(values), NAN)
    if len(values) >= n:
        seeded = pd.Series(np.concatenate([[np.mean(values[:n])], values[n:]]))
        out[n - 1:] = seeded.ewm(span=n, adjust=False).mean()
    return out


def macd(values, fast, slow, signal):
    """Line, signal, histogram; from where all three exist."""
    values = np.asarray(values)
    out = np.full((len(values), 3), NAN)
    if len(values) >= slow + signal - 1:
        line = ema(values[slow - fast:], fast)[fast - 1:] - ema(values, slow)[slow - 1:]
        smooth = ema(line, signal)
        out[slow - 1:] = np.column_stack([line, smooth, line - smooth])
        out[:slow + signal - 2] = NAN
    return out


def bollinger(values, n, width):
    stats = window(values, n)
    out = np.column_stack([stats[:, 0] - width * stats[:, 3], stats[:, 0], stats[:, 0] + width * stats[:, 3]])
    out[:n - 1] = NAN
    return out


def vwap(session, price, volume):
    frame = pd.DataFrame({"s": session, "pv": np.asarray(price, dtype=float) * volume, "v": volume})
    block = (frame.s != frame.s.shift()).cumsum()
    total = frame.v.groupby(block).cumsum()
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.column_stack([frame.pv.groupby(block).cumsum() / total, total])


def vwap_last(price, volume, n):
    price, volume = np.asarray(price, dtype=LONG), np.asarray(volume, dtype=LONG)
    out = np.full((len(price), 1), NAN, dtype=LONG)
    for i in range(len(price)):
        p, v = price[max(0, i + 1 - n):i + 1], volume[max(0, i + 1 - n):i + 1]
        if v.sum() > 0:
            out[i] = p[-1] + ((p - p[-1]) * v).sum() / v.sum()
    return out


def returns(values):
    values = np.asarray(values, dtype=LONG)
    out = np.full((len(values), 2), NAN, dtype=LONG)
    both = (values[:-1] > 0) & (values[1:] > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        out[1:, 0] = np.where(both, (values[1:] - values[:-1]) / values[:-1], NAN)
        out[1:, 1] = np.where(both, np.log1p((values[1:] - values[:-1]) / values[:-1]), NAN)
    return out


def drawdown(values):
    values = pd.Series(values)
    peak = values.cummax()
    lost = peak - values
    share = (lost / peak).where(peak > 0)
    return np.column_stack([lost, share, lost.cummax(), share.fillna(0).cummax()])


def p2(values, q):
    """Jain & Chlamtac's box 1, step by step as printed, with places counted from 1."""
    out, heights, places, want = [], [], [1.0, 2, 3, 4, 5], [1, 1 + 2 * q, 1 + 4 * q, 3 + 2 * q, 5]
    step = [0, q / 2, q, (1 + q) / 2, 1]
    for x in values:
        if len(heights) < 5:
            heights = sorted(heights + [x])
            out.append(np.quantile(heights, q))
            continue
        if x < heights[0]:
            heights[0], cell = x, 0
        elif x >= heights[4]:
            heights[4], cell = max(x, heights[4]), 3
        else:
            cell = max(i for i in range(4) if heights[i] <= x)
        for i in range(cell + 1, 5):
            places[i] += 1
        want = [w + s for w, s in zip(want, step)]
        for i in (1, 2, 3):
            d = want[i] - places[i]
            left, right = places[i] - places[i - 1], places[i + 1] - places[i]
            if (d >= 1 and right > 1) or (d <= -1 and left > 1):
                d = 1 if d > 0 else -1
                up, down = (heights[i + 1] - heights[i]) / right, (heights[i] - heights[i - 1]) / left
                to = heights[i] + d / (left + right) * ((left + d) * up + (right - d) * down)
                if not heights[i - 1] < to < heights[i + 1]:
                    to = heights[i] + d * (heights[i + d] - heights[i]) / (places[i + d] - places[i])
                heights[i] = to
                places[i] += d
        out.append(heights[2])
    return np.array(out)[:, None]


def tumbling(times, width):
    """What was said, and of the stretch that was closed its end, its count, and the empty ones behind it."""
    out, counts, newest = [], {}, None
    for t in (int(t) for t in times):
        stretch = t // width
        if newest is not None and stretch < newest:
            out.append((0, 0, 0, 0))
            continue
        if newest is not None and stretch > newest:
            out.append((2, (newest + 1) * width, counts[newest], stretch - newest - 1))
        else:
            out.append((1, 0, 0, 0))
        newest = stretch
        counts[stretch] = counts.get(stretch, 0) + 1
    return np.array(out, dtype=float)


def sliding(times, amounts, buckets, width):
    out, taken, newest = [], [], None
    for t, a in zip((int(t) for t in times), amounts):
        bucket = t // width
        newest = bucket if newest is None else max(newest, bucket)
        late = bucket <= newest - buckets
        if not late:
            taken.append((bucket, a))
        inside = [a for b, a in taken if b > newest - buckets]
        out.append((0 if late else 1, len(inside), float(np.sum(np.array(inside, dtype=LONG)))))
    return np.array(out)
