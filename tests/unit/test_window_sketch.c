/* SPDX-License-Identifier: Apache-2.0
 *
 * P-square, t-digest and HyperLogLog: the published example, their limits, and what they promise.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <tapewatch/window.h>

#include <cmocka.h>

static uint64_t seed;

static double uniform(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (double)(seed >> 11) * 0x1p-53;
}

static int reset(void **state)
{
	(void)state;
	seed = 88172645463325252u;
	return 0;
}

static void *zeroed(uint32_t size)
{
	void *p = calloc(1, size);
	assert_non_null(p);
	return p;
}

static void assert_close(double got, double want, double tolerance)
{
	if (!(fabs(got - want) <= tolerance))
		fail_msg("got %.17g, expected %.17g", got, want);
}

/* Jain & Chlamtac 1985, table I: 20 values, whose median they estimate as 4.44; the markers of the last row. */
static void p_square_gives_the_numbers_of_the_paper(void **state)
{
	static const double values[] = { 0.02,  0.15,  0.74, 3.39, 0.83, 22.37, 10.15, 15.43, 38.62, 15.92,
					 34.60, 10.28, 1.47, 0.40, 0.05, 11.39, 0.27,  0.42,  0.09,  11.37 };
	struct tw_p2 w = { 0 };

	(void)state;
	for (uint32_t i = 0; i < 20; i++)
		assert_true(tw_p2_push(&w, 0.5, values[i]));
	assert_close(w.height[0], 0.02, 1e-12);
	assert_close(w.height[1], 0.49, 0.005);
	assert_close(tw_p2_value(&w, 0.5), 4.44, 0.005);
	assert_close(w.height[3], 17.20, 0.005);
	assert_close(w.height[4], 38.62, 1e-12);
	assert_true(w.place[1] == 6 && w.place[2] == 10 && w.place[3] == 16 && w.place[4] == 20);
}

static void p_square_is_exact_for_the_first_five(void **state)
{
	struct tw_p2 w = { 0 };

	(void)state;
	assert_true(isnan(tw_p2_value(&w, 0.25)));
	(void)tw_p2_push(&w, 0.25, 9);
	assert_true(tw_p2_value(&w, 0.25) == 9);
	(void)tw_p2_push(&w, 0.25, 1);
	assert_true(tw_p2_value(&w, 0.25) == 3);
	(void)tw_p2_push(&w, 0.25, 5);
	(void)tw_p2_push(&w, 0.25, 3);
	(void)tw_p2_push(&w, 0.25, 7);
	assert_true(tw_p2_value(&w, 0.25) == 3);
}

static void p_square_finds_quantiles_of_independent_values(void **state)
{
	static const double qs[] = { 0.05, 0.5, 0.9, 0.99 };

	(void)state;
	for (uint32_t k = 0; k < 4; k++) {
		struct tw_p2 w = { 0 };
		for (uint32_t i = 0; i < 100000; i++)
			(void)tw_p2_push(&w, qs[k], uniform());
		assert_close(tw_p2_value(&w, qs[k]), qs[k], 0.005);
	}
}

static void a_digest_is_exact_while_it_is_small(void **state)
{
	struct tw_digest *w = zeroed(tw_digest_size(20));

	(void)state;
	assert_true(isnan(tw_digest_quantile(w, 20, 0.5)));
	assert_true(isnan(tw_digest_share(w, 20, 1)));
	for (uint32_t i = 0; i < 11; i++)
		assert_true(tw_digest_push(w, 20, 10 - (double)i));
	assert_true(tw_digest_quantile(w, 20, 0) == 0);
	assert_true(tw_digest_quantile(w, 20, 0.5) == 5);
	assert_true(tw_digest_quantile(w, 20, 0.25) == 2.5);
	assert_true(tw_digest_quantile(w, 20, 1) == 10);
	assert_close(tw_digest_share(w, 20, 5), 0.5, 1e-15);
	assert_true(tw_digest_share(w, 20, -0.1) == 0);
	assert_true(tw_digest_share(w, 20, 10.1) == 1);
	assert_true(isnan(tw_digest_quantile(w, 20, 1.01)));
	assert_true(isnan(tw_digest_quantile(w, 20, (double)NAN)));
	free(w);
}

