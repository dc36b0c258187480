# SPDX-License-Identifier: Apache-2.0
"""Scores of every value of a series against the values before it, by the definitions in the plugins' documentation.

Each function takes the values of one key in their order and returns signed scores of the same length, NaN where nothing
is judged: too early, absent, or a baseline without spread. Above what was expected is positive.
"""
import numpy as np

NAN = float("nan")
EPS = np.finfo(float).eps


def windowed(values, window, judge):
    """judge(x, before) for each usable value x with its row of `window` usable values before it."""
    values = np.asarray(values, dtype=np.float64)
    usable = np.flatnonzero(np.isfinite(values) & (np.abs(values) <= 1e150))
    out = np.full(len(values), NAN)
    kept = values[usable]
    if len(kept) > window:
        before = np.lib.stride_tricks.sliding_window_view(kept, window)[:-1]
        with np.errstate(divide="ignore", invalid="ignore"):
            out[usable[window:]] = judge(kept[window:], before)
    return out


def _noise(x, centre, size):
    """Up to this a deviation is rounding in the last digits: of the value, or of `size` for what prices differ by."""
    return 4 * EPS * (np.maximum(np.abs(x), np.abs(centre)) if size is None else size)


def mean_of(before):
    return before[:, 0] + (before - before[:, :1]).mean(axis=1)


def zscore(values, window=30, ddof=1, size=None):
    def judge(x, before):
        mean, deviation = mean_of(before), (before - before[:, :1]).std(axis=1, ddof=ddof)
        return np.where(deviation > _noise(x, mean, size), (x - mean) / deviation, NAN)
    return windowed(values, window, judge)


def robust(values, window=30, size=None):
    def judge(x, before):
        median = np.median(before, axis=1)
        mad = 1.4826 * np.median(np.abs(before - median[:, None]), axis=1)
        tails = (np.quantile(before, 0.95, axis=1) - np.quantile(before, 0.05, axis=1)) / 3.29
        deviation = np.where(mad > 0, mad, tails)
        return np.where(deviation > _noise(x, median, size), (x - median) / deviation, NAN)
    return windowed(values, window, judge)


def fences(values, window=30):
    """Distance from the box of the quartiles in interquartile ranges; inside the box it is 0."""
    def judge(x, before):
        q1, q3 = np.quantile(before, [0.25, 0.75], axis=1)
        out = np.where(x > q3, x - q3, np.where(x < q1, x - q1, 0))
        return np.where(q3 - q1 > _noise(q1, q3, None), out / (q3 - q1), NAN)
    return windowed(values, window, judge)


def percent(values, window=20):
    def judge(x, before):
        mean = mean_of(before)
        return np.where(mean != 0, 100 * (x - mean) / np.abs(mean), NAN)
    return windowed(values, window, judge)


def rsi(values, window=14):
    """Of the last `window` changes, the newest included; plain averages."""
    values = np.asarray(values, dtype=np.float64)
    out = np.full(len(values), NAN)
    if len(values) > window:
        changes = np.lib.stride_tricks.sliding_window_view(np.diff(values), window)
        gain, loss = np.maximum(changes, 0).sum(axis=1), np.maximum(-changes, 0).sum(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            out[window:] = np.where(gain + loss > window * 4 * EPS * np.abs(values[window:]),
                                    100 * gain / (gain + loss), NAN)
    return out


def returns(prices):
    prices = np.asarray(prices, dtype=np.float64)
    out = np.full(len(prices), NAN)
    with np.errstate(divide="ignore", invalid="ignore"):
        out[1:] = np.where(prices[:-1] > 0, prices[1:] / prices[:-1] - 1, NAN)
    return out
