/* SPDX-License-Identifier: Apache-2.0
 *
 * The simulated world: a market, a broker's accounts, a calendar of news and a schedule of abuses, moved on second by
 * second. world_next() hands out its events one by one in the order of time; the same options give the same events.
 *
 * The market depends on nothing but the seed. Accounts see the market and do not move it, so that their number
 * can change without changing a price.
 */
#ifndef DEMO_WORLD_H
#define DEMO_WORLD_H

#include "random.h"
#include <tapewatch/plugin.h>

#define SECOND INT64_C(1000000000)
#define MINUTE (60 * SECOND)
#define DAY (86400 * SECOND)

#define MAX_SYMBOLS 500
#define MAX_ACCOUNTS 20000
#define MAX_POSITIONS 8
#define MAX_ABUSES 64      /* a day */
#define MAX_NEWS 16        /* a day */
#define MAX_PENDING 131072 /* events of one second; what comes beyond is not simulated */

enum stream { STREAM_MARKET = 1, STREAM_SYMBOL, STREAM_ACCOUNT, STREAM_NEWS, STREAM_ABUSE };

/* ---- what comes out ---- */
struct out {
	int64_t ts;
	uint32_t kind, symbol, account, counterparty; /* index + 1; 0: none */
	uint32_t side;
	const char *text[5]; /* by kind: order: action; account: event, comment; news and label: see demo.c */
	int64_t from, to;    /* deal: from is the open time */
	double v[9];         /* the numbers of the kind in the order of push.h, times left out */
	uint64_t id;         /* of the trade, order or deal; 0: none */
};

/* ---- market ---- */
enum session { SESSION_FX, SESSION_BREAK, SESSION_EQUITY }; /* BREAK: closed for an hour every night */
enum curve { CURVE_WEST, CURVE_ASIA, CURVE_US, CURVE_EUROPE, CURVE_EQUITY, CURVES };

struct instrument {
	const char *name, *base, *quote; /* currencies whose news move it; base may be NULL */
	enum session session;
	enum curve curve;
	int digits;
	double price, daily; /* daily: standard deviation of a day's return */
	double quotes;       /* a second, mean over its session */
	double spread;       /* of the price, in calm times */
	double size, contract; /* median size of a trade; units in a lot */
};

struct abuse;
struct symbol {
	char name[16];
	struct instrument in;
	struct random random;
	double sigma;  /* of one quote's return in average times */
	double points; /* 10^digits */
	double mid, bid, ask, average; /* average: over half an hour, what trend followers look at */
	double fast, slow;             /* log volatility: two autoregressive parts of minutes and of hours */
	double shock, shock_goal;      /* log volatility that news add */
	double drift;                  /* part of a move that is still to come */
	double variance, shown;        /* of quoted returns, exponentially weighted; the mid last quoted */
	double wait;                   /* until the next event, in units of its mean */
	double level, rate;            /* this second's volatility and events a second */
	uint64_t trades;
	int64_t opened;
	uint32_t last_side;
	bool open;
	struct abuse *abuse; /* what goes on in this second */
};

/* ---- abuses ---- */
enum abuse_kind { PRICE_SPIKE, VOLUME_BURST, FEED_SILENCE, WASH_TRADES, MARTINGALE_RUN, ABUSE_KINDS };
extern const char *const abuse_names[ABUSE_KINDS];

#define MAX_WASH 20
struct abuse {
	enum abuse_kind kind;
	uint32_t symbol;  /* index */
	uint64_t account; /* any number: modulo the number of accounts */
	int64_t from, to, label_at; /* label_at 0: not known yet */
	bool started, cancelled;
	double strength, rate; /* spike: sigmas, signed; burst: factors of size and rate; wash: size;
	                          run: first lot, and whether it keeps its side (1) or changes it (-1) */
	double offset;         /* spike: as part of the price */
	int64_t hold;          /* spike: until it goes back */
	uint32_t steps, done;  /* wash: trades; run: doublings */
	int64_t at[MAX_WASH];
	char comment[120];
};

