# Completion for creel(1) in bash: verbs, options, executions and their actions.
# Install as /usr/share/bash-completion/completions/creel, or source it.

# The spool that the command line so far speaks of.
_creel_spool() {
	local k
	for ((k = 1; k < COMP_CWORD; k++)); do
		case ${COMP_WORDS[k]} in
		--spool | -s) echo "${COMP_WORDS[k + 1]}"; return ;;
		--spool=*) echo "${COMP_WORDS[k]#--spool=}"; return ;;
		esac
	done
	echo "${CREEL_SPOOL:-spool}"
}

# Ids, newest first, a few: all of active/ or of everything.
_creel_ids() {
	local spool
	spool=$(_creel_spool)
	if [ "$1" = active ]; then
		command ls "$spool/active" 2>/dev/null
	else
		command ls -r "$spool"/executions 2>/dev/null | head -n 7 | while read -r day; do
			command ls -r "$spool/executions/$day"
		done | head -n 200
		echo last
	fi
}

# The actions of the execution that was named, from its directory.
_creel_actions() {
	local dir
	dir=$(creel --spool "$(_creel_spool)" path "$1" 2>/dev/null) || return
	command sed -n 's/^"\([A-Za-z0-9_.-]*\)":{"actionId":.*/\1/p' "$dir/state.json" 2>/dev/null
}

_creel() {
	local cur=${COMP_WORDS[COMP_CWORD]} verb= id= n=0 k word
	local verbs="init validate submit ls show log trace wait status pending approve reject retry skip cancel pause resume
		path action state export import gc verify rebuild help version"
	COMPREPLY=()
	for ((k = 1; k < COMP_CWORD; k++)); do
		word=${COMP_WORDS[k]}
		case $word in
		--spool | -s) ((k++)) ;;
		-*) ;;
		*)
			if [ -z "$verb" ]; then
				verb=$word
			else
				[ "$n" -gt 0 ] || id=$word
				n=$((n + 1))
			fi
			;;
		esac
	done
	case ${COMP_WORDS[COMP_CWORD - 1]} in
	--spool | -s)
		mapfile -t COMPREPLY < <(compgen -d -- "$cur")
		return
		;;
	esac
	case $cur in
	-*)
		local options=--help
		[ -n "$verb" ] || options="--spool --help --version"
		[ -z "$verb" ] || options=$(creel help "$verb" 2>/dev/null | command grep -oE -- '--[a-z-]+' | sort -u)
		mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur")
		return
		;;
	esac
	case $verb in
	"") mapfile -t COMPREPLY < <(compgen -W "$verbs" -- "$cur") ;;
	help) mapfile -t COMPREPLY < <(compgen -W "$verbs" -- "$cur") ;;
	init) mapfile -t COMPREPLY < <(compgen -d -- "$cur") ;;
	submit | validate)
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -d -- "$cur"; for word in yaml yml json; do
			compgen -f -X "!*.$word" -- "$cur"; done)
		;;
	import)
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -d -- "$cur"; for word in tar.zst tar.gz tgz tar; do
			compgen -f -X "!*.$word" -- "$cur"; done)
		;;
	action)
		if [ "$n" -eq 0 ]; then
			mapfile -t COMPREPLY < <(compgen -W "ls show test" -- "$cur")
		elif [ "$n" -eq 1 ]; then
			mapfile -t COMPREPLY < <(compgen -W "$(creel --spool "$(_creel_spool)" action ls 2>/dev/null |
				command sed -n 's/^action  *\([^ ]*\) .*/\1/p')" -- "$cur")
		fi
		;;
	state)
		if [ "$n" -eq 0 ]; then
			mapfile -t COMPREPLY < <(compgen -W "initialize update-status record-result get-full get-result get-available" -- "$cur")
		elif [ "$n" -eq 1 ]; then
			mapfile -t COMPREPLY < <(compgen -W "$(_creel_ids all)" -- "$cur")
		fi
		;;
	wait | cancel | pause | resume) mapfile -t COMPREPLY < <(compgen -W "$(_creel_ids active) last" -- "$cur") ;;
	show | log | trace | path | approve | reject | retry | skip | pending | export | verify | rebuild)
		if [ "$n" -eq 0 ]; then
			mapfile -t COMPREPLY < <(compgen -W "$(_creel_ids all)" -- "$cur")
		elif [ "$n" -eq 1 ]; then
			mapfile -t COMPREPLY < <(compgen -W "$(_creel_actions "$id")" -- "$cur")
		fi
		;;
	esac
}
complete -F _creel creel
