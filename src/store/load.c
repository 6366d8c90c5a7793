#include "store/load.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include "base/fs.h"
#include "base/mem.h"

/* Fewer executions are read before another thread has begun; more threads would wait for the one that takes. */
enum { LEAST = 3, HELPERS_MOST = 3 };

struct ready {
	struct load load;
	struct ready *next;
};

/* Everybody reads the next that nobody has begun; what helpers have read waits in a queue. */
struct crew {
	const struct spool *spool;
	char *const *ids;
	size_t n;

	pthread_mutex_t mutex; /* guards what follows */
	pthread_cond_t news;
	size_t begun;
	size_t helpers;
	struct ready *first, **end;
};

void load_one(const struct spool *s, const char *id, struct load *out)
{
	char path[SPOOL_PATH_MAX];

	*out = (struct load){.id = id};
	spool_execution_path(id, path);
	out->there = fs_there(s->fd[SPOOL_ROOT], path, &out->e);
	if (out->there > 0)
		journal_load(s, id, false, &out->loaded, &out->e);
}

static const char *begin_next(struct crew *c)
{
	return c->begun < c->n ? c->ids[c->begun++] : NULL;
}

static void *help(void *crew)
{
	struct crew *c = crew;
	const char *id;

	pthread_mutex_lock(&c->mutex);
	while ((id = begin_next(c))) {
		struct ready *r = xcalloc(1, sizeof *r);

		pthread_mutex_unlock(&c->mutex);
		load_one(c->spool, id, &r->load);
		pthread_mutex_lock(&c->mutex);
		*c->end = r;
		c->end = &r->next;
		pthread_cond_broadcast(&c->news);
	}
	c->helpers--;
	pthread_cond_broadcast(&c->news);
	pthread_mutex_unlock(&c->mutex); /* the crew may be gone from here on */
	return NULL;
}

/* Those that cannot be had are not missed: the caller reads by itself. */
static void hire(struct crew *c)
{
	cpu_set_t ours;
	int k, most;

	if (c->n < LEAST || sched_getaffinity(0, sizeof ours, &ours) < 0)
		return;
	most = CPU_COUNT(&ours) - 1;
	pthread_mutex_lock(&c->mutex);
	for (k = 0; k < most && k < HELPERS_MOST; k++) {
		pthread_t thread;

		if (pthread_create(&thread, NULL, help, c) != 0)
			break;
		pthread_detach(thread);
		c->helpers++;
	}
	pthread_mutex_unlock(&c->mutex);
}

/* The next that is read, or that is to be read here (*id); NULL and no id: that was all. */
static struct ready *next(struct crew *c, const char **id)
{
	struct ready *r;

	pthread_mutex_lock(&c->mutex);
	while (!c->first && !(*id = begin_next(c)) && c->helpers > 0)
		pthread_cond_wait(&c->news, &c->mutex);
	r = c->first;
	if (r) {
		c->first = r->next;
		if (!c->first)
			c->end = &c->first;
	}
	pthread_mutex_unlock(&c->mutex);
	return r;
}

void load_many(const struct spool *s, char *const *ids, size_t n, void (*take)(void *ctx, struct load *l), void *ctx)
{
	struct crew c = {.spool = s, .ids = ids, .n = n, .mutex = PTHREAD_MUTEX_INITIALIZER, .news = PTHREAD_COND_INITIALIZER,
			 .end = &c.first};
	const char *id = NULL;
	struct ready *r;
	struct load own;

	hire(&c);
	while ((r = next(&c, &id)) || id) {
		if (!r)
			load_one(s, id, &own);
		take(ctx, r ? &r->load : &own);
		free(r);
		id = NULL;
	}
}
