/* SPDX-License-Identifier: Apache-2.0
 *
 * format_text() against the C library's vsnprintf, format_double() against strtod, format_time() against gmtime_r.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/format.h"
#include <inttypes.h>

static uint64_t random_state = 1;

static uint64_t random_bits(void)
{
	uint64_t x = random_state += UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

#pragma GCC diagnostic ignored "-Wformat-nonliteral"

static int format(char *out, size_t size, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = format_text(out, size, fmt, ap);
	va_end(ap);
	return n;
}

/* Without the compiler's checks, so that strange formats can be asked for. */
static int libc_format(char *out, size_t size, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(out, size, fmt, ap);
	va_end(ap);
	return n;
}

/* Both must agree on the text, the length and where the text is cut. */
#define same(...)                                                                                                      \
	do {                                                                                                           \
		char ours_[700], theirs_[700];                                                                         \
		for (size_t size_ = 1; size_ <= sizeof ours_; size_ += size_ < 24 ? 1 : 169) {                         \
			int a_ = format(ours_, size_, __VA_ARGS__);                                                    \
			int b_ = libc_format(theirs_, size_, __VA_ARGS__);                                             \
			assert_string_equal(ours_, theirs_);                                                           \
			assert_int_equal(a_, b_);                                                                      \
		}                                                                                                      \
		assert_int_equal(format(NULL, 0, __VA_ARGS__), libc_format(NULL, 0, __VA_ARGS__));                     \
	} while (0)

/* A double of the kinds that alerts hold: prices, ratios, tick counts, and any bit pattern. */
static double random_double(void)
{
	uint64_t r = random_bits();
	double v;

	switch (r % 8) {
	case 0:
		v = (double)(int64_t)(r >> 32) / 100000;
		break;
	case 1:
		v = (double)(int64_t)(r >> 20) / 1000;
		break;
	case 2:
		v = (double)(r >> 40);
		break;
	case 3:
		v = ldexp((double)(r >> 11), (int)(random_bits() % 200) - 150);
		break;
	case 4: /* many ties: few bits behind the point */
		v = (double)(r >> 50) / 64;
		break;
	case 5:
		v = (double)(r >> 44) * pow(10, (double)(random_bits() % 40) - 20);
		break;
	default:
		r = random_bits();
		memcpy(&v, &r, sizeof v);
		if (isnan(v))
			v = 0;
	}
	return random_bits() & 1 ? v : -v;
}

static void doubles_match_the_c_library(void **state)
{
	static const char *const formats[] = { "%g",      "%.6g",   "%.2f",  "%.3g",    "%e",      "%f",
					       "%.0f",    "%.1e",   "%.0e",  "%.1g",    "%.0g",    "%.5f",
					       "%.10g",   "%.15g",  "%.16g", "%.17g",   "%.3f",    "%.12f",
					       "%.17f",   "%.17e",  "%.16e", "%12.4f",  "%-14.3g", "%+.2f",
					       "%020.8e", "%08.3f", "%+g",   "%-+9.1f", "%lf" };
	char ours[700], theirs[700];

	(void)state;
	for (int i = 0; i < 3000000; i++) {
		const char *fmt = formats[random_bits() % (sizeof formats / sizeof *formats)];
		double v = random_double();
		int a = format(ours, sizeof ours, fmt, v), b = snprintf(theirs, sizeof theirs, fmt, v);

		if (a != b || memcmp(ours, theirs, (size_t)b + 1) != 0)
			fail_msg("%s of %a: '%s', expected '%s'", fmt, v, ours, theirs);
	}
}

static void every_precision_matches_around_every_power_of_ten(void **state)
{
	char ours[700], theirs[700];

	(void)state;
	for (int x = -320; x <= 308; x++) {
		double middle = strtod((snprintf(ours, sizeof ours, "1e%d", x), ours), NULL);

		for (int near = -2; near <= 2; near++) {
			double v = middle;

			for (int i = 0; i < abs(near); i++)
				v = nextafter(v, near < 0 ? 0 : INFINITY);
			for (int precision = 0; precision <= 17; precision++) {
				for (int kind = 0; kind < 3; kind++) {
					const char *fmt = kind == 0 ? "%.*g" : kind == 1 ? "%.*e" : "%.*f";

					format(ours, sizeof ours, fmt, precision, v);
					snprintf(theirs, sizeof theirs, fmt, precision, v);
					assert_string_equal(ours, theirs);
				}
			}
		}
	}
}

static void exact_ties_go_to_even(void **state)
{
	(void)state;
	same("%.0f %.0f %.0f %.0f", 0.5, 1.5, 2.5, 3.5);
	same("%.2f %.2f %.1f %.3f", 0.125, 0.375, 0.25, 1.0625);
	same("%.1g %.2g %.3g %.1e", 25.0, 2.25, 1.125e17, 2.5);
	same("%.0e %.5g", 4.5e15, 1000005.0);
}

