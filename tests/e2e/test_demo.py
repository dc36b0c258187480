# SPDX-License-Identifier: Apache-2.0
"""The demo: two simulated hours, deterministic by seed, with a table of recall and precision that can be checked
against the labels and alerts it is made of."""
import json
import re
import signal
import subprocess
import time

import pytest

import kit

HOURS = ["--duration", "2h", "-q"]


def demo(folder, *args):
    return kit.tapewatch("demo", *HOURS, *args, cwd=folder)


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    p = kit.Pipeline(tmp_path_factory.mktemp("demo"))
    begin = time.monotonic()
    done = demo(p.folder, "-d", "data", "--seed", "2")
    assert done.returncode == 0, done.stderr
    return p, done.stdout, time.monotonic() - begin


def table(stdout):
    """{detector: {column: text}} of the lines behind the heading."""
    out = stdout.splitlines()
    (at,) = [i for i, line in enumerate(out) if line.startswith("detector ")]
    names = out[at].split()
    rows = [row.replace(" s", "").split() for row in out[at + 1:] if row.strip()]
    return {row[0]: dict(zip(names[1:], row[1:])) for row in rows}


def test_two_hours_take_less_than_twenty_seconds(ran):
    _, _, seconds = ran
    assert seconds < 20


def test_alerts_are_shown_as_they_come_above_the_table(ran):
    p, stdout, _ = ran
    shown = [line for line in stdout.splitlines() if re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}  ", line)]
    alerts = p.alerts()
    assert len(shown) == len(alerts) > 5
    assert all(a["reason"] in line for a, line in zip(alerts, shown))


def test_labels_tell_of_every_kind_of_abuse(ran):
    p, _, _ = ran
    labels = p.events("--kind", "label")
    assert {"price_spike", "volume_burst", "wash_trades"} <= {e["category"] for e in labels}
    assert all(e["verdict"] == "abuse" and e["from"] <= e["to"] <= e["ts"] for e in labels)


def test_the_table_has_recall_and_precision_for_every_detector(ran):
    p, stdout, _ = ran
    rows = table(stdout)
    assert set(rows) >= {a["detector"] for a in p.alerts()}
    for row in rows.values():
        assert re.fullmatch(r"\d+", row["alerts"]) and re.fullmatch(r"\d+", row["episodes"])
        for share in ("precision", "recall"):
            assert row[share] == "-" or 0 <= float(row[share]) <= 1


def test_the_table_follows_from_labels_and_alerts(ran):
    """Counted again: a label is found when an alert about the same subject falls within it or a minute behind."""
    p, stdout, _ = ran
    labels, alerts, rows = p.events("--kind", "label"), p.alerts(), table(stdout)

    def about(label, alert):
        subjects = [(label[k], alert[k]) for k in ("symbol", "account") if label.get(k) and alert.get(k)]
        return subjects and all(x == y for x, y in subjects) and \
            kit.ns(label["from"]) <= kit.ns(alert["ts"]) <= kit.ns(label["to"]) + 60 * 10**9

    for kind in ("price_spike", "volume_burst", "wash_trades"):
        mine = [a for a in alerts if a["detector"] == kind]
        of_kind = [e for e in labels if e["category"] == kind]
        found = sum(any(about(e, a) for a in mine) for e in of_kind)
        assert rows[kind][kind] == f"{found}/{len(of_kind)}"
        assert rows[kind]["recall"] == f"{found / len(of_kind):.2f}"
        assert rows[kind]["alerts"] == str(len(mine))


def test_most_abuses_are_found_and_most_alarms_are_right(ran):
    _, stdout, _ = ran
    for name, row in table(stdout).items():
        if row["recall"] != "-":
            assert float(row["recall"]) >= 0.5 and float(row["precision"]) >= 0.5, name


def test_the_same_seed_gives_the_same_world(ran):
    p, stdout, _ = ran
    again = demo(p.folder, "-d", "again", "--seed", "2")
    assert again.stdout == stdout
    assert p.digest("again") == p.digest()


def test_another_seed_gives_another_world(ran):
    p, stdout, _ = ran
    other = demo(p.folder, "-d", "other", "--seed", "3")
    assert other.returncode == 0
    assert p.digest("other") != p.digest()


def test_accounts_change_the_broker_and_not_the_market(ran):
    p, _, _ = ran
    assert demo(p.folder, "-d", "few", "--seed", "2", "--accounts", "5").returncode == 0

    def clean(dir):
        """Quotes before the first abuse, which leans on the accounts there are."""
        quotes = p.events("--kind", "quote", "--limit", "3000", dir=dir)
        return [(e["ts"], e["symbol"], e["bid"], e["ask"]) for e in quotes]
    assert clean("few") == clean("data")
    accounts = {e["account"] for e in p.events("--kind", "deal", dir="few")}
    assert accounts and len(accounts) <= 5


def test_nothing_is_left_without_d(tmp_path):
    done = kit.tapewatch("demo", "--duration", "10m", "-q", cwd=tmp_path, env={"TMPDIR": str(tmp_path)})
    assert done.returncode == 0
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_holds_a_store_is_refused(ran):
    p, _, _ = ran
    done = demo(p.folder, "-d", "data")
    assert done.returncode == 2 and "'data' holds a store already" in done.stderr


def test_live_goes_on_with_the_clock_until_it_is_told_to_stop(tmp_path):
    """Whether there are quotes depends on the day of the week on which this runs; the host's clock always ticks."""
    p = kit.Pipeline(tmp_path)

    def ticks():
        return [kit.ns(e["ts"]) for e in p.events("--kind", "clock") if e.get("source") != "demo"]

    process = subprocess.Popen([kit.BIN, "demo", "--live", "-d", "data", "-q"], cwd=tmp_path,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        kit.wait_for(lambda: p.path("data/state.lmdb").exists() and len(ticks()) > 2, process)
        assert kit.stop(process, signal.SIGTERM) == 0
        first, second, third = ticks()[:3]
        assert first < second < third <= first + 10 * 10**9
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.mark.parametrize("args", [["--duration", "soon"], ["--seed", "x"], ["--accounts", "-1"]])
def test_values_that_make_no_sense_are_exit_code_2(args, tmp_path):
    done = kit.tapewatch("demo", *args, cwd=tmp_path)
    assert done.returncode == 2 and args[1] in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_demo_can_be_replayed_with_its_own_configuration(ran):
    p, _, _ = ran
    config = kit.ROOT / "conf.d/10-demo.yaml"
    done = kit.tapewatch("replay", "-q", "-c", config, "-d", "replayed", "data", cwd=p.folder)
    assert done.returncode == 0, done.stderr
    assert p.digest("replayed") == p.digest()
    assert json.dumps(kit.without_tape(p.alerts(dir="replayed"))) == json.dumps(kit.without_tape(p.alerts()))
