#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/text.h"
#include "codec/schema_impl.h"

enum {
	SHOWN_NAMES = 12, /* names or values that are listed; more are only counted */
	NAMES_MAX = 512	  /* that are thought of for "did you mean" */
};

/* --- findings --- */

void schema_finding_free(struct finding *f)
{
	free(f->pointer);
	free(f->message);
	free(f->suggestion);
	vec_free(&f->allowed);
}

void schema_findings_free(struct findings *f)
{
	size_t i;

	for (i = 0; i < f->list.n; i++)
		schema_finding_free(&f->list.v[i]);
	vec_free(&f->list);
}

static bool wanted(struct run *r)
{
	if (!r->found || r->stop.message)
		return false;
	if (r->found->list.n < DIAG_MAX)
		return true;
	r->found->more++;
	return false;
}

static struct finding finding_at(const struct run *r, enum finding_kind kind, const struct at *at)
{
	struct finding f = {.kind = kind, .depth = at->depth, .at_key = r->naming != NULL};
	struct buf pointer = BUF_INIT;

	schema_at_pointer(&pointer, r->base, at);
	f.pointer = buf_steal(&pointer);
	return f;
}

/* Several keywords may say the same; of a name, one complaint is enough. */
static bool is_said(const struct findings *found, const struct finding *f)
{
	size_t i;

	for (i = 0; i < found->list.n; i++) {
		const struct finding *old = &found->list.v[i];

		if (old->depth == f->depth && strcmp(old->pointer, f->pointer) == 0 &&
		    ((old->at_key && f->at_key) || strcmp(old->message, f->message) == 0))
			return true;
	}
	return false;
}

static bool add(struct run *r, struct finding *f)
{
	if (is_said(r->found, f))
		schema_finding_free(f);
	else
		vec_push(&r->found->list, *f);
	return false;
}

/* What propertyNames finds is said of the name. */
static void start_sentence(const struct run *r, struct buf *b)
{
	if (r->naming) {
		buf_puts(b, "the name ");
		schema_show_text(b, r->naming, strlen(r->naming));
		buf_putc(b, ' ');
	}
}

bool schema_report(struct run *r, const struct node *n, const struct at *at, const char *fmt, ...)
{
	struct buf text = BUF_INIT;
	struct finding f;
	va_list ap;

	if (!wanted(r))
		return false;
	f = finding_at(r, FINDING_OTHER, at);
	start_sentence(r, &text);
	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	f.message = buf_steal(&text);
	f.suggestion = xstrdup_opt(n->message);
	return add(r, &f);
}

bool schema_report_message(struct run *r, const char *message, const struct at *at)
{
	struct finding f;

	if (!wanted(r))
		return false;
	f = finding_at(r, FINDING_OTHER, at);
	f.message = xstrdup(message);
	return add(r, &f);
}

bool schema_stop(struct run *r, const struct at *at, const char *fmt, ...)
{
	struct buf text = BUF_INIT;
	va_list ap;

	if (r->stop.message)
		return false;
	r->stop = finding_at(r, FINDING_OTHER, at);
	start_sentence(r, &text);
	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	r->stop.message = buf_steal(&text);
	return false;
}

bool schema_report_never(struct run *r, const struct node *n, const struct at *at)
{
	AUTO_BUF struct buf name = BUF_INIT;

	if (!r->found)
		return false;
	if (!at->key)
		return schema_report(
		    r, n, at, at->up ? "this element is not allowed here" : "no value is allowed here");
	schema_show_text(&name, at->key, at->key_len);
	return schema_report(r, n, at, "property %s is not allowed here", buf_str(&name));
}

/* --- the wrong type --- */

static bool reads_as_number(const char *s)
{
	json_t *v = json_loads(s, JSON_DECODE_ANY, NULL);
	bool is = json_is_number(v);

	json_decref(v);
	return is;
}

/* A text where something else is wanted is often that, in quotes, or one where a list of such is wanted. */
static char *in_other_words(const json_t *v, unsigned types)
{
	static const char *const words[][2] = {{"true", "true"},   {"yes", "true"}, {"on", "true"},
					       {"false", "false"}, {"no", "false"}, {"off", "false"}};
	const char *s = json_string_value(v);
	struct buf text = BUF_INIT;
	size_t i;

	if (!s || json_string_length(v) > 40)
		return NULL;
	for (i = 0; (types & TYPE_BOOLEAN) && i < 6; i++)
		if (strcasecmp(s, words[i][0]) == 0)
			return xasprintf("write %s, without quotes", words[i][1]);
	if ((types & (TYPE_NUMBER | TYPE_INTEGER)) && reads_as_number(s))
		return xasprintf("write %s without quotes", s);
	if (types & TYPE_ARRAY) {
		buf_puts(&text, "write a list: [");
		schema_show(&text, v);
		buf_putc(&text, ']');
		return buf_steal(&text);
	}
	return NULL;
}

