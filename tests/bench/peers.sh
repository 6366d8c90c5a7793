# peers.sh - the tools that creel is compared to: contenders of lib.sh, and the servers that some of them need.
#
#	bench_sockets          $SOCKETS, removed at the end
#	peers_install          Debian packages, and BullMQ from npm; no service is started
#	slurm_start            $SLURM is set where it serves; else $SLURM_WHY says why not
#
# Each gets its jobs in the way that is quickest for it.  A tool that knows no dependencies gets the fan in stages,
# each after the end of the one before.

peers_install() {
	local policy=/usr/sbin/policy-rc.d mine=
	cp "$here/../../contrib/packages-bench.txt" "$WORK/packages.txt"
	command -v node >/dev/null || echo nodejs >>"$WORK/packages.txt"
	command -v npm >/dev/null || echo npm >>"$WORK/packages.txt"
	# Debian starts a service when it installs it, unless this script says no.
	if [ "$(id -u)" -eq 0 ] && [ ! -e $policy ]; then
		printf '#!/bin/sh\nexit 101\n' >$policy && chmod 755 $policy && mine=1
	fi
	sh "$root/contrib/install-packages.sh" "$WORK/packages.txt" || say "bench: some packages are missing"
	[ -z "$mine" ] || rm $policy
	BULLMQ=$BIN/bench/bullmq
	mkdir -p "$BULLMQ"
	cp "$here"/bullmq/* "$BULLMQ/"
	# --ignore-scripts: what these packages would build has a ready-made or a JavaScript form.  Not npm ci: it insists on
	# forms for other platforms, which not every registry has.
	if ! cmp -s "$BULLMQ/package-lock.json" "$BULLMQ/node_modules/.installed"; then
		(cd "$BULLMQ" && npm install --ignore-scripts --no-audit --no-fund --loglevel=error &&
			cp package-lock.json node_modules/.installed) || say "bench: BullMQ cannot be installed"
	fi
}

# A directory for sockets: their paths must be short.
bench_sockets() {
	SOCKETS=$(mktemp -d /tmp/creel-bench.XXXXXX)
	AT_END+=("rm -rf $SOCKETS")
}

# Call FUNCTION N for each stage of a shape.
stages() {
	local n
	for n in $(stages_of "$1" | tr , ' '); do
		"$2" "$n" "$1"
	done
}

# ---- build tools ----

prepare_make() {
	awk -v shape="$1" -v n="$(jobs_of "$1")" -v job="$JOB" 'BEGIN {
		printf ".PHONY: all"
		for (i = 0; i < n; i++) printf " a%d", i
		printf "\nall:"
		for (i = 0; i < n; i++) printf " a%d", i
		printf "\n"
		for (i = 0; i < n; i++) {
			printf "a%d:", i
			if (shape == "chain" && i > 0 || shape == "fan" && i > 0 && i < n - 1)
				printf " a%d", shape == "chain" ? i - 1 : 0
			if (shape == "fan" && i == n - 1)
				for (k = 1; k < n - 1; k++) printf " a%d", k
			printf "\n\t@%s\n", job
		}
	}' >Makefile
	go <<-END
		exec make -s -r -R -j $PARALLEL
	END
}

# ---- what feeds a list to processes ----

xargs_stage() { echo "seq $1 | xargs -P $(parallel_of "$2") -n 1 $JOB || exit 1"; }
prepare_xargs() { stages "$1" xargs_stage | go; }

parallel_stage() {
	STAGE=$((STAGE + 1))
	echo "seq $1 | parallel --will-cite -j $(parallel_of "$2") --joblog log.$STAGE $JOB || exit 1"
}
prepare_parallel() {
	STAGE=0
	mkdir home
	{
		echo "export PARALLEL_HOME=$PWD/home"
		stages "$1" parallel_stage
	} | go
}

# ---- queues without a server of their own ----

# One queue runs one job at a time: two at once are two queues.
nq_stage() {
	if [ "$1" = 1 ] || [ "$2" = chain ]; then
		echo "NQDIR=q1 $TOOLS/loop 1 $1 /usr/bin/nq -q $JOB || exit 1; NQDIR=q1 nq -w"
	else
		echo "NQDIR=q1 $TOOLS/loop 1 $(($1 / 2)) /usr/bin/nq -q $JOB & NQDIR=q2 $TOOLS/loop 1 $(($1 - $1 / 2)) /usr/bin/nq -q $JOB || exit 1"
		echo "wait; NQDIR=q1 nq -w; NQDIR=q2 nq -w"
	fi
}
nq_done() {
	[ "$(cat q1/,* q2/,* 2>/dev/null | grep -c 'exited with status 0')" -eq "$JOBS" ] || { say "nq: jobs are missing"; false; }
}
prepare_nq() {
	mkdir q1 q2
	stages "$1" nq_stage | go
	AFTER=nq_done
}

tsp_stage() {
	# -d: only if the one before ended well.
	echo "$TOOLS/loop 1 $1 /usr/bin/tsp -n $(if [ "$2" = chain ]; then echo -d; fi) $JOB || exit 1; tsp -w"
	echo "while tsp >list; grep -qE ' (queued|running) ' list; do :; done"
}
tsp_done() {
	[ "$(sed 1d list | awk '$2 == "finished" && $4 == 0' | wc -l)" -eq "$JOBS" ] || { say "tsp: jobs are missing"; false; }
}
prepare_tsp() {
	{
		echo "export TS_SOCKET=$SOCKETS/tsp.$RUNS TMPDIR=$PWD TS_MAXFINISHED=2000 TS_SLOTS=$(parallel_of "$1")"
		stages "$1" tsp_stage
		echo "exec tsp -K"
	} | go
	AFTER=tsp_done
}

# ---- BullMQ ----

bullmq() {
	local mode=$1 shape=$2 redis
	"$TOOLS/keeper" redis.log redis-server --port 0 --unixsocket "$SOCKETS/redis.$RUNS" --appendonly yes \
		--appendfsync "$mode" --save '' --dir "$PWD" --pidfile redis.pid &
	KEPT_ALL+=($!)
	AFTER="let_go $!"
	until_true redis-cli -s "$SOCKETS/redis.$RUNS" ping
	redis=$(redis-cli -s "$SOCKETS/redis.$RUNS" info server | tr -d '\r' | sed -n 's/^process_id://p')
	go <<-END
		exec $(command -v node) $BULLMQ/run.mjs $shape $JOB $PARALLEL $SOCKETS/redis.$RUNS $redis inner
	END
}
prepare_bullmq_always() { bullmq always "$1"; }
prepare_bullmq_everysec() { bullmq everysec "$1"; }

# ---- Slurm on one node ----

SLURM= SLURM_WHY=

free_port() {
	local port
	for ((port = $1; port < $1 + 500; port++)); do
		! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || continue
		echo "$port"
		return
	done
}

slurm_config() {
	cat <<-END
		ClusterName=bench
		SlurmctldHost=localhost(127.0.0.1)
		SlurmctldPort=$(free_port 16817)
		SlurmdPort=$(free_port 17817)
		SlurmUser=$(id -un)
		SlurmdUser=$(id -un)
		AuthType=auth/munge
		AuthInfo=socket=$SOCKETS/munge
		CredType=cred/munge
		StateSaveLocation=$1/state
		SlurmdSpoolDir=$1/spool
		SlurmctldPidFile=$1/slurmctld.pid
		SlurmdPidFile=$1/slurmd.pid
		ProctrackType=proctrack/pgid
		TaskPlugin=task/none
		MpiDefault=none
		AccountingStorageType=accounting_storage/none
		JobCompType=jobcomp/none
		JobAcctGatherType=jobacct_gather/none
		SelectType=select/cons_tres
		SelectTypeParameters=CR_CPU
		SchedulerType=sched/builtin
		SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=0
		ReturnToService=2
		CompleteWait=0
		NodeName=localhost NodeAddr=127.0.0.1 CPUs=$PARALLEL RealMemory=500
		PartitionName=all Nodes=ALL Default=YES State=UP
	END
}

slurm_idle() { sinfo -h | grep -q idle; }

slurm_start() {
	local dir=$AT/slurm p
	[ "$(id -u)" -eq 0 ] || { SLURM_WHY="slurmd runs as root only"; return 1; }
	for p in munged slurmctld slurmd sbatch; do
		PATH=$PATH:/usr/sbin command -v $p >/dev/null || { SLURM_WHY="there is no $p"; return 1; }
	done
	mkdir -p "$dir/state" "$dir/spool"
	head -c 128 /dev/urandom >"$dir/key" && chmod 400 "$dir/key"
	slurm_config "$dir" >"$dir/slurm.conf"
	printf '#!/bin/sh\nexec %s\n' "$JOB" >"$dir/job" && chmod 755 "$dir/job"
	export SLURM_CONF=$dir/slurm.conf
	keep /usr/sbin/munged --foreground --force --socket="$SOCKETS/munge" --key-file="$dir/key" \
		--log-file="$dir/munged.log" --pid-file="$dir/munged.pid" --seed-file="$dir/seed"
	SLURM="$KEPT"
	keep /usr/sbin/slurmctld -D -i -f "$dir/slurm.conf"
	SLURM="$SLURM $KEPT"
	keep /usr/sbin/slurmd -D -N localhost -f "$dir/slurm.conf"
	SLURM="$SLURM $KEPT"
	if ! (until_true slurm_idle) 2>/dev/null; then
		SLURM_WHY="no idle node after ten seconds: $(grep -iE 'fatal|error' "$WORK/kept.log" | grep -v pmix | tail -1)"
		for p in $SLURM; do let_go "$p"; done
		SLURM=
		return 1
	fi
}

# Half a second a job: a few stand for all, and figures are per job.
SLURM_INDEPENDENT=20 SLURM_CHAIN=10 SLURM_FAN=10

slurm_done() {
	[ "$(squeue -h -r -t CD | wc -l)" -ge "$JOBS" ] || { say "slurm: jobs are missing"; false; }
	# The next run counts its own.
	scancel -t all 2>/dev/null || :
}

prepare_slurm() {
	local submit="sbatch --parsable -o /dev/null"
	{
		echo "export SLURM_CONF=$SLURM_CONF"
		case $1 in
		independent)
			JOBS=$SLURM_INDEPENDENT
			echo "$submit --array=1-$JOBS $AT/slurm/job || exit 1"
			;;
		chain)
			JOBS=$SLURM_CHAIN
			echo "id=\$($submit $AT/slurm/job) || exit 1"
			echo "for i in \$(seq 2 $JOBS); do id=\$($submit -d afterok:\$id $AT/slurm/job) || exit 1; done"
			;;
		fan)
			JOBS=$((SLURM_FAN + 2))
			echo "id=\$($submit $AT/slurm/job) || exit 1"
			echo "id=\$($submit -d afterok:\$id --array=1-$SLURM_FAN $AT/slurm/job) || exit 1"
			echo "$submit -d afterok:\$id $AT/slurm/job || exit 1"
			;;
		esac
		echo "while squeue -h -t PD,R,CF,CG | grep -q .; do sleep 0.05; done"
	} >go.body
	go <go.body
	SERVERS=$SLURM
	AFTER=slurm_done
}
