#include "actions/common/executor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"

enum { REQUEST_MAX = 64 << 20, SECRETS_MAX = 4 << 20, DESCRIPTOR_MAX = 1 << 20 };

void executor_shield(void)
{
	const struct rlimit none = {0, 0};

	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	setrlimit(RLIMIT_CORE, &none);
}

int executor_directory(struct err *e)
{
	const char *path = getenv("CREEL_DIR");
	int fd = open(path ? path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? err_sys(e, errno, "cannot open the attempt's directory %s", path ? path : ".") : fd;
}

static json_t *parse(const char *what, const struct buf *text, struct err *e)
{
	json_error_t wrong;
	json_t *o = json_loadb(buf_str(text), text->len, JSON_REJECT_DUPLICATES, &wrong);

	if (o && json_is_object(o))
		return o;
	if (o)
		err_set(e, EBADMSG, "%s is no JSON object", what);
	else
		err_set(e, EBADMSG, "%s, line %d: %s", what, wrong.line, wrong.text);
	json_decref(o);
	return NULL;
}

json_t *executor_request(struct err *e)
{
	const char *path = getenv("CREEL_INPUT");
	AUTO_BUF struct buf text = BUF_INIT;

	if (!path) {
		err_set(e, EINVAL, "CREEL_INPUT is not set: it names the file with the request");
		return NULL;
	}
	if (fs_read(AT_FDCWD, path, REQUEST_MAX, &text, e) < 0)
		return NULL;
	return parse("the request", &text, e);
}

int executor_descriptor_number(const char *variable)
{
	const char *text = getenv(variable);
	uint64_t fd;

	return text && text_to_u64(text, &fd) && fd < DESCRIPTOR_MAX ? (int)fd : -1;
}

json_t *executor_descriptor(const char *variable, struct err *e)
{
	int fd = executor_descriptor_number(variable);
	struct buf text = BUF_INIT;
	json_t *o = NULL;

	if (fd < 0)
		return json_object();
	/* A file that others have read from is at its end; a pipe cannot be moved, and need not be. */
	if (lseek(fd, 0, SEEK_SET) < 0 && errno != ESPIPE)
		err_sys(e, errno, "cannot read descriptor %d (%s)", fd, variable);
	else if (fs_read_fd(fd, variable, SECRETS_MAX, &text, e) == 0)
		o = parse(variable, &text, e);
	close(fd);
	if (text.p)
		explicit_bzero(text.p, text.cap);
	buf_free(&text);
	return o;
}

static int write_file(const char *path, const json_t *o, struct err *e)
{
	AUTO_FREE char *text = json_dumps(o, JSON_COMPACT);
	int fd, r;

	if (!text)
		return err_set(e, ENOMEM, "cannot write %s: memory ran out, or a text is not UTF-8", path);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return err_sys(e, errno, "cannot create %s", path);
	r = fs_write_all(fd, text, strlen(text), e);
	if (close(fd) < 0 && r == 0)
		r = err_sys(e, errno, "cannot close %s", path);
	return r;
}

int executor_succeed(const json_t *output, struct err *e)
{
	const char *path = getenv("CREEL_OUTPUT");

	if (!path)
		return err_set(e, EINVAL, "CREEL_OUTPUT is not set: it names the file for the outputs");
	return write_file(path, output, e);
}

void executor_fail(const json_t *error)
{
	const char *path = getenv("CREEL_ERROR"), *message = json_string_value(json_object_get(error, "message"));
	struct err e = {0};

	log_error("%s", message ? message : "it failed");
	if (path && write_file(path, error, &e) < 0)
		log_error("%s; the error is known from this line only", e.text);
}