static void word_type(const struct run *r, struct finding *f)
{
	struct buf text = BUF_INIT;
	const json_t *v = f->value;

	start_sentence(r, &text);
	buf_puts(&text, "must be ");
	schema_show_types(&text, f->types);
	buf_puts(&text, ", not ");
	if (json_is_boolean(v) || (json_is_real(v) && (f->types & TYPE_INTEGER)))
		schema_show(&text, v);
	else
		schema_show_types(&text, schema_type_of(v));
	f->message = buf_steal(&text);
	f->suggestion = in_other_words(v, f->types);
}

bool schema_report_type(struct run *r, const struct node *n, const json_t *v, const struct at *at,
			unsigned types)
{
	struct finding f;

	if (!wanted(r))
		return false;
	f = finding_at(r, FINDING_TYPE, at);
	f.value = v;
	f.types = types;
	word_type(r, &f);
	/* Of a list or an object it tells how many there may be. */
	if (!f.suggestion && !(types & (TYPE_ARRAY | TYPE_OBJECT)))
		f.suggestion = xstrdup_opt(n->message);
	return add(r, &f);
}

/* --- a value that is not among those allowed --- */

static char *did_you_mean(const char *word, const char *const *names, size_t n)
{
	const char *near = n ? text_nearest(word, names, n) : NULL;
	struct buf text = BUF_INIT;

	if (!near)
		return NULL;
	buf_puts(&text, "did you mean ");
	schema_show_text(&text, near, strlen(near));
	buf_putc(&text, '?');
	return buf_steal(&text);
}

static char *nearest_value(const struct finding *f)
{
	VEC(const char *) names = {0};
	const char *word = json_string_value(f->value);
	char *suggestion = NULL;
	size_t i;

	for (i = 0; word && i < f->allowed.n && i < NAMES_MAX; i++)
		if (json_is_string(f->allowed.v[i]))
			vec_push(&names, json_string_value(f->allowed.v[i]));
	if (word)
		suggestion = did_you_mean(word, names.v, names.n);
	vec_free(&names);
	return suggestion;
}

static void word_choice(const struct run *r, struct finding *f)
{
	struct buf text = BUF_INIT;
	size_t i, n = f->allowed.n;

	start_sentence(r, &text);
	if (n > SHOWN_NAMES) {
		buf_printf(&text, "must be one of the %zu values that are allowed here", n);
	} else {
		buf_puts(&text, n == 1 ? "must be " : "must be one of ");
		for (i = 0; i < n; i++) {
			buf_puts(&text, i ? ", " : "");
			schema_show(&text, f->allowed.v[i]);
		}
	}
	buf_puts(&text, ", not ");
	schema_show(&text, f->value);
	f->message = buf_steal(&text);
	f->suggestion = nearest_value(f);
}

static void allow(struct finding *f, const json_t *v)
{
	size_t i;

	for (i = 0; i < f->allowed.n; i++)
		if (schema_equal(f->allowed.v[i], v))
			return;
	vec_push(&f->allowed, v);
}

bool schema_report_choice(struct run *r, const struct node *n, const json_t *v, const struct at *at)
{
	struct finding f;
	size_t i;

	if (!wanted(r))
		return false;
	f = finding_at(r, FINDING_CHOICE, at);
	f.value = v;
	f.single = n->constant != NULL;
	if (n->constant && !schema_equal(n->constant, v))
		allow(&f, n->constant);
	else
		for (i = 0; i < json_array_size(n->choice); i++)
			vec_push(&f.allowed, json_array_get(n->choice, i));
	word_choice(r, &f);
	return add(r, &f);
}

/* --- properties that are missing or unknown --- */

bool schema_report_missing(struct run *r, const struct node *n, const struct at *at, const char *name,
			   const char *because)
{
	struct buf text = BUF_INIT;
	struct finding f;

	(void)n;
	if (!wanted(r))
		return false;
	f = finding_at(r, FINDING_MISSING, at);
	f.name = name;
	buf_puts(&text, "missing property ");
	schema_show_text(&text, name, strlen(name));
	if (because) {
		buf_puts(&text, ", which ");
		schema_show_text(&text, because, strlen(because));
		buf_puts(&text, " needs");
	}
	f.message = buf_steal(&text);
	return add(r, &f);
}

