# SPDX-License-Identifier: Apache-2.0
"""Every market detector over real ticks, daily bars and minute bars: the exact set of events that alert, and their
scores, against numpy."""
import io

import numpy as np
import pandas as pd
import pytest

import kit
import oracle_windows as oracle
import oracles

HAIR = 1e-9

ROWS = {  # as the README of the data counts them
    "fx_ticks/truefx_EURUSD_fxcm_20140501-20140516.csv.zst": (1144807, {}),
    "fx_ticks/truefx_EURUSD_oanda_20140508.csv.zst": (87833, {}),
    "fx_ticks/truefx_XAUUSD_oanda_20140501-20140505.csv.zst": (590852, {}),
    "fx_ticks/dukascopy_EURUSD_20160104-20160106_NYC.csv.zst": (108956, {"timezone": "America/New_York"}),
    "fx_ticks/dukascopy_GBPJPY_20121203.csv.zst": (58953, {}),
    "fx_ticks/fxdata_EURCHF_20150115_snb_excerpt.csv": (352, {}),
    "fx_ticks/fxdata_USDSGD_20150115_0800-1200.csv": (10742, {}),
    "fx_ticks/fxdata_XAGUSD_20170706_2000-20170707_0200.csv": (3826, {}),
    "fx_ticks/raw_formats/histdata_EURUSD_202001_sample.csv": (9500, {}),
    "fx_ticks/raw_formats/truefx_style_USDJPY_20130101_1000rows.csv": (1000, {}),
    "fx_bars/ejtrader_*_D1.csv": (7 * 2400, {"symbol": "{2}"}),
    "fx_bars/ejtrader_*_H1.csv.zst": (3 * 57600, {"symbol": "{2}"}),
    "fx_bars/fxcm_GBPUSD_M1_bid_2012.csv.zst": (30117, {}),
    "equities_daily/[AMN][AMSV][PFZD][LTNA]*.csv": (4 * 6083, {}),  # AAPL MSFT AMZN NVDA
    "equities_daily/VIX.csv": (9235, {}),
    "equities_1min/*_1min.csv.zst": (20804 + 20829 + 20153 + 18528, {}),
    "equities_1min/SPY_1min.csv": (8360, {}),
}


@pytest.mark.parametrize("path", ROWS)
def test_every_row_becomes_one_event(path, data, pipeline):
    rows, options = ROWS[path]
    pipeline.run({"sources": {"s": {"plugin": "csv", "path": str(data / path), **options}},
                  "detectors": {"count": {"plugin": "rate", "inputs": ["s"], "window": "1d", "forget": "30d"}}})
    info = pipeline.info()
    assert (info["events"], info["dead"]) == (rows, 0)


# ---- three kinds of market, each run once with all detectors -------------------------------------------------------

DETECTORS = {
    "z": {"plugin": "zscore"},
    "z_population_upper": {"plugin": "zscore", "deviation": "population", "sided": "upper", "window": 100,
                           "threshold": 3},
    "z_return": {"plugin": "zscore", "fields": "return", "threshold": 4},
    "z_spread": {"plugin": "zscore", "fields": "spread", "threshold": 4},
    "z_robust": {"plugin": "zscore", "method": "robust", "threshold": 6, "sided": "lower"},
    "fences": {"plugin": "iqr"},
    "wide_fences": {"plugin": "iqr", "multiplier": 2.03, "window": 50},
    "average": {"plugin": "moving_average", "threshold_pct": 0.01},
    "average_5": {"plugin": "moving_average"},
    "size": {"plugin": "volume"},
    "size_change": {"plugin": "volume", "change": True, "window": 10},
    "bands": {"plugin": "technical"},
}


