# SPDX-License-Identifier: Apache-2.0
"""tapewatch tape export and import over whole stores: the copy replays as the original, and other programs can read
what comes out and write what goes in."""
import io
import json
import subprocess

import numpy as np
import pandas as pd
import pytest

import kit

DEMO = {"sources": {"market": {"plugin": "demo", "seed": 7, "duration": "20m"}},
        "detectors": {"far": {"plugin": "zscore", "inputs": ["market"], "threshold": 5},
                      "wash": {"plugin": "wash_trade", "inputs": ["market"]}}}


@pytest.fixture(scope="module")
def market(tmp_path_factory):
    """The demo's market: quotes, trades, deals, accounts, news, labels."""
    p = kit.Pipeline(tmp_path_factory.mktemp("market"))
    p.run(DEMO)
    return p


def test_a_copy_through_json_replays_to_the_same_digest(market):
    market.ask("tape", "export", "data", "-o", "tape.jsonl")
    market.ask("tape", "import", "tape.jsonl", "-d", "copy")
    assert kit.tapewatch("tape", "verify", "copy", cwd=market.folder).returncode == 0
    assert market.events(dir="copy") == market.events()
    assert market.ask("tape", "cat", "copy") == market.ask("tape", "cat", "data")  # with sources
    assert market.ask("replay", "copy", "-c", "c.yaml").strip() == market.digest()
    assert market.ask("tape", "export", "copy") == market.path("tape.jsonl").read_text()


def test_every_line_is_an_event_that_any_json_reader_understands(market):
    lines = kit.json_lines(market.ask("tape", "export", "data"))
    events = market.events()
    assert len(lines) == len(events) == market.info()["events"]
    for line, event in zip(lines, events):
        assert line.pop("tape_source") == "market"
        assert line == event
    assert len({line["kind"] for line in lines}) >= 5


def test_filters_choose_as_cat_does(market):
    args = ("--kind", "quote", "--symbol", "EUR*", "--limit", "50")
    lines = kit.json_lines(market.ask("tape", "export", *args, "data"))
    for line in lines:
        del line["tape_source"]
    assert lines == market.events(*args) and len(lines) == 50
    middle = lines[25]["ts"]
    early = kit.json_lines(market.ask("tape", "export", *args, "--to", middle, "data"))
    assert 0 < len(early) <= 25 and all(kit.ns(e["ts"]) < kit.ns(middle) for e in early)


def test_csv_has_the_same_values_in_a_file_for_each_kind(market):
    market.ask("tape", "export", "data", "--format", "csv", "-o", "csv")
    events = pd.DataFrame(market.events())
    names = sorted(p.name for p in market.path("csv").iterdir())
    assert names == sorted(f"{kind}.csv" for kind in events["kind"].unique())
    for name in names:
        table = pd.read_csv(market.path("csv") / name, dtype=str, keep_default_na=False)
        assert list(table.columns[:3]) == ["seq", "ts", "tape_source"]
        own = events[events["kind"] == name[:-4]]
        assert list(table["seq"]) == [str(s) for s in own["seq"]]
        assert list(table["ts"]) == list(own["ts"])
        for column in own.columns.intersection(table.columns[3:]):
            there = own[column].notna().to_numpy()
            assert list(table[column] != "") == list(there), (name, column)
            found, expected = table[column][there], own[column][there]
            if expected.map(type).eq(str).all():
                assert list(found) == list(expected)
            else:
                assert np.array_equal(found.astype(float), expected.astype(float))


def test_lines_of_another_program_become_a_tape(pipeline):
    table = pd.DataFrame({"kind": "trade", "ts": pd.date_range("2026-01-05", periods=500, freq="s", tz="UTC"),
                          "symbol": ["A", "B"] * 250, "price": np.linspace(1, 2, 500), "size": np.arange(500) % 9})
    table["ts"] = table["ts"].dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    text = "".join(json.dumps(row) + "\n" for row in table.to_dict("records"))
    done = subprocess.run([kit.BIN, "tape", "import", "-", "-d", "made", "--source", "pandas"], input=text, text=True,
                          capture_output=True, cwd=pipeline.folder)
    assert done.returncode == 0, done.stderr
    assert "imported 500 events, numbers 1 to 500, of 1 source" in done.stderr
    found = pd.DataFrame(pipeline.events(dir="made"))
    assert list(found["seq"]) == list(range(1, 501))
    assert np.array_equal(found["price"], table["price"]) and np.array_equal(found["size"], table["size"])
    pipeline.configure({"sources": {"pandas": {"plugin": "demo"}},
                        "detectors": {"far": {"plugin": "zscore", "inputs": ["pandas"]}}})
    pipeline.ask("replay", "made", "-c", "c.yaml")


def test_real_ticks_keep_every_digit(data, pipeline):
    path = data / "fx_ticks/fxdata_USDSGD_20150115_0800-1200.csv"
    pipeline.run({"sources": {"s": {"plugin": "csv", "path": str(path)}},
                  "detectors": {"count": {"plugin": "rate", "inputs": ["s"]}}})
    table = pd.read_csv(io.StringIO(pipeline.ask("tape", "export", "--format", "csv", "--kind", "quote", "data")),
                        float_precision="round_trip")
    events = pipeline.events()
    assert list(table["bid"]) == [e["bid"] for e in events]
    assert list(table["ask"]) == [e["ask"] for e in events]
    pipeline.ask("tape", "export", "data", "-o", "x.jsonl")
    pipeline.ask("tape", "import", "x.jsonl", "-d", "copy")
    assert pipeline.events(dir="copy") == events


def test_a_part_of_a_tape_needs_new_numbers(market):
    part = market.ask("tape", "export", "--kind", "trade", "data")
    done = subprocess.run([kit.BIN, "tape", "import", "-", "-d", "part"], input=part, text=True, capture_output=True,
                          cwd=market.folder)
    assert done.returncode == 2 and "a tape has no gaps" in done.stderr
    assert not market.path("part").exists() and not market.path("part.importing").exists()
    done = subprocess.run([kit.BIN, "tape", "import", "-", "-d", "part", "--renumber"], input=part, text=True,
                          capture_output=True, cwd=market.folder)
    assert done.returncode == 0, done.stderr
    assert [e["seq"] for e in market.events(dir="part")] == list(range(1, part.count("\n") + 1))


def test_the_end_of_a_tape_keeps_its_numbers(market):
    lines = market.ask("tape", "export", "data").splitlines(keepends=True)
    half = len(lines) // 2
    market.write("end.jsonl", "".join(lines[half:]))
    market.ask("tape", "import", "end.jsonl", "-d", "end")
    events = market.events(dir="end")
    assert [e["seq"] for e in events] == list(range(half + 1, len(lines) + 1))
    assert events == market.events()[half:]


def test_export_while_the_reader_goes_away(market):
    done = subprocess.run(f"{kit.BIN} tape export data | head -n 1", shell=True, cwd=market.folder, text=True,
                          capture_output=True)
    assert done.stdout.count("\n") == 1 and done.stderr == ""
