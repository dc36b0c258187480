# SPDX-License-Identifier: Apache-2.0
"""tapewatch state: what it shows is what the detectors saw, and what it changes is what the next run goes on from."""
import datetime
import fcntl
import json
import shutil

import pytest

import kit

START = datetime.datetime(2026, 1, 5)
SYMBOLS = ["EURUSD", "GBPUSD", "USD,JPY"]
N = 3000


def stamp(i):
    return (START + datetime.timedelta(seconds=i)).isoformat() + "Z"


def ticks(first, n, jumps=()):
    lines = []
    for i in range(first, first + n):
        bid = 1.1 + i % 7 * 1e-4 + (0.5 if i in jumps else 0)
        lines.append(f'{stamp(i)},"{SYMBOLS[i % 3]}",{bid:.5f},{bid + 2e-4:.5f}\n')
    return "".join(lines)


def config(names=("far", "speed"), sink="lines"):
    return {"sources": {"ticks": {"plugin": "csv", "path": "ticks.csv", "kind": "quote",
                                  "columns": {"ts": "time", "symbol": "symbol", "bid": "bid", "ask": "ask"}}},
            "detectors": {names[0]: {"plugin": "zscore", "inputs": ["ticks"], "cooldown": "5m"},
                          names[1]: {"plugin": "rate", "inputs": ["ticks"]}},
            "sinks": {sink: {"plugin": "jsonl", "inputs": [names[0]], "path": "alerts.jsonl"}}}


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """A run over 3000 quotes that has ended, with an alert at the quote of 1500."""
    p = kit.Pipeline(tmp_path_factory.mktemp("original"))
    p.write("ticks.csv", "time,symbol,bid,ask\n" + ticks(0, N, {1500}))
    p.run(config())
    return p


@pytest.fixture
def copy(original, tmp_path):
    shutil.copytree(original.folder, tmp_path / "copy")
    return kit.Pipeline(tmp_path / "copy")


def state(p, *args, code=0):
    done = kit.tapewatch("state", *args, "-d", "data", cwd=p.folder)
    assert done.returncode == code, done.stderr
    return done


def listed(p):
    return json.loads(state(p, "ls", "--json").stdout)


def shown(p, name, *args):
    return kit.json_lines(state(p, "show", name, "--json", *args).stdout)


def go_on(p, config_now=None, jumps=(N + 12,)):
    """30 quotes more. A jump behind the twelfth is an alert for a detector that remembers, not for one that begins."""
    with open(p.path("ticks.csv"), "a") as file:
        file.write(ticks(N, 30, set(jumps)))
    p.run(config_now)
    return [(a["seq"], a["detector"]) for a in p.alerts() if a["seq"] > N]


def test_ls_counts_keys_and_bytes(original):
    found = listed(original)
    assert found["seq"] == N
    assert [(d["name"], d["key"], d["keys"]) for d in found["detectors"]] == [("far", "symbol", 3),
                                                                             ("speed", "symbol", 3)]
    for d in found["detectors"]:
        assert d["bytes"] == d["keys"] * (64 + d["state_size"])
    assert found["sinks"] == [{"name": "lines", "record": 1, "behind": 0}]
    text = state(original, "ls").stdout
    assert text.startswith(f"checkpoint as of event {N} of {N}\n")
    for name in ("far", "speed", "lines"):
        assert f"\n{name} " in text


def test_show_has_a_line_for_each_key(original):
    size = {d["name"]: d["state_size"] for d in listed(original)["detectors"]}
    keys = shown(original, "far")
    assert {k["symbol"] for k in keys} == set(SYMBOLS)
    for k in keys:
        i = SYMBOLS.index(k["symbol"])
        assert k["detector"] == "far" and k["seen"] == N // 3
        assert kit.ns(k["first"]) == kit.ns(stamp(i)) and kit.ns(k["last"]) == kit.ns(stamp(N - 3 + i))
        assert len(bytes.fromhex(k["state"])) == size["far"]
        # the one that alerted at 1500 is quiet for five minutes from there
        assert ("quiet_until" in k) == (i == 1500 % 3)
        if i == 1500 % 3:
            assert kit.ns(k["quiet_until"]) == kit.ns(stamp(1500 + 300))
    assert [k["symbol"] for k in shown(original, "speed", "--key", "USD,JPY")] == ["USD,JPY"]
    assert len(shown(original, "speed", "--limit", "2")) == 2
    assert "USD,JPY  seen 1000" in state(original, "show", "far").stdout


def test_a_detector_that_was_not_touched_remembers(copy):
    assert go_on(copy) == [(N + 13, "far")]


