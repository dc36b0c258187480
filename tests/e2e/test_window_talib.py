# SPDX-License-Identifier: Apache-2.0
"""Indicators of tapewatch/window.h have the values of TA-Lib, and begin where TA-Lib begins."""
import numpy as np
import pytest

import oracle_talib
from test_window_oracles import ask, bars, same


def compare(name, given, answers):
    _, columns, _, _, statistic, numbers, order = oracle_talib.CALLS[name]
    expected = np.array([[np.nan if x is None else x for x in row] for row in answers[name]]).T
    found = ask(statistic, *numbers, rows=np.column_stack([given[k] for k in columns]))[:, order]
    begin = int(np.isnan(expected[:, 0]).sum())
    assert 0 < begin < len(expected)
    if statistic in ("rsi", "atr", "macd", "bollinger", "returns"):
        # begins at the same value; within a flat stretch TA-Lib's RSI is 0, ours is absent
        flat = np.isnan(found[:, 0]) & (expected[:, 0] == 0)
        assert not (flat.any() and statistic != "rsi")
        assert np.isnan(found[:begin]).all() and not np.isnan(found[begin:][~flat[begin:]]).any()
        expected = np.where(flat[:, None], np.nan, expected)
    # TA-Lib's deviations are made of sums of squares of whole prices
    loose = {"STDDEV": 1e-6, "CORREL": 1e-6, "BBANDS": 1e-8}.get(name.split()[0], 1e-9)
    same(found[begin:], expected[begin:], loose, 1e-6 if name.startswith("STDDEV") else 1e-10)


@pytest.mark.parametrize("name", oracle_talib.CALLS)
def test_values_that_talib_gave_are_ours(name):
    recorded = oracle_talib.recorded()
    compare(name, recorded["bars"], recorded["answers"])


@pytest.fixture(scope="module")
def talib():
    reason = oracle_talib.missing()
    if reason:
        pytest.skip(reason)
    return oracle_talib


def test_the_record_is_what_talib_says(talib):
    recorded, given = oracle_talib.recorded(), oracle_talib.fixed_bars()
    assert recorded["bars"] == given
    assert recorded["answers"] == talib.ask(given)


def _real(data):
    frame = bars(data)
    return {"h": frame.High.tolist(), "l": frame.Low.tolist(), "c": frame.Close.tolist(), "v": frame.Volume.astype(float).tolist()}


def _random():
    rng = np.random.default_rng(15)
    close = np.round(100 * np.exp(np.cumsum(rng.normal(size=2000) * 0.01)), 2)
    high, low = close + np.round(rng.random(2000), 2), close - np.round(rng.random(2000), 2)
    return {"h": high.tolist(), "l": low.tolist(), "c": close.tolist(), "v": rng.integers(1, 9999, 2000).tolist()}


@pytest.mark.parametrize("kind", ["random", "real"])
def test_values_of_talib_over_long_series(talib, kind, request):
    given = _random() if kind == "random" else _real(request.getfixturevalue("data"))
    answers = talib.ask(given)
    for name in oracle_talib.CALLS:
        compare(name, given, answers)
