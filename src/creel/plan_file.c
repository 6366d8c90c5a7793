#include "creel/plan_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "codec/source.h"
#include "creel/common.h"
#include "creel/json.h"
#include "creel/show_text.h"
#include "store/admit.h"
#include "store/catalog_http.h"
#include "store/catalog_plans.h"

static const char *extension_of(const char *name, const struct buf *text)
{
	static const char *const known[] = {"yaml", "yml", "json"};
	const char *slash = strrchr(name, '/'), *dot = strrchr(slash ? slash : name, '.');
	size_t k;

	for (k = 0; dot && k < sizeof known / sizeof *known; k++)
		if (strcmp(dot + 1, known[k]) == 0)
			return known[k];
	k = strspn(buf_str(text), " \t\r\n");
	return buf_str(text)[k] == '{' ? "json" : "yaml";
}

int plan_file_read(const char *arg, struct plan_file *f)
{
	bool is_stdin = strcmp(arg, "-") == 0;
	struct err e = {0};
	struct stat st;
	int fd, r;

	*f = (struct plan_file){.name = is_stdin ? "<stdin>" : arg, .text = BUF_INIT};
	fd = is_stdin ? dup(STDIN_FILENO) : open(arg, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0) {
		complain("cannot open %s: %s", f->name, strerror(errno));
		return -1;
	}
	if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
		complain("%s is a directory", f->name);
		close(fd);
		return -1;
	}
	r = fs_read_fd(fd, f->name, source_plan_limits.bytes, &f->text, &e);
	close(fd);
	if (r < 0 && e.code != EFBIG) {
		complain("%s", e.text);
		plan_file_free(f);
		return -1;
	}
	if (r < 0) { /* keep one byte too many, so that the check refuses it for its size */
		buf_reset(&f->text);
		buf_reserve(&f->text, source_plan_limits.bytes + 2);
		memset(f->text.p, ' ', source_plan_limits.bytes + 1);
		f->text.len = source_plan_limits.bytes + 1;
		f->text.p[f->text.len] = '\0';
	}
	f->ext = extension_of(f->name, &f->text);
	return 0;
}

void plan_file_free(struct plan_file *f)
{
	buf_free(&f->text);
}

static bool catalog_of(struct cli *c, struct plan_catalog *catalog)
{
	int *fd = &c->spool.fd[SPOOL_CATALOG];

	if (!c->opened)
		return false;
	if (*fd < 0)
		*fd = openat(c->spool.fd[SPOOL_ROOT], spool_dir_name(SPOOL_CATALOG), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (*fd < 0)
		return false;
	*catalog = catalog_plans(&c->spool);
	catalog->http = http_catalog_new(c->spool.fd[SPOOL_ROOT]);
	return true;
}

long plan_file_check(struct cli *c, const struct plan_file *f, struct diags *findings)
{
	AUTO_FREE char *name = xasprintf("plan.%s", f->ext);
	struct plan_catalog catalog = {0};
	struct admitted a;
	bool found = catalog_of(c, &catalog), right;
	long n;

	right = admit_plan_in(found ? &catalog : NULL, name, buf_str(&f->text), f->text.len, NULL, clock_wall(), &a, findings);
	http_catalog_free(catalog.http);
	if (!right)
		return -1;
	n = a.plan->n;
	admitted_free(&a);
	return n;
}

static void print_one(FILE *out, const char *name, long long line, long long column, const char *pointer,
		      const char *message, const char *suggestion)
{
	AUTO_BUF struct buf b = BUF_INIT;

	put_safe(&b, name);
	if (line > 0)
		buf_printf(&b, ":%lld:%lld", line, column);
	buf_puts(&b, ": ");
	if (*pointer) { /* the whole document needs no pointer */
		put_safe(&b, pointer);
		buf_puts(&b, ": ");
	}
	put_safe(&b, message);
	if (suggestion && *suggestion) {
		buf_puts(&b, "; ");
		put_safe(&b, suggestion);
	}
	buf_putc(&b, '\n');
	put_out(&b, out);
}

void findings_print(FILE *out, const char *name, const struct diags *findings)
{
	size_t k;

	for (k = 0; k < findings->n; k++) {
		const struct diag *d = &findings->v[k];

		print_one(out, name, d->line, d->column, d->pointer, d->message, d->suggestion);
	}
	if (findings->more)
		fprintf(out, "… and %zu more\n", findings->more);
}

void report_print(FILE *out, const char *name, const json_t *report)
{
	json_t *errors = json_object_get(report, "errors"), *one;
	size_t k;

	if (json_array_size(errors) == 0)
		print_one(out, name, json_number(report, "line"), json_number(report, "column"),
			  json_text_or_empty(report, "pointer"), json_text_or_empty(report, "message"),
			  json_text(report, "suggestion"));
	json_array_foreach(errors, k, one)
		print_one(out, name, json_number(one, "line"), json_number(one, "column"),
			  json_text_or_empty(one, "pointer"), json_text_or_empty(one, "message"),
			  json_text(one, "suggestion"));
}
