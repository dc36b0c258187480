/* SPDX-License-Identifier: Apache-2.0
 *
 * tapewatch/window.h - for detectors: windows and statistics as plain data that can live in keyed state.
 *
 * This is the one header to include; the manual of each subject is the file it names.
 *
 *   window/sums.h       tw_window     mean, sum and deviation of the last n, without drift
 *   window/ring.h       tw_ring       the last n as they came         tw_extremes   their smallest and largest
 *   window/quantile.h   tw_sorted     exact quantiles, median and median absolute deviation of the last n
 *   window/digest.h     tw_p2         one quantile of everything      tw_digest     all of them (t-digest)
 *   window/ewma.h       tw_ewma       fading mean and variance        tw_ewm        the same by time, weights adjusted
 *   window/pair.h       tw_pair       covariance, correlation and beta of the last n pairs
 *   window/counter.h    tw_tumbling   counts per stretch of time      tw_sliding    counts and sums of the last stretch
 *   window/hll.h        tw_hll        how many different ones
 *   window/indicator.h  tw_rsi, tw_atr, tw_macd, tw_bollinger         with TA-Lib's values
 *   window/trade.h      tw_vwap, tw_vwap_last, tw_drawdown, tw_return
 *
 * Nothing here allocates, and nothing has pointers. A statistic that needs room is a small header with its values right
 * behind it: a detector asks for tw_window_size(n) bytes of state and finds the window there; zero-filled bytes are an
 * empty one. Sizes are multiples of 16, so several can stand one behind the other. Functions take n each time, because it
 * is an option of the detector and not part of the state. Copied bytes go on where the original was.
 *
 * Judge first, push afterwards: then a value is never part of what it is measured against. Only usable values may be
 * pushed, see tw_usable(): functions that return int refuse others, those that return nothing leave the check to you.
 * What does not exist (too early, division by nothing) is NaN, which no comparison finds above or below a limit.
 *
 * C11 and C++17. Costs: tests/bench/window.c; checked against numpy, pandas and TA-Lib in tests/e2e/test_window_oracles.py.
 */
#ifndef TAPEWATCH_WINDOW_H
#define TAPEWATCH_WINDOW_H

#include <tapewatch/window/base.h>
#include <tapewatch/window/counter.h>
#include <tapewatch/window/digest.h>
#include <tapewatch/window/ewma.h>
#include <tapewatch/window/hll.h>
#include <tapewatch/window/indicator.h>
#include <tapewatch/window/pair.h>
#include <tapewatch/window/quantile.h>
#include <tapewatch/window/ring.h>
#include <tapewatch/window/sums.h>
#include <tapewatch/window/trade.h>

#endif
