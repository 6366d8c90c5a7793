"""failing.py - calls that fail for want of something: each error at each call that can have it, once, and for a while.

No daemon aborts, nothing false is recorded and no file is half there; the daemon stops handing out work, says why, and goes
on by itself when the calls succeed again."""
import collections
import errno
import glob
import os

import check
import world
from kill import prepare
from suite import Suite, Task, list_points

SPACE, IO, FILES, MEMORY, INTR = 1, 2, 4, 8, 16  # as crashpt lists them
ERRORS = {SPACE: ("ENOSPC", "EDQUOT"), IO: ("EIO",), FILES: ("EMFILE", "ENFILE"), MEMORY: ("ENOMEM",),
          INTR: ("EINTR",)}
STARTING = (64, 100, 111, 127)  # what a daemon that could not start may say
OWN_FAILURES = ("exit:75", "exit:3", "timeout")  # that plan P has of itself


def calls_of(context, program):
    """How often each call is made by a program, and with which classes of errors."""
    most = collections.Counter()
    fails = {}
    for _ in range(3):
        found = collections.Counter()
        for _, _, _, call, classes, _ in list_points(context, "-p", "all", "-w", program):
            found[call] += 1
            fails[call] = int(classes)
        most |= found
    return most, fails


def refused_for(run, reason):
    """The plan lies in rejected/, and the reason beside it."""
    reports = glob.glob(run.below("rejected", "*.error.json"))
    return len(reports) == 1 and reason in check.read(reports[0]).decode() and \
        os.path.exists(reports[0][:-len(".error.json")])


class Failing(Suite):
    def __init__(self, program, lasting):
        self.program, self.lasting = program, lasting
        self.name = "errors-%s%s" % (program, "-lasting" if lasting else "")
        self.title = "each error number at each call of %s, %s" % (
            program, "and at all that follow for %d ms" % lasting if lasting else "once; short writes")
        self.sample = 8 if lasting else 24

    def tasks(self, context):
        most, fails = calls_of(context, self.program)
        tasks = []
        for call, times in sorted(most.items()):
            for n in range(1, times + times // 25 + 1):
                for bit, names in ERRORS.items():
                    if fails[call] & bit:
                        tasks.append(Task(self.name, n=n, variant="%s/%s" % (call, names[n % len(names)])))
                if call in ("write", "pwrite64"):
                    tasks.append(Task(self.name, n=n, variant="%s/short" % call))
        if self.lasting:  # these take seconds each
            tasks = [t for k, t in enumerate(tasks) if k % 12 == 5 and not t.variant.endswith(("/short", "/EINTR"))]
        return tasks

    def run(self, task, directory, programs):
        call, _, error = task.variant.partition("/")
        run = prepare(directory, programs)
        options = ["-p", "all", "-w", self.program, "-t", call, "-n", str(task.n)]
        options += ["-s"] if error == "short" else ["-e", str(getattr(errno, error))]
        if self.lasting:
            options += ["-f", str(self.lasting)]
        point, status = run.crashpt(*options)
        run.stop_approving()
        found = self.daemon_was_well(run, status, call, error) if point else []
        if run.recover(expected=None) not in (0, 1):
            found.append("unfinished: the next daemon does not come to an end")
        return run, point, found + self.judge(run)

    @staticmethod
    def daemon_was_well(run, status, call, error):
        with open(run.log, errors="replace") as f:
            log = f.read()
        served = " serves " in log
        if status in (0, 1, 2) or (status in STARTING and not served):
            return []
        if status == 139 and call == "mmap" and not log:
            return []  # the dynamic loader has no other answer if its first allocation fails; nothing of creel has run
        if status == 111 and error == "ENOMEM" and "out of memory" in log:
            return []  # small allocations give up, and a restart is safe
        return ["abort: the daemon ended with %s" % status]

    @staticmethod
    def judge(run):
        """As the plan must end; or it ended as failed, because an attempt could not be made, and the record says so."""
        c = check.Check(run, world.P_STATUS, world.P_WORDS)
        c.journals()
        reasons = [ev["error"].get("message", "") for events in c.events.values() for ev in events
                   if ev["type"] == "action.failed" and ev.get("error", {}).get("code") not in OWN_FAILURES]
        run.notes += reasons
        if not c.docs and refused_for(run, "Input/output error"):
            run.notes.append("rejected, with the reason")
            return []
        if any(reasons):
            return check.Check(run, outcome=("failed", "completed")).final()
        return check.Check(run, world.P_STATUS, world.P_WORDS).final()


SUITES = [Failing("creeld", 0), Failing("creel-run", 0), Failing("creeld", 300), Failing("creel-run", 300)]
