#include "actions/http/pattern.h"

#include <errno.h>

#include "base/log.h"
#include "core/expr.h"

/* Each pattern has its own limit, about a second; a text made to be slow for one must not be so for a hundred. */
enum { COSTLY_MAX = 3 };

bool pattern_found(const char *pattern, const char *text, size_t n)
{
	static int costly;
	struct err e = {0};
	int found;

	if (costly >= COSTLY_MAX)
		return false;
	found = expr_match(pattern, text, n < EXPR_MATCH_MAX ? n : EXPR_MATCH_MAX, &e);
	costly += found < 0 && e.code == E2BIG;
	if (found < 0)
		log_warn("the pattern \"%s\" is passed over: %s", pattern, e.text);
	return found > 0;
}
