#include "creel/options.h"

#include <getopt.h>
#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/text.h"
#include "creel/common.h"

enum { OPTIONS_MAX = 24, FIRST_LONG = 256, LONG_HELP = FIRST_LONG + OPTIONS_MAX, LONG_SPOOL };

int usage(const struct verb *v, const char *fmt, ...)
{
	AUTO_BUF struct buf text = BUF_INIT;
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	complain("%s: %s", v->name, buf_str(&text));
	note("usage: creel %s %s", v->name, v->synopsis);
	note("\"creel help %s\" says more", v->name);
	return EXIT_UNABLE;
}

void verb_print_help(const struct verb *v)
{
	printf("usage: creel [--spool DIR] %s %s\n\n%s", v->name, v->synopsis, v->help);
}

static int unknown_option(const struct verb *v, const struct opt *o, size_t n, const char *word)
{
	const char *names[OPTIONS_MAX + 2], *near;
	char name[64];
	size_t k;

	if (!text_starts_with(word, "--"))
		return usage(v, "there is no option \"%s\"", word);
	snprintf(name, sizeof name, "%.*s", (int)strcspn(word + 2, "="), word + 2);
	for (k = 0; k < n; k++)
		names[k] = o[k].name;
	names[n] = "help";
	names[n + 1] = "spool";
	near = text_nearest(name, names, n + 2);
	if (near)
		return usage(v, "there is no option \"--%s\"; did you mean \"--%s\"?", name, near);
	return usage(v, "there is no option \"--%s\"", name);
}

static bool to_msec(const char *s, msec *out)
{
	char *end;
	double seconds = strtod(s, &end);

	if (end == s || *end || !isfinite(seconds) || seconds < 0 || seconds > 1e9)
		return false;
	*out = (msec)(seconds * 1000);
	return true;
}

static bool to_size(const char *s, uint64_t *out)
{
	static const char units[] = "KMGT";
	char *end;
	double n = strtod(s, &end);
	const char *unit = *end ? strchr(units, *end) : NULL;

	if (end == s || (*end && (!unit || end[1])))
		return false;
	if (unit)
		n *= (double)(1ULL << 10 * (unit - units + 1));
	if (!isfinite(n) || n < 0 || n > 9e18)
		return false;
	*out = (uint64_t)n;
	return true;
}

static int take_value(const struct verb *v, const struct opt *o, const char *value)
{
	struct texts *list = o->into;

	switch (o->kind) {
	case OPT_FLAG:
		*(bool *)o->into = true;
		return 0;
	case OPT_TEXT:
		*(const char **)o->into = value;
		return 0;
	case OPT_NUMBER:
		if (text_to_u64(value, o->into))
			return 0;
		usage(v, "--%s wants a whole number, not \"%s\"", o->name, value);
		return -1;
	case OPT_SIZE:
		if (to_size(value, o->into))
			return 0;
		usage(v, "--%s wants a size such as 1048576, 512M or 20G, not \"%s\"", o->name, value);
		return -1;
	case OPT_SECONDS:
		if (to_msec(value, o->into))
			return 0;
		usage(v, "--%s wants a number of seconds, not \"%s\"", o->name, value);
		return -1;
	case OPT_LIST:
		vec_push(list, value);
		return 0;
	}
	return -1;
}

static void make_tables(const struct opt *o, size_t n, struct option *longs, char *letters)
{
	size_t k, m = 0;

	letters[m++] = ':'; /* a missing value is told apart from an unknown option */
	letters[m++] = 'h';
	for (k = 0; k < n; k++) {
		bool value = o[k].kind != OPT_FLAG;

		longs[k] = (struct option){o[k].name, value ? required_argument : no_argument, NULL, FIRST_LONG + (int)k};
		if (!o[k].letter)
			continue;
		letters[m++] = o[k].letter;
		if (value)
			letters[m++] = ':';
	}
	letters[m] = '\0';
	longs[n++] = (struct option){"help", no_argument, NULL, LONG_HELP};
	longs[n++] = (struct option){"spool", required_argument, NULL, LONG_SPOOL};
	longs[n] = (struct option){0};
}

static const struct opt *find_option(const struct opt *o, size_t n, int c)
{
	size_t k;

	for (k = 0; k < n; k++)
		if (c == FIRST_LONG + (int)k || (o[k].letter && c == o[k].letter))
			return &o[k];
	return NULL;
}

bool options(struct cli *c, const struct verb *v, const struct opt *o, size_t n, int *argc, char ***argv,
	     int *status)
{
	struct option longs[OPTIONS_MAX + 3];
	char letters[2 * OPTIONS_MAX + 4];
	const struct opt *found;
	int got;

	make_tables(o, n, longs, letters);
	*status = EXIT_UNABLE;
	optind = 0; /* glibc: start anew */
	opterr = 0;
	while ((got = getopt_long(*argc, *argv, letters, longs, NULL)) != -1) {
		if (got == 'h' || got == LONG_HELP) {
			verb_print_help(v);
			*status = EXIT_DONE;
			return false;
		}
		if (got == LONG_SPOOL) {
			c->spool_arg = optarg;
			continue;
		}
		if (got == ':') {
			usage(v, "\"%s\" wants a value", (*argv)[optind - 1]);
			return false;
		}
		found = find_option(o, n, got);
		if (!found) {
			char letter[] = {'-', (char)optopt, '\0'};

			/* optopt is a letter only if the word was not a long option. */
			if (optopt >= FIRST_LONG)
				usage(v, "\"%s\" takes no value", (*argv)[optind - 1]);
			else
				unknown_option(v, o, n, optopt ? letter : (*argv)[optind - 1]);
			return false;
		}
		if (take_value(v, found, optarg) < 0)
			return false;
	}
	*argc -= optind;
	*argv += optind;
	return true;
}