static void special_doubles_match(void **state)
{
	(void)state;
	same("%g %f %e %.3g", 0.0, 0.0, 0.0, 0.0);
	same("%g %f %e %.0f", -0.0, -0.0, -0.0, -0.0);
	same("%g %8.2f %-8e| %08.1f %+g", INFINITY, -INFINITY, INFINITY, INFINITY, INFINITY);
	same("%g %8.2f|%-8e|%08.1f", (double)NAN, (double)NAN, (double)NAN, (double)NAN);
	same("%f %.17f %g", 1.7976931348623157e308, 1.7976931348623157e308, 5e-324);
	same("%g %g %g %g %g", 1e-4, 9.9999e-5, 99999.95, 999999.5, 1e16);
}

static void a_nan_has_no_sign(void **state)
{
	char out[32];

	(void)state;
	format(out, sizeof out, "%g|%5.1f", -(double)NAN, -(double)NAN);
	assert_string_equal(out, "nan|  nan");
}

static void integers_match_the_c_library(void **state)
{
	(void)state;
	same("%d %i %u %x", INT32_MIN, INT32_MAX, UINT32_MAX, UINT32_MAX);
	same("%" PRId64 " %" PRIu64 " %" PRIx64 " %" PRId64, INT64_MIN, UINT64_MAX, UINT64_MAX, INT64_MAX);
	same("%ld %lld %zu %lx %llx %zd", -5L, -6LL, (size_t)7, 0xabcL, 0xdefLL, (ssize_t)-8);
	same("%5d|%-5d|%05d|%-05d|%+d|%+05d", 42, 42, 42, 42, 42, 42);
	same("%5d|%-5d|%05d|%+d|%1d", -42, -42, -42, -42, -42);
	same("%u%u%u%d%x", 0u, 9u, 10u, 0, 0u);
	same("%hd %hu %hhd %hhu", (short)-3, (unsigned short)65535, (signed char)-1, (unsigned char)255);
	same("%0*d|%*d|%-*d", 6, 3, -6, 3, 4, 5);
	for (int i = 0; i < 200000; i++) {
		uint64_t r = random_bits() >> (random_bits() % 64);
		char ours[80], theirs[80];

		format(ours, sizeof ours, "%" PRIu64 " %" PRId64 " %" PRIx64, r, -(int64_t)(r >> 1), r);
		snprintf(theirs, sizeof theirs, "%" PRIu64 " %" PRId64 " %" PRIx64, r, -(int64_t)(r >> 1), r);
		assert_string_equal(ours, theirs);
	}
}

static void texts_match_the_c_library(void **state)
{
	const char open[3] = { 'a', 'b', 'c' }; /* not terminated */
	const char *none = NULL;

	(void)state;
	same("plain");
	same("%s", "");
	same("100%% of %s", "EURUSD");
	same("%10s|%-10s|%.2s|%10.2s|%-4.1s|%.0s", "abc", "abc", "abc", "abc", "abc", "abc");
	same("%.*s|%*.*s", 3, open, 6, 2, open);
	same("%.*s|", -1, "all of it");
	same("%c%c%3c|%-3c|", 'a', 'b', 'c', 'd');
	same("%s|%.3s|%8s", none, none, none);
	same("%s %s %s", "a text that is much longer than what fits", "into the smallest of the buffers", "used here");
}

static void what_is_not_fast_is_left_to_the_c_library(void **state)
{
	int here = 0;

	(void)state;
	same("%d %s %.3d %s", 1, "a", 7, "b");
	same("%#x %X %o % d %G %E %F", 255u, 255u, 8u, 5, 1e-9, 1e-9, 1.5);
	same("%s %p %g", "pointer", (void *)&here, 2.5);
	same("%.30f %.20g %.18e", 0.1, 0.1, 0.1);
	same("%Lg %g", 1.25L, 0.5);
	same("%5000d", 1);
}

static void the_shortest_double_reads_back(void **state)
{
	char out[32], shorter[64];

	(void)state;
	for (int i = 0; i < 1000000; i++) {
		double v = random_double(), back;
		int n, digits = 0;

		if (i % 8 == 0) { /* subnormals */
			uint64_t bits = random_bits() >> (12 + random_bits() % 52);

			memcpy(&v, &bits, sizeof v);
		} else if (i % 8 == 1) {
			v = ldexp(1, (int)(random_bits() % 2098) - 1074);
		}
		n = format_double(out, v);
		assert_true(n > 0 && n < 32);
		assert_int_equal(n, strlen(out));
		if (isinf(v))
			continue;
		back = strtod(out, NULL);
		if (memcmp(&back, &v, sizeof v) != 0)
			fail_msg("%a became %s, which reads as %a", v, out, back);
		/* One digit less does not read back. */
		if (i % 4 || v == 0)
			continue;
		snprintf(shorter, sizeof shorter, "%s", out);
		for (char *p = shorter; *p && *p != 'e'; p++)
			digits += *p >= '0' && *p <= '9' && (digits || *p != '0');
		for (char *p = strpbrk(shorter, ".e") ? NULL : shorter + strlen(shorter) - 1; p && *p == '0'; p--)
			digits--;
		if (digits > 1) {
			snprintf(shorter, sizeof shorter, "%.*e", digits - 2, v);
			if (strtod(shorter, NULL) == v)
				fail_msg("%a became %s, but %s is enough", v, out, shorter);
		}
	}
}

