/*
 * creel-run's specification, as the daemon hands it over, and the masking of the secrets that it names: what passes in
 * pieces comes out as what passes at once, and no secret is left in it.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "creel-run/spec.h"
#include "tests/fuzz/fuzz.h"

static void pass(const struct mask_set *set, const char *p, size_t n, size_t piece, struct buf *out)
{
	struct mask m = {.set = set};
	size_t at;

	for (at = 0; at < n; at += piece)
		mask_feed(&m, p + at, n - at < piece ? n - at : piece, false, out);
	mask_feed(&m, "", 0, true, out);
	mask_free(&m);
}

static void check_masks(const struct spec *s)
{
	AUTO_BUF struct buf whole = BUF_INIT, pieces = BUF_INIT;
	size_t k;

	pass(&s->masks, s->text, s->length, s->length, &whole);
	pass(&s->masks, s->text, s->length, 3, &pieces);
	MUST(whole.len == pieces.len && memcmp(buf_str(&whole), buf_str(&pieces), whole.len) == 0,
	     "pieces are masked in another way");
	for (k = 0; s->secrets[k]; k++)
		MUST(strchr(s->secrets[k], '*') || !memmem(buf_str(&whole), whole.len, s->secrets[k], strlen(s->secrets[k])),
		     "a secret is left: %s", s->secrets[k]);
}

static void check_spec(const struct spec *s)
{
	size_t k;

	MUST(s->dir && s->dir[0] == '/', "dir is not absolute");
	MUST(s->execution && s->action && s->token && s->argv[0], "what is required is missing");
	MUST(!s->link || !strchr(s->link, '/'), "link is a path");
	for (k = 0; s->envp[k]; k++)
		MUST(strchr(s->envp[k], '='), "a variable without a name");
	check_masks(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("spec", MFD_CLOEXEC);
	struct spec s;
	struct err e = {0};

	MUST(fd >= 0 && fs_write_all(fd, data, size, &e) == 0 && lseek(fd, 0, SEEK_SET) == 0, "no memory file");
	if (spec_read(&s, fd, &e) == 0)
		check_spec(&s);
	else
		MUST(e.code && e.text[0], "a refusal without a reason");
	spec_free(&s);
	close(fd);
	return 0;
}
