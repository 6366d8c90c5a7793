"""clocks.py - the wall clock is set by a year, or by less, at every point of plan P, forward and back, with a daemon and
without.

The plan comes to the same end: nothing is done twice, nothing waits for the clock, what is limited by time is so by time
that passed, and who says yes after the request was there is obeyed.
"""
import os
import shutil
import signal
import time

import world
from kill import judge, prepare
from suite import Suite, Task, count_points

YEAR = 365 * 86400 * 1000  # in milliseconds
# How much it is off: at the start, and after each time that it is set.
JUMPS = {
    "forward": (0, YEAR),
    "back": (0, -YEAR),
    "mended": (YEAR, 0),             # it was a year ahead when the plan was dropped
    "behind": (-YEAR, 0),
    "there-and-back": (0, YEAR, 0),  # the second time while the next daemon is at it, or a moment later
    "half-a-second": (0, -500),
}


class Clocks(Suite):
    sample = 4

    def __init__(self, how, title):
        self.how = how
        self.name = "clock-" + how
        self.title = "the clock is set by a year, forward and back, " + title

    spread = 40

    def tasks(self, context):
        n = count_points(context)
        step = max(1, n // self.spread)
        names = list(JUMPS)
        return [Task(self.name, n=k, side="after" if k // step % 2 else "before", variant="%s/%s" % (jump, person))
                for k in range(1, n + 1) for j, jump in enumerate(names) for person in ("quick", "late")
                if (k + j * step // len(names)) % step == 0]

    def thin(self, tasks):
        """For a quick look: from the middle of the plan, where it asks."""
        return [task for variant in ("back/late", "half-a-second/late", "mended/late", "there-and-back/late")
                for task in [t for t in tasks if t.variant == variant][self.spread // 2:][:1]]

    def run(self, task, directory, programs):
        jump, person = task.variant.split("/")
        run = prepare(directory, programs)
        run.stop_approving()
        run.programs = world.Programs(os.path.join(run.dir, "bin"), programs.env)
        os.mkdir(run.programs.directory)
        for name, source in (("creeld", world.tool("clock/creeld")), ("creel-run", world.tool("clock/creel-run")),
                             ("creel", programs.path("creel"))):
            shutil.copy(source, run.programs.path(name))
        offsets = JUMPS[jump]
        run.set_clock(offsets[0])
        if person == "quick":
            run.approve_in_background()

        def strike(process):
            run.set_clock(offsets[1])
            if person == "late" and self.how == "up":
                run.approve_in_background()
            process.send_signal(signal.SIGUSR1)
            for offset in offsets[2:]:
                time.sleep(0.02)
                run.set_clock(offset)

        options = ["-n", str(task.n)] + (["-a"] if task.side == "after" else [])
        options += {"up": ["-H"], "down": ["-k", "root"], "dead": ["-k", "all"]}[self.how]
        point, status = run.crashpt(*options, meanwhile=strike)
        if point and self.how == "up" and status not in (0, 2):
            run.say("the daemon ended with %s" % status)
        if person == "late":
            run.approve_in_background()
        run.recover()
        run.stop_approving()
        run.recover()
        found = judge(run, may_lose=self.how == "dead")
        return run, point, found


SUITES = [
    Clocks("up", "while the daemon works"),
    Clocks("down", "while no daemon does and the attempts go on"),
]
