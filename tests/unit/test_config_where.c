/* SPDX-License-Identifier: Apache-2.0
 *
 * The `where:` filter.
 */
#include "config/where.h"
#include "test_config_kit.h"

static int32_t filter(struct parsed *p, struct where *w, const char *text)
{
	char yaml[512];
	snprintf(yaml, sizeof yaml, "detectors:\n  d:\n    where: %s\n", text);
	parse_text(p, yaml);
	return where_parse(w, at(&p->config, "detectors", "d", "where", NULL), "detector 'd'", &p->arena, &p->report);
}

static void a_filter_is_compiled(void **state)
{
	struct parsed p;
	struct where w;
	(void)state;
	assert_int_equal(filter(&p, &w, "{kind: [quote, trade], symbol: [EUR*, \"!EURCHF\"], account: A*}"), TW_OK);
	assert_string_equal(printed(&p), "");
	assert_int_equal(w.kinds, TW_QUOTE | TW_TRADE);
	assert_true(where_name(&w.symbol, "EURUSD"));
	assert_false(where_name(&w.symbol, "EURCHF"));
	assert_false(where_name(&w.symbol, "USDJPY"));
	assert_true(where_name(&w.account, "A17"));
	assert_false(where_name(&w.account, "B17"));
	assert_false(where_name(&w.account, ""));
	free_parsed(&p);
}

static void nothing_lets_everything_pass(void **state)
{
	struct parsed p = { 0 };
	struct where w;
	(void)state;
	assert_int_equal(where_parse(&w, NULL, "sink 's'", &p.arena, &p.report), TW_OK);
	assert_int_equal(w.kinds, TW_ANY);
	assert_true(where_name(&w.symbol, "EURUSD"));
	assert_true(where_name(&w.account, ""));
	free_parsed(&p);
}

static void only_negative_globs_let_the_rest_pass(void **state)
{
	struct parsed p;
	struct where w;
	(void)state;
	assert_int_equal(filter(&p, &w, "{symbol: '!X*'}"), TW_OK);
	assert_true(where_name(&w.symbol, "EURUSD"));
	assert_true(where_name(&w.symbol, ""));
	assert_false(where_name(&w.symbol, "XAUUSD"));
	free_parsed(&p);
}

static void says(const char *text, const char *expected)
{
	struct parsed p;
	struct where w = { .kinds = 77 };
	assert_int_equal(filter(&p, &w, text), TW_E_CONFIG);
	assert_int_equal(p.report.errors, 1);
	assert_string_equal(p.report.list[0].text, expected);
	assert_int_equal(p.report.list[0].at.line, 3);
	assert_int_equal(w.kinds, 77);
	free_parsed(&p);
}

static void says_what_is_wrong(void **state)
{
	(void)state;
	says("{simbol: A}", "detector 'd': where: unknown name 'simbol'; did you mean 'symbol'?");
	says("{colour: A}", "detector 'd': where: unknown name 'colour'; expected kind, symbol or account");
	says("{kind: quotes}", "detector 'd': where: unknown kind 'quotes'; did you mean 'quote'?");
	says("{kind: apple-pie}", "detector 'd': where: unknown kind 'apple-pie'; the kinds are quote, trade, bar, "
				  "order, deal, account, news, score, alert, label, clock and correction");
	says("{kind: []}", "detector 'd': where: 'kind': found an empty list; expected a text or a list of texts");
	says("{symbol: }", "detector 'd': where: 'symbol': found nothing; expected a text or a list of texts");
	says("{symbol: {a: b}}", "detector 'd': where: 'symbol': found a map; expected a text or a list of texts");
	says("{symbol: [a, [b]]}", "detector 'd': where: 'symbol': entry 2 is a list; expected a text");
	says("{symbol: '!'}", "detector 'd': where: '!' without a name behind it");
	says("EUR", "detector 'd': where: found a text; expected a map such as {kind: quote, symbol: EUR*}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_filter_is_compiled),
		cmocka_unit_test(nothing_lets_everything_pass),
		cmocka_unit_test(only_negative_globs_let_the_rest_pass),
		cmocka_unit_test(says_what_is_wrong),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