static void check_double(double v, const char *expected)
{
	char out[32];

	assert_int_equal(format_double(out, v), strlen(expected));
	assert_string_equal(out, expected);
}

static void known_doubles_have_known_texts(void **state)
{
	(void)state;
	check_double(0, "0");
	check_double(-0.0, "-0");
	check_double(1, "1");
	check_double(-1.5, "-1.5");
	check_double(0.1, "0.1");
	check_double(0.1 + 0.2, "0.30000000000000004");
	check_double(1.0 / 3, "0.3333333333333333");
	check_double(100000, "100000");
	check_double(1e16, "10000000000000000");
	check_double(9007199254740993.0, "9007199254740992");
	check_double(1e17, "1e+17");
	check_double(0.00001, "0.00001");
	check_double(0.000001, "1e-06");
	check_double(1.09321, "1.09321");
	check_double(5e-324, "5e-324");
	check_double(2.2250738585072014e-308, "2.2250738585072014e-308");
	check_double(1.7976931348623157e308, "1.7976931348623157e+308");
	check_double(0x1p-44, "5.684341886080802e-14"); /* the nearest of 16 digits does not read back */
	check_double(INFINITY, "inf");
	check_double(-INFINITY, "-inf");
	check_double((double)NAN, "nan");
}

static void check_time(int64_t ts)
{
	char ours[40], theirs[80];
	time_t seconds = ts / 1000000000 - (ts % 1000000000 < 0);
	long frac = (long)(ts - seconds * 1000000000);
	struct tm tm;
	size_t n;

	assert_non_null(gmtime_r(&seconds, &tm));
	n = strftime(theirs, sizeof theirs, "%Y-%m-%dT%H:%M:%S", &tm);
	if (frac % 1000000 == 0 && frac)
		snprintf(theirs + n, sizeof theirs - n, ".%03ldZ", frac / 1000000);
	else if (frac % 1000 == 0 && frac)
		snprintf(theirs + n, sizeof theirs - n, ".%06ldZ", frac / 1000);
	else if (frac)
		snprintf(theirs + n, sizeof theirs - n, ".%09ldZ", frac);
	else
		snprintf(theirs + n, sizeof theirs - n, "Z");
	assert_int_equal(format_time(ours, ts), strlen(theirs));
	assert_string_equal(ours, theirs);
}

static void times_match_gmtime(void **state)
{
	const int64_t day = INT64_C(86400000000000);

	(void)state;
	check_time(0);
	check_time(-1);
	check_time(1);
	check_time(-1000000000);
	check_time(-day);
	check_time(INT64_C(1767323045678901234));
	check_time(INT64_C(951782400000000000));      /* 2000-02-29 */
	for (int64_t d = -106751; d <= 106750; d++) { /* every day an int64 can name */
		check_time(d * day);
		check_time(d * day + day - 1);
	}
	for (int i = 0; i < 100000; i++) {
		int64_t ts = (int64_t)random_bits() / 2;

		check_time(ts);
		check_time(ts - ts % 1000);
		check_time(ts - ts % 1000000);
	}
}

static void the_ends_of_time_are_written(void **state)
{
	char out[40];

	(void)state;
	format_time(out, INT64_MAX);
	assert_string_equal(out, "2262-04-11T23:47:16.854775807Z");
	format_time(out, INT64_MIN);
	assert_string_equal(out, "1677-09-21T00:12:43.145224192Z");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(doubles_match_the_c_library),
		cmocka_unit_test(every_precision_matches_around_every_power_of_ten),
		cmocka_unit_test(exact_ties_go_to_even),
		cmocka_unit_test(special_doubles_match),
		cmocka_unit_test(a_nan_has_no_sign),
		cmocka_unit_test(integers_match_the_c_library),
		cmocka_unit_test(texts_match_the_c_library),
		cmocka_unit_test(what_is_not_fast_is_left_to_the_c_library),
		cmocka_unit_test(the_shortest_double_reads_back),
		cmocka_unit_test(known_doubles_have_known_texts),
		cmocka_unit_test(times_match_gmtime),
		cmocka_unit_test(the_ends_of_time_are_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
