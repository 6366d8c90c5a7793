"""seeds.py - what is drawn by lot, for a bounded time: the simulation of the daemon, and the fuzz targets.

Their runs are made inside one process each, so they are not added to those of the suites with real processes.
"""
import os
import re
import subprocess

import world
from suite import Suite, Task

FINDING = re.compile(r"this must hold|ERROR:|runtime error|SUMMARY|Test unit written")


def tail(path, n=8):
    with open(path, errors="replace") as f:
        return [line.strip() for line in f if line.strip()][-n:]


class Simulation(Suite):
    """Walks of the daemon on a kernel, a disk and a clock of the simulation's; a failure prints its seed."""
    name, title = "simulation", "the daemon on a simulated kernel, disk and clock, crashes included; a run is a seed"
    sample = None  # check-sim is part of make check
    in_sum = False
    last, block = 3000, 50

    def tasks(self, context):
        return [Task(self.name, n=k, second=min(k + self.block - 1, self.last))
                for k in range(1, self.last + 1, self.block)]

    def expand(self, task, context):
        return [task] if task.second else [Task(self.name, n=task.n, second=task.n)]

    def narrow(self, task, points):
        """One of these seeds alone, however large it is."""
        return Task(self.name, n=points[0], second=points[-1]) if task.n == 1 else None

    def missing(self):
        return None if os.path.exists(program("sim", "sim")) else "there is no %s: make it" % program("sim", "sim")

    def run(self, task, directory, programs):
        run = world.Run(directory, programs)
        seeds = "%d-%d" % (task.n, task.second)
        with open(run.log, "wb") as log:
            status = subprocess.call([program("sim", "sim"), "--seeds", seeds], stdout=log, stderr=log, env=run.env)
        run.count = task.second - task.n + 1
        return run, "seeds " + seeds, ["sim ended with %d" % status, *tail(run.log)] if status else []


class Fuzz(Suite):
    """libFuzzer on every target, from the kept corpus; what it finds is kept as a file to run again."""
    name, title = "fuzz", "each fuzz target under libFuzzer for 8 s, a run is an input; a point is a target"
    sample = None  # check-fuzz is part of make check
    in_sum = False
    seconds = 8

    @staticmethod
    def targets():
        return sorted(os.listdir(os.path.join(world.ROOT, "tests", "fuzz", "corpus")))

    def tasks(self, context):
        return [Task(self.name, n=k, variant=target) for k, target in enumerate(self.targets(), 1)]

    def missing(self):
        for target in self.targets():
            if not os.path.exists(program("fuzz", target, "fuzz")):
                return "there is no %s: make fuzz-programs" % program("fuzz", target, "fuzz")
        return None

    def run(self, task, directory, programs):
        run = world.Run(directory, programs)
        found = os.path.join(run.dir, "found")
        os.mkdir(found)
        kept = os.path.join(world.ROOT, "tests", "fuzz")
        words = os.path.join(kept, "dict", task.variant + ".dict")
        command = [program("fuzz", task.variant, "fuzz"), found, os.path.join(kept, "corpus", task.variant),
                   "-max_total_time=%d" % self.seconds, "-timeout=10", "-rss_limit_mb=1024", "-max_len=8192",
                   "-print_final_stats=1", "-artifact_prefix=%s/finding-" % run.dir]
        with open(run.log, "wb") as log:
            status = subprocess.call(command + (["-dict=" + words] if os.path.exists(words) else []), stdout=log,
                                     stderr=log, env=dict(run.env, ASAN_OPTIONS="allocator_may_return_null=1"))
        with open(run.log, errors="replace") as f:
            lines = f.readlines()
        run.count = sum(int(line.split()[-1]) for line in lines if line.startswith("stat::number_of_executed_units:"))
        if not status and not run.count:
            return run, task.variant, ["%s tried no input" % task.variant]
        return run, task.variant, ["%s ended with %d" % (task.variant, status), *(
            line.strip() for line in lines if FINDING.search(line))] if status else []


def program(kind, name, build=""):
    return os.path.join(world.BUILD, build, "tests", kind, name)


SUITES = [Simulation(), Fuzz()]