class Market:
    """The events of a run in their order, as pandas reads them, and the alerts that the program gave."""

    def __init__(self, pipeline, events, source, window="1m", window_ns=60 * 10**9, k=3, forget_days=1):
        rate = {"plugin": "rate", "window": window, "k": k, "forget": f"{forget_days}d"}
        self.k, self.rate = k, {"window": window_ns, "forget": forget_days * 86400 * 10**9}
        detectors = {**DETECTORS, "rate": rate}
        pipeline.run({"sources": {"market": {"plugin": "csv", **source}},
                      "detectors": {name: {**o, "inputs": ["market"]} for name, o in detectors.items()}})
        self.events = events.reset_index(drop=True)
        self.events["seq"] = np.arange(len(events)) + 1
        self.count = pipeline.info()["events"]
        self.by_detector = {name: [] for name in detectors}
        for alert in pipeline.alerts():
            self.by_detector[alert["detector"]].append(alert)

    def expect(self, detector, column, scores, threshold, up, down, shift=0.0, sided="both", ties=0.05):
        """scores(values): signed scores of one key. What alerts is |score| > threshold; the alert's score is |score|
        less shift."""
        must, may = {}, {}
        for _, group in self.events.groupby("symbol", sort=False):
            signed = scores(group[column].to_numpy(), group)
            for seq, s in zip(group["seq"].to_numpy(), signed):
                size = abs(s)
                if not size > threshold * (1 - HAIR) or sided != "both" and (s > 0) != (sided == "upper"):
                    continue
                key = (int(seq), up if s > 0 else down)
                may[key] = size - shift
                if size > threshold * (1 + HAIR):
                    must[key] = size - shift
        assert may, "nothing to compare: choose another threshold"
        return kit.same_alerts(self.by_detector[detector], must, may, ties=ties)


def frame(symbol, times, **columns):
    ts = pd.to_datetime(times, utc=True).dt.tz_localize(None).astype("datetime64[ns]").astype("int64")
    return pd.DataFrame({"symbol": symbol, "ts": ts, **columns})


def in_order_of_time(frames):
    return pd.concat(frames).sort_values("ts", kind="stable")


def fx_ticks(data, pipeline):
    """Two tick files of different brokers, merged: EUR/USD with crossed quotes, GBPJPY with sizes."""
    euro = kit.lines_of(data / "fx_ticks/truefx_EURUSD_fxcm_20140501-20140516.csv.zst", 40000)
    pound = kit.lines_of(data / "fx_ticks/dukascopy_GBPJPY_20121203.csv.zst", 20000)
    pipeline.write("euro.csv", euro)
    pipeline.write("GBPJPY.csv", pound)
    e = pd.read_csv(io.BytesIO(euro), names=["symbol", "time", "bid", "ask"])
    p = pd.read_csv(io.BytesIO(pound), names=["time", "bid", "ask", "bid_size", "ask_size"])
    events = in_order_of_time([
        frame("GBPJPY", pd.to_datetime(p.time, format="%Y.%m.%d %H:%M:%S.%f"), value=(p.bid + p.ask) / 2,
              spread=p.ask - p.bid, ask=p.ask, size=p.bid_size + p.ask_size),
        frame("EUR/USD", pd.to_datetime(e.time, format="%Y%m%d %H:%M:%S.%f"), value=(e.bid + e.ask) / 2,
              spread=e.ask - e.bid, ask=e.ask, size=np.nan)])
    return Market(pipeline, events, {"path": ["euro.csv", "GBPJPY.csv"]})


def bars(data, pipeline, paths, **rate):
    frames, names = [], []
    for path in sorted(paths, key=lambda p: p.name):
        raw = path.read_bytes()
        b = pd.read_csv(io.BytesIO(kit.unzstd(raw) if path.suffix == ".zst" else raw))
        b.columns = [c.lower() for c in b.columns]
        time = b["date"] if "date" in b else b["datetime"]
        frames.append(frame(path.name.split(".")[0].split("_")[0], time, value=b.close, size=b.volume))
        names.append(str(path))
    return Market(pipeline, in_order_of_time(frames), {"path": names}, **rate)


