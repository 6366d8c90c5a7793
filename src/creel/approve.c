#include "creel/order.h"

static int run(struct cli *c, int argc, char **argv)
{
	return order_action(&verb_approve, c, argc, argv);
}

const struct verb verb_approve = {
    "approve",
    "[--comment TEXT] [--input NAME=VALUE]… ID [ACTION]",
    "let an action that waits for a decision go on\n"
    "\n"
    "ACTION may be left out if only one waits.  \"creel pending\" lists what waits,\n"
    "and what would run.  Where the plan names approvers or wants several, the\n"
    "decision goes into your own directory, confirm/by/USER.\n"
    "\n"
    "  -m, --comment TEXT    why, for those who read the record later\n"
    "  -i, --input NAME=V    give the action this input instead of the plan's; V is\n"
    "                        JSON if it parses as that, else text\n"
    "  --input               read the value that the request asks for (also without\n"
    "                        this): from the terminal, which does not show it, or\n"
    "                        from standard input.  The daemon keeps it in memory only\n"
    "  --json                print the event that answers\n"
    "\n"
    "Drops confirm/ID.ACTION.approve and waits up to five seconds for the daemon's\n"
    "answer, which is printed.\n"
    "\n"
    "exit status: 0 obeyed, or dropped while no daemon runs; 1 refused, or there is\n"
    "nothing to decide; 2 wrong usage, or no access\n",
    run,
};
