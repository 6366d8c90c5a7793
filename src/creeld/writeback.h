/*
 * writeback.h - what attempts leave is written back while others run, so that the end need not wait for all of it.
 *
 * An execution leaves active/ when all that its attempts wrote is on disk.  That is one syncfs, which for a thousand
 * attempts has thousands of small files to write while nothing runs any more.  A thread of its own calls it every now
 * and then before.  Nothing depends on it: what it could not write is found by the syncfs at the end.
 */
#ifndef CREELD_WRITEBACK_H
#define CREELD_WRITEBACK_H

#include "creeld/flush.h"

/* Once, before any job.  Without it everything works, and ends take longer. */
void writeback_start(const struct spool *s);

/* From the flusher, after a job. */
void writeback_count(const struct flush_job *j);

#endif
