#include "base/log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/text.h"

static const char *name = "creel";
static enum log_level most_level = LOG_LEVEL_INFO;
static bool to_journal;

void log_open(const char *program, enum log_level most)
{
	name = program;
	most_level = most;
	to_journal = getenv("JOURNAL_STREAM") != NULL;
}

void log_line(enum log_level level, const char *fmt, ...)
{
	static const char *const names[] = {"error", "warning", "info", "debug"};
	static const char *const priorities[] = {"<3>", "<4>", "<6>", "<7>"};
	AUTO_BUF struct buf text = BUF_INIT;
	AUTO_BUF struct buf line = BUF_INIT;
	char when[CLOCK_TEXT];
	va_list ap;

	if (level > most_level)
		return;
	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	clock_format(clock_wall(), when);
	if (to_journal)
		buf_printf(&line, "%s", priorities[level]);
	else
		buf_printf(&line, "%s %s %s: ", when, name, names[level]);
	text_escape(&line, text.p, text.len);
	buf_putc(&line, '\n');
	if (write(STDERR_FILENO, line.p, line.len) < 0) {
		/* nobody is left to tell */
	}
}
