/*
 * Bodies and heads of answers: codings undone whole or not at all, limits kept, heads that mean two things refused.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

#include "actions/http/body.h"
#include "actions/http/content.h"
#include "actions/http/decode.h"
#include "actions/http/reply.h"
#include "base/fs.h"
#include "base/mem.h"

/* ---- codings ---- */

enum { GZIP = 16 + 15, ZLIB = 15, RAW = -15 };

static void compress_to(struct buf *out, const char *p, size_t n, int bits)
{
	z_stream z = {0};
	unsigned char chunk[4096];

	assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, bits, 8, Z_DEFAULT_STRATEGY), Z_OK);
	z.next_in = (unsigned char *)(uintptr_t)p;
	z.avail_in = (unsigned)n;
	do {
		z.next_out = chunk;
		z.avail_out = sizeof chunk;
		deflate(&z, Z_FINISH);
		buf_put(out, chunk, sizeof chunk - z.avail_out);
	} while (z.avail_out == 0);
	deflateEnd(&z);
}

static int to_buf(void *ctx, const char *p, size_t n, struct err *e)
{
	struct buf *b = ctx;

	if (b->len + n > 1000000)
		return err_set(e, EFBIG, "full");
	buf_put(b, p, n);
	return 0;
}

/* All bytes in pieces of that many, and the end. */
static int decode(const char *codings, const char *p, size_t n, size_t piece, struct buf *out, struct err *e)
{
	struct decoder *d = decoder_new(codings, to_buf, out, e);
	int r = 0;

	if (!d)
		return -1;
	while (r == 0 && n > 0) {
		size_t some = piece < n ? piece : n;

		r = decoder_feed(d, p, some, e);
		p += some;
		n -= some;
	}
	if (r == 0)
		r = decoder_end(d, e);
	decoder_free(d);
	return r;
}

static void sample(struct buf *b)
{
	int i;

	for (i = 0; i < 400; i++)
		buf_printf(b, "{\"line\": %d, \"hash\": %u}\n", i, (unsigned)i * 2654435761u);
}

static void whole_or_not(void **state)
{
	static const struct {
		const char *codings;
		int bits[2]; /* innermost first; 0: no more */
	} rows[] = {
	    {"gzip", {GZIP}}, {"x-gzip", {GZIP}}, {"GZip", {GZIP}}, {"deflate", {ZLIB}}, {"deflate", {RAW}},
	    {"gzip, gzip", {GZIP, GZIP}}, {"deflate, gzip", {ZLIB, GZIP}}, {"gzip,identity, deflate", {GZIP, RAW}},
	};
	AUTO_BUF struct buf plain = BUF_INIT;
	size_t k, cut, pieces[] = {1, 2, 7, 1 << 20}, i;

	(void)state;
	sample(&plain);
	for (k = 0; k < sizeof rows / sizeof *rows; k++) {
		AUTO_BUF struct buf once = BUF_INIT, twice = BUF_INIT;
		struct buf *coded = &once;
		struct err e = {0};

		compress_to(&once, plain.p, plain.len, rows[k].bits[0]);
		if (rows[k].bits[1]) {
			compress_to(&twice, once.p, once.len, rows[k].bits[1]);
			coded = &twice;
		}
		for (i = 0; i < sizeof pieces / sizeof *pieces; i++) {
			AUTO_BUF struct buf out = BUF_INIT;

			if (decode(rows[k].codings, coded->p, coded->len, pieces[i], &out, &e) < 0)
				fail_msg("%s: %s", rows[k].codings, e.text);
			assert_int_equal(out.len, plain.len);
			assert_memory_equal(out.p, plain.p, plain.len);
		}
		/* Cut anywhere it is no whole; libcurl would say that it is. */
		for (cut = 1; cut < coded->len; cut += coded->len > 200 && cut > 20 && cut < coded->len - 40 ? 37 : 1) {
			AUTO_BUF struct buf out = BUF_INIT;

			assert_int_equal(decode(rows[k].codings, coded->p, cut, 1000, &out, &e), -1);
			assert_int_equal(e.code, EBADMSG);
		}
	}
}

