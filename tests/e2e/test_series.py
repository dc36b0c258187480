# SPDX-License-Identifier: Apache-2.0
"""Any series will do: labelled `timestamp,value` files through the same detectors, with `fields: value`."""
import numpy as np
import pandas as pd
import pytest

import kit
import oracle_windows as oracle
import oracles

HAIR = 1e-9
SERIES = ["realTweets/Twitter_volume_AAPL.csv", "realKnownCause/nyc_taxi.csv",
          "realAWSCloudwatch/ec2_cpu_utilization_24ae8d.csv", "artificialWithAnomaly/art_daily_jumpsup.csv",
          "realTraffic/TravelTime_387.csv"]
SETS = ["artificialNoAnomaly", "artificialWithAnomaly", "realAdExchange", "realAWSCloudwatch", "realKnownCause",
        "realTraffic", "realTweets"]


@pytest.fixture(scope="module", params=SERIES)
def series(request, data, tmp_path_factory):
    path = data / "anomaly_nab" / request.param
    pipeline = kit.Pipeline(tmp_path_factory.mktemp("series"))
    common = {"inputs": ["s"], "fields": "value"}
    pipeline.run({"sources": {"s": {"plugin": "csv", "path": str(path)}},
                  "detectors": {"z": {"plugin": "zscore", "threshold": 4, **common},
                                "robust": {"plugin": "zscore", "method": "robust", "threshold": 7.03, **common},
                                "fences": {"plugin": "iqr", "multiplier": 3.03, **common},
                                "average": {"plugin": "moving_average", "threshold_pct": 30, "emit": True, **common}},
                  "sinks": {"scores": {"plugin": "jsonl", "inputs": ["average"], "kinds": ["score"],
                                       "path": "scores.jsonl"}}})
    rows = pd.read_csv(path, float_precision="round_trip")
    times = pd.to_datetime(rows.timestamp).astype("datetime64[ns]").astype("int64").to_numpy()
    return pipeline, times, rows.value.to_numpy(dtype=float)


def judged(pipeline, detector, signed, threshold, shift=0.0):
    may = {(i + 1, "value_spike" if s > 0 else "value_drop"): abs(s) - shift
           for i, s in enumerate(signed) if abs(s) > threshold * (1 - HAIR)}
    must = {k: s for k, s in may.items() if s + shift > threshold * (1 + HAIR)}
    return kit.same_alerts(pipeline.alerts("--detector", detector), must, may)


def test_every_row_is_a_score_event_with_its_time_and_value(series):
    pipeline, times, values = series
    events = pipeline.events("--kind", "score")
    assert [e["score"] for e in events] == list(values)
    assert [kit.ns(e["ts"]) for e in events] == list(times)


def test_zscore(series):
    pipeline, _, values = series
    judged(pipeline, "z", oracle.zscore(values), 4)


def test_robust_zscore(series):
    pipeline, _, values = series
    judged(pipeline, "robust", oracle.robust(values), 7.03)


def test_iqr(series):
    pipeline, _, values = series
    judged(pipeline, "fences", oracle.fences(values), 3.03, shift=3.03)


def test_moving_average(series):
    pipeline, _, values = series
    judged(pipeline, "average", oracle.percent(values) / 30, 1)


def test_the_running_average_is_emitted_as_a_score_for_every_row(series):
    pipeline, times, values = series
    expected = oracles.running_average(values)
    found = kit.json_lines((pipeline.folder / "scores.jsonl").read_text())
    assert [s["seq"] for s in found] == [i + 1 for i, _ in expected]
    assert [kit.ns(s["ts"]) for s in found] == [times[i] for i, _ in expected]
    np.testing.assert_allclose([s["score"] for s in found], [mean for _, mean in expected], rtol=1e-9, atol=1e-9)


def test_all_36_series_are_read_whole(data, pipeline):
    pipeline.run({"sources": {s: {"plugin": "csv", "path": str(data / f"anomaly_nab/{s}/*.csv"), "symbol": "{stem}"}
                              for s in SETS}})
    info = pipeline.info()
    assert (info["events"], info["dead"]) == (234857, 0)


def test_a_series_without_any_change_has_no_score_and_says_so(data, pipeline):
    path = data / "anomaly_nab/artificialNoAnomaly/art_flatline.csv"
    done = pipeline.run({"sources": {"s": {"plugin": "csv", "path": str(path)}},
                         "detectors": {"z": {"plugin": "zscore", "inputs": ["s"], "threshold": 0},
                                       "f": {"plugin": "iqr", "inputs": ["s"], "multiplier": 0}}})
    assert pipeline.alerts() == []
    rows = len(path.read_text().splitlines()) - 1
    assert done.stderr.count(f"{rows - 30:d} flat") == 2


def test_columns_of_any_name_are_mapped(pipeline):
    pipeline.write("odd.txt", "when|what|how much\n" + "".join(
        f"{i // 60:02d}.{i % 60:02d} 05/01/2026|x{i % 2}|{1000 + i % 7},{i % 10}\n" for i in range(600)))
    pipeline.run({"sources": {"s": {"plugin": "csv", "path": "odd.txt", "kind": "score", "delimiter": "|",
                                    "decimal": ",", "columns": {"ts": "when", "symbol": "what", "value": "how much"},
                                    "time_format": "%H.%M %d/%m/%Y", "timezone": "+02:00"}}})
    events = pipeline.events()
    assert [e["score"] for e in events] == [float(f"{1000 + i % 7}.{i % 10}") for i in range(600)]
    assert [e["symbol"] for e in events[:2]] == ["x0", "x1"]
    assert events[0]["ts"] == "2026-01-04T22:00:00Z"


def test_sums_do_not_drift(pipeline):
    """A window over values of 1e9 +- 1 still gives the right deviation after half a million of them."""
    values = 1e9 + np.tile([1.0, -1.0, 1.0, 1.0, -1.0], 100000)
    values[400000] = 1e9 + 4
    pipeline.write("s.csv", "timestamp,value\n" + "".join(f"{1767225600 + i},{v:.0f}\n" for i, v in enumerate(values)))
    pipeline.run({"sources": {"s": {"plugin": "csv", "path": "s.csv"}},
                  "detectors": {"z": {"plugin": "zscore", "inputs": ["s"], "threshold": 3}}})
    before = values[400000 - 30:400000] - 1e9
    alerts = pipeline.alerts()
    assert [a["seq"] for a in alerts] == [400001]
    assert kit.same_number(alerts[0]["score"], (4 - before.mean()) / before.std(ddof=1))
