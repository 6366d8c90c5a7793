#include "creel-run/spec.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/text.h"

enum kind { TEXT, NUMBER };

static const struct key {
	const char *name;
	enum kind kind;
	bool required;
	size_t offset;
	uint64_t max; /* of a number */
} keys[] = {
    {"dir", TEXT, true, offsetof(struct spec, dir), 0},
    {"results", TEXT, false, offsetof(struct spec, results), 0},
    {"link", TEXT, false, offsetof(struct spec, link), 0},
    {"execution", TEXT, true, offsetof(struct spec, execution), 0},
    {"action", TEXT, true, offsetof(struct spec, action), 0},
    {"attempt", NUMBER, true, offsetof(struct spec, attempt), UINT32_MAX},
    {"token", TEXT, true, offsetof(struct spec, token), 0},
    {"parent", NUMBER, false, offsetof(struct spec, parent), INT32_MAX},
    {"timeout_ms", NUMBER, false, offsetof(struct spec, timeout_ms), INT64_MAX / 4},
    {"grace_ms", NUMBER, false, offsetof(struct spec, grace_ms), INT64_MAX / 4},
    {"stdout_cap", NUMBER, false, offsetof(struct spec, stdout_cap), INT64_MAX},
    {"stderr_cap", NUMBER, false, offsetof(struct spec, stderr_cap), INT64_MAX},
    {"boot", TEXT, false, offsetof(struct spec, boot), 0},
    {"cwd", TEXT, false, offsetof(struct spec, cwd), 0},
    {"request", TEXT, false, offsetof(struct spec, request), 0},
    {"fd3", TEXT, false, offsetof(struct spec, fd3), 0},
    {"fd4", NUMBER, false, offsetof(struct spec, fd4), 1},
    {"no_new_privs", NUMBER, false, offsetof(struct spec, no_new_privs), 1},
    {"nofile", NUMBER, false, offsetof(struct spec, nofile), UINT64_MAX},
    {"core", NUMBER, false, offsetof(struct spec, core), UINT64_MAX},
};

enum { KEY_COUNT = sizeof keys / sizeof keys[0] };

static int set_key(struct spec *s, const char *name, size_t n, char *value, unsigned *seen, struct err *e)
{
	for (unsigned i = 0; i < KEY_COUNT; i++) {
		const struct key *k = &keys[i];
		char *field = (char *)s + k->offset;
		uint64_t number;

		if (strlen(k->name) != n || memcmp(k->name, name, n) != 0)
			continue;
		if (*seen & 1u << i)
			return err_set(e, EBADMSG, "%s is given twice", k->name);
		*seen |= 1u << i;
		if (k->kind == TEXT) {
			memcpy(field, &value, sizeof value);
			return 0;
		}
		if (!text_to_u64(value, &number) || number > k->max)
			return err_set(e, EBADMSG, "%s is not a number from 0 to %llu: \"%.40s\"", k->name,
				       (unsigned long long)k->max, value);
		memcpy(field, &number, sizeof number);
		return 0;
	}
	return err_set(e, EBADMSG, "unknown key \"%.*s\"", (int)(n < 60 ? n : 60), name);
}

static int check(const struct spec *s, unsigned seen, struct err *e)
{
	for (unsigned i = 0; i < KEY_COUNT; i++)
		if (keys[i].required && !(seen & 1u << i))
			return err_set(e, EBADMSG, "%s is missing", keys[i].name);
	if (!s->argv[0])
		return err_set(e, EBADMSG, "there is no arg");
	if (s->dir[0] != '/')
		return err_set(e, EBADMSG, "dir is not an absolute path: \"%.200s\"", s->dir);
	if (!s->results != !s->link)
		return err_set(e, EBADMSG, "results and link go together");
	if (s->results && s->results[0] != '/')
		return err_set(e, EBADMSG, "results is not an absolute path: \"%.200s\"", s->results);
	if (s->link && (s->link[0] == '\0' || s->link[0] == '.' || strchr(s->link, '/')))
		return err_set(e, EBADMSG, "link is not the name of a file: \"%.200s\"", s->link);
	return 0;
}

/* Sort the strings out.  The two vectors were made as long as there are strings. */
static int parse(struct spec *s, struct err *e)
{
	char *end = s->text + s->length;
	size_t args = 0, envs = 0, secrets = 0, number = 0;
	unsigned seen = 0;
	char *next;

	for (char *p = s->text; p < end; p = next) {
		char *equals = strchr(p, '=');
		size_t n;

		next = p + strlen(p) + 1;
		number++;
		if (!equals)
			return err_set(e, EBADMSG, "string %zu is no key=value: \"%.60s\"", number, p);
		n = (size_t)(equals - p);
		if (n == 3 && memcmp(p, "arg", n) == 0) {
			s->argv[args++] = equals + 1;
		} else if (n == 3 && memcmp(p, "env", n) == 0) {
			if (!strchr(equals + 1, '='))
				return err_set(e, EBADMSG, "env is no NAME=VALUE: \"%.60s\"", equals + 1);
			s->envp[envs++] = equals + 1;
		} else if (n == 6 && memcmp(p, "secret", n) == 0) {
			if (strlen(equals + 1) < MASK_SHORTEST)
				return err_set(e, EBADMSG, "string %zu: a secret of less than %d bytes cannot be masked", number,
					       MASK_SHORTEST);
			s->secrets[secrets++] = equals + 1;
		} else if (set_key(s, p, n, equals + 1, &seen, e) < 0) {
			return -1;
		}
	}
	return check(s, seen, e);
}

static int understand(struct spec *s, struct err *e)
{
	size_t strings = 0;

	if (s->length == 0)
		return err_set(e, EBADMSG, "it is empty");
	if (s->text[s->length - 1] != '\0')
		return err_set(e, EBADMSG, "it was cut short: the last string has no end");
	for (size_t i = 0; i < s->length; i++)
		strings += s->text[i] == '\0';
	s->argv = xcalloc(strings + 1, sizeof *s->argv);
	s->envp = xcalloc(strings + 1, sizeof *s->envp);
	s->secrets = xcalloc(strings + 1, sizeof *s->secrets);
	if (parse(s, e) < 0)
		return -1;
	mask_set_init(&s->masks, s->secrets);
	return 0;
}

static const struct spec defaults = {.grace_ms = SPEC_GRACE_MS, .stdout_cap = SPEC_OUTPUT_CAP,
				     .stderr_cap = SPEC_OUTPUT_CAP, .no_new_privs = 1,
				     .nofile = SPEC_AS_IS, .core = SPEC_AS_IS};

int spec_read(struct spec *s, int fd, struct err *e)
{
	int r;

	*s = defaults;
	r = fs_read_fd(fd, "the specification", SPEC_MAX, &s->bytes, e);
	s->text = s->bytes.p;
	s->length = s->bytes.len;
	return r < 0 ? -1 : understand(s, e);
}

int spec_take(struct spec *s, char *text, size_t n, struct err *e)
{
	*s = defaults;
	s->text = text;
	s->length = n;
	return understand(s, e);
}

void spec_free(struct spec *s)
{
	free(s->argv);
	free(s->envp);
	free(s->secrets);
	if (s->length > 0)
		explicit_bzero(s->text, s->length);
	buf_free(&s->bytes);
}
