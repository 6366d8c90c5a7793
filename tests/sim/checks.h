/*
 * checks.h - shared by the files that check.
 */
#ifndef CREEL_TESTS_SIM_CHECKS_H
#define CREEL_TESTS_SIM_CHECKS_H

#include "core/decide.h"
#include "store/journal.h"
#include "store/spool.h"
#include "tests/sim/sim.h"

void each_execution(void (*visit)(const char *id, struct node *dir));
struct node *execution_dir(const char *id);
struct node *commit_file(struct node *execution, uint32_t seq);
bool holds_text(const struct node *file, const char *text);
void check_state(const char *id, const struct loaded *l, const struct node *dir);
/* The spool, as programs open it. */
struct spool *check_spool(void);
void check_spool_close(void);

#endif
