/* SPDX-License-Identifier: Apache-2.0
 *
 * Telling the service manager how the run is: the protocol of sd_notify(3), lines of KEY=VALUE in one datagram to the
 * socket named by $NOTIFY_SOCKET. Without that variable nothing happens. Everything runs on the control thread.
 *
 *   READY=1      the stores are open, plugins are loaded, every thread runs; also the end of a reload
 *   RELOADING=1  with MONOTONIC_USEC: a reload has begun
 *   STOPPING=1   sources stop; what they brought is judged and delivered
 *   WATCHDOG=1   four times in $WATCHDOG_USEC, as long as the threads between sources and sinks go on: those that sleep
 *                because there is nothing to do, and those that have made a step since the last look. A source or sink
 *                that waits for the outside world does not count.
 */
#ifndef RUN_NOTIFY_H
#define RUN_NOTIFY_H

#include <stdint.h>

struct run;

void notify_ready(struct run *);
void notify_reloading(struct run *);
void notify_stopping(struct run *);
/* Seconds between two beats; 0: nobody watches. */
double notify_interval(void);
void notify_beat(struct run *);

#endif
