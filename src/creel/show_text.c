#include "creel/show_text.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

#include "base/text.h"

void term_look(int fd, struct term *t)
{
	const char *no_color = getenv("NO_COLOR"), *kind = getenv("TERM");
	bool dumb = !kind || strcmp(kind, "dumb") == 0;
	struct winsize size = {0};

	*t = (struct term){.tty = isatty(fd) == 1, .columns = 80, .rows = 24};
	if (!t->tty)
		return;
	if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0) {
		t->columns = size.ws_col;
		t->rows = size.ws_row;
	}
	t->color = !dumb && !(no_color && *no_color);
	if (dumb)
		t->tty = false; /* no cursor to move: as if into a file */
}

const char *tone_on(const struct term *t, enum tone tone)
{
	static const char *const codes[] = {
	    [TONE_PLAIN] = "",	      [TONE_GOOD] = "\033[32m", [TONE_BAD] = "\033[31m",  [TONE_WARN] = "\033[33m",
	    [TONE_BUSY] = "\033[36m", [TONE_DIM] = "\033[2m",	[TONE_BOLD] = "\033[1m",
	};

	return t->color ? codes[tone] : "";
}

const char *tone_off(const struct term *t)
{
	return t->color ? "\033[0m" : "";
}

enum tone tone_of_status(const char *status)
{
	static const struct {
		const char *status;
		enum tone tone;
	} tones[] = {
	    {"completed", TONE_GOOD}, {"failed", TONE_BAD},  {"quarantined", TONE_BAD},
	    {"cancelled", TONE_WARN}, {"running", TONE_BUSY}, {"paused_for_confirmation", TONE_WARN},
	    {"asking", TONE_WARN},    {"skipped", TONE_DIM},  {"pending", TONE_PLAIN},
	};
	size_t k;

	for (k = 0; k < sizeof tones / sizeof *tones; k++)
		if (strcmp(tones[k].status, status) == 0)
			return tones[k].tone;
	return TONE_PLAIN;
}

void put_safe_n(struct buf *b, const char *text, size_t n)
{
	text_escape(b, text, n);
}

void put_safe(struct buf *b, const char *text)
{
	text_escape(b, text, strlen(text));
}

void put_tone(struct buf *b, const struct term *t, enum tone tone, const char *text)
{
	if (tone != TONE_PLAIN)
		buf_puts(b, tone_on(t, tone));
	put_safe(b, text);
	if (tone != TONE_PLAIN)
		buf_puts(b, tone_off(t));
}

/* ---- columns ---- */

/* The character at s: its length in bytes, and in *columns its width. */
static size_t one_character(const char *s, size_t n, int *columns)
{
	wchar_t w;
	mbstate_t state = {0};
	size_t len = mbrtowc(&w, s, n, &state);
	int width;

	if (len == (size_t)-1 || len == (size_t)-2 || len == 0) {
		*columns = 1;
		len = text_utf8_len(s, n); /* a locale without UTF-8 */
		return len ? len : 1;
	}
	width = wcwidth(w);
	*columns = width < 0 ? 1 : width;
	return len;
}

int text_columns(const char *text, size_t n)
{
	int sum = 0, width;
	size_t i;

	for (i = 0; i < n; sum += width)
		i += one_character(text + i, n - i, &width);
	return sum;
}

int put_clipped(struct buf *b, const char *text, int columns)
{
	size_t n = strlen(text), i = 0, len;
	int used = 0, width;

	if (text_columns(text, n) <= columns) {
		buf_put(b, text, n);
		return text_columns(text, n);
	}
	while (i < n) {
		len = one_character(text + i, n - i, &width);
		if (used + width > columns - 1)
			break;
		buf_put(b, text + i, len);
		used += width;
		i += len;
	}
	if (columns <= 0)
		return 0;
	buf_puts(b, "…");
	return used + 1;
}

void put_padded(struct buf *b, const char *text, int columns)
{
	int used = put_clipped(b, text, columns);

	if (used < columns)
		buf_printf(b, "%*s", columns - used, "");
}

/* ---- time ---- */

void put_duration(struct buf *b, msec ms)
{
	long long s = ms / 1000;

	if (ms < 0)
		ms = 0;
	if (ms < 1000)
		buf_printf(b, "%lld ms", (long long)ms);
	else if (ms < 60000)
		buf_printf(b, "%lld.%lld s", s, (long long)(ms % 1000 / 100));
	else if (s < 3600)
		buf_printf(b, "%lld min %02lld s", s / 60, s % 60);
	else if (s < 86400)
		buf_printf(b, "%lld h %02lld min", s / 3600, s / 60 % 60);
	else
		buf_printf(b, "%lld d %lld h", s / 86400, s / 3600 % 24);
}

void put_time(struct buf *b, const char *record_time)
{
	char text[CLOCK_TEXT];
	msec at;

	if (!record_time || !clock_parse(record_time, &at)) {
		buf_puts(b, "-");
		return;
	}
	clock_format(at, text);
	buf_printf(b, "%.10s %.8s", text, text + 11);
}

void put_ago(struct buf *b, const char *record_time)
{
	msec at, now = clock_wall();

	if (!record_time || !clock_parse(record_time, &at))
		return;
	if (at > now)
		buf_puts(b, "in ");
	put_duration(b, at > now ? at - now : now - at);
	if (at <= now)
		buf_puts(b, " ago");
}

void put_count(struct buf *b, long long n, const char *one, const char *many)
{
	buf_printf(b, "%lld %s", n, n == 1 ? one : many);
}

void put_bytes(struct buf *b, unsigned long long n)
{
	static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB"};
	double v = (double)n;
	size_t k = 0;

	while (v >= 1024 && k + 1 < sizeof units / sizeof *units) {
		v /= 1024;
		k++;
	}
	buf_printf(b, k ? "%.1f %s" : "%.0f %s", v, units[k]);
}

void put_out(struct buf *b, FILE *f)
{
	fwrite(buf_str(b), 1, b->len, f);
	buf_reset(b);
}