def daily_bars(data, pipeline):
    return bars(data, pipeline, [data / f"equities_daily/{s}.csv" for s in ("GME", "AMC", "KOSS", "SPY")],
                window="1d", window_ns=86400 * 10**9, k=1, forget_days=60)


def minute_bars(data, pipeline):
    return bars(data, pipeline, [data / "equities_1min/GME_1min.csv.zst", data / "equities_1min/TSLA_1min.csv.zst"])


@pytest.fixture(scope="module", params=[fx_ticks, daily_bars, minute_bars], ids=lambda f: f.__name__)
def market(request, data, tmp_path_factory):
    return request.param(data, kit.Pipeline(tmp_path_factory.mktemp(request.param.__name__)))


def test_events_are_those_that_pandas_reads(market):
    assert market.count == len(market.events)


def test_zscore_alerts_where_a_price_is_2_5_sample_deviations_from_the_30_before(market):
    market.expect("z", "value", lambda v, _: oracle.zscore(v), 2.5, "price_spike", "price_drop")


def test_zscore_upper_with_population_deviation(market):
    market.expect("z_population_upper", "value", lambda v, _: oracle.zscore(v, 100, ddof=0), 3, "price_spike",
                  "price_drop", sided="upper")


def test_zscore_of_returns(market):
    market.expect("z_return", "value", lambda v, _: oracle.zscore(oracle.returns(v), size=1), 4, "return_spike",
                  "return_drop")


def test_zscore_of_the_spread_of_quotes_also_when_they_are_crossed(market):
    if "spread" not in market.events:
        assert market.by_detector["z_spread"] == []
        return
    assert (market.events["spread"] < 0).any()

    def scores(v, group):
        usable = np.flatnonzero(np.isfinite(v))
        assert len(usable) == len(v)
        return oracle.windowed(v, 30, lambda x, before: _spread(x, before, group["ask"].to_numpy()[30:]))

    def _spread(x, before, ask):
        mean, deviation = oracle.mean_of(before), (before - before[:, :1]).std(axis=1, ddof=1)
        return np.where(deviation > 4 * oracle.EPS * ask, (x - mean) / deviation, np.nan)

    market.expect("z_spread", "spread", scores, 4, "spread_spike", "spread_drop")


def test_robust_zscore_by_median_and_mad(market):
    market.expect("z_robust", "value", lambda v, _: oracle.robust(v), 6, "price_spike", "price_drop", sided="lower")


def test_iqr_fences(market):
    # quartiles of prices in whole points are quarters of points, so many prices lie upon a fence
    market.expect("fences", "value", lambda v, _: oracle.fences(v), 1.5, "price_spike", "price_drop", shift=1.5,
                  ties=0.3)


def test_iqr_fences_that_no_price_lies_upon(market):
    market.expect("wide_fences", "value", lambda v, _: oracle.fences(v, 50), 2.03, "price_spike", "price_drop",
                  shift=2.03)


def test_moving_average_alerts_beyond_some_percent(market):
    def scores(v, _):
        return oracle.percent(v) / 0.01
    market.expect("average", "value", scores, 1, "price_spike", "price_drop")


def test_volume_over_20(market):
    market.expect("size", "size", lambda v, _: oracle.zscore(v, 20), 3, "volume_spike", "volume_drop")


def test_change_of_volume_in_percent(market):
    market.expect("size_change", "size", lambda v, _: oracle.zscore(100 * oracle.returns(v), 10, size=100), 3,
                  "volume_spike", "volume_drop")


