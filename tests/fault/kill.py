"""kill.py - kill -9 at every call that changes something: of everything, of the daemon, of the supervisors; and a second
time while what was killed is being recovered."""
import os
import signal

import check
import world
from suite import Suite, Task, count_points


def prepare(directory, programs, **plan):
    run = world.Run(directory, programs)
    run.new_spool()
    run.drop(world.plan_p(run.effects, **plan))
    run.approve_in_background()
    return run


def judge(run, **more):
    return check.Check(run, world.P_STATUS, world.P_WORDS).final(**more)


class Kill(Suite):
    """One crash, at every point, before and after the call."""

    def __init__(self, name, who, title):
        self.name, self.who, self.title = name, who, title

    def tasks(self, context):
        n = count_points(context)
        return [Task(self.name, n=k, side=side) for k in range(1, n + 1) for side in ("before", "after")]

    def run(self, task, directory, programs):
        run = prepare(directory, programs)
        seen = []

        def recover_at_once(process):
            seen.append(check.Seen(run.spool, run.effects, run.acks))
            if self.who == "root":
                run.recover()

        options = ["-n", str(task.n), "-k", self.who] + (["-a"] if task.side == "after" else [])
        point, status = run.crashpt(*options, meanwhile=recover_at_once)
        run.stop_approving()
        if point and self.who == "creel-run" and status not in (0, 2):
            run.say("the daemon ended with %s" % status)
        if point and self.who == "all":
            seen = [check.Seen(run.spool, run.effects, run.acks)]
        # After a crash of the daemon alone once more: a supervisor may have announced its result when the next daemon
        # had taken it already and was gone.
        run.recover()
        found = judge(run, seen=seen[0] if seen else None, may_lose=self.who != "root")
        return run, point, found


class Pair(Suite):
    """A first crash at points spread over the run, and a second one at every point of the recovery."""
    name, title = "kill-twice", "kill -9 of everything, and again at every call of the recovery"
    firsts = 12

    def tasks(self, context):
        n = count_points(context)
        step = max(1, n // self.firsts)
        return [Task(self.name, n=first, side="after" if first % 2 else "before", second=0)
                for first in range(1, n + 1, step)]

    def expand(self, task, context):
        """How many points the recovery from this first crash has is known only when it was tried."""
        run = self.first_crash(task, os.path.join(context.directory, "count"), context.programs)
        listing = os.path.join(run.dir, "list")
        run.answer()
        run.crashpt("-l", listing)
        with open(listing) as f:
            n = sum(1 for _ in f)
        run.remove()
        return [Task(self.name, n=task.n, side=task.side, second=k) for k in range(1, n + 1)]

    @staticmethod
    def first_crash(task, directory, programs):
        run = prepare(directory, programs)
        run.crashpt("-n", str(task.n), "-k", "all", *(["-a"] if task.side == "after" else []))
        run.stop_approving()
        return run

    def run(self, task, directory, programs):
        run = self.first_crash(task, directory, programs)
        first = check.Seen(run.spool, run.effects, run.acks)
        run.answer()
        point, _ = run.crashpt("-n", str(task.second), "-k", "all", *(["-a"] if task.second % 2 else []))
        seen = check.Seen(run.spool, run.effects, run.acks)
        run.recover()
        found = judge(run, seen=seen)
        again = check.Check(run)
        again.journals()
        again.seen_is_kept(first)
        return run, point, found + again.found


class Late(Suite):
    """A supervisor that stands still at one of its calls while its daemon dies and the next one recovers; then it goes
    on, when the next daemon has done what it can (rest), or while the same attempt runs anew (soon).  Whoever runs the
    attempt, it runs once."""
    name, title = "late", "a supervisor held at every call of its own while the daemon dies and the next recovers"
    slow = 60

    def tasks(self, context):
        n = count_points(context, "-w", "creel-run")
        return [Task(self.name, n=k, side=side, variant=when) for k in range(1, n + 1) for side in ("before", "after")
                for when in ("rest", "soon")]

    def run(self, task, directory, programs):
        run = prepare(directory, programs, slow=self.slow if task.variant == "soon" else 0)

        def next_daemon(process):
            had = len(check.read_effects(run.effects))
            daemon = run.start("--drain")
            if task.variant == "rest":
                run.wait_for_rest(daemon)
            else:
                run.wait_for_effect(daemon, had)
            process.send_signal(signal.SIGUSR1)
            status = run.wait(daemon, "creeld --drain")
            if status not in (0, 2):
                run.say("creeld --drain ended with %s" % status)

        options = ["-n", str(task.n), "-w", "creel-run", "-H", "-k", "root"]
        point, _ = run.crashpt(*options, *(["-a"] if task.side == "after" else []), meanwhile=next_daemon)
        run.stop_approving()
        run.recover()
        return run, point, judge(run)


SUITES = [
    Kill("kill-all", "all", "kill -9 of the daemon, the supervisors and the actions at once"),
    Kill("kill-daemon", "root", "kill -9 of the daemon alone; the next one adopts what runs"),
    Kill("kill-supervisors", "creel-run", "kill -9 of every supervisor; the daemon lives"),
    Late(),
    Pair(),
]