static void edges(void **state)
{
	AUTO_BUF struct buf gz = BUF_INIT, out = BUF_INIT, two = BUF_INIT, bad = BUF_INIT, bomb = BUF_INIT;
	AUTO_FREE char *zeros = xcalloc(1, 20000000);
	struct err e = {0};
	size_t i;

	(void)state;
	compress_to(&gz, "hello", 5, GZIP);
	/* nothing at all is an empty body */
	assert_int_equal(decode("gzip", "", 0, 1, &out, &e), 0);
	assert_int_equal(decode("deflate", "", 0, 1, &out, &e), 0);
	assert_int_equal(out.len, 0);
	/* no coding, and those that are none */
	assert_int_equal(decode(NULL, "abc", 3, 1, &out, &e), 0);
	assert_int_equal(decode("identity", "abc", 3, 3, &out, &e), 0);
	assert_int_equal(decode("none", "abc", 3, 3, &out, &e), 0);
	assert_string_equal(buf_str(&out), "abcabcabc");
	/* two members are one file */
	buf_reset(&out);
	buf_put(&two, gz.p, gz.len);
	buf_put(&two, gz.p, gz.len);
	assert_int_equal(decode("gzip", two.p, two.len, 3, &out, &e), 0);
	assert_string_equal(buf_str(&out), "hellohello");
	/* bytes behind the end */
	buf_put(&gz, "junk", 4);
	assert_int_equal(decode("gzip", gz.p, gz.len, 1000, &out, &e), -1);
	/* every byte matters: the sum at the end finds what changed */
	gz.len -= 4;
	for (i = 10; i < gz.len; i++) {
		AUTO_BUF struct buf changed = BUF_INIT, got = BUF_INIT;

		buf_put(&changed, gz.p, gz.len);
		changed.p[i] ^= 1;
		assert_int_equal(decode("gzip", changed.p, changed.len, 1000, &got, &e), -1);
	}
	/* what was not asked for */
	assert_int_equal(decode("br", "abc", 3, 3, &out, &e), -1);
	assert_string_equal(e.text, "the body has the encoding \"br\", which was not asked for");
	assert_int_equal(decode("gzip,gzip,gzip,gzip,gzip", "abc", 3, 3, &out, &e), -1);
	assert_string_equal(e.text, "the body is encoded more than 4 times");
	/* the sink decides how much there may be */
	buf_reset(&out);
	compress_to(&bomb, zeros, 20000000, GZIP);
	assert_int_equal(decode("gzip", bomb.p, bomb.len, 1 << 20, &out, &e), -1);
	assert_int_equal(e.code, EFBIG);
	assert_in_range(out.len, 1, 1000000);
}

/* ---- bodies ---- */

static void bodies(void **state)
{
	static const struct {
		size_t n, memory, most;
		bool spill, fits, whole, file;
	} rows[] = {
	    {0, 10, 100, true, true, true, false},   {10, 10, 100, true, true, true, false}, {11, 10, 100, true, true, false, true},
	    {100, 10, 100, true, true, false, true}, {101, 10, 100, true, false, false, true}, {11, 10, 100, false, true, false, false},
	};
	char dir[] = "/tmp/creel-body-XXXXXX";
	int fd;
	size_t k, piece;

	(void)state;
	assert_non_null(mkdtemp(dir));
	fd = open(dir, O_RDONLY | O_DIRECTORY);
	for (k = 0; k < sizeof rows / sizeof *rows; k++)
		for (piece = 1; piece < 20; piece += 6) {
			struct body_limits limits = {rows[k].most, rows[k].memory, rows[k].spill};
			AUTO_BUF struct buf text = BUF_INIT;
			struct redact none = {0};
			struct err e = {0};
			struct body b;
			size_t i;
			int r = 0;

			body_init(&b, fd, "body", &limits, &none);
			for (i = 0; r == 0 && i < rows[k].n; i += piece)
				r = body_take(&b, "abcdefghijklmnopqrst", piece < rows[k].n - i ? piece : rows[k].n - i, &e);
			assert_int_equal(r == 0, rows[k].fits);
			assert_int_equal(fs_exists(fd, "body.part"), rows[k].file);
			if (rows[k].fits)
				assert_int_equal(body_whole(&b), rows[k].whole);
			if (rows[k].fits && rows[k].file) {
				assert_int_equal(body_keep(&b, &e), 0);
				assert_int_equal(fs_read(fd, "body", 1000, &text, &e), 0);
				assert_int_equal(text.len, rows[k].n);
			}
			body_discard(&b);
			assert_false(fs_exists(fd, "body") || fs_exists(fd, "body.part"));
		}
	close(fd);
	rmdir(dir);
}

