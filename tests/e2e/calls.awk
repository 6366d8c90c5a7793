# strace -f output → "WHO CALL TIMES" and "WHO all TIMES"; WHO is daemon (with its threads), supervisor or action.
function who(pid) { return pid in kind ? kind[pid] : "supervisor" }
NR == 1 { kind[$1] = "daemon" }
{ pid = $1; call = $2; sub(/\(.*/, "", call) }
$2 ~ /^execve\(/ { kind[pid] = $2 ~ /creel-run"/ ? "supervisor" : $2 ~ /creeld"/ ? "daemon" : "action" }
/clone3?\(.*CLONE_THREAD/ || /<\.\.\. clone3? resumed>/ {
	if (/CLONE_THREAD/) thread[pid] = 1
	if (/= [0-9]+$/ && thread[pid]) { kind[$NF] = "daemon"; thread[pid] = 0 }
}
$2 ~ /^(<\.\.\.|\+\+\+|---)$/ { next }
{ n[who(pid) " all"]++; n[who(pid) " " call]++ }
END { for (k in n) print k, n[k] }
