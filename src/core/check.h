/*
 * check.h - what is wrong with a whole plan: cycles, references, expressions, the shell rule.
 *
 * Runs at admission and in `creel validate`, after the shape was checked and the plan was loaded.  Adds every
 * finding, with pointers into the canonical plan.
 */
#ifndef CREEL_CORE_CHECK_H
#define CREEL_CORE_CHECK_H

#include "model/diag.h"
#include "model/plan.h"

void plan_check(const struct plan *p, struct diags *errors);

/* The parts, for their tests. */
bool plan_check_cycles(const struct plan *p, struct diags *errors);
void plan_check_references(const struct plan *p, struct diags *errors);
void plan_check_shell(const struct plan *p, struct diags *errors);
void plan_check_standbys(const struct plan *p, struct diags *errors);

#endif
