/* SPDX-License-Identifier: Apache-2.0
 *
 * A Spin model of what survives a crash: the tape, the alert log, checkpoints, resumed sources, sinks that go on.
 * README.md says what it stands for and what it leaves out; run.sh builds and runs every variant.
 *
 * Two live sources offer NA and NB things. Whatever order they come in, the tape fixes it. The detector counts how
 * often the source changes from one event to the next and raises an alert at each change, numbered by that count: so
 * an alert depends on the whole history and on the order, as a detector over two sources does.
 *
 * Every step below is one atomic step of one thread of the program, and any step may come next, a crash too. A step
 * writes to the disk at most once, because a transaction is whole or absent.
 *
 * Ways of the program as it should be:
 *   SINK=NONE          nobody reads the alert log (a smaller model of what stands before it)
 *   SINK=IDEMPOTENT    an id that the sink has already changes nothing
 *   SINK=OWN_CURSOR    plain inserts, the cursor in the sink's own transaction
 *   SINK=PLAIN         plain inserts, the cursor in our store: at least once
 *   REOPEN=1           a source's connection may break at any time and is opened again from the last mark
 *   ACK=1              a source is told what is recorded and forgets it
 *   REBUILD            a restart may leave the checkpoint alone and compute everything from the tape
 * Each of these breaks one rule, and must be caught:
 *   POSITION=1, 2      positions in a transaction of their own, after or before the events
 *   ALERTS_FIRST       the alert transaction before the tape transaction
 *   CHECKPOINT_FIRST   the checkpoint before the alert transaction, so C > s
 *   CHECKPOINT_SPLIT   the number of a checkpoint in another transaction than its states
 *   COMPLETE_SPLIT     "complete through s" in a later transaction than the alerts
 *   NO_RECOMPUTE_DROP  alerts through s are logged again when they are computed again
 *   NO_TAPE            no tape: positions go into the checkpoint, what is behind it is read from the sources again
 *   NO_AFTER           a resumed source's repetitions behind its mark are not dropped
 *   MARK_IN_DROP       a mark among the repetitions is taken for a new one
 *   REOPEN=2           a connection lost among the repetitions forgets those still to come
 *   OVERTAKE           an event is recorded before a dead letter that was offered before it
 *   ACK=2              a source is acknowledged on receipt
 *   UNCOMMITTED        a sink reads alerts that are not committed
 *   CURSOR_EARLY       a cursor moves before the sink's data is safe
 * These ask for more than is promised, and must be caught too:
 *   ONCE               each row once, from a sink with plain inserts and a cursor in our store
 *   LETTERS_ONCE       a detector's dead letter once, though it goes with the events and not with s
 * EFFECTS leaves out the check of C <= s <= b: a variant is then caught by its harm, not by the rule it breaks. REACH
 * says that the end is never reached after the last crash, which must be caught as well.
 */
#define NONE       0
#define IDEMPOTENT 1
#define OWN_CURSOR 2
#define PLAIN      3

#ifndef SINK
#define SINK IDEMPOTENT
#endif
#ifndef POSITION
#define POSITION 0
#endif
#ifndef REOPEN
#define REOPEN 0
#endif
#ifndef ACK
#define ACK 0
#endif
#ifndef CRASHES
#define CRASHES 2
#endif
#ifndef NA
#define NA 3
#endif
#ifndef NB
#define NB 2
#endif
#define N (NA + NB)
#define ROOM 7 /* of tables by sequence number: 1..N, and one thing too many */
#if N + 1 >= ROOM
#error "at most 5 things; MORE() counts to 6"
#endif

/* The steps of a group of commits, in the order in which they are made. */
#ifdef ALERTS_FIRST
#define ALERTS     1
#define TAPE       2
#define CHECKPOINT 3
#elif defined(CHECKPOINT_FIRST)
#define TAPE       1
#define CHECKPOINT 2
#define ALERTS     3
#else
#define TAPE       1
#define ALERTS     2
#define CHECKPOINT 3
#endif
#define RELEASE    4

