#include "creel/order.h"

static int run(struct cli *c, int argc, char **argv)
{
	return order_action(&verb_reject, c, argc, argv);
}

const struct verb verb_reject = {
    "reject",
    "[--comment TEXT] ID [ACTION]",
    "refuse an action that waits for a decision\n"
    "\n"
    "Refusing a confirmation cancels the execution.  ACTION may be left out if only\n"
    "one waits.\n"
    "\n"
    "  -m, --comment TEXT    why, for those who read the record later\n"
    "  --json                print the event that answers\n"
    "\n"
    "Drops confirm/ID.ACTION.reject and waits up to five seconds for the daemon's\n"
    "answer, which is printed.\n"
    "\n"
    "exit status: 0 obeyed, or dropped while no daemon runs; 1 refused, or there is\n"
    "nothing to decide; 2 wrong usage, or no access\n",
    run,
};
