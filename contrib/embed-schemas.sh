#!/bin/sh
# Write a C table of the given JSON Schema files: name (without .schema.json) and text.
set -eu
echo '/* Made from schemas/ by contrib/embed-schemas.sh: do not edit. */'
echo '#include "codec/schemas.h"'
echo 'const struct schema_text schema_texts[] = {'
for f in "$@"; do
	name=$(basename "$f" .schema.json)
	printf '\t{"%s",\n' "$name"
	sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^[[:space:]]*//' -e 's/.*/\t "&\\n"/' "$f"
	printf '\t},\n'
done
echo '	{NULL, NULL},'
echo '};'
