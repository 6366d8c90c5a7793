/*
 * An execution read back from its directory: the parts of the input are plan.json, state.json, and the commits in
 * order.  In a commit, "prev":"@" stands for the right digest, which no fuzzer finds.
 *
 * It loads, with its invariants, or not, with a reason; a torn last commit is set aside once; verify says of each
 * execution that does not load that it is damaged.
 */
#include <jansson.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/sha.h"
#include "store/journal.h"
#include "store/verify.h"
#include "tests/fuzz/spool.h"

enum { COMMITS = 12 };

static const char id[] = "01890000-0000-7000-8000-000000000001";

static void put_commit(unsigned seq, const char *text, size_t n, char prev[SHA256_TAGGED])
{
	const char *mark = memmem(text, n, "\"@\"", 3);
	AUTO_BUF struct buf whole = BUF_INIT;
	char path[SPOOL_PATH_MAX];

	if (mark) {
		buf_put(&whole, text, (size_t)(mark + 1 - text));
		buf_puts(&whole, prev);
		buf_put(&whole, mark + 2, (size_t)(text + n - mark - 2));
	} else {
		buf_put(&whole, text, n);
	}
	spool_commit_path(id, seq, path);
	spool_put(path, whole.p, whole.len);
	sha256_tagged(whole.p, whole.len, prev);
}

static void fill(const uint8_t *data, size_t size)
{
	char dir[SPOOL_PATH_MAX], prev[SHA256_TAGGED];
	AUTO_FREE char *plan = NULL, *state = NULL, *journal = NULL;
	const char *part = "";
	size_t at = 0, n = 0;
	struct err e = {0};
	unsigned k;

	spool_execution_path(id, dir);
	MUST(fs_remove_tree(spool.fd[SPOOL_ROOT], dir, &e) == 0, "%s", e.text);
	journal = xasprintf("%s/journal", dir);
	MUST(fs_mkdir_all(spool.fd[SPOOL_ROOT], journal, 0755, &e) == 0, "%s", e.text);
	plan = xasprintf("%s/plan.json", dir);
	state = xasprintf("%s/state.json", dir);
	if (!fuzz_part(data, size, &at, &part, &n))
		return;
	spool_put(plan, part, n);
	sha256_tagged(part, n, prev);
	if (fuzz_part(data, size, &at, &part, &n))
		spool_put(state, part, n);
	for (k = 1; k <= COMMITS && fuzz_part(data, size, &at, &part, &n); k++)
		put_commit(k, part, n, prev);
}

static void see(void *ctx, const struct verify_finding *f)
{
	(void)ctx;
	MUST(f->path[0] && f->what[0], "a finding without words");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct verify_how how = {.outputs = true};
	struct verify_counts counts;
	struct loaded l, again;
	struct err e = {0};
	bool torn;
	int r;

	spool_make();
	fill(data, size);
	r = journal_load(&spool, id, true, &l, &e);
	MUST(verify(&spool, id, &how, see, NULL, &counts, &e) == 0, "%s", e.text);
	if (r < 0)
		MUST(counts.damaged > 0, "it does not load, and is not damaged");
	torn = r == 0 && l.torn;
	if (r == 0)
		loaded_free(&l);
	if (journal_load(&spool, id, false, &l, &e) < 0) {
		MUST(e.code && e.text[0], "a refusal without a reason");
		return 0;
	}
	MUST(exec_check(l.exec, &e) == 0, "it loads, and is impossible: %s", e.text);
	MUST(r == 0 && l.set_aside == torn, "set aside without need, or read in spite of damage");
	MUST(journal_load(&spool, id, true, &again, &e) == 0 && again.seq == l.seq, "it does not load twice: %s", e.text);
	loaded_free(&again);
	loaded_free(&l);
	return 0;
}