struct names {
	VEC(const char *) list;
};

static void gather(struct names *names, const struct node *n, unsigned depth);

static void gather_all(struct names *names, const struct nodes *list, unsigned depth)
{
	size_t i;

	for (i = 0; i < list->n; i++)
		gather(names, list->v[i], depth);
}

static void gather_own(struct names *names, const struct node *n)
{
	size_t i, j;

	for (i = 0; i < n->object->properties.n && names->list.n < NAMES_MAX; i++) {
		const char *name = n->object->names[i];

		if (n->object->properties.v[i]->never)
			continue;
		for (j = 0; j < names->list.n && strcmp(names->list.v[j], name) != 0; j++)
			;
		if (j == names->list.n)
			vec_push(&names->list, name);
	}
}

/* The names that this node or one that it may apply to the same object knows. */
static void gather(struct names *names, const struct node *n, unsigned depth)
{
	size_t i;

	if (!n || depth > 16 || names->list.n >= NAMES_MAX)
		return;
	if (n->object)
		gather_own(names, n);
	for (i = 0; n->object && i < n->object->n_dependents; i++)
		gather(names, n->object->dependents[i].node, depth + 1);
	gather(names, n->ref, depth + 1);
	gather(names, n->dynamic, depth + 1);
	if (!n->logic)
		return;
	gather_all(names, &n->logic->all_of, depth + 1);
	gather_all(names, &n->logic->any_of, depth + 1);
	gather_all(names, &n->logic->one_of, depth + 1);
	gather(names, n->logic->if_this, depth + 1);
	gather(names, n->logic->then_this, depth + 1);
	gather(names, n->logic->else_this, depth + 1);
}

static char *suggest_name(const struct node *n, const char *name)
{
	struct names names = {0};
	struct buf text = BUF_INIT;
	char *suggestion;

	if (n->object->unevaluated)
		gather(&names, n, 0);
	else
		gather_own(&names, n);
	suggestion = did_you_mean(name, names.list.v, names.list.n);
	if (!suggestion && names.list.n > 0 && names.list.n <= SHOWN_NAMES) {
		buf_puts(&text, names.list.n == 1 ? "the only one known here is " : "known here are ");
		schema_show_names(&text, names.list.v, names.list.n, "and");
		suggestion = buf_steal(&text);
	}
	vec_free(&names.list);
	return suggestion;
}

bool schema_report_unknown(struct run *r, const struct node *n, const struct at *at)
{
	struct buf text = BUF_INIT;
	struct finding f;

	if (!wanted(r))
		return false;
	f = finding_at(r, FINDING_OTHER, at);
	f.at_key = true;
	buf_puts(&text, "unknown property ");
	schema_show_text(&text, at->key, at->key_len);
	f.message = buf_steal(&text);
	f.suggestion = suggest_name(n, at->key);
	return add(r, &f);
}

/* --- branches --- */

static void word_missing(struct finding *f, const struct finding *const *of, size_t n)
{
	struct buf text = BUF_INIT;
	size_t i;

	buf_puts(&text, "missing property ");
	for (i = 0; i < n; i++) {
		schema_show_separator(&text, i, n, "or");
		schema_show_text(&text, of[i]->name, strlen(of[i]->name));
	}
	f->message = buf_steal(&text);
}

bool schema_report_merged(struct run *r, const struct finding *const *of, size_t n)
{
	struct finding f = {
	    .kind = of[0]->kind, .depth = of[0]->depth, .value = of[0]->value, .name = of[0]->name};
	size_t i, j;

	if (!wanted(r))
		return false;
	f.pointer = xstrdup(of[0]->pointer);
	f.at_key = of[0]->at_key;
	f.single = true;
	for (i = 0; i < n; i++) {
		f.types |= of[i]->types;
		f.single = f.single && of[i]->single;
		for (j = 0; j < of[i]->allowed.n; j++)
			allow(&f, of[i]->allowed.v[j]);
	}
	if (f.kind == FINDING_TYPE)
		word_type(r, &f);
	else if (f.kind == FINDING_CHOICE)
		word_choice(r, &f);
	else
		word_missing(&f, of, n);
	return add(r, &f);
}
