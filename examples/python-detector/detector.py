# SPDX-License-Identifier: Apache-2.0
"""The spread of a quote is many times what it usually is for its symbol."""
from tapewatch import alert, detector, run


@detector(kinds=["quote"], options={"limit": 3.0, "weight": 0.05, "min_quotes": 20})
def spread(event, state, options):
    now, usual, n = event.ask - event.bid, state.get("usual"), state.get("quotes", 0)
    if not now >= 0:  # crossed, or a side is absent
        return
    state["quotes"] = n + 1
    state["usual"] = now if usual is None else usual + options.weight * (now - usual)
    if n >= options.min_quotes and now > options.limit * usual:
        yield alert(now / usual, f"spread {now:.6g} is {now / usual:.3g} times the usual {usual:.6g}",
                    type="wide_spread", value=now, expected=usual, threshold=options.limit * usual)


if __name__ == "__main__":
    run()
