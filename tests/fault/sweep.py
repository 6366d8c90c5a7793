"""sweep.py - run fault suites over several workers, write down every run, and say what was found.

	sweep.py [OPTION…] SUITE…

See README.md, or --help, for the options.
"""
import argparse
import multiprocessing
import multiprocessing.util
import os
import random
import shutil
import signal
import subprocess
import sys
import time

import suite as suites
import clocks
import cut
import failing
import keep
import kill
import mutants
import others
import overflow
import pids
import reorder
import seeds
import truncation
import upgrade
import world

ALL = [*kill.SUITES, *cut.SUITES, *failing.SUITES, *keep.SUITES, *truncation.SUITES, *others.SUITES, *reorder.SUITES,
       *clocks.SUITES, *overflow.SUITES, *pids.SUITES, *upgrade.SUITES, *seeds.SUITES, *mutants.SUITES]
BY_NAME = {s.name: s for s in ALL}

KEEP_MOST = 20


def parse_range(text):
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def arguments(argv):
    p = argparse.ArgumentParser(prog="run.sh", description="Fault suites of creel.")
    p.add_argument("suites", nargs="*", metavar="SUITE", help="all if none is named: " + ", ".join(BY_NAME))
    p.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    p.add_argument("--point", type=parse_range, help="only these points: N or N-M")
    p.add_argument("--side", help="only before or after the call")
    p.add_argument("--variant", help="only this variant")
    p.add_argument("--second", type=parse_range, help="only these second points")
    p.add_argument("--every", type=int, default=1, help="only one of every N tasks")
    p.add_argument("--sample", action="store_true", help="only as many as each suite has for a quick look")
    p.add_argument("--readme", help="write the table into this file, between its markers")
    p.add_argument("--results", default=os.path.join(world.TOOLS, "results.tsv"))
    p.add_argument("--programs", default=world.BUILD, help="directory of creeld, creel and creel-run")
    p.add_argument("--stop-at-first", action="store_true", help="end with the first violation")
    p.add_argument("--keep", action="store_true", help="keep the directory of every run")
    p.add_argument("--verbose", action="store_true")
    a = p.parse_args(argv)
    for name in a.suites:
        if name not in BY_NAME:
            p.error("there is no suite %s; there are %s" % (name, ", ".join(BY_NAME)))
    return a


# ---- workers ----

class Worker:
    """What one process of the pool has."""
    current = None

    def __init__(self, suite, directory, programs, keep):
        self.suite, self.programs, self.keep = suite, programs, keep
        self.dir = os.path.join(directory, "w%d" % os.getpid())
        os.makedirs(self.dir, exist_ok=True)
        self.broken = None
        try:
            suite.set_up(self.dir, programs)
        except (Exception, SystemExit) as e:
            self.broken = e

    def run(self, task):
        started = time.monotonic()
        try:
            if self.broken:
                raise self.broken
            run, point, found = self.suite.run(task, os.path.join(self.dir, "run"), self.programs)
        except (Exception, SystemExit) as e:  # a bug of the sweep must not pass for silence
            import traceback
            return suites.Result(task, point="?", found=["sweep: %s" % "".join(traceback.format_exception(e))],
                                 seconds=time.monotonic() - started)
        result = suites.Result(task, point or "", found, seconds=time.monotonic() - started)
        if point and run.notes:
            result.point += " -> " + "; ".join(run.notes)
        result.runs = run.count
        result.figures = run.figures
        if found or self.keep:
            result.log = run.tail_of_log()
            result.kept = self.keep_run(run, task)
        run.remove()
        if not run.spool.startswith(run.dir):
            shutil.rmtree(run.spool, ignore_errors=True)
        return result

    def keep_run(self, run, task):
        place = os.path.join(world.TOOLS, "kept")
        os.makedirs(place, exist_ok=True)
        if len(os.listdir(place)) >= KEEP_MOST and not self.keep:
            return ""
        name = "-".join(str(x) for x in (task.suite, task.variant, task.n, task.side, task.second) if x)
        kept = os.path.join(place, name.replace("/", "_"))
        shutil.rmtree(kept, ignore_errors=True)
        shutil.copytree(run.dir, kept, symlinks=True, ignore_dangling_symlinks=True,
                        ignore=lambda d, names: [n for n in names if not os.path.islink(os.path.join(d, n)) and
                                                 not os.path.isdir(os.path.join(d, n)) and
                                                 not os.path.isfile(os.path.join(d, n))])
        if not run.spool.startswith(run.dir):
            shutil.copytree(run.spool, os.path.join(kept, "spool"), symlinks=True)
        return kept


