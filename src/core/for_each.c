/*
 * for_each.c - when a forEach action starts, what its instances may do, and what it comes to.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "core/context.h"
#include "core/decide_impl.h"
#include "model/error.h"

/* The list of items: what the plan says, with its references replaced. */
static json_t *items_of(struct exec *x, uint32_t i, json_t **error)
{
	json_t *plain = json_loads(x->plan->actions[i].for_each->items, JSON_DECODE_ANY, NULL), *items;
	struct err e = {0};

	x->unread = NO_ACTION;
	items = plain ? ref_expand(plain, context_lookup, x, &e) : NULL;
	json_decref(plain);
	if (!items)
		*error = error_new(ERROR_VALIDATION_FAILED, false, "the items cannot be made: %s", e.text);
	else if (!json_is_array(items))
		*error = error_new(ERROR_VALIDATION_FAILED, false, "the items are no list");
	else if (json_array_size(items) > FOR_EACH_MAX)
		*error = error_new(ERROR_VALIDATION_FAILED, false, "%zu items are more than the %d that one forEach may have",
				   json_array_size(items), FOR_EACH_MAX);
	if (!*error)
		return items;
	error_set_code(*error, "items");
	json_decref(items);
	return NULL;
}

void for_each_start(struct exec *x, struct turn *t, uint32_t i)
{
	json_t *error = NULL, *items = items_of(x, i, &error), *data;

	if (unread_stops(x, t, i)) {
		json_decref(error);
		json_decref(items);
		return;
	}
	if (!items) {
		fail_action(x, t, i, error, NULL, false);
		return;
	}
	data = json_object();
	json_object_set_new(data, "items", items);
	emit(x, t, EV_ACTION_REQUESTED, i, x->a[i].attempt + 1, data);
}

/* An item that a person skipped is left out on purpose; every other one that did not complete has failed. */
static bool item_failed(const struct exec *x, uint32_t i)
{
	const char *cause = json_string_value(json_object_get(x->a[i].record, "cause"));

	if (x->a[i].phase == PH_COMPLETED)
		return false;
	return x->a[i].phase != PH_SKIPPED || !cause || strcmp(cause, "skipped_by_hand") != 0;
}

/* How many bytes the outputs of all items have. */
static size_t bytes_of_items(const struct exec *x, uint32_t parent)
{
	size_t sum = 0;
	uint32_t k;

	for (k = 0; k < x->a[parent].instances; k++)
		sum += (size_t)json_integer_value(json_object_get(
		    json_object_get(x->a[exec_instance(x, parent, k)].record, "outputLocation"), "size"));
	return sum;
}

static json_t *too_large(const struct exec *x, size_t bytes)
{
	json_t *error = error_new(ERROR_VALIDATION_FAILED, false,
				  "the outputs of its items have %zu bytes together; output_cap lets it have %zu", bytes,
				  x->output_cap);

	error_set_code(error, "output_too_large");
	error_set_suggestion(error, "let the items leave files and put out their paths, or raise output_cap");
	return error;
}

/* What the items came to, in their order: outputs, with null where an item has none. */
static json_t *collect(struct exec *x, uint32_t parent, uint32_t *failed, json_t **first_error)
{
	json_t *list = json_array();
	uint32_t k;

	*failed = 0;
	x->unread = NO_ACTION;
	for (k = 0; k < x->a[parent].instances; k++) {
		uint32_t i = exec_instance(x, parent, k);
		json_t *output = context_output(x, i);

		if (item_failed(x, i) && ++*failed == 1)
			*first_error = json_object_get(x->a[i].record, "error");
		if (!output && x->a[i].phase == PH_COMPLETED)
			json_array_append_new(list, json_object());
		else
			json_array_append_new(list, output ? json_incref(output) : json_null());
	}
	return list;
}

static void end(struct exec *x, struct turn *t, uint32_t parent)
{
	uint32_t failed, n = x->a[parent].instances;
	json_t *first = NULL, *error, *data, *output, *list;
	size_t bytes = bytes_of_items(x, parent);
	const char *message;

	if (x->output_cap && bytes > x->output_cap) {
		fail_action(x, t, parent, too_large(x, bytes), NULL, false);
		return;
	}
	list = collect(x, parent, &failed, &first);
	if (unread_stops(x, t, parent)) {
		json_decref(list);
		return;
	}
	data = json_object();
	output = json_object();
	json_object_set_new(output, "items", list);
	json_object_set_new(output, "count", json_integer(n));
	json_object_set_new(data, "startedAt", time_json(x->a[parent].started));
	json_object_set_new(data, "completedAt", time_json(t->now));
	json_object_set_new(data, "durationMs", json_integer(t->now - x->a[parent].started));
	if (failed == 0) {
		json_object_set_new(data, "output", output);
		emit(x, t, EV_ACTION_COMPLETED, parent, x->a[parent].attempt, data);
		return;
	}
	json_object_set_new(data, "partialOutput", output);
	message = json_string_value(json_object_get(first, "message"));
	error = error_new(first ? error_category_of(first) : ERROR_USER_CANCELLED, false, "%u of %u items failed%s%s", failed,
			  n, message ? "; the first: " : "", message ? message : "");
	error_set_code(error, "items_failed");
	fail_action(x, t, parent, error, data, false);
}

void for_each_step(struct exec *x, struct turn *t, uint32_t parent)
{
	uint32_t width = x->plan->actions[parent].for_each->width, k;
	const struct action_state *a = &x->a[parent];

	if (a->instances_left == 0) {
		end(x, t, parent);
		return;
	}
	if (exec_stopping(x) || a->unreleased == 0)
		return;
	for (k = 0; k < a->instances && a->unreleased > 0; k++) {
		uint32_t i = exec_instance(x, parent, k);

		if (width && a->instances_left - a->unreleased >= width)
			return;
		if (x->a[i].phase == PH_BLOCKED)
			exec_set_phase(x, i, PH_READY);
	}
}
