"""suite.py - what a suite is: tasks, each of which is one run that can be repeated alone."""
import dataclasses
import os

import world


@dataclasses.dataclass(frozen=True)
class Task:
    suite: str
    n: int = 0          # the point
    side: str = ""      # before or after its call
    variant: str = ""   # of the suite: a file system, an error, a file
    second: int = 0     # a second number, where a run has two
    only: tuple = ()    # some of the points that it stands for, where it stands for many

    def replay(self):
        """The arguments of run.sh that repeat it."""
        words = [self.suite, "--point", str(self.n)]
        if self.side:
            words += ["--side", self.side]
        if self.variant:
            words += ["--variant", self.variant]
        if self.second:
            words += ["--second", str(self.second)]
        return " ".join(words)


@dataclasses.dataclass
class Result:
    task: Task
    point: str = ""        # what it struck; empty: the point was not reached
    found: list = dataclasses.field(default_factory=list)
    runs: int = 1          # how many crashed or damaged states it examined
    seconds: float = 0.0
    kept: str = ""
    figures: dict = dataclasses.field(default_factory=dict)  # what was measured
    log: list = dataclasses.field(default_factory=list)


class Context:
    """For counting points, before the workers start."""

    def __init__(self, directory, programs):
        self.directory, self.programs = directory, programs
        self.counts = {}


class Suite:
    name = title = ""
    needs_root = False
    workers = 0  # at most; 0: as many as there are
    sample = 24  # runs of a quick look; 0: all of them; None: it has no part in that
    in_sum = True  # of the table; not where a run is no run of real processes

    def tasks(self, context):
        raise NotImplementedError

    def expand(self, task, context):
        """More tasks in place of this one."""
        return [task]

    def narrow(self, task, points):
        """What of the task concerns these points; None if nothing does."""
        return task if task.n in points else None

    thin = None  # or a method that chooses tasks for a quick look

    def missing(self):
        """Why it cannot run here; None if it can."""
        if self.needs_root and os.geteuid() != 0:
            return "needs root"
        return None

    def set_up(self, directory, programs):
        """Once in each worker."""

    def tear_down(self):
        """Once in each worker, at the end."""


def list_points(context, *options):
    """The points of an undisturbed run: lists of their fields."""
    import kill
    run = kill.prepare(os.path.join(context.directory, "count"), context.programs)
    listing = os.path.join(run.dir, "list")
    run.crashpt("-l", listing, *options)
    run.stop_approving()
    with open(listing, errors="replace") as f:
        points = [line.rstrip("\n").split("\t") for line in f]
    run.remove()
    if run.problems:
        raise SystemExit("an undisturbed run went wrong: %s" % run.problems)
    return points


def count_points(context, *options):
    """How many points a run has.  It varies with timing: the greatest of three, and some more."""
    if options not in context.counts:
        context.counts[options] = max(len(list_points(context, *options)) for _ in range(3))
    return context.counts[options] + context.counts[options] // 25


__all__ = ["Task", "Result", "Context", "Suite", "list_points", "count_points", "world"]
