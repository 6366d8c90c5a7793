#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "creel/common.h"
#include "creel/options.h"

const struct verb *const verbs[] = {
    &verb_init,   &verb_validate, &verb_submit,  &verb_ls,     &verb_show,   &verb_log,   &verb_trace, &verb_wait,
    &verb_status, &verb_pending,  &verb_approve, &verb_reject, &verb_retry,  &verb_skip,  &verb_cancel,
    &verb_pause,  &verb_resume,   &verb_path,    &verb_action, &verb_state,  &verb_export, &verb_import, &verb_gc,    &verb_verify,
    &verb_rebuild, &verb_help,    &verb_version, NULL,
};

const struct verb *verb_find(const char *name)
{
	/* what people type who come from elsewhere */
	static const char *const others[][2] = {
	    {"list", "ls"}, {"run", "submit"}, {"add", "submit"}, {"logs", "log"}, {"abort", "cancel"},
	    {"check", "validate"}, {"kill", "cancel"}, {"continue", "resume"}, {"ps", "ls"}, {"follow", "wait"},
	    {"prune", "gc"}, {"clean", "gc"}, {"rm", "gc"}, {"restore", "import"}, {"backup", "export"},
	};
	const char *names[COUNT(verbs)], *near = NULL;
	size_t n = 0, k;

	for (; verbs[n]; n++) {
		names[n] = verbs[n]->name;
		if (strcmp(verbs[n]->name, name) == 0)
			return verbs[n];
	}
	for (k = 0; k < COUNT(others); k++)
		if (strcmp(others[k][0], name) == 0)
			near = others[k][1];
	if (!near)
		near = text_nearest(name, names, n);
	if (near)
		complain("there is no verb \"%s\"; did you mean \"%s\"?", name, near);
	else
		complain("there is no verb \"%s\"; \"creel help\" lists them", name);
	return NULL;
}
