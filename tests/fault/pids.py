"""pids.py - the numbers of processes that died while no daemon looked belong to innocents when the next one does.

The innocents live on; the attempts that had those numbers are lost and handled so, and none is taken for running.
"""
import ctypes
import glob
import json
import os
import signal
import subprocess
import time

import check
import world
from kill import judge, prepare
from suite import Suite, Task, count_points

PR_SET_CHILD_SUBREAPER = 36
PARENT, START = 1, 19  # fields of /proc/PID/stat, counted after the name
HOWS = ("plain", "session", "orphan")


def gone(pid):
    """Is the number free?  Its process may be a child of ours by now."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            pass
        if not os.path.exists("/proc/%d" % pid):
            return True
        time.sleep(0.001)
    return False


def stat_of(pid):
    with open("/proc/%d/stat" % pid) as f:
        return f.read().rpartition(")")[2].split()


def words_of(lock):
    return dict(w.split("=", 1) for w in check.read(lock).decode().split() if "=" in w)


class Innocents:
    """Processes with the numbers of others."""

    def __init__(self, run, how):
        self.run, self.how, self.all = run, how, []

    def take(self, pid):
        """False: the number is not free."""
        if not gone(pid):
            return False
        p = subprocess.Popen([world.tool("reuse"), str(pid), self.how], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             text=True)
        if not p.stdout.readline().startswith("lives"):
            p.stdin.close()
            if p.wait() != 3:
                self.run.say("reuse %d ended with %d" % (pid, p.returncode))
            p.stdout.close()
            return False
        self.all.append((pid, p))
        return True

    def end(self):
        """What became of them; then they are gone."""
        found = []
        for pid, p in self.all:
            p.stdin.close()
            said = p.stdout.read().strip()
            p.stdout.close()
            p.wait()
            if said != "unharmed":
                found.append("innocent: a process with the number %d (%s) was %s" % (pid, self.how, said or "lost"))
        self.all = []
        return found


class Pids(Suite):
    needs_root = True
    sample = 4

    def set_up(self, directory, programs):
        # Who loses its parent comes to us, so that its number is free when it has ended.
        if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0:
            raise OSError("prctl: no subreaper")

    @staticmethod
    def adopted(run, seen):
        """What a daemon took for running, after what was seen."""
        for d in check.executions(run.spool):
            known = set(seen.commits.get(os.path.basename(d), {}))
            for seq, data in check.commits(d).items():
                for ev in json.loads(data)["events"] if seq not in known else []:
                    if ev["type"] == "action.adopted":
                        yield ev["action"]


class Down(Pids):
    """Everything is killed at a point; every number that a lock or creeld.lock names is taken before the next start."""
    name, title = "pids-down", "kill -9 of everything, and innocents have the numbers when the next daemon starts"
    spread = 50

    def tasks(self, context):
        n = count_points(context)
        step = max(1, n // self.spread)
        return [Task(self.name, n=k, side="after" if k % 2 else "before", variant=how)
                for k in range(1, n + 1) for how in HOWS if k % step == HOWS.index(how) * step // 3]

    def run(self, task, directory, programs):
        run = prepare(directory, programs, slow=20)
        point, _ = run.crashpt("-n", str(task.n), "-k", "all", *(["-a"] if task.side == "after" else []))
        run.stop_approving()
        if not point:
            return run, None, []
        seen = check.Seen(run.spool, run.effects, run.acks)
        innocents = Innocents(run, task.variant)
        taken = 0
        try:
            for lock in glob.glob(run.below("executions", "*", "*", "actions", "*", "*", "lock")):
                words = words_of(lock)
                if "pid" in words:
                    taken += innocents.take(int(words["pid"]))
            for word in check.read(run.below("creeld.lock")).decode().split():
                if word.startswith("pid="):
                    innocents.take(int(word[4:]))
            run.recover()
        finally:
            harmed = innocents.end()
        run.notes.append("%d numbers taken" % taken)
        found = harmed + judge(run, seen=seen)
        return run, point, found + ["false: %s was taken for running" % a for a in self.adopted(run, seen)]


class Up(Pids):
    """A daemon has adopted attempts and stands still for a moment (SIGSTOP) in which supervisors and actions die and
    their numbers are taken: rest, when it goes on; stop, when it is ended then and another one starts; cancel, when
    somebody has cancelled the execution meanwhile."""
    name, title = "pids-up", "adopted attempts die while their daemon stands still; innocents have the numbers when it goes on"

    def tasks(self, context):
        return [Task(self.name, n=k, variant="%s/%s" % (what, how)) for k in range(1, 12)
                for what in ("rest", "stop", "cancel") for how in HOWS]

    def run(self, task, directory, programs):
        what, how = task.variant.split("/")
        run = prepare(directory, programs, slow=300)
        first = run.start()
        self.wait_for_locks(run, task.n)
        first.kill()
        first.wait()
        run.stop_approving()
        seen = check.Seen(run.spool, run.effects, run.acks)
        daemon = run.start()
        innocents = Innocents(run, how)
        try:
            self.wait_for_adoption(run, daemon, seen)
            daemon.send_signal(signal.SIGSTOP)
            if what == "cancel":
                self.cancel(run)
            taken = self.kill_adopted(run, daemon, innocents)
            if what == "stop":
                daemon.terminate()
            daemon.send_signal(signal.SIGCONT)
            if what == "stop":
                run.wait(daemon, "creeld")
            else:
                run.wait_for_rest(daemon)
                daemon.terminate()
                run.wait(daemon, "creeld")
            run.recover(expected=None if what == "cancel" else 0)
        finally:
            if daemon.poll() is None:
                daemon.kill()
                daemon.wait()
            harmed = innocents.end()
        run.notes.append("%d numbers taken" % taken)
        if what != "cancel":
            return run, "%d attempts" % taken if taken else None, harmed + judge(run)
        c = check.Check(run, outcome=("cancelled", "completed"))
        return run, "%d attempts" % taken if taken else None, harmed + c.final()

    @staticmethod
    def locks(run):
        """{lock: its words} of attempts that run."""
        return {lock: words_of(lock) for lock in run.locked() if "pid" in words_of(lock)}

    def wait_for_locks(self, run, n):
        """Until so many attempts have begun, and one of them runs."""
        def begun():
            return sum(line[3] == "begin" for line in check.read_effects(run.effects))

        run.wait_until(lambda: begun() >= n and self.locks(run), "attempts run")

    @staticmethod
    def wait_for_adoption(run, daemon, seen):
        run.wait_until(lambda: daemon.poll() is not None or any(Pids.adopted(run, seen)) or not run.locked(),
                       "the next daemon adopts")

    @staticmethod
    def cancel(run):
        ident = os.path.basename(check.executions(run.spool)[0])
        with open(run.below("control", ident + ".cancel"), "w"):
            pass

    def kill_adopted(self, run, daemon, innocents):
        """Supervisors first, so that none publishes a result.  Those of the daemon's own children keep their numbers
        until it has reaped them."""
        pids = []
        for words in self.locks(run).values():
            pid = int(words["pid"])
            try:
                of_action = stat_of(pid)
                supervisor = int(of_action[PARENT])
                if of_action[START] != words["start"] or int(stat_of(supervisor)[PARENT]) == daemon.pid:
                    continue
                os.kill(supervisor, signal.SIGKILL)
                os.kill(pid, signal.SIGKILL)
                gone(supervisor)
                pids.append(pid)
            except (OSError, IndexError):
                continue
        return sum(innocents.take(pid) for pid in pids)


SUITES = [Down(), Up()]
