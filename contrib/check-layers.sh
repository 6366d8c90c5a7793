#!/bin/sh
# An include may only point left:  base <- model <- {core, codec} <- store <- programs.
# The two in braces do not know each other; no program includes another; nobody includes a .c file.  Each directory in
# actions/ is a program, but for actions/common, which all of them may include.  Every violation is printed as
# file:line: reason; exit 1 if there is one.
#
#	check-layers.sh [DIR]		DIR: the sources, default src beside this directory
set -eu
src=${1:-$(dirname "$0")/../src}
cd "$src"

# What each layer may include beside itself.  A directory that is not here is a program.
may_include() {
	case $1 in
	base) echo "" ;;
	model) echo "base" ;;
	core) echo "base model" ;;
	codec) echo "base model" ;;
	store) echo "base model core codec" ;;
	*) echo "base model core codec store" ;;
	esac
}

violations=$(
	find . -name '*.[ch]' | sed 's,^\./,,' | sort | while read -r file; do
		layer=${file%%/*}
		[ "$layer" != "$file" ] || { echo "$file:1: a source file belongs into a layer's directory"; continue; }
		executor=${file#actions/}
		executor=${executor%%/*}
		allowed=" $layer $(may_include "$layer") "
		grep -nE '^[[:blank:]]*#[[:blank:]]*include[[:blank:]]*"' "$file" |
			sed -E 's/^([0-9]+):[^"]*"([^"]*)".*/\1 \2/' | while read -r line included; do
			case $included in
			*.c) echo "$file:$line: includes the source file \"$included\"" ;;
			../* | */../*) echo "$file:$line: \"$included\" goes up: name it from src" ;;
			actions/*)
				case "$layer $included" in
				"actions actions/common/"* | "actions actions/$executor/"*)
					[ -e "$included" ] || echo "$file:$line: there is no \"$included\"" ;;
				*) echo "$file:$line: ${file%/*} must not include \"$included\"" ;;
				esac
				;;
			*/*)
				case $allowed in
				*" ${included%%/*} "*) [ -e "$included" ] || echo "$file:$line: there is no \"$included\"" ;;
				*) echo "$file:$line: $layer must not include \"$included\"" ;;
				esac
				;;
			*) echo "$file:$line: \"$included\" has no directory: name it from src" ;;
			esac
		done
	done
)
if [ -n "$violations" ]; then
	echo "$violations" >&2
	echo "check-layers: base <- model <- {core, codec} <- store <- programs; an include may only point left" >&2
	exit 1
fi
echo "check-layers: ok"