/* Of any order of values, the clusters fit, ascend, and weigh as many as were pushed. */
static void a_digest_never_outgrows_its_room(void **state)
{
	static const uint32_t compressions[] = { TW_DIGEST_MIN, 33, 100, TW_DIGEST_MAX };

	(void)state;
	for (uint32_t k = 0; k < 4; k++)
		for (uint32_t order = 0; order < 5; order++) {
			uint32_t c = compressions[k];
			struct tw_digest *w = zeroed(tw_digest_size(c));
			for (uint32_t i = 0; i < 30000; i++) {
				double x = order == 0 ? i : order == 1 ? -(double)i : order == 2 ? uniform() : 7;
				double sum = 0;
				if (order == 4)
					x = (i & 1 ? 1 : -1) * exp(300 * uniform());
				(void)tw_digest_push(w, c, x);
				if (w->waiting || !w->n)
					continue;
				assert_true(w->n <= c);
				for (uint32_t j = 0; j < w->n; j++) {
					const struct tw_cluster *cl = tw_digest_clusters(w) + j;
					assert_true(cl->mean >= w->min && cl->mean <= w->max);
					assert_true(!j || cl->mean >= cl[-1].mean);
					sum += cl->weight;
				}
				assert_true(sum == i + 1.0);
			}
			assert_true(tw_digest_count(w) == 30000);
			free(w);
		}
}

static void quantiles_of_a_digest_ascend(void **state)
{
	struct tw_digest *w = zeroed(tw_digest_size(50));

	(void)state;
	for (uint32_t i = 0; i < 5000; i++) {
		double last = -1e300;
		(void)tw_digest_push(w, 50, floor(40 * uniform() * uniform()));
		if (i % 97)
			continue;
		for (uint32_t k = 0; k <= 64; k++) {
			double now = tw_digest_quantile(w, 50, k / 64.0);
			assert_true(now >= last - 1e-12);
			last = now;
		}
	}
	free(w);
}

static void looking_at_a_digest_changes_nothing(void **state)
{
	struct tw_digest *a = zeroed(tw_digest_size(30)), *b = zeroed(tw_digest_size(30));

	(void)state;
	for (uint32_t i = 0; i < 3000; i++) {
		double x = uniform();
		(void)tw_digest_push(a, 30, x);
		(void)tw_digest_push(b, 30, x);
		(void)tw_digest_quantile(b, 30, uniform());
		(void)tw_digest_share(b, 30, x);
		assert_memory_equal(a, b, tw_digest_size(30));
	}
	free(a);
	free(b);
}

static void nothing_seen_is_nothing_counted(void **state)
{
	(void)state;
	for (uint32_t p = TW_HLL_MIN; p <= TW_HLL_MAX; p++) {
		struct tw_hll *w = zeroed(tw_hll_size(p));
		assert_true(tw_hll_count(w, p) == 0);
		assert_true(tw_hll_push(w, p, tw_hash_u64(1)));
		assert_close(tw_hll_count(w, p), 1, 0.04);
		assert_false(tw_hll_push(w, p, tw_hash_u64(1)));
		assert_close(tw_hll_count(w, p), 1, 0.04);
		free(w);
	}
}

/* Hashes that put the largest rank into every register, and that of all zeros. */
static void registers_go_no_further_than_they_can(void **state)
{
	(void)state;
	for (uint32_t p = TW_HLL_MIN; p <= TW_HLL_MAX; p++) {
		struct tw_hll *w = zeroed(tw_hll_size(p));
		for (uint64_t i = 0; i < 1u << p; i++)
			assert_true(tw_hll_push(w, p, i << (64 - p)));
		assert_int_equal(tw_hll_registers(w)[0], 65 - p);
		assert_int_equal(w->having[65 - p], 1u << p);
		assert_true(tw_hll_count(w, p) == 0x1p64);
		assert_false(tw_hll_push(w, p, UINT64_MAX));
		free(w);
	}
}

/* Ertl 2017, equation 14 and its sigma and tau written out as series: a quarter of the registers empty, a quarter 3, a
 * quarter as high as they go. */
