/*
 * attend_impl.h - what the parts of attend share.
 */
#ifndef CREEL_CREEL_ATTEND_IMPL_H
#define CREEL_CREEL_ATTEND_IMPL_H

#include "creel/attend.h"
#include "creel/live.h"
#include "creel/show_text.h"
#include "creel/watch.h"

struct session {
	struct cli *c;
	struct attendee *a;
	size_t n;
	const struct attend_options *o;
	struct term term; /* stderr */
	struct live_block live;
	struct watch watch;
	bool showing;     /* events are printed: not while history is read that nobody asked for */
	msec next_look;   /* monotonic: at the daemon */
	bool daemon_gone; /* it was said */
};

/* One line about an event, where events are shown as lines. */
void attend_say_event(struct session *s, const struct attendee *a, const json_t *event);
/* How to answer what an execution asks. */
void attend_say_requests(struct session *s, const struct attendee *a);
/* One last word about an execution, unless all is well and the block on the screen says so. */
void attend_say_result(struct session *s, const struct attendee *a);

#endif
