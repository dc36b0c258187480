# SPDX-License-Identifier: Apache-2.0
"""Account histories in every form they come in: deals, orders and money against pandas, and martingale against
its rules in Python."""
import collections

import pandas as pd
import pytest

import kit
import oracles

WITHOUT_TICKET = ["open_time", "type", "volume", "symbol", "open_price"]
CLOSE = ["close_time", "close_price", "commission"]
COLUMNS = {
    "raw/A09_mql5.positions.csv": WITHOUT_TICKET + ["volume_again"] + CLOSE + ["swap", "profit"],
    "raw/A10_mql5.positions.csv": WITHOUT_TICKET + ["volume_again"] + CLOSE + ["swap", "profit"],
    "raw/A01_mql5_orderbook.history.csv": WITHOUT_TICKET + ["sl", "tp"] + CLOSE + ["swap", "profit", "comment"],
    "raw/A11_mt_statement.csv": ["ticket"] + WITHOUT_TICKET + ["sl", "tp"] + CLOSE + ["taxes", "swap", "profit"] +
                                list("abcd"),
    "accounts_normalized.csv": None,
}


def read(path):
    """As pandas reads it, whatever the form: one row a line, with names of our own."""
    columns = COLUMNS[str(path.relative_to(path.parents[1] if "raw" in path.parts else path.parent))]
    if columns is None:
        rows = pd.read_csv(path, dtype={"ticket": str}, float_precision="round_trip")
        rows["account"] = rows.account_id
    else:
        rows = pd.read_csv(path, sep=";", header=None, names=columns, skiprows=1, encoding="utf-8-sig",
                           float_precision="round_trip")
        rows["account"] = path.name.split("_")[0]
    rows["kind"] = rows.type.str.lower().map(lambda t: "deal" if t in ("buy", "sell") else
                                             "account" if t in ("balance", "credit") else "order")
    return rows


def stamps(times):
    return pd.to_datetime(times, format="%Y.%m.%d %H:%M:%S").astype("datetime64[ns]").astype("int64")


@pytest.fixture(scope="module", params=COLUMNS)
def history(request, data, tmp_path_factory):
    """What pandas reads of a history, and what is on the tape after the program has read it."""
    path = data / "accounts" / request.param
    pipeline = kit.Pipeline(tmp_path_factory.mktemp("history"))
    pipeline.run({"sources": {"history": {"plugin": "csv", "path": str(path)}}})
    assert pipeline.dead() == []
    return read(path), pipeline.events()


def test_every_row_is_a_deal_an_order_or_money(history):
    rows, events = history
    assert collections.Counter(e["kind"] for e in events) == collections.Counter(rows.kind)


def test_deals_hold_what_the_rows_hold(history):
    rows, events = history
    rows = rows[rows.kind == "deal"]
    expected = collections.Counter(zip(
        rows.account, stamps(rows.open_time), stamps(rows.close_time), rows.symbol, rows.type.str.lower(),
        rows.volume.astype(float), rows.open_price.astype(float), rows.close_price.astype(float),
        rows.profit.astype(float), rows.swap.fillna(0).astype(float)))
    found = collections.Counter(
        (e["account"], kit.ns(e["open_ts"]), kit.ns(e["ts"]), e["symbol"], e["side"], e["size"], e["open_price"],
         e["close_price"], e["profit"], e["swap"]) for e in events if e["kind"] == "deal")
    assert found == expected


def test_costs_of_deals_add_up(history):
    rows, events = history
    rows = rows[rows.kind == "deal"]
    taxes = rows.taxes.fillna(0).astype(float).sum() if "taxes" in rows else 0
    costs = rows.commission.fillna(0).astype(float).sum() + taxes
    assert sum(e["commission"] for e in events if e["kind"] == "deal") == pytest.approx(costs, abs=1e-6)


def test_stop_loss_and_take_profit_of_zero_are_absent(history):
    rows, events = history
    rows = rows[rows.kind == "deal"]
    for name, field in (("sl", "stop_loss"), ("tp", "take_profit")):
        expected = sorted(rows[name].astype(float).pipe(lambda s: s[s > 0])) if name in rows else []
        assert sorted(e[field] for e in events if e["kind"] == "deal" and field in e) == expected


def test_pending_orders_are_cancelled_orders_of_their_side(history):
    rows, events = history
    rows = rows[rows.kind == "order"]
    expected = collections.Counter(zip(stamps(rows.close_time), rows.symbol, rows.type.str.lower().str.split().str[0],
                                       rows.volume.astype(float), rows.open_price.astype(float)))
    orders = [e for e in events if e["kind"] == "order"]
    assert collections.Counter((kit.ns(e["ts"]), e["symbol"], e["side"], e["size"], e["price"])
                               for e in orders) == expected
    assert {e["action"] for e in orders} <= {"cancel"}


def test_money_is_the_profit_column_of_balance_rows(history):
    rows, events = history
    rows = rows[rows.kind == "account"]
    expected = collections.Counter(zip(rows.account, stamps(rows.open_time), rows.profit.astype(float)))
    assert collections.Counter((e["account"], kit.ns(e["ts"]), e["amount"])
                               for e in events if e["kind"] == "account") == expected


