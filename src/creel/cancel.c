#include "creel/order.h"

static int run(struct cli *c, int argc, char **argv)
{
	return order_executions(&verb_cancel, c, argc, argv);
}

const struct verb verb_cancel = {
    "cancel",
    "[--reason TEXT] ID…",
    "stop executions\n"
    "\n"
    "What runs is ended, nothing new starts, and the execution ends as cancelled.\n"
    "\n"
    "  -r, --reason TEXT     why, for those who read the record later\n"
    "  --json                print the event that answers\n"
    "\n"
    "Drops control/ID.cancel and waits up to five seconds for the daemon's answer,\n"
    "which is printed.\n"
    "\n"
    "exit status: 0 obeyed, or dropped while no daemon runs; 1 refused, or there is\n"
    "nothing to decide; 2 wrong usage, or no access\n",
    run,
};
