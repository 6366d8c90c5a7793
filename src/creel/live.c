#include "creel/live.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "creel/ids.h"

enum { ROOM_LEAST = 3, ID_COLUMNS = 28 };

struct lines {
	char **v;
	size_t n, cap;
};

static enum tone step_tone(enum step_status s)
{
	return tone_of_status(s == STEP_BACKOFF ? "asking" : step_word(s));
}

/* What a watcher wants to see first when there is not room for all. */
static int importance(const struct step *s)
{
	static const int ranks[STEP_COUNT] = {
	    [STEP_RUNNING] = 0, [STEP_ASKING] = 0, [STEP_BACKOFF] = 1,   [STEP_FAILED] = 2,
	    [STEP_COMPLETED] = 3, [STEP_WAITING] = 4, [STEP_SKIPPED] = 5,
	};

	return ranks[s->status];
}

/* "3.1 s" since the attempt started, or until the next one starts. */
static void put_step_time(struct buf *b, const struct step *s, msec now)
{
	if (s->status == STEP_RUNNING && s->started)
		put_duration(b, now - s->started);
	else if (s->status == STEP_BACKOFF && s->next > now)
		put_duration(b, s->next - now);
	else if (s->ended && s->started && s->ended >= s->started)
		put_duration(b, s->ended - s->started);
}

static char *step_line(const struct step *s, const struct term *t, msec now)
{
	AUTO_BUF struct buf took = BUF_INIT;
	AUTO_BUF struct buf tail = BUF_INIT;
	AUTO_BUF struct buf id = BUF_INIT;
	struct buf b = BUF_INIT;
	int left = t->columns - 1;

	buf_puts(&b, "  ");
	put_tone(&b, t, step_tone(s->status), step_word(s->status));
	buf_printf(&b, "%*s", 11 - (int)strlen(step_word(s->status)), "");
	put_safe(&id, s->id);
	put_padded(&b, buf_str(&id), ID_COLUMNS);
	put_step_time(&took, s, now);
	buf_printf(&b, " %12s", buf_str(&took));
	left -= 2 + 11 + ID_COLUMNS + 13;
	if (s->attempt > 1)
		buf_printf(&tail, "  attempt %lld", s->attempt);
	if (s->note)
		buf_printf(&tail, "  %s", s->note);
	if (left > 4)
		put_clipped(&b, buf_str(&tail), left);
	return buf_steal(&b);
}

static char *head_line(const struct attendee *a, const struct term *t, msec now)
{
	const struct progress *p = &a->progress;
	const char *status = a->result ? a->result : p->outcome ? p->outcome : p->paused ? "paused" : "running";
	AUTO_BUF struct buf name = BUF_INIT;
	AUTO_BUF struct buf rest = BUF_INIT;
	struct buf b = BUF_INIT;
	int columns = t->columns - 1;

	put_safe(&name, p->name);
	buf_printf(&rest, " %s  %u/%u done", id_short(a->id), p->count[STEP_COMPLETED] + p->count[STEP_SKIPPED], p->n);
	if (p->count[STEP_FAILED])
		buf_printf(&rest, ", %u failed", p->count[STEP_FAILED]);
	if (p->count[STEP_ASKING])
		buf_printf(&rest, ", %u asking", p->count[STEP_ASKING]);
	if (p->started) {
		buf_puts(&rest, "  ");
		put_duration(&rest, (p->ended ? p->ended : now) - p->started);
	}
	columns -= (int)strlen(status) + 2;
	put_tone(&b, t, tone_of_status(status), status);
	buf_puts(&b, "  ");
	buf_puts(&b, tone_on(t, TONE_BOLD));
	columns -= put_clipped(&b, buf_str(&name), columns > 30 ? columns - 30 : 0);
	buf_puts(&b, tone_off(t));
	put_clipped(&b, buf_str(&rest), columns);
	return buf_steal(&b);
}

/* The most important steps, at most room of them, in the plan's order. */
static void put_steps(struct lines *out, const struct progress *p, size_t room, const struct term *t, msec now)
{
	size_t of_rank[8] = {0}, shown = 0;
	uint32_t i;
	int rank;

	if (p->n > room)
		room--; /* the last line says how many are not shown */
	for (i = 0; i < p->n; i++)
		of_rank[importance(&p->steps[i])]++;
	/* of_rank becomes the number that may be shown of each rank */
	for (rank = 0; rank < 8; rank++) {
		if (of_rank[rank] > room - shown)
			of_rank[rank] = room - shown;
		shown += of_rank[rank];
	}
	for (i = 0; i < p->n; i++) {
		rank = importance(&p->steps[i]);
		if (of_rank[rank] == 0)
			continue;
		of_rank[rank]--;
		vec_push(out, step_line(&p->steps[i], t, now));
	}
	if (shown < p->n)
		vec_push(out, xasprintf("  … and %zu more", (size_t)p->n - shown));
}

static void make_lines(struct lines *out, const struct attendee *a, size_t n, const char *remark,
		       const struct term *t)
{
	msec now = clock_wall();
	/* one line stays free for the cursor, and one for the remark */
	size_t rows = t->rows > ROOM_LEAST + 2 ? (size_t)t->rows - 2 : ROOM_LEAST, heads = n < rows ? n : rows - 1;
	size_t room = (rows - heads) / (n ? n : 1), k;

	for (k = 0; k < heads; k++) {
		vec_push(out, head_line(&a[k], t, now));
		if (room > 1)
			put_steps(out, &a[k].progress, room, t, now);
	}
	if (heads < n)
		vec_push(out, xasprintf("… and %zu more executions", n - heads));
	if (remark && *remark) {
		struct buf b = BUF_INIT;

		put_clipped(&b, remark, t->columns - 1);
		vec_push(out, buf_steal(&b));
	}
}

static void write_lines(const struct live_block *l, const struct lines *now)
{
	AUTO_BUF struct buf b = BUF_INIT;
	size_t k;

	if (l->n > 0)
		buf_printf(&b, "\033[%zuA\r", l->n);
	for (k = 0; k < now->n; k++) {
		if (k >= l->n || strcmp(l->lines[k], now->v[k]) != 0) {
			buf_puts(&b, now->v[k]);
			buf_puts(&b, "\033[K");
		}
		buf_putc(&b, '\n');
	}
	if (now->n < l->n)
		buf_puts(&b, "\033[J"); /* fewer lines than before: clear what is below */
	fflush(stdout);
	fwrite(b.p, 1, b.len, stderr);
	fflush(stderr);
}

static void forget(struct live_block *l)
{
	size_t k;

	for (k = 0; k < l->n; k++)
		free(l->lines[k]);
	free(l->lines);
	*l = (struct live_block){0};
}

void live_draw(struct live_block *l, const struct attendee *a, size_t n, const char *remark)
{
	struct lines now = {0};
	struct term t;

	term_look(STDERR_FILENO, &t);
	make_lines(&now, a, n, remark, &t);
	write_lines(l, &now);
	forget(l);
	l->lines = now.v;
	l->n = now.n;
}

void live_end(struct live_block *l)
{
	forget(l);
}