/* What may never happen; run.sh knows the numbers. */
#define ORDER        1
#define THING_TWICE  2
#define THING_LOST   3
#define ALERT_TWICE  4
#define ALERT_WRONG  5
#define STATE_WRONG  6
#define ROW_TWICE    7
#define ROW_LOST     8
#define ROW_WRONG    9
#define LETTER_TWICE 10
#define END_REACHED  11
byte broken;
inline must(cond, what)
{
	if
	:: (cond)
	:: else -> broken = what; assert(broken != what)
	fi
}

/* A thing: 1 + 4 * source + its number. Thing 0: none. */
#define THING(src, n) (1 + 4 * (src) + (n))
#define SOURCE(thing) (((thing) - 1) / 4)
#define NUMBER(thing) (((thing) - 1) % 4)

/* ---- on the disk ---- */
byte tape[ROOM];                        /* through b it is on the disk, behind b in memory only */
byte b;
byte d_mark[2], d_after[2];             /* positions */
byte alerts[ROOM];                      /* the alert log, by the event's number: what was said, 0 nothing */
byte s;                                 /* complete through */
byte c_seq, c_last, c_count;            /* checkpoint */
byte d_cursor;
#ifdef NO_TAPE
byte c_mark[2], c_after[2];
#endif

/* ---- outside ---- */
byte kept[2];                           /* the first thing each source still has */
byte row[ROOM];                         /* the sink's table: what is there under an id, the event's number */
byte rows[ROOM];                        /* and how often */
#if SINK == OWN_CURSOR
byte own_cursor;
#endif

/* ---- in memory ---- */
byte at[2], mark[2], after[2], drop[2]; /* pumps: next thing, last mark, recorded or taken behind it, still to drop */
byte end;                               /* last event in order; on the tape or soon */
byte judged, last, count;               /* detector: through which event, source of the last event + 1, changes */
byte said[ROOM];                        /* alerts that wait for their commit */
#ifdef LETTERS_ONCE
bit letter[ROOM], letters[ROOM];        /* waiting; on the disk */
#endif
byte step;                              /* of the recorder: 0 idle */
bit half;                               /* in the middle of a step that should not have two halves */
byte g_end, g_last, g_count, g_mark[2], g_after[2]; /* the group */
byte sent, cursor;                      /* sink: last record written, last record known to be safe */
byte held[2];                           /* OVERTAKE: number + 1 of a thing that waits for a later commit */

byte crashes;
byte i, k, n;

/* ---- what the tape says, computed from nothing else ---- */
#define CHANGES(j) ((j) > 1 && SOURCE(tape[j]) != SOURCE(tape[(j) - 1]))
#define WORDS(n, src) (2 * (n) + (src))

inline check_tape()
{
	i = 1;
	do
	:: i <= b ->
		k = 1;
		do
		:: k < i -> must(tape[k] != tape[i], THING_TWICE); k++
		:: else -> break
		od;
		i++
	:: else -> break
	od;
#ifndef OVERTAKE
	/* in order, none left out */
	i = 1; n = 0; k = 0;
	do
	:: i <= b ->
		if
		:: SOURCE(tape[i]) == 0 -> must(NUMBER(tape[i]) == n, THING_LOST); n++
		:: else -> must(NUMBER(tape[i]) == k, THING_LOST); k++
		fi;
		i++
	:: else -> break
	od;
#endif
	i = 0; k = 0; n = 0
}

inline check_alerts()
{
	i = 1; n = 0;
	do
	:: i <= s && i <= b ->
		if
		:: CHANGES(i) -> n++; must(alerts[i] == WORDS(n, SOURCE(tape[i])), ALERT_WRONG)
		:: else -> must(alerts[i] == 0, ALERT_WRONG)
		fi;
		i++
	:: else -> break
	od;
	i = 0; n = 0
}

inline check_order()
{
#ifndef EFFECTS
	must(c_seq <= s && s <= b, ORDER)
#endif
	skip
}

/* ---- sources and the sequencer ---- */