def begin_worker(name, directory, programs, keep):
    def end(*_):
        Worker.current.suite.tear_down()
        os._exit(1)

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Worker.current = Worker(BY_NAME[name], directory, programs, keep)
    multiprocessing.util.Finalize(None, Worker.current.suite.tear_down, exitpriority=16)
    signal.signal(signal.SIGTERM, end)


def work(task):
    return Worker.current.run(task)


# ---- one suite ----

def chosen(suite, a, context):
    tasks = []
    for task in suite.tasks(context):
        if a.point:
            task = suite.narrow(task, a.point)
        if not task:
            continue
        if a.side and task.side != a.side or a.variant and task.variant != a.variant:
            continue
        tasks.append(task)
    tasks = [t for task in tasks for t in suite.expand(task, context) if not a.second or t.second in a.second]
    every = a.every
    if a.sample and suite.thin:
        return suite.thin(tasks)
    if a.sample and suite.sample:
        every = max(every, -(-len(tasks) // suite.sample))
    if every > 1:  # one of each group of neighbours, always the same one
        pick = random.Random(1)
        tasks = [pick.choice(tasks[k:k + every]) for k in range(0, len(tasks), every)]
    return tasks


def report(result, results, verbose):
    task = result.task
    results.write("\t".join([task.suite, task.variant, str(task.n), task.side, str(task.second), result.point,
                             str(result.runs), "%.3f" % result.seconds, " ;; ".join(result.found)]).replace("\n", " ") + "\n")
    if result.found:
        print("VIOLATION %s\n    %s" % (task.replay(), result.point))
        for what in result.found[:12]:
            print("    " + what)
        for line in result.log:
            print("      | " + line)
        if result.kept:
            print("    kept: " + result.kept)
        sys.stdout.flush()
    elif verbose:
        print("ok %s %s %.2fs" % (task.replay(), result.point or "(not reached)", result.seconds))
        sys.stdout.flush()


class Summary:
    def __init__(self, suite):
        self.suite, self.points, self.runs, self.violations, self.unreached, self.seconds = suite, 0, 0, 0, 0, 0.0
        self.skipped = None
        self.figures = {}
        self.mutants = []

    def add(self, result):
        self.violations += bool(result.found)
        if not result.point and not result.found:
            self.unreached += 1
            return
        self.points += 1
        self.runs += result.runs
        if isinstance(self.suite, mutants.Mutants):
            self.mutants.append(result.point)
        for what, value in result.figures.items():
            self.figures[what] = max(value, self.figures.get(what, value))

    def what(self):
        """What it does, and the greatest of each figure that it measured."""
        return "; ".join([self.suite.title, *("%s: %d" % pair for pair in self.figures.items())])


def run_suite(suite, a, directory, programs, results):
    summary = Summary(suite)
    summary.skipped = suite.missing()
    if summary.skipped:
        print("%s: skipped: %s" % (suite.name, summary.skipped))
        return summary
    started = time.monotonic()
    context = suites.Context(directory, programs)
    try:
        tasks = chosen(suite, a, context)
    except Exception as e:  # the other suites are worth as much as before
        print("VIOLATION %s: its runs could not be prepared: %s: %s" % (suite.name, type(e).__name__, e))
        summary.violations = 1
        return summary
    jobs = max(1, min(suite.workers or a.jobs, a.jobs, len(tasks) or 1))
    print("%s: %d runs with %d workers: %s" % (suite.name, len(tasks), jobs, suite.title))
    sys.stdout.flush()
    pool = multiprocessing.Pool(jobs, begin_worker, (suite.name, directory, programs, a.keep))
    try:
        for result in pool.imap_unordered(work, tasks, chunksize=1):
            report(result, results, a.verbose)
            summary.add(result)
            if a.stop_at_first and summary.violations:
                break
        pool.close()
        if not (a.stop_at_first and summary.violations):
            pool.join()
    finally:
        pool.terminate()
        pool.join()
    summary.seconds = time.monotonic() - started
    results.flush()
    print("%s: %d points, %d runs, %d violations, %d not reached, %.0f s" % (
        suite.name, summary.points, summary.runs, summary.violations, summary.unreached, summary.seconds))
    sys.stdout.flush()
    return summary


def table(summaries):
    lines = ["| test | what | points | runs | violations | seconds |", "|---|---|---:|---:|---:|---:|"]
    for s in summaries:
        if s.skipped:
            lines.append("| `%s` | %s | | | skipped: %s | |" % (s.suite.name, s.suite.title, s.skipped))
        else:
            lines.append("| `%s` | %s | %d | %d | %d | %.0f |" % (s.suite.name, s.what(), s.points, s.runs, s.violations,
                                                               s.seconds))
    real = [s for s in summaries if s.suite.in_sum]
    if real:
        lines.append("| | all%s | %d | %d | %d | %.0f |" % (
            " of real processes" if len(real) < len(summaries) else "", sum(s.points for s in real),
            sum(s.runs for s in real), sum(s.violations for s in real), sum(s.seconds for s in real)))
    return lines


def commit_of_sources():
    said = subprocess.run(["git", "-C", world.ROOT, "describe", "--always", "--dirty"], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True)
    return said.stdout.strip() or "unknown"


def write_readme(path, jobs, commit, summaries):
    begin, end = "<!-- figures: written by make check-fault -->", "<!-- end of figures -->"
    with open(path) as f:
        text = f.read()
    head, _, rest = text.partition(begin)
    _, found, tail = rest.partition(end)
    if not found:
        raise SystemExit("%s has no %s ... %s" % (path, begin, end))
    with open("/proc/cpuinfo") as f:
        cpu = next((l.partition(":")[2].strip() for l in f if l.startswith("model name")), "unknown processor")
    lines = ["", "%d workers; %s, %d processors; Linux %s; %s, commit %s." % (
        jobs, cpu, os.cpu_count(), os.uname().release, time.strftime("%Y-%m-%d", time.gmtime()), commit), "",
        *table(summaries), "", "## Mutants", "", *mutants.Mutants.table(p for s in summaries for p in s.mutants), ""]
    with open(path, "w") as f:
        f.write(head + begin + "\n".join(lines) + end + tail)


def main(argv):
    a = arguments(argv)
    directory = world.work_directory()
    commit = commit_of_sources()
    programs = world.Programs(os.path.abspath(a.programs))
    os.makedirs(directory)
    try:
        with open(a.results, "a" if a.point else "w") as results:
            names = a.suites or [s.name for s in ALL if not a.sample or s.sample is not None]
            summaries = [run_suite(BY_NAME[name], a, directory, programs, results) for name in names]
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    print("\n".join(table(summaries)))
    print("\n".join(mutants.Mutants.table(p for s in summaries for p in s.mutants)))
    if a.readme:
        write_readme(a.readme, a.jobs, commit, summaries)
    # Without root some cannot run; where there is root, nothing is skipped.
    skipped = [s for s in summaries if s.skipped and os.geteuid() == 0]
    for s in skipped:
        print("%s had to be skipped although this is root: %s" % (s.suite.name, s.skipped))
    return 1 if skipped or any(s.violations for s in summaries) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