def test_every_deal_has_a_ticket_of_its_own(history):
    _, events = history
    tickets = [(e["account"], e["ticket"]) for e in events if e["kind"] == "deal"]
    assert len(set(tickets)) == len(tickets)


def test_the_tape_is_in_order_of_time(history):
    _, events = history
    times = [kit.ns(e["ts"]) for e in events]
    assert times == sorted(times)


def test_the_account_of_a_file_without_one_comes_from_its_name(data, pipeline):
    pipeline.run({"sources": {"s": {"plugin": "csv", "path": str(data / "accounts/raw/*positions.csv")}}})
    assert collections.Counter(e["account"] for e in pipeline.events()) == {"A09": 58, "A10": 57}


# ---- martingale ---------------------------------------------------------------------------------------------------

def expected_martingale(events, **options):
    """{(seq, type): score} by the rules, account by account, in the order of the tape."""
    deals = pd.DataFrame([{"seq": e["seq"], "account": e["account"], "symbol": e["symbol"], "side": e["side"],
                           "open_ts": kit.ns(e["open_ts"]), "close_ts": kit.ns(e["ts"]), "size": e["size"],
                           "profit": e["profit"]} for e in events if e["kind"] == "deal"])
    found = {}
    for _, group in deals.groupby("account"):
        for row, score, kind in oracles.martingale(group, **options):
            found[int(group.iloc[row].seq), kind] = score
    return found


def martingale_of(pipeline):
    return {(a["seq"], a["type"]): a["score"] for a in pipeline.alerts()}


def test_martingale_on_eleven_real_accounts(data, pipeline):
    pipeline.run({"sources": {"s": {"plugin": "csv", "path": str(data / "accounts/accounts_normalized.csv")}},
                  "detectors": {"m": {"plugin": "martingale", "inputs": ["s"], "ratio": 1.05, "pairs": 10,
                                      "min_pairs": 2, "steps": 2, "step": 1.5, "within": "30d"}}})
    expected = expected_martingale(pipeline.events(), ratio=1.05, pairs=10, min_pairs=2, steps=2, step=1.5,
                                   within=30 * 86400 * 10**9)
    assert {kind for _, kind in expected} >= {"martingale_sizing"} and len(expected) > 20
    assert martingale_of(pipeline) == pytest.approx(expected, rel=1e-9)


def escalating(data, account, factor):
    """The deals of a real account, with lots as they would be had it raised them by a factor after each loss."""
    rows = read(data / "accounts/accounts_normalized.csv")
    rows = rows[(rows.account == account) & (rows.kind == "deal")].sort_values("open_time", kind="stable").copy()
    lots, volume = 0.02, []
    for profit in rows.profit.astype(float):
        volume.append(round(lots, 2))
        lots = min(lots * factor, 20.0) if profit < 0 else 0.02
    rows["volume"] = volume
    return rows.drop(columns=["account", "kind"]).to_csv(index=False)


@pytest.mark.parametrize("account", ["A02", "A03"])
def test_an_account_that_doubles_after_losses_is_found_by_default_settings(account, data, pipeline):
    pipeline.write("history.csv", escalating(data, account, 2))
    pipeline.run({"sources": {"s": {"plugin": "csv", "path": "history.csv"}},
                  "detectors": {"m": {"plugin": "martingale", "inputs": ["s"]}}})
    expected = expected_martingale(pipeline.events())
    assert "martingale_sizing" in {kind for _, kind in expected}
    assert martingale_of(pipeline) == pytest.approx(expected, rel=1e-9)
    assert {a["account"] for a in pipeline.alerts()} == {account}


def test_the_same_account_that_keeps_its_lots_is_left_alone(data, pipeline):
    pipeline.write("history.csv", escalating(data, "A02", 1))
    pipeline.run({"sources": {"s": {"plugin": "csv", "path": "history.csv"}},
                  "detectors": {"m": {"plugin": "martingale", "inputs": ["s"]}}})
    assert pipeline.alerts() == []


def test_doublings_in_a_basket_that_closes_at_once(pipeline):
    pipeline.write("basket.csv", "Time;Type;Volume;Symbol;Price;Volume;Time;Price;Commission;Swap;Profit\n" + "".join(
        f"2026.03.02 0{hour}:00:00;Buy;{lots};EURUSD;1.1;{lots};2026.03.02 09:00:00;1.2;;;{profit}\n"
        for hour, lots, profit in ((1, 0.01, -5), (2, 0.02, -3), (3, 0.04, 12), (4, 0.08, 30))))
    pipeline.run({"sources": {"s": {"plugin": "csv", "path": "basket.csv", "account": "grid"}},
                  "detectors": {"m": {"plugin": "martingale", "inputs": ["s"], "steps": 3}}})
    alerts = pipeline.alerts()
    assert [(a["type"], a["score"], a["value"], a["expected"]) for a in alerts] == [("martingale_run", 3, 0.08, 0.01)]
    assert martingale_of(pipeline) == expected_martingale(pipeline.events(), steps=3)