inline judge()
{
	judged++;
	if
	:: last && last != SOURCE(tape[judged]) + 1 ->
		count++;
		printf("an alert at event %d: change %d\n", judged, count);
#ifdef NO_RECOMPUTE_DROP
		said[judged] = WORDS(count, SOURCE(tape[judged]))
#else
		if
		:: judged > s -> said[judged] = WORDS(count, SOURCE(tape[judged]))
		:: else
		fi
#endif
	:: else
	fi;
#ifdef LETTERS_ONCE
	letter[judged] = judged > s;
#endif
	last = SOURCE(tape[judged]) + 1;
	i = 1; n = 0;
	do
	:: i <= judged -> n = n + (CHANGES(i) -> 1 : 0); i++
	:: else -> break
	od;
	must(count == n, STATE_WRONG);
	i = 0; n = 0
}

inline offer(src)
{
	if
	:: drop[src] ->
		drop[src]--;
		printf("source %d offers thing %d, which is dropped; %d more to drop\n", src, at[src], drop[src])
	:: else ->
		end++;
		printf("source %d offers thing %d, which becomes event %d\n", src, at[src], end);
		tape[end] = THING(src, at[src]);
		after[src]++;
		judge()
	fi;
	at[src]++;
#if ACK == 2
	kept[src] = at[src]
#endif
}

inline open(src)
{
	at[src] = mark[src];
	/* what a source has forgotten it cannot offer */
	if
	:: at[src] < kept[src] -> at[src] = kept[src]
	:: else
	fi
}

#ifdef OVERTAKE
inline hold(src)
{
	printf("source %d offers thing %d, for which this commit has no room\n", src, at[src]);
	at[src]++;
	held[src] = at[src]
}

inline let_go(src)
{
	end++;
	printf("thing %d of source %d becomes event %d\n", held[src] - 1, src, end);
	tape[end] = THING(src, held[src] - 1);
	held[src] = 0;
	after[src]++;
	judge()
}
#endif

#ifdef MARK_IN_DROP
#define MAY_MARK(src) (at[src] > mark[src])
#else
#define MAY_MARK(src) (!drop[src] && !held[src] && at[src] > mark[src])
#endif
inline take_mark(src)
{
	printf("source %d marks %d\n", src, at[src]);
	mark[src] = at[src];
	after[src] = 0
}

inline reopen(src)
{
	printf("source %d loses its connection\n", src);
#if REOPEN == 2
	drop[src] = at[src] - mark[src];
#else
	drop[src] = after[src];
#endif
	open(src)
}

#define CATCHING_UP (judged < end)
#define MOVED (d_mark[0] != mark[0] || d_after[0] != after[0] || d_mark[1] != mark[1] || d_after[1] != after[1])

/* ---- the recorder ---- */

inline next_step() { step = (step == RELEASE -> 0 : step + 1) }

inline write_events()
{
	b = (g_end > b -> g_end : b);
	printf("disk: events through %d\n", b);
#ifdef LETTERS_ONCE
	i = 1;
	do
	:: i <= g_end ->
		if
		:: letter[i] -> printf("disk: the detector's dead letter about event %d\n", i)
		:: else
		fi;
		must(!letter[i] || !letters[i], LETTER_TWICE);
		letters[i] = letters[i] || letter[i];
		letter[i] = 0;
		i++
	:: else -> break
	od;
#endif
	check_tape()
}

inline write_positions()
{
	printf("disk: position of source 0: %d + %d, of source 1: %d + %d\n", g_mark[0], g_after[0], g_mark[1], g_after[1]);
	d_mark[0] = g_mark[0]; d_after[0] = g_after[0];
	d_mark[1] = g_mark[1]; d_after[1] = g_after[1]
}

inline write_alerts()
{
	k = 1;
	do
	:: k <= g_end ->
		if
		:: said[k] ->
			printf("disk: the alert of event %d\n", k);
			must(alerts[k] == 0, ALERT_TWICE);
			alerts[k] = said[k]; said[k] = 0
		:: else
		fi;
		k++
	:: else -> break
	od;
	k = 0;
	d_cursor = cursor
}

