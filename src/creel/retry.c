#include "creel/order.h"

static int run(struct cli *c, int argc, char **argv)
{
	return order_action(&verb_retry, c, argc, argv);
}

const struct verb verb_retry = {
    "retry",
    "[--comment TEXT] [--input NAME=VALUE]… ID [ACTION]",
    "run an action again that failed or was lost\n"
    "\n"
    "Also after its execution is over, which is then opened again with everything\n"
    "that completed kept.  ACTION may be left out if only one waits for that\n"
    "decision, or only one failed.\n"
    "\n"
    "  -m, --comment TEXT    why, for those who read the record later\n"
    "  -i, --input NAME=V    give the action this input instead of the plan's; V is\n"
    "                        JSON if it parses as that, else text\n"
    "  --json                print the event that answers\n"
    "\n"
    "Drops confirm/ID.ACTION.retry, or control/ID.ACTION.retry where nobody was\n"
    "asked, and waits up to five seconds for the daemon's answer, which is printed.\n"
    "\n"
    "exit status: 0 obeyed, or dropped while no daemon runs; 1 refused, or there is\n"
    "nothing to decide; 2 wrong usage, or no access\n",
    run,
};
