#include "creeld/writeback.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "store/again.h"

enum { ATTEMPTS = 32 }; /* between two */

static struct {
	pthread_mutex_t mutex;
	pthread_cond_t wake;
	bool due;
	size_t attempts; /* since the last; the flusher's */
	int fd;
} writeback = {.mutex = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER, .fd = -1};

static void *run(void *unused)
{
	(void)unused;
	pthread_mutex_lock(&writeback.mutex);
	for (;;) {
		while (!writeback.due)
			pthread_cond_wait(&writeback.wake, &writeback.mutex);
		writeback.due = false;
		pthread_mutex_unlock(&writeback.mutex);
		if (syncfs(writeback.fd) < 0) {
			log_debug("cannot write back what attempts left: %s", strerror(errno));
			again_needed(); /* the flush at the end fails as well, and is tried again */
		}
		pthread_mutex_lock(&writeback.mutex);
	}
	return NULL;
}

void writeback_start(const struct spool *s)
{
	pthread_t thread;
	int r;

	/* Opened anew, not duplicated: the kernel tells each open file once that something could not be written, and the
	 * one that ends are flushed by must hear of it. */
	writeback.fd = openat(s->fd[SPOOL_ROOT], ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (writeback.fd < 0) {
		log_warn("cannot open the spool for writing back: %s; executions end more slowly", strerror(errno));
		return;
	}
	r = pthread_create(&thread, NULL, run, NULL);
	if (r == 0) {
		pthread_detach(thread);
		return;
	}
	log_warn("cannot start the thread that writes back: %s; executions end more slowly", strerror(r));
	close(writeback.fd);
	writeback.fd = -1;
}

void writeback_count(const struct flush_job *j)
{
	size_t k, n = 0;

	for (k = 0; k < j->commits.n; k++)
		n += events_count(&j->commits.v[k].events, EV_ACTION_REQUESTED);
	/* Where one attempt follows another, the next commit is waited for: nothing is to be in its way. */
	if (n > 1)
		writeback.attempts += n;
	if (writeback.fd < 0 || writeback.attempts < ATTEMPTS)
		return;
	writeback.attempts = 0;
	pthread_mutex_lock(&writeback.mutex);
	writeback.due = true;
	pthread_cond_broadcast(&writeback.wake);
	pthread_mutex_unlock(&writeback.mutex);
}