inline write_complete()
{
	s = (g_end > s -> g_end : s);
	printf("disk: alerts are complete through event %d\n", s);
	check_alerts()
}

inline write_checkpoint_number()
{
	printf("disk: checkpoint as of event %d\n", g_end);
	c_seq = g_end
}

inline write_checkpoint_states()
{
	c_last = g_last; c_count = g_count
#ifdef NO_TAPE
	; c_mark[0] = g_mark[0]; c_mark[1] = g_mark[1]; c_after[0] = g_after[0]; c_after[1] = g_after[1]
#endif
}

inline forget_group()
{
	g_end = 0; g_last = 0; g_count = 0;
	g_mark[0] = 0; g_mark[1] = 0; g_after[0] = 0; g_after[1] = 0
}

/* ---- the sink ---- */

#ifdef UNCOMMITTED
#define READABLE(id) (alerts[id] || said[id])
#else
#define READABLE(id) alerts[id]
#endif
#define BEHIND(r, id) ((r) < (id) && READABLE(id))
#define MORE(r) (BEHIND(r, 1) || BEHIND(r, 2) || BEHIND(r, 3) || BEHIND(r, 4) || BEHIND(r, 5) || BEHIND(r, 6))

/* The first record behind r, in n. There is one. */
inline find_next(r)
{
	n = r + 1;
	do
	:: !READABLE(n) -> n++
	:: else -> break
	od
}

inline insert(id)
{
	k = (alerts[id] -> alerts[id] : said[id]);
	printf("sink: a row for the alert of event %d\n", id);
	must(rows[id] == 0 || row[id] == k, ROW_WRONG);
	row[id] = k;
#if SINK == IDEMPOTENT
	rows[id] = 1;
#else
	rows[id] = (rows[id] == 2 -> 2 : rows[id] + 1);
#endif
#if SINK == OWN_CURSOR
	own_cursor = id;
#endif
	k = 0
}

/* ---- crash and restart ---- */

inline restart(whole)
{
	crashes++;
	printf("--- crash %d, restart\n", crashes);
#ifdef NO_TAPE
	b = c_seq;
	d_mark[0] = c_mark[0]; d_after[0] = c_after[0];
	d_mark[1] = c_mark[1]; d_after[1] = c_after[1];
#endif
	i = 1;
	do
	:: i < ROOM ->
		said[i] = 0;
#ifdef LETTERS_ONCE
		letter[i] = 0;
#endif
		if
		:: i > b -> tape[i] = 0
		:: else
		fi;
		i++
	:: else -> break
	od;
	i = 0;
	step = 0; half = 0;
	forget_group();
	end = b;
	judged = (whole -> 0 : c_seq); last = (whole -> 0 : c_last); count = (whole -> 0 : c_count);
	mark[0] = d_mark[0]; after[0] = d_after[0];
	mark[1] = d_mark[1]; after[1] = d_after[1];
#ifndef NO_AFTER
	drop[0] = after[0]; drop[1] = after[1];
#endif
	open(0); open(1);
#if SINK == OWN_CURSOR
	cursor = own_cursor;
#else
	cursor = d_cursor;
#endif
	sent = cursor;
	held[0] = 0; held[1] = 0
}

inline check_end()
{
	must(b == N, THING_LOST);
	check_tape();
	check_alerts();
	i = 1;
	do
	:: i < ROOM ->
		must(SINK == NONE || alerts[i] == 0 || rows[i] > 0, ROW_LOST);
		must(rows[i] == 0 || row[i] == alerts[i], ROW_WRONG);
#if SINK != PLAIN || defined(ONCE)
		must(rows[i] < 2, ROW_TWICE);
#endif
		i++
	:: else -> break
	od;
#ifdef REACH
	must(crashes < CRASHES, END_REACHED);
#endif
	i = 0
}