static void stored_bodies_hide_secrets(void **state)
{
	static const char text[] = "before hunter22 after", want[] = "before *** after";
	char dir[] = "/tmp/creel-body-XXXXXX", sum[SHA256_HEX];
	struct body_limits limits = {1000, 4, true};
	AUTO_BUF struct buf file = BUF_INIT;
	struct redact r = {0};
	struct body b;
	struct err e;
	json_t *where;
	size_t i;
	int fd;

	(void)state;
	assert_non_null(mkdtemp(dir));
	fd = open(dir, O_RDONLY | O_DIRECTORY);
	redact_add(&r, "hunter22", 8);
	body_init(&b, fd, "body", &limits, &r);
	for (i = 0; text[i]; i++)
		assert_int_equal(body_take(&b, text + i, 1, &e), 0);
	assert_int_equal(body_keep(&b, &e), 0);
	assert_int_equal(fs_read(fd, "body", 1000, &file, &e), 0);
	assert_string_equal(buf_str(&file), want);
	where = body_location(&b, "p", "text/plain", json_object());
	sha256_hex(want, strlen(want), sum);
	assert_string_equal(json_string_value(json_object_get(where, "checksum")), sum);
	assert_int_equal(json_integer_value(json_object_get(where, "size")), strlen(want));
	assert_string_equal(json_string_value(json_object_get(json_object_get(where, "metadata"), "hiddenSecrets")), "1");
	json_decref(where);
	body_discard(&b);
	redact_free(&r);
	close(fd);
	rmdir(dir);
}

/* ---- heads ---- */

