#include "creel/order.h"

static int run(struct cli *c, int argc, char **argv)
{
	return order_executions(&verb_resume, c, argc, argv);
}

const struct verb verb_resume = {
    "resume",
    "[--reason TEXT] ID…",
    "let paused executions go on\n"
    "\n"
    "  -r, --reason TEXT     why, for those who read the record later\n"
    "  --json                print the event that answers\n"
    "\n"
    "Drops control/ID.resume and waits up to five seconds for the daemon's answer,\n"
    "which is printed.\n"
    "\n"
    "exit status: 0 obeyed, or dropped while no daemon runs; 1 refused, or there is\n"
    "nothing to decide; 2 wrong usage, or no access\n",
    run,
};
