# SPDX-License-Identifier: Apache-2.0
"""The detector without the host."""
from detector import spread
from tapewatch import Trial

t = Trial(spread, {"min_quotes": 5, "limit": 4})
for i in range(12):
    alerts = t.push("quote", symbol="EURUSD", bid=1.0, ask=1.8 if i == 8 else 1.1)
    t.push("quote", symbol="USDJPY", bid=150.0, ask=150.01)
    assert len(alerts) == (i == 8), (i, alerts)
assert t.alerts[0]["type"] == "wide_spread" and abs(t.alerts[0]["score"] - 8) < 1e-6
t.check()
print("ok")