static void heads(void **state)
{
	static const struct {
		const char *lines[8];
		enum stop stop;
		int status;
	} rows[] = {
	    {{"HTTP/1.1 200 OK\r\n", "A: b\r\n", "\r\n"}, STOP_NONE, 200},
	    {{"HTTP/2 204 \r\n", "\r\n"}, STOP_NONE, 204},
	    {{"HTTP/1.1 100 Continue\r\n", "\r\n", "HTTP/1.1 404 Not Found\r\n", "\r\n"}, STOP_NONE, 404},
	    {{"HTTP/1.1 200 OK\r\n", "Content-Length: 6\r\n", "Content-Length: 6\r\n"}, STOP_NONE, 200},
	    {{"HTTP/1.1 200 OK\r\n", "Content-Length: 6, 6\r\n"}, STOP_NONE, 200},
	    {{"HTTP/1.1 200 OK\r\n", "Content-Length: 6\r\n", "Content-Length: 7\r\n"}, STOP_REPLY, 200},
	    {{"HTTP/1.1 200 OK\r\n", "Content-Length: 6, 7\r\n"}, STOP_REPLY, 200},
	    {{"HTTP/1.1 200 OK\r\n", "Content-Length: -6\r\n"}, STOP_REPLY, 200},
	    {{"HTTP/1.1 200 OK\r\n", "Content-Length: 6a\r\n"}, STOP_REPLY, 200},
	    {{"HTTP/1.1 200 OK\r\n", "Content-Length: +6\r\n"}, STOP_REPLY, 200},
	    {{"HTTP/1.1 200 OK\r\n", "Content-Length:\r\n"}, STOP_REPLY, 200},
	    {{"HTTP/1.1 200 OK\r\n", "Content-Length: 9223372036854775808\r\n"}, STOP_REPLY, 200},
	    {{"HTTP/1.1 200 OK\r\n", "Content-Length: 6,06\r\n", "Content-Length: 6\r\n"}, STOP_NONE, 200},
	    {{"HTTP/1.1 100 Continue\r\n", "Content-Length: 6\r\n", "\r\n", "HTTP/1.1 200 OK\r\n", "Content-Length: 7\r\n"}, STOP_NONE, 200},
	    {{"HTTP/1.1 200 OK\r\n", "Transfer-Encoding: Chunked\r\n"}, STOP_NONE, 200},
	    {{"HTTP/1.1 200 OK\r\n", "Transfer-Encoding: gzip, chunked\r\n"}, STOP_REPLY, 200},
	    {{"HTTP/1.1 200 OK\r\n", "Transfer-Encoding: chunked, gzip\r\n"}, STOP_REPLY, 200},
	    {{"HTTP/1.1 200 OK\r\n", "Transfer-Encoding: chunked\r\n", "Transfer-Encoding: gzip\r\n"}, STOP_REPLY, 200},
	    {{"HTTP/1.1 302 X\r\n", "Location: /a\r\n", "Location: /a\r\n"}, STOP_NONE, 302},
	    {{"HTTP/1.1 302 X\r\n", "Location: /a\r\n", "Location: /b\r\n"}, STOP_REPLY, 302},
	    {{"HTTP/1.1 200 OK\r\n", "A: b\rc\r\n"}, STOP_REPLY, 200},
	    {{"HTTP/1.1 200 OK\r\n", "no colon\r\n"}, STOP_REPLY, 200},
	    {{"HTTP/1.1 200 OK\r\n", "A: b\r\n", " folded: c\r\n"}, STOP_REPLY, 200},
	    {{"HTTP/1.1 200 OK\r\n", "A B: c\r\n"}, STOP_REPLY, 200},
	    {{"HTTP/1.1 200 OK\r\n", ": c\r\n"}, STOP_REPLY, 200},
	    {{"HTTP/1.1 200 OK\r\n", "A: 1\r\n", "A: 2\r\n", "A: 3\r\n", "A: 4\r\n", "A: 5\r\n", "A: 6\r\n"}, STOP_HEADERS, 200},
	    {{"HTTP/1.1 200 OK\r\n", "A: 0123456789012345678901234567890123456789012345678901234567890123456789\r\n"}, STOP_HEADERS, 200},
	    /* trailers are counted, and not believed */
	    {{"HTTP/1.1 200 OK\r\n", "\r\n", "Content-Length: x\r\n", "Location: /a\r\n"}, STOP_NONE, 200},
	};
	const struct limits limits = {.headers = 6, .header_bytes = 80};
	const struct redact none = {0};
	size_t k, i;

	(void)state;
	for (k = 0; k < sizeof rows / sizeof *rows; k++) {
		struct exchange x = {0};
		struct reply_reader r = {.x = &x, .limits = &limits, .secrets = &none};
		bool good = true;

		for (i = 0; good && i < 8 && rows[k].lines[i]; i++)
			good = reply_line(&r, rows[k].lines[i], strlen(rows[k].lines[i]));
		if (x.stop != rows[k].stop || x.status != rows[k].status || good != (x.stop == STOP_NONE))
			fail_msg("row %zu: stop %d, status %d: %s", k, x.stop, x.status, x.message);
		headers_free(&x.reply);
	}
}

static void what_a_head_says(void **state)
{
	const struct limits limits = {.headers = 100, .header_bytes = 10000};
	const struct redact none = {0};
	struct exchange x = {0};
	struct reply_reader r = {.x = &x, .limits = &limits, .secrets = &none};
	static const char *const lines[] = {"HTTP/1.1 418 I'm a teapot\r\n", "x-A:  b c \t\r\n", "Empty:\r\n", "\r\n"};
	static const char nul[] = "A: b\0c\r\n";
	size_t i;

	(void)state;
	for (i = 0; i < sizeof lines / sizeof *lines; i++)
		assert_true(reply_line(&r, lines[i], strlen(lines[i])));
	assert_int_equal(x.status, 418);
	assert_string_equal(x.reason, "I'm a teapot");
	assert_string_equal(headers_get(&x.reply, "X-a"), "b c");
	assert_string_equal(headers_get(&x.reply, "empty"), "");
	assert_null(headers_get(&x.reply, "x"));
	assert_false(reply_line(&r, nul, sizeof nul - 1));
	headers_free(&x.reply);
}

/* ---- media types ---- */

