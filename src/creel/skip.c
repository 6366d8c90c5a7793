#include "creel/order.h"

static int run(struct cli *c, int argc, char **argv)
{
	return order_action(&verb_skip, c, argc, argv);
}

const struct verb verb_skip = {
    "skip",
    "[--comment TEXT] ID [ACTION]",
    "pass an action over that failed, was lost or has not started\n"
    "\n"
    "  -m, --comment TEXT    why, for those who read the record later\n"
    "  --json                print the event that answers\n"
    "\n"
    "Drops confirm/ID.ACTION.skip, or control/ID.ACTION.skip where nobody was asked,\n"
    "and waits up to five seconds for the daemon's answer, which is printed.\n"
    "\n"
    "exit status: 0 obeyed, or dropped while no daemon runs; 1 refused, or there is\n"
    "nothing to decide; 2 wrong usage, or no access\n",
    run,
};
