/*
 * tree.h - an execution with the executions that its actions run, and so on (plan.run).
 */
#ifndef CREEL_CREEL_TREE_H
#define CREEL_CREEL_TREE_H

#include <jansson.h>

#include "creel/verb.h"

/* Print the tree of an execution whose state.json is given. */
void tree_print(struct cli *c, const char *id, const json_t *state);

#endif