static void media_types(void **state)
{
	static const struct {
		const char *field;
		enum content content;
		const char *type, *charset;
	} rows[] = {
	    {NULL, CONTENT_UNSAID, "", ""}, {"", CONTENT_UNSAID, "", ""}, {"application/json", CONTENT_JSON, "application/json", ""},
	    {" Application/JSON ;charset=UTF-8", CONTENT_JSON, "application/json", "utf-8"},
	    {"application/problem+json; charset=\"ISO-8859-1\"", CONTENT_JSON, "application/problem+json", "iso-8859-1"},
	    {"text/html; x=y; charset=latin1; z", CONTENT_TEXT, "text/html", "latin1"}, {"text/json", CONTENT_TEXT, "text/json", ""},
	    {"application/soap+xml", CONTENT_TEXT, "application/soap+xml", ""}, {"application/x-ndjson", CONTENT_TEXT, "application/x-ndjson", ""},
	    {"image/png", CONTENT_BINARY, "image/png", ""}, {"application/octet-stream", CONTENT_BINARY, "application/octet-stream", ""},
	    {"application/jsonp", CONTENT_BINARY, "application/jsonp", ""},
	};
	struct content_type odd = content_type_parse("text/x-json; charset=utf-8");
	size_t k;

	(void)state;
	for (k = 0; k < sizeof rows / sizeof *rows; k++) {
		struct content_type t = content_type_parse(rows[k].field);

		assert_string_equal(t.type, rows[k].type);
		assert_string_equal(t.charset, rows[k].charset);
		assert_int_equal(content_of(&t, NULL), rows[k].content);
	}
	assert_int_equal(content_of(&odd, "Text/X-JSON"), CONTENT_JSON);
	assert_int_equal(content_of(&odd, "text/y-json"), CONTENT_TEXT);
}

static void charsets(void **state)
{
	static const struct {
		const char *charset, *bytes, *want; /* NULL: refused */
	} rows[] = {
	    {"", "gr\xc3\xbc\xc3\x9f" "e", "gr\xc3\xbc\xc3\x9f" "e"}, {"", "gr\xfc", NULL}, {"utf-8", "gr\xfc", NULL},
	    {"iso-8859-1", "gr\xfc", "gr\xc3\xbc"}, {"windows-1252", "\x80", "\xe2\x82\xac"}, {"shift_jis", "\x83", NULL},
	    {"no-such-charset", "a", NULL}, {"utf-16le", "\x41", NULL},
	};
	struct content_type utf16 = {"text/plain", "utf-16le"};
	struct err e;
	size_t k, n;

	(void)state;
	for (k = 0; k < sizeof rows / sizeof *rows; k++) {
		struct content_type t = {"text/plain", ""};
		char *text;

		strcpy(t.charset, rows[k].charset);
		text = content_to_utf8(&t, rows[k].bytes, strlen(rows[k].bytes), &n, &e);
		if (!text != !rows[k].want || (text && strcmp(text, rows[k].want) != 0))
			fail_msg("%s: %s", rows[k].charset, text ? text : e.text);
		free(text);
	}
	/* NUL cannot stand in an output */
	assert_null(content_to_utf8(&utf16, "A\0\0\0", 4, &n, &e));
	assert_null(content_to_utf8(&(struct content_type){"text/plain", ""}, "a\0b", 3, &n, &e));
}

static void json_bodies(void **state)
{
	static const struct {
		const char *text;
		int code; /* 0: good */
	} rows[] = {
	    {"{}", 0}, {" [1] ", 0}, {"3", 0}, {"\"x\"", 0}, {"null", 0}, {"\xef\xbb\xbf{}", 0},
	    {"", EBADMSG}, {"{", EBADMSG}, {"{} x", EBADMSG}, {"{'a': 1}", EBADMSG}, {"\"\xff\"", EBADMSG}, {"NaN", EBADMSG},
	    {"{\"n\": 123456789012345678901}", ERANGE}, {"{\"n\": \"a\\u0000\"}", ERANGE},
	};
	size_t k;

	(void)state;
	for (k = 0; k < sizeof rows / sizeof *rows; k++) {
		struct err e = {0};
		json_t *v = content_json(rows[k].text, strlen(rows[k].text), &e);

		if ((v != NULL) != (rows[k].code == 0) || e.code != rows[k].code)
			fail_msg("%s: %d %s", rows[k].text, e.code, e.text);
		json_decref(v);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(whole_or_not), cmocka_unit_test(edges),       cmocka_unit_test(bodies),
	    cmocka_unit_test(stored_bodies_hide_secrets),                  cmocka_unit_test(heads),
	    cmocka_unit_test(what_a_head_says),                            cmocka_unit_test(media_types),
	    cmocka_unit_test(charsets),    cmocka_unit_test(json_bodies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
