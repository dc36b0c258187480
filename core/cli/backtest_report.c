#include "cli/backtest.h"
int backtest_report(struct backtest *b)
{
	(void)b;
	return CLI_GO;
}