#define WAITING (judged > s || judged > b || MOVED)
#define QUIET (at[0] == NA && at[1] == NB && !held[0] && !held[1] && !CATCHING_UP && step == 0 && !WAITING && \
	(SINK == NONE || (!MORE(sent) && sent == cursor && cursor == d_cursor)))

active proctype program()
{
	do
	/* a source offers a thing; the sequencer gives it the next number, or the pump knows it is recorded already */
	:: d_step { !CATCHING_UP && at[0] < NA && (drop[0] || end <= N) -> offer(0) }
	:: d_step { !CATCHING_UP && at[1] < NB && (drop[1] || end <= N) -> offer(1) }
#ifdef OVERTAKE
	:: d_step { !CATCHING_UP && !held[0] && !drop[0] && at[0] + 1 < NA -> hold(0) }
	:: d_step { held[0] -> let_go(0) }
#endif
	/* a source marks a position, where it likes */
	:: d_step { MAY_MARK(0) -> take_mark(0) }
	:: d_step { MAY_MARK(1) -> take_mark(1) }
	/* its connection breaks, and it is opened again from the last mark */
#if REOPEN
	:: d_step { drop[0] || at[0] > mark[0] -> reopen(0) }
	:: d_step { drop[1] || at[1] > mark[1] -> reopen(1) }
#endif
	/* after a restart: the tape behind the checkpoint */
	:: d_step { CATCHING_UP -> judge() }

	/* the recorder takes what waits */
	:: d_step { step == 0 && WAITING ->
		g_end = judged; g_last = last; g_count = count;
		g_mark[0] = mark[0]; g_mark[1] = mark[1]; g_after[0] = after[0]; g_after[1] = after[1];
		step = 1 }
#if POSITION == 0
	:: d_step { step == TAPE -> write_events(); write_positions(); check_order(); next_step() }
#elif POSITION == 1
	:: d_step { step == TAPE && !half -> write_events(); half = 1 }
	:: d_step { step == TAPE && half -> write_positions(); half = 0; next_step() }
#else
	:: d_step { step == TAPE && !half -> write_positions(); half = 1 }
	:: d_step { step == TAPE && half -> write_events(); half = 0; next_step() }
#endif
#ifdef COMPLETE_SPLIT
	:: d_step { step == ALERTS && !half -> write_alerts(); half = 1 }
	:: d_step { step == ALERTS && half -> write_complete(); half = 0; next_step() }
#else
	:: d_step { step == ALERTS -> write_alerts(); write_complete(); check_order(); next_step() }
#endif
	/* a checkpoint, if one is due */
#ifdef CHECKPOINT_SPLIT
	:: d_step { step == CHECKPOINT && !half && g_end > c_seq -> write_checkpoint_number(); half = 1 }
	:: d_step { step == CHECKPOINT && half -> write_checkpoint_states(); half = 0; next_step() }
#else
	:: d_step { step == CHECKPOINT && g_end > c_seq ->
		write_checkpoint_number(); write_checkpoint_states(); check_order(); next_step() }
#endif
	:: d_step { step == CHECKPOINT && !half -> next_step() }
	/* what is on the disk may be told */
	:: d_step { step == RELEASE ->
#if ACK == 1
		kept[0] = g_mark[0]; kept[1] = g_mark[1];
#endif
		forget_group();
		next_step() }
#if SINK != NONE
	/* cursors alone */
	:: d_step { step == 0 && cursor != d_cursor -> d_cursor = cursor }

	/* the sink: write records, then flush, then move the cursor */
#ifdef CURSOR_EARLY
	:: d_step { MORE(cursor) -> find_next(cursor); cursor = n; n = 0 }
	:: d_step { sent < cursor -> find_next(sent); sent = n; insert(n); n = 0 }
#else
	:: d_step { MORE(sent) -> find_next(sent); sent = n; insert(n); n = 0 }
	:: d_step { sent > cursor -> cursor = sent }
#endif
#endif

	:: d_step { crashes < CRASHES -> restart(false) }
#ifdef REBUILD
	:: d_step { crashes < CRASHES -> restart(true) }
#endif
	:: d_step { QUIET -> check_end() }; break
	od
}
