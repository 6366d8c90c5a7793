/*
 * plans.c - what people drop into the inbox.  The name of a plan says which drop it came from.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/sim.h"

#define RETRY(n)                                                                                                       \
	"retryPolicy: {maxAttempts: " #n ", initialDelay: 1000, maxDelay: 5000, backoffMultiplier: 2,"                  \
	" retryableErrors: [api_unexpected_status, network_timeout], jitter: true}"
#define ACT(id, more) "- {id: " id ", actionDefinitionId: command, inputs: {command: work}" more "}\n"

/* %u is the drop's tag. */
static const struct {
	bool bad;
	const char *ext, *text;
} plans[] = {
    {false, "yaml", "name: p-%u\nactions:\n" ACT("only", "")},
    {false, "yml", "name: p-%u\nactions:\n" ACT("a", "") ACT("b", ", dependencies: [a], " RETRY(3)) ACT("c", ", dependencies: [b]")},
    /* 12 actions, 3 at once, a retry, a confirmation, a timeout, a fallback */
    {false, "yaml", "name: p-%u\nmaxConcurrency: 3\nactions:\n" ACT("fetch", ", " RETRY(4))
		 ACT("left", ", dependencies: [fetch], onFailure: continue") ACT("middle", ", dependencies: [fetch], onFailure: continue")
		 ACT("right", ", dependencies: [fetch], timeoutMs: 300, onFailure: skip_dependents")
		 ACT("join", ", dependencies: [left, middle, right]")
		 ACT("approve", ", dependencies: [join], userConfirmation: {required: true, title: Go, message: Really, timeout: 600000}")
		 ACT("ship", ", dependencies: [approve], errorHandling: {continueOnFailure: false, alternativeActionId: by_hand}")
		 ACT("by_hand", "") ACT("tell", ", dependencies: [ship], errorHandling: {continueOnFailure: false, fallbackValue: {ok: said}}")
		 ACT("clean", ", dependencies: [tell], onFailure: continue") ACT("log", ", dependencies: [tell], onFailure: continue")
		 ACT("end", ", dependencies: [clean, log]")},
    {false, "yaml", "name: p-%u\nactions:\n" ACT("a", ", onFailure: continue") ACT("b", ", onFailure: continue") ACT("c", ", onFailure: continue")
		 ACT("d", ", onFailure: continue") ACT("e", ", onFailure: continue") ACT("f", ", onFailure: continue")
		 ACT("g", ", onFailure: continue") ACT("h", ", onFailure: continue") ACT("sum", ", dependencies: [a, b, c, d, e, f, g, h]")},
    {false, "yaml", "name: p-%u\nactions:\n" ACT("list", ", onFailure: continue")
		 "- {id: each, actionDefinitionId: command, dependencies: [list], forEach: {items: [1, 2, 3, 4, 5], width: 2},"
		 " inputs: {command: work, args: ['${vars.item}']}, " RETRY(2) "}\n" ACT("after", ", dependencies: [each]")},
    {false, "yaml", "name: p-%u\nactions:\n" ACT("asks", ", onFailure: ask, onLost: ask") ACT("next", ", dependencies: [asks], onLost: fail")},
    {false, "yaml", "name: p-%u\nactions:\n" ACT("go", ", userConfirmation: {required: true, title: t, message: m}")
		 ACT("other", ", resources: [tree], queue: narrow") ACT("third", ", resources: [tree], queue: narrow, onLost: fail")
		 ACT("last", ", dependencies: [go, other, third], priority: 5")},
    {false, "json", "{\"name\": \"p-%u\", \"actions\": [{\"id\": \"sub\", \"actionDefinitionId\": \"plan.run\", \"onFailure\": \"ask\", \"inputs\": "
	     "{\"plan\": {\"name\": \"child\", \"actions\": [{\"id\": \"one\", \"actionDefinitionId\": \"command\", \"inputs\": "
	     "{\"command\": \"work\"}}, {\"id\": \"two\", \"actionDefinitionId\": \"command\", \"dependencies\": [\"one\"], \"inputs\": "
	     "{\"command\": \"work\"}}]}}}, {\"id\": \"rest\", \"actionDefinitionId\": \"command\", \"dependencies\": [\"sub\"], \"inputs\": "
	     "{\"command\": \"work\"}}]}\n"},
    {false, "yaml", "name: p-%u\nactions:\n" ACT("code", ", compensate: undo") ACT("undo", "")
		 ACT("review", ", dependencies: [code], loop: {until: review.output.flag, backTo: code, maxIterations: 3}")},
    {false, "yaml", "plan_id: p-%u\nname: p-%u\nglobals: {max_concurrency: 2, default_timeout_sec: 5, max_step_duration_sec: 60}\nsteps:\n"
	     "- {id: s1, command: work, retries: 2, retry_delay_sec: 1, critical: true}\n"
	     "- {id: s2, command: work, depends_on: [s1], on_failure: fallback_step, fallback_step: s3}\n"
	     "- {id: s3, command: work}\n- {id: s4, command: work, depends_on: [s2], on_failure: continue}\n"},
    {false, "yaml", "name: p-%u\ntimeoutMs: 60000\nonAbort: terminate\nactions:\n" ACT("slow", ", breaker: tool")
		 ACT("slower", ", dependencies: [slow], breaker: tool, " RETRY(3)) ACT("beside", ", breaker: {name: tool, onOpen: fail}")
		 ACT("when", ", dependencies: [slow], when: 'slow.output.n == 3'")},
    {true, "yaml", "name: p-%u\nactions:\n" ACT("a", ", dependencies: [b]") ACT("b", ", dependencies: [a]")},
    {true, "yaml", "name: p-%u\nactions: [{id: {}]\n"},
    {true, "txt", "p-%u is no plan\n"},
};

char *plan_text(unsigned tag, bool *good, const char **ext)
{
	static char text[8192];
	uint32_t k = below(sizeof plans / sizeof *plans);

	if (plans[k].bad && !one_in(3))
		k = 2;
	*good = !plans[k].bad;
	*ext = plans[k].ext;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(text, sizeof text, plans[k].text, tag, tag);
#pragma GCC diagnostic pop
	return text;
}
