/*
 * catalog_plans.h - the plans in a spool's catalog/plans, for plan.run.
 *
 * NAME is the file NAME.yaml, NAME.yml or NAME.json there, the first that is there.  They are read like what is
 * dropped: below the directory, no links, regular files under the cap of plans.
 */
#ifndef CREEL_STORE_CATALOG_PLANS_H
#define CREEL_STORE_CATALOG_PLANS_H

#include "store/admit.h"
#include "store/spool.h"

/* The spool must outlive it. */
struct plan_catalog catalog_plans(const struct spool *s);

#endif
