/*
 * io_schema.h - what a definition says of its inputs or outputs: a flat record of names and types, or a JSON Schema.
 *
 *   {"id": "string", "limit": "integer?"}   flat: string, number, integer, boolean, object, array; ? is optional
 *   {"type": "object", "properties": {…}}   JSON Schema 2020-12, as codec/schema.h has it
 *
 * It is a schema if a member is no text, if `type` is the text "object", or if `$schema` is there; else it is flat.
 * A value may have members that a flat record does not name.
 */
#ifndef CREEL_CODEC_IO_SCHEMA_H
#define CREEL_CODEC_IO_SCHEMA_H

#include <jansson.h>
#include <stdbool.h>

#include "codec/schema.h"
#include "model/diag.h"

bool io_schema_is_flat(const json_t *declared);

/* The same as a JSON Schema: a new value, or NULL and *errors (may be NULL) says what is no type, with pointers into
 * declared. */
json_t *io_schema_expand(const json_t *declared, struct diags *errors);

/* Compiled, for schema_check(); NULL and *errors as above.  The caller frees it. */
struct schema *io_schema_compile(const json_t *declared, struct diags *errors);
/* The same for inputs, where a name that a flat record does not have is a slip; an empty one takes anything. */
struct schema *io_schema_compile_inputs(const json_t *declared, struct diags *errors);

/* The type that a flat record declares for name, without ?; NULL: none, or it is no flat record. */
const char *io_schema_type_of(const json_t *declared, const char *name);
/* Every name that there can be, as the members of an object (borrowed); NULL: others are allowed. */
const json_t *io_schema_names(const json_t *declared);

#endif
