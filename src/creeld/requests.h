/*
 * requests.h - the files in confirm/: what a person is asked, and where an answered request goes.
 */
#ifndef CREEL_CREELD_REQUESTS_H
#define CREEL_CREELD_REQUESTS_H

#include "creeld/flush.h"

/* After these events: requests to publish, and to take away where something else than an answer settled them. */
void requests_changed(struct live *l, const struct events *events, struct flush_job *j);
/* A decision was obeyed: who decided, beside the request. */
void requests_answered(struct live *l, const struct input *in, struct flush_job *j);
/* The text of the open request of an action; owned by the caller. */
char *requests_text(struct live *l, uint32_t action);
/* A decision in confirm/by/USER that does not count: the reason goes to rejected/, the file stays. */
void requests_refuse_personal(struct daemon *d, const struct input *in, const char *why);

#endif