def test_drop_makes_a_detector_start_afresh(copy):
    done = state(copy, "drop", "far")
    assert "dropped 3 states of 'far'" in done.stderr
    assert [d["name"] for d in listed(copy)["detectors"]] == ["speed"]
    assert go_on(copy) == []
    assert {k["seen"] for k in shown(copy, "far")} == {10}
    assert {k["seen"] for k in shown(copy, "speed")} == {N // 3 + 10}


def test_drop_of_one_key_leaves_the_others(copy):
    assert "dropped 1 state of 'far'" in state(copy, "drop", "far", "--key", SYMBOLS[0]).stderr
    assert go_on(copy, jumps=(N + 12, N + 13)) == [(N + 14, "far")]  # the keys of N + 12 and N + 13 are the first two
    assert {k["symbol"]: k["seen"] for k in shown(copy, "far")} == {
        SYMBOLS[0]: 10, SYMBOLS[1]: N // 3 + 10, SYMBOLS[2]: N // 3 + 10}


def test_mv_takes_the_state_along_to_a_new_name(copy):
    state(copy, "mv", "far", "away")
    state(copy, "mv", "lines", "file")
    assert [d["name"] for d in listed(copy)["detectors"]] == ["away", "speed"]
    copy.path("alerts.jsonl").unlink()
    assert go_on(copy, config(("away", "speed"), "file")) == [(N + 13, "away")]
    # the sink went on with its cursor: the old alert did not come again
    assert [a["seq"] for a in kit.json_lines(copy.path("alerts.jsonl").read_text())] == [N + 13]


def test_states_can_change_places(copy):
    before = {k["symbol"]: k["state"] for k in shown(copy, "far")}
    state(copy, "mv", "far", "spare")
    state(copy, "mv", "speed", "far")
    state(copy, "mv", "spare", "speed")
    assert {k["symbol"]: k["state"] for k in shown(copy, "speed")} == before


def test_only_the_checkpoint_changes_and_the_store_stays_sound(copy):
    tape = [p.read_bytes() for p in sorted(copy.path("data/tape").glob("*.tape"))]
    alerts = copy.alerts()
    state(copy, "drop", "far", "--key", SYMBOLS[2])
    state(copy, "mv", "speed", "pace")
    assert [p.read_bytes() for p in sorted(copy.path("data/tape").glob("*.tape"))] == tape
    assert copy.alerts() == alerts
    assert kit.tapewatch("tape", "verify", "data", cwd=copy.folder).returncode == 0


def test_a_change_takes_effect_as_of_the_checkpoint(copy):
    """A run dies with 30 events behind its checkpoint. They are judged again, by a detector that begins; the alert that
    the log has of them stays, and none comes twice."""
    with open(copy.path("ticks.csv"), "a") as file:
        file.write(ticks(N, 30, {N + 12}))
    copy.run(None, code=137, env={"TW_CRASH": "checkpoint.before_commit:1"})
    assert listed(copy)["seq"] == N
    done = state(copy, "drop", "far")
    assert f"as of event {N}: the next run judges events {N + 1} to {N + 30} of the tape again" in done.stderr
    copy.run()
    assert [a["seq"] for a in copy.alerts()] == [1501, N + 13]
    assert {k["seen"] for k in shown(copy, "far")} == {10}


def test_changes_are_refused_while_a_run_has_the_store(copy):
    with open(copy.path("data/LOCK"), "r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for args in (("drop", "far"), ("mv", "far", "away"), ("drop", "lines")):
            assert "is in use by process" in state(copy, *args, code=4).stderr
        assert len(listed(copy)["detectors"]) == 2  # looking is harmless
        assert len(shown(copy, "far")) == 3


@pytest.mark.parametrize("args, sentence", [
    (("lst",), "did you mean 'ls'?"),
    (("show",), "whose state?"),
    (("show", "fra"), "did you mean 'far'?"),
    (("show", "far", "--key", "EURUSD,1"), "has no state of the key 'EURUSD,1'"),
    (("drop", "nobody"), "there is no state of 'nobody'"),
    (("drop", "far", "--key", "XAUUSD"), "has no state of the key"),
    (("drop", "lines", "--key", "EURUSD"), "there is no state of 'lines'"),
    (("mv", "far"), "two names"),
    (("mv", "far", "speed"), "there is a state of 'speed' already"),
    (("mv", "far", "9"), "is not a name"),
    (("mv", "far", "-"), "is not a name"),
    (("mv", "nobody", "new"), "there is no state of 'nobody'"),
    (("ls", "--key", "x"), "--key is for show and drop"),
])
def test_misuse_changes_nothing(original, args, sentence):
    before = original.path("data/state.lmdb").read_bytes()
    assert sentence in state(original, *args, code=2).stderr
    assert original.path("data/state.lmdb").read_bytes() == before


def test_a_store_without_a_checkpoint(pipeline):
    pipeline.write("ticks.csv", "time,symbol,bid,ask\n" + ticks(0, 100))
    pipeline.run(config(), "--no-tape")
    assert "there is no checkpoint yet" in state(pipeline, "ls").stdout
    assert listed(pipeline)["detectors"] == []
    assert "there is no checkpoint" in state(pipeline, "show", "far", code=2).stderr
    state(pipeline, "drop", "far", code=2)
    done = kit.tapewatch("state", "ls", "-d", "nowhere", cwd=pipeline.folder)
    assert done.returncode == 2 and "there is no store in nowhere" in done.stderr