def test_technical_alerts_on_rsi_and_bollinger_bands(market):
    must, may = {}, {}
    for _, group in market.events.groupby("symbol", sort=False):
        values, seqs = group["value"].to_numpy(), group["seq"].to_numpy()
        for seq, r in zip(seqs, oracle.rsi(values)):
            for beyond, kind in ((r - 70, "rsi_overbought"), (30 - r, "rsi_oversold")):
                if beyond > -100 * HAIR:
                    may[int(seq), kind] = abs(r - 50) / 20
                if beyond > 100 * HAIR:
                    must[int(seq), kind] = abs(r - 50) / 20
        for seq, z in zip(seqs, oracle.zscore(values, 20)):
            kind = "bollinger_breach_upper" if z > 0 else "bollinger_breach_lower"
            if abs(z) > 2 - HAIR:
                may[int(seq), kind] = abs(z) - 2
            if abs(z) > 2 + HAIR:
                must[int(seq), kind] = abs(z) - 2
    assert {kind for _, kind in must} == {"rsi_overbought", "rsi_oversold", "bollinger_breach_upper",
                                          "bollinger_breach_lower"}
    kit.same_alerts(market.by_detector["bands"], must, may)


def test_rate_of_events_per_window_and_silence(market):
    end = int(market.events["ts"].max())
    bounds = []
    for k in (market.k * (1 + HAIR), market.k * (1 - HAIR)):
        bounds.append({(symbol, ts, kind): score for symbol, group in market.events.groupby("symbol")
                       for ts, score, kind in oracles.rate(group["ts"].to_numpy(), end, k=k, **market.rate)})
    found = {(a["symbol"], kit.ns(a["ts"]), a["type"]): a["score"] for a in market.by_detector["rate"]}
    must, may = bounds
    assert must
    assert sorted(set(must) - set(found)) == [] and sorted(set(found) - set(may)) == []
    assert len(found) == len(market.by_detector["rate"])
    for key, score in found.items():
        assert kit.same_number(score, may[key]), key


def test_an_alert_tells_the_value_what_was_expected_and_the_threshold(market):
    values = market.events.set_index("seq")["value"]
    windows = {s: g.set_index("seq")["value"].rolling(30).mean().shift(1) for s, g in market.events.groupby("symbol")}
    assert market.by_detector["z"]
    for alert in market.by_detector["z"]:
        assert kit.same_number(alert["value"], values[alert["seq"]])
        assert kit.same_number(alert["expected"], windows[alert["symbol"]][alert["seq"]])
        assert alert["threshold"] == 2.5


def test_an_alert_carries_the_time_of_its_event(market):
    times = market.events.set_index("seq")["ts"]
    for name in ("z", "fences", "average_5"):
        for alert in market.by_detector[name]:
            assert kit.ns(alert["ts"]) == times[alert["seq"]]


# ---- what happened in the world ------------------------------------------------------------------------------------

def test_the_known_days_of_the_meme_stocks_are_found_by_default_settings(data, pipeline):
    paths = [str(data / f"equities_daily/{symbol}.csv") for symbol in ("GME", "AMC", "KOSS")]
    pipeline.run({"sources": {"daily": {"plugin": "csv", "path": paths}},
                  "detectors": {"z": {"plugin": "zscore", "inputs": ["daily"], "fields": "return"}}})
    found = {(a["symbol"], a["ts"][:10]) for a in pipeline.alerts("--since", "2021-01-01")}
    assert {("GME", "2021-01-26"), ("AMC", "2021-01-27"), ("KOSS", "2021-01-27"), ("AMC", "2021-06-02")} <= found


def test_the_swiss_franc_breaks_loose_within_the_hour(data, pipeline):
    pipeline.run({"sources": {"chf": {"plugin": "csv", "path": str(data / "fx_bars/ejtrader_USDCHF_H1.csv.zst"),
                                      "symbol": "{2}", "timezone": "metatrader"}},
                  "detectors": {"z": {"plugin": "zscore", "inputs": ["chf"], "fields": "return", "threshold": 40}}})
    alerts = pipeline.alerts()
    assert [(a["ts"], a["symbol"]) for a in alerts][:1] == [("2015-01-15T09:00:00Z", "USDCHF")]