static void an_estimate_is_that_of_the_formula(void **state)
{
	enum { P = 6, M = 64 };
	struct tw_hll *w = zeroed(tw_hll_size(P));
	long double x, sigma, tau, sum;

	(void)state;
	for (uint64_t i = 0; i < M; i++)
		if (i % 4)
			(void)tw_hll_push(w, P, i << (64 - P) | (i % 4 == 1 ? 0 : (uint64_t)1 << (64 - P - 3)));
	assert_int_equal(w->having[3], M / 2);
	assert_int_equal(w->having[65 - P], M / 4);
	x = 0.25L;
	sigma = x;
	for (int k = 1; k < 8; k++)
		sigma += powl(x, powl(2, k)) * powl(2, k - 1);
	x = 0.75L;
	tau = 1 - x;
	for (int k = 1; k < 60; k++)
		tau -= powl(1 - powl(x, powl(2, -k)), 2) * powl(2, -k);
	tau /= 3;
	sum = M * sigma + 0.5L * M * powl(2, -3) + M * tau * powl(2, -(64 - P));
	assert_close(tw_hll_count(w, P), (double)(M * M / (2 * logl(2)) / sum), 1e-12 * 200);
	for (uint64_t i = 0; i < M; i++) /* and where tau is all that counts */
		(void)tw_hll_push(w, P, i << (64 - P) | (i % 4 == 1 ? 0 : 1));
	assert_int_equal(w->having[64 - P], M * 3 / 4);
	sum = M * tau * powl(2, -(64 - P)) + 0.75L * M * powl(2, -(64 - P));
	assert_close(tw_hll_count(w, P) / (double)(M * M / (2 * logl(2)) / sum), 1, 1e-12);
	free(w);
}

static void merged_counters_count_what_either_saw(void **state)
{
	struct tw_hll *a = zeroed(tw_hll_size(10)), *b = zeroed(tw_hll_size(10)), *both = zeroed(tw_hll_size(10));

	(void)state;
	for (uint64_t i = 0; i < 6000; i++) {
		(void)tw_hll_push(i < 4000 ? a : b, 10, tw_hash_u64(i));
		if (i < 2000)
			(void)tw_hll_push(b, 10, tw_hash_u64(i));
		(void)tw_hll_push(both, 10, tw_hash_u64(i));
	}
	tw_hll_merge(a, 10, b);
	assert_memory_equal(a, both, tw_hll_size(10));
	free(a);
	free(b);
	free(both);
}

static void equal_numbers_have_equal_hashes(void **state)
{
	(void)state;
	assert_true(tw_hash_double(0.0) == tw_hash_double(-0.0));
	assert_true(tw_hash_double((double)NAN) == tw_hash_double(-(double)NAN));
	assert_true(tw_hash_double(1) != tw_hash_double(-1));
	assert_true(tw_hash_bytes("ab", 2) != tw_hash_bytes("ba", 2));
	assert_true(tw_hash_bytes("", 0) == tw_hash_bytes("x", 0));
}

static void values_that_cannot_be_used_are_refused(void **state)
{
	static const double bad[] = { (double)NAN, (double)INFINITY, -(double)INFINITY, 1e300, -1e151 };
	struct tw_digest *d = zeroed(tw_digest_size(20)), *d_before = zeroed(tw_digest_size(20));
	struct tw_p2 p = { 0 }, p_before;

	(void)state;
	for (uint32_t i = 0; i < 50; i++) {
		(void)tw_p2_push(&p, 0.9, uniform());
		(void)tw_digest_push(d, 20, uniform());
	}
	p_before = p;
	memcpy(d_before, d, tw_digest_size(20));
	for (uint32_t i = 0; i < 5; i++) {
		assert_false(tw_p2_push(&p, 0.9, bad[i]));
		assert_false(tw_digest_push(d, 20, bad[i]));
	}
	assert_memory_equal(&p, &p_before, sizeof p);
	assert_memory_equal(d, d_before, tw_digest_size(20));
	free(d);
	free(d_before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(p_square_gives_the_numbers_of_the_paper, reset),
		cmocka_unit_test_setup(p_square_is_exact_for_the_first_five, reset),
		cmocka_unit_test_setup(p_square_finds_quantiles_of_independent_values, reset),
		cmocka_unit_test_setup(a_digest_is_exact_while_it_is_small, reset),
		cmocka_unit_test_setup(a_digest_never_outgrows_its_room, reset),
		cmocka_unit_test_setup(quantiles_of_a_digest_ascend, reset),
		cmocka_unit_test_setup(looking_at_a_digest_changes_nothing, reset),
		cmocka_unit_test_setup(nothing_seen_is_nothing_counted, reset),
		cmocka_unit_test_setup(registers_go_no_further_than_they_can, reset),
		cmocka_unit_test_setup(an_estimate_is_that_of_the_formula, reset),
		cmocka_unit_test_setup(merged_counters_count_what_either_saw, reset),
		cmocka_unit_test_setup(equal_numbers_have_equal_hashes, reset),
		cmocka_unit_test_setup(values_that_cannot_be_used_are_refused, reset),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
