# machine.sh - where and when it was measured, for the results.

does() { case " $PARTS " in *" $1 "*) return 0 ;; esac; return 1; }

load() { cut -d ' ' -f 1-3 /proc/loadavg; }

# stat calls every ext2, 3 and 4 "ext2/ext3"; the kernel lists the journals that it keeps.
disk_type() {
	local type device
	type=$(stat -f -c %T "$WORK")
	device=$(df --output=source "$WORK" | sed 1d)
	case $type in
	ext2/ext3)
		if ls -d "/proc/fs/jbd2/${device##*/}-"* >/dev/null 2>&1; then echo "ext4"; else echo "ext4 without a journal"; fi
		;;
	*) echo "$type" ;;
	esac
}

machine() {
	jq -n --arg cpu "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1)" --arg cpus "$(nproc)" \
		--arg kernel "$(uname -sr)" --arg disk "$(disk_type)" --arg before "$LOAD" --arg after "$(load)" \
		--arg commit "${COMMIT:-}" --arg at "$(date -u +%FT%TZ)" \
		--arg rounds "$ROUNDS" --arg mem "$(awk '$1 == "MemTotal:" {print int($2 / 1048576 + 0.5)}' /proc/meminfo)" \
		--arg why "${SLURM_WHY:-}" --arg failed "${FAILED:-}" \
		'{cpu: $cpu, cpus: $cpus, memory_gib: $mem, kernel: $kernel, disk: $disk, load_before: $before,
		load_after: $after, commit: $commit, at: $at, rounds: $rounds, slurm_left_out: $why, failed: $failed}'
}