/* ---- news ---- */
struct news {
	int64_t ts;
	const struct release *release;
	uint32_t number;
	double actual, forecast, previous, surprise;
};

/* ---- accounts ---- */
struct position {
	uint64_t ticket, leader; /* leader: the ticket this one copies */
	uint32_t symbol, side;
	int64_t open_ts, due;
	double lots, price, stop, take;
	bool extended;
};

struct style;
struct account {
	char name[16];
	const struct style *style;
	struct random random;
	uint32_t favourites[3];
	uint32_t n_positions, losses, bias;
	uint64_t tickets;
	double balance, start_balance, lots, leverage;
	int64_t next, snapshot, prefer; /* prefer: second of the day around which it is awake */
	struct position positions[MAX_POSITIONS];
	/* copying */
	uint32_t first_follower, next_follower; /* index + 1 */
	double ratio;
	struct position copy; /* to be opened at copy.due; ticket 0: nothing */
	/* a martingale run takes the account over */
	struct abuse *run;
	int64_t run_next;
};

struct world_options {
	int64_t seed, symbols, accounts, start, duration; /* duration 0: endless */
	double rate;
	bool abuses;
};

struct world {
	struct world_options o;
	int64_t now, end; /* now: the second that comes next; end: INT64_MAX when endless */
	struct random random;
	double market_slow; /* volatility that all share */
	double (*curves)[1440];
	struct symbol *symbols;
	uint32_t n_symbols, n_accounts;
	struct account *accounts;
	struct abuse abuses[MAX_ABUSES];
	uint32_t n_abuses;
	struct news news[MAX_NEWS];
	uint32_t n_news, next_news;
	uint64_t news_number;
	struct out *out; /* events of the second, MAX_PENDING grown on demand */
	uint32_t *order; /* their order in time */
	uint32_t n_out, cap_out, at;
	uint64_t ordinal; /* events handed out so far */
};

/* world.c */
int world_open(struct world *w, const struct world_options *o); /* 0, or -1 when memory is out */
void world_close(struct world *w);
/* The next event, or NULL at the end. It counts as handed out with world_take(). */
const struct out *world_peek(struct world *w);
void world_take(struct world *w);
/* A new event of this second, zeroed but for kind and ts; NULL when the second is full or memory is out. */
struct out *world_add(struct world *w, uint32_t kind, int64_t ts);

/* market.c */
int market_open(struct world *w);
void market_sessions(struct world *w); /* who is open in this second */
void market_second(struct world *w);
bool market_trades(const struct world *w, const struct symbol *s); /* can an account trade it in this second? */
bool session_open(enum session s, int64_t ts);
double market_round(const struct symbol *s, double price);
/* Value of a lot of s in dollars when its price moves by 1. */
double market_lot_value(const struct symbol *s);

/* instruments.c */
void instrument_of(uint32_t index, char name[16], struct instrument *ret);
int curves_make(struct world *w);

/* news.c */
void news_day(struct world *w, int64_t day);
void news_second(struct world *w);
const char *news_currency(const struct news *n);

/* abuse.c */
void abuse_day(struct world *w, int64_t day);
void abuse_second(struct world *w); /* before the market moves */
void abuse_labels(struct world *w); /* after it */

/* accounts.c */
int accounts_open(struct world *w);
void accounts_second(struct world *w);
void account_news(struct world *w, const struct news *n);
void account_event(struct world *w, struct account *a, int64_t ts, const char *event, double amount,
                   const char *comment);
/* trading.c */
struct position *position_open(struct world *w, struct account *a, uint32_t symbol, uint32_t side, double lots,
                               double stop, double take, int64_t hold);
/* slip: at least this much loss per unit of price; 0: at the market. Returns the profit. */
double position_close(struct world *w, struct account *a, struct position *p, double slip);
double position_profit(const struct world *w, const struct position *p); /* in price, at the market */
/* run.c */
void run_second(struct world *w, struct account *a);

#endif
