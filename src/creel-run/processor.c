#include "creel-run/processor.h"

#include <sched.h>
#include <stdbool.h>

static cpu_set_t given;
static bool kept;

static int nth(unsigned n)
{
	int cpu;

	n %= (unsigned)CPU_COUNT(&given);
	for (cpu = 0; !CPU_ISSET(cpu, &given) || n-- > 0; cpu++)
		;
	return cpu;
}

void processor_keep(unsigned n)
{
	cpu_set_t one;

	/* Fails where there are more processors than the set has room for. */
	if (sched_getaffinity(0, sizeof given, &given) < 0 || CPU_COUNT(&given) == 0)
		return;
	CPU_ZERO(&one);
	CPU_SET(nth(n), &one);
	kept = sched_setaffinity(0, sizeof one, &one) == 0;
}

void processor_any(void)
{
	/* If one of them went away meanwhile, the kernel takes those that are left. */
	if (kept)
		sched_setaffinity(0, sizeof given, &given);
}
