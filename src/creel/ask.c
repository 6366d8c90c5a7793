#include "creel/ask.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/text.h"
#include "creel/common.h"

enum { VALUE_MAX = 60000 }; /* of schema decision */

static struct termios before;
static volatile sig_atomic_t quiet;

/* A terminal without an echo must not be left behind. */
static void on_signal(int sig)
{
	if (quiet)
		tcsetattr(STDIN_FILENO, TCSANOW, &before);
	signal(sig, SIG_DFL);
	raise(sig);
}

static void echo_off(void)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGQUIT, SIGHUP};
	struct termios now;
	size_t k;

	if (tcgetattr(STDIN_FILENO, &before) < 0)
		return;
	now = before;
	now.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK | ECHONL);
	for (k = 0; k < sizeof signals / sizeof *signals; k++)
		signal(signals[k], on_signal);
	quiet = tcsetattr(STDIN_FILENO, TCSAFLUSH, &now) == 0;
}

static void echo_on(void)
{
	if (quiet)
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
	quiet = 0;
}

/* One line. */
static int read_terminal(const char *prompt, struct buf *out)
{
	AUTO_BUF struct buf shown = BUF_INIT;
	char c = 0;
	ssize_t n;

	text_escape(&shown, prompt, strlen(prompt));
	buf_puts(&shown, ": ");
	if (fs_write_all(STDERR_FILENO, shown.p, shown.len, NULL) < 0)
		return -1;
	echo_off();
	while ((n = read(STDIN_FILENO, &c, 1)) != 0 && c != '\n' && out->len < VALUE_MAX) {
		if (n < 0 && errno != EINTR)
			break;
		if (n > 0)
			buf_putc(out, c);
	}
	echo_on();
	return fs_write_all(STDERR_FILENO, "\n", 1, NULL);
}

int ask_value(const char *prompt, struct buf *out)
{
	struct err e = {0};

	buf_reserve(out, VALUE_MAX + 1); /* so that it is never moved, and no copy stays behind */
	if (isatty(STDIN_FILENO) ? read_terminal(prompt, out) : fs_read_fd(STDIN_FILENO, "standard input", VALUE_MAX, out, &e)) {
		complain("cannot read the value: %s", e.text[0] ? e.text : "the terminal is gone");
		return -1;
	}
	while (out->len > 0 && (out->p[out->len - 1] == '\n' || out->p[out->len - 1] == '\r'))
		out->p[--out->len] = '\0';
	if (out->len == 0)
		complain("nothing was typed in");
	else if (!text_is_utf8(out->p, out->len) || memchr(out->p, '\0', out->len))
		complain("the value is not UTF-8 text");
	else
		return 0;
	return -1;
}

void ask_wipe(struct buf *value)
{
	if (value->p)
		explicit_bzero(value->p, value->cap);
	buf_free(value);
}
