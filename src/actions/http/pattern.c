#include "actions/http/pattern.h"

#include "base/log.h"
#include "core/expr.h"

bool pattern_found(const char *pattern, const char *text, size_t n)
{
	struct err e = {0};
	int found = expr_match(pattern, text, n < EXPR_MATCH_MAX ? n : EXPR_MATCH_MAX, &e);

	if (found < 0)
		log_warn("the pattern \"%s\" is passed over: %s", pattern, e.text);
	return found > 0;
}
