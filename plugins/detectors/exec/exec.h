/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside the exec detector: bytes out (request.c), bytes in (reply.c), a helper process (helper.c), and the detector
 * that owns some of them (exec.c). The protocol is written down in docs/exec-protocol.md.
 */
#ifndef EXEC_H
#define EXEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <tapewatch/plugin.h>

enum {
	PROTOCOL = 1,
	FRAME_MAX = 8 << 20,    /* bytes of a reply */
	REQUEST_BYTES = 4 << 20, /* a batch is cut when it, or the states in its reply, would be larger */
	EVENTS_MAX = 256,       /* of one request */
	SAID_PER_EVENT = 16,    /* alerts, and as many scores */
	DETAILS_MAX = 64,       /* of an alert */
	DETAILS_PER_REPLY = 4096,
	DEPTH_MAX = 8,
	REASON_MAX = 499, /* bytes, as host->alert has it */
	TYPE_MAX = 63,
	NAME_MAX_BYTES = 63, /* of a detail, a plugin, a version */
	TEXT_MAX = 255,      /* of a detail that is a text */
	LINE_BYTES = 512,    /* of the helper's stderr */
	PROCESSES_MAX = 64
};

/* ---- bytes ---- */
struct bytes {
	unsigned char *p;
	size_t n, cap;
	bool failed; /* memory ran out: what is in it is not whole */
};

bool bytes_room(struct bytes *, size_t more);

/* ---- request.c: what the helper is told ---- */
struct state { /* of a key: what the helper said last, opaque to the host */
	uint32_t len, reserved;
	unsigned char blob[];
};

/* One request. The plugin's part of a batch: which events, and the states of their keys, each once. */
struct request {
	struct bytes frame;
	uint64_t number;
	uint32_t n;                    /* events */
	uint32_t at[EVENTS_MAX];       /* their index in the batch of the host */
	uint32_t state_of[EVENTS_MAX]; /* index into states */
	uint32_t n_states;
	struct state *states[EVENTS_MAX];
};

struct exec;
void request_hello(struct bytes *, const struct exec *, const char *instance);
/* Take events from *at on, at most `most` of them, as far as they fit; *at is moved behind the last. Events of a kind
 * that is not wanted are passed over. false: memory is out. */
bool request_batch(struct request *, const struct exec *, const struct tw_host *, const struct tw_batch *, uint32_t *at,
		   uint32_t most);

/* ---- event.c: an event that has no msgpack of its own yet ---- */
void put_event(struct bytes *, const struct tw_host *, const struct tw_event *);
uint32_t exec_kind(const char *s, size_t len); /* 0: no kind */
const char *exec_kind_name(uint32_t kind);

/* msgpack, in any order the caller likes */
void put_map(struct bytes *, uint32_t n);
void put_array(struct bytes *, uint32_t n);
void put_text(struct bytes *, const char *, size_t len);
void put_word(struct bytes *, const char *);
void put_bin(struct bytes *, const void *, size_t len);
void put_u64(struct bytes *, uint64_t);
void put_i64(struct bytes *, int64_t);
void put_f64(struct bytes *, double);
void put_nil(struct bytes *);

/* ---- reply.c: what it answers. Texts point into the frame ---- */
struct hello {
	char name[NAME_MAX_BYTES + 1], version[NAME_MAX_BYTES + 1];
	uint32_t kinds; /* 0: it did not say */
	struct tw_str error;
};

struct said {
	uint32_t event, severity;
	double score, p_value, value, expected, threshold;
	struct tw_str type, reason; /* reason: absent in a score */
	uint32_t first_detail, n_details;
};

struct new_state {
	uint32_t state, len;
	const unsigned char *blob;
};

struct reply {
	uint32_t done; /* events it judged */
	struct tw_str error; /* about the one behind them */
	uint32_t n_states, n_alerts, n_scores, n_details;
	struct new_state states[EVENTS_MAX];
	struct said alerts[EVENTS_MAX * SAID_PER_EVENT], scores[EVENTS_MAX * SAID_PER_EVENT];
	struct tw_detail details[DETAILS_PER_REPLY];
};

/* Everything is checked before anything is believed. false: `why` says what was expected; nothing may be used. */
#define WHY_BYTES 256
bool reply_hello(struct hello *, const unsigned char *, size_t, char why[WHY_BYTES]);
bool reply_batch(struct reply *, const struct request *, uint32_t state_size, const unsigned char *, size_t,
		 char why[WHY_BYTES]);

/* ---- helper.c: a process ---- */
struct helper {
	const struct exec *exec;
	const struct tw_host *host;
	pid_t pid; /* 0: none */
	int to, from, err;
	uint32_t failed_starts; /* in a row */
	bool given_up;
	uint64_t starts;
	struct bytes in, greeting;
	char line[LINE_BYTES]; /* of its stderr, not yet ended */
	uint32_t n_line;
	char last_line[LINE_BYTES]; /* the last it wrote, for sentences */
	char why[WHY_BYTES * 2 + LINE_BYTES];
	struct request request;
	struct reply reply;
	bool busy; /* under the pool's lock */
};

/* Start it and say hello. A negative result: it does not run, h->why says why. TW_E_CONFIG: it refused its options. */
int32_t helper_start(struct helper *, struct hello *);
/* Send the frame and wait for one in h->in. false: it is not to be trusted any more and was killed, h->why says why. */
bool helper_ask(struct helper *, const struct bytes *frame, int64_t timeout);
/* Kill it and everything it started; what it wrote to stderr is logged. */
void helper_kill(struct helper *);
/* Ask it to end by closing its input; kill it when it does not. */
void helper_stop(struct helper *);
void helper_free(struct helper *);

/* ---- exec.c: the detector ---- */
struct pool;
struct exec {
	struct tw_list command, options, kinds;
	int64_t timeout, start_timeout, max_restarts, state_size, processes;
	/* not options */
	struct pool *pool;
	char **env;
	uint32_t wanted; /* kinds */
	struct hello first;
};

#endif
