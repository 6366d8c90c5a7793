"""mutants.py - is the checker worth anything?  Good runs of plan P are damaged in every way in which a promise can be
broken, daemons that forget to flush or to lock are let loose on real file systems, and the simulation's own mutants run:
each of them must be noticed.

A run whose mutant is not noticed is a violation of this suite.
"""
import copy
import glob
import json
import os
import re
import shutil
import subprocess

import check
import cut
import kill
import reorder
import seeds
import world
from suite import Suite, Task


# ---- damage to a good run ----

class Good:
    """A run of plan P that went well, and what was seen of it."""

    def __init__(self, directory, programs):
        self.run = kill.prepare(directory, programs)
        self.run.drain()
        self.run.recover()
        self.run.stop_approving()
        self.seen = check.Seen(self.run.spool, self.run.effects, self.run.acks)
        self.found = kill.judge(self.run, seen=self.seen, may_lose=False)

    def copy(self, directory):
        run = world.Run(directory, self.run.programs)
        shutil.rmtree(directory)
        shutil.copytree(self.run.dir, directory, symlinks=True)
        return run


class History:
    """The journal and what is told of it, to be changed: all digests, lines and numbers are right again at the end."""

    def __init__(self, run):
        self.dir = check.executions(run.spool)[0]
        self.id = os.path.basename(self.dir)
        self.run = run

    def __enter__(self):
        found = check.commits(self.dir)
        self.docs = [json.loads(found[seq]) for seq in sorted(found)]
        return self

    def find(self, kind, action, attempt=None):
        for doc in self.docs:
            for ev in doc["events"]:
                if ev["type"] == kind and ev.get("action") == action and attempt in (None, ev.get("attempt")):
                    return doc, ev
        raise LookupError("%s %s" % (kind, action))

    def change(self, kind, action, attempt=None, **more):
        self.find(kind, action, attempt)[1].update(more)

    def again(self, kind, action, **more):
        """The same event once more, before the end."""
        self.docs[-1]["events"].insert(0, dict(copy.deepcopy(self.find(kind, action)[1]), **more))

    def drop(self, kind, action):
        doc, ev = self.find(kind, action)
        doc["events"].remove(ev)

    def __exit__(self, *_):
        journal = os.path.join(self.dir, "journal")
        shutil.rmtree(journal)
        os.mkdir(journal)
        before = check.tagged(check.read(os.path.join(self.dir, "plan.json")))
        lines = []
        for seq, doc in enumerate(self.docs, 1):
            doc.update(seq=seq, prev=before)
            data = json.dumps(doc).encode() + b"\n"
            before = check.tagged(data)
            with open(os.path.join(journal, "%08d.json" % seq), "wb") as f:
                f.write(data)
            lines += [dict({"at": doc["at"], "execution": self.id, "seq": seq, "n": n}, **ev)
                      for n, ev in enumerate(doc["events"])]
        with open(glob.glob(self.run.below("events", "*.jsonl"))[0], "w") as f:
            f.writelines(json.dumps(line) + "\n" for line in lines)


def execution(run):
    return check.executions(run.spool)[0]


def edit(path, change):
    with open(path) as f:
        text = f.read()
    os.unlink(path)  # commits cannot be written
    with open(path, "w") as f:
        f.write(change(text))


def edit_json(path, **more):
    edit(path, lambda text: json.dumps(dict(json.loads(text), **more)))


def in_history(what, *args, **more):
    def damage(run):
        with History(run) as h:
            getattr(h, what)(*args, **more)
    return damage


def in_file(pattern, change):
    """Change a file of the execution, of the spool, or the effects."""
    def damage(run):
        if pattern == "effects":
            return edit(run.effects, change)
        where = run.spool if pattern.startswith("events/") else execution(run)
        return edit(glob.glob(os.path.join(where, pattern))[0], change)
    return damage


def without(pattern):
    return lambda run: os.unlink(os.path.join(execution(run), pattern))


def left(directory, name):
    def damage(run):
        with open(run.below(directory, name), "w") as f:
            f.write("{}")
    return damage


def line_with(words, change):
    """Change the first line that has these words: to a list of lines."""
    def edited(text):
        lines = text.splitlines(keepends=True)
        k = next(k for k, line in enumerate(lines) if words in line)
        return "".join(lines[:k] + change(lines[k]) + lines[k + 1:])
    return edited


def drop_middle(run):
    os.unlink(os.path.join(execution(run), "journal", "00000007.json"))


def drop_last(run):
    with History(run) as h:
        h.docs.pop()


def second_execution(run):
    d = execution(run)
    shutil.copytree(d, d[:-4] + ("beef" if not d.endswith("beef") else "dead"))


def seen_request(run):
    run.seen.requests.add("%s.z" % os.path.basename(execution(run)))


def hold_lock(run):
    import fcntl
    lock = open(os.path.join(execution(run), "actions", "z", "1", "lock"), "a")
    fcntl.flock(lock, fcntl.LOCK_EX)
    run.held = lock  # until the run is thrown away


def torn(run):
    with open(os.path.join(execution(run), "journal", "00000099.json.torn"), "w"):
        pass


def starts_first(run):
    with History(run) as h:
        doc, ev = h.find("action.execute.requested", "g2")
        doc["events"].remove(ev)
        h.docs[0]["events"].append(ev)


# name: (what it breaks, how, what the checker must say)
DAMAGE = {
    "commit-lost-last": ("the last commit, which was told, is lost", drop_last, "lost: commit .* was acknowledged"),
    "commit-lost-middle": ("a commit in the middle is lost", drop_middle, "lost: commit 7 of .* is missing"),
    "commit-other": ("a commit has other bytes than were seen", in_history("change", "user.confirmation.received", "c", number=2),
                     "lost: commit .* another one"),
    "commit-chain": ("a commit does not follow the one before", in_file("journal/00000005.json", lambda t: t.replace('"prev":"sha256:', '"prev":"sha256:0')),
                     "false: commit 5 .* does not follow"),
    "commit-half": ("a commit is cut short", in_file("journal/00000005.json", lambda t: t[:40]), "half: commit 5"),
    "execution-none": ("a plan that was dropped is forgotten", lambda run: shutil.rmtree(execution(run)), "lost: 0 executions"),
    "execution-twice": ("a plan that was dropped once runs twice", second_execution, "repeated: 2 executions"),
    "plan-lost": ("plan.json is lost", without("plan.json"), "half: .* no plan.json"),
    "effect-twice": ("an action's effect is there twice", in_file("effects", line_with(" g2 1 begin", lambda l: [l, l])),
                     "repeated: the effect of g2"),
    "end-twice": ("an action came to its end twice", in_file("effects", line_with(" g2 1 end", lambda l: [l, l])),
                  "repeated: the effect of g2"),
    "effect-none": ("what is called completed had no effect", in_file("effects", line_with(" g2 1 begin", lambda l: [])),
                    "false: g2 was given None"),
    "unknown-is-success": ("what did not come to its end is called completed", in_file("effects", line_with(" g2 1 end", lambda l: [])),
                           "false: g2, attempt 1, is called completed and did not come"),
    "failure-is-success": ("what failed is called completed", in_file("effects", line_with(" g2 1 end", lambda l: [l.replace("end 0", "end 3")])),
                           "false: g2, attempt 1, is called completed and ended with 3"),
    "success-is-failure": ("what came to its end well is called failed", in_file("effects", line_with(" f 1 end", lambda l: [l.replace("end 3", "end 0")])),
                           "false: f, attempt 1, is called failed"),
    "unannounced": ("an action runs that no commit starts", in_file("effects", line_with(" z 1 end", lambda l: [l, l.replace("z 1 end 0", "z 2 begin")])),
                    "lost: z, attempt 2, has run and no commit"),
    "started-twice": ("an attempt is started twice", in_history("again", "action.execute.requested", "g1"),
                      "repeated: g1, attempt 1, is requested twice"),
    "completed-again": ("what completed starts again", in_history("again", "action.execute.requested", "g1", attempt=2),
                        "repeated: g1 completed and starts again"),
    "no-reason": ("a further attempt has no record that says why", in_history("drop", "action.failed", "b"),
                  "repeated: b starts as attempt 2, and nothing says how"),
    "ends-twice": ("an attempt ends twice", in_history("again", "action.completed", "g1"), "repeated: g1, attempt 1, ends twice"),
    "too-early": ("an action starts before what it depends on", starts_first, "false: g2 starts before c"),
    "decided-twice": ("a decision is applied twice", in_history("again", "user.confirmation.received", "c"),
                      "repeated: c has 2 answers to 1 request"),
    "not-decided": ("an action goes on without the decision", in_history("drop", "user.confirmation.received", "c"),
                    "false: c starts and nobody said yes"),
    "request-lost": ("a request that was seen is not in the journal", seen_request, "lost: request .* was seen"),
    "counted-lost": ("an attempt whose supervisor lived is counted as lost", in_history("change", "action.failed", "t", type="action.lost"),
                     "lost: attempt 1 of t was counted as lost"),
    "event-lost": ("a line of events/ is lost", in_file("events/*.jsonl", line_with('"seq":7,"n":0', lambda l: [])), "lost: events/ does not tell"),
    "event-other": ("events/ tells otherwise than the journal", in_file("events/*.jsonl", lambda t: t.replace('"decision":"approve"', '"decision":"reject"')),
                    r"false: events/ tells of commit \d+, \d+ otherwise"),
    "event-invented": ("events/ tells of a commit that is not there", in_file("events/*.jsonl", line_with('"seq":7,"n":0', lambda l: [l, l.replace('"seq":7', '"seq":77')])),
                       "false: events/ tells of what no journal knows"),
    "event-half": ("a line of events/ is cut short", in_file("events/*.jsonl", line_with('"seq":7,"n":0', lambda l: [l, l[:30] + "\n"])),
                   "half: a line of events/"),
    "output-lost": ("outputs that the journal speaks of are gone", without("actions/g1/1/output.json"), "lost: actions/g1/1/output.json"),
    "output-half": ("outputs that the journal speaks of are cut short", in_file("actions/g1/1/output.json", lambda t: t[:5]), "half: actions/g1/1/output.json"),
    "words-other": ("an action was given another value", in_file("effects", line_with(" z 1 begin", lambda l: [l.replace("g2", "g1")])), "false: z was given"),
    "state-old": ("state.json lags though all has ended", lambda run: edit_json(execution(run) + "/state.json", seq=3), "unfinished: state.json reflects"),
    "state-half": ("state.json is cut short", in_file("state.json", lambda t: t[:50]), "half: state.json"),
    "not-ended": ("the execution has not ended", lambda run: edit_json(execution(run) + "/state.json", status="running"), "unfinished: .* is running"),
    "file-half": ("a file under its final name is not whole", in_file("actions/g1/1/result.json", lambda t: t[:9]), "half: .*result.json is no JSON"),
    "torn-left": ("a commit was torn though nobody cut the power", torn, "half: .* was torn"),
    "lock-held": ("a supervisor stays", hold_lock, "unfinished: the lock"),
    "problem-left": ("the daemon still says that something is wrong", left("", "problem.json"), "unfinished: problem.json"),
    **{d + "-left": ("something is left in %s/" % d, left(d, "x.json"), "unfinished: %s/x.json is left" % d)
       for d in ("tmp", "active", "results", "quarantine", "rejected", "inbox", "control", "confirm")},
}


# ---- the suites ----

class Mutants(Suite):
    """One task for each mutant.  What it breaks and what caught it goes into the table of mutants."""
    in_sum = False

    @staticmethod
    def table(points):
        """The rows of the table of mutants, of what the tasks say."""
        rows = sorted({line for point in points for line in point.splitlines() if line.count(" | ") == 2})
        tried = [row for row in rows if "| no mutant:" not in row]
        caught = [row for row in tried if not row.endswith(("| nothing", "MISSED")) and "| MISSED" not in row]
        if not rows:
            return []
        return ["| mutant | what it breaks | what caught it |", "|---|---|---|",
                *("| `%s` | %s | %s |" % tuple(re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "ID", cell.replace("|", "\\|"))
                                              for cell in row.split(" | ")) for row in rows), "",
                "%d of %d mutants are caught." % (len(caught), len(tried))]

    def caught(self, task, what, by):
        return "%s | %s | %s" % (task.variant, what, by)


class Damage(Mutants):
    name, title = "mutants-checker", "a good run that is damaged: the checker must say how; a point is a mutant"
    sample = 0

    def tasks(self, context):
        return [Task(self.name, n=k, variant=name) for k, name in enumerate(DAMAGE, 1)]

    def set_up(self, directory, programs):
        self.good = Good(os.path.join(directory, "good"), programs)

    def tear_down(self):
        self.good.run.remove()

    def run(self, task, directory, programs):
        what, damage, must = DAMAGE[task.variant]
        run = self.good.copy(directory)
        if self.good.found:
            return run, task.variant, ["the run went wrong before it was damaged: %s" % self.good.found]
        run.seen = copy.deepcopy(self.good.seen)
        damage(run)
        # What creel verify says does not count here, nor what follows from the damage by another rule.
        found = kill.judge(run, seen=run.seen, may_lose=False)
        by = [f for f in found if re.match(must, f)]
        if getattr(run, "held", None):
            run.held.close()
        return run, self.caught(task, what, by[0] if by else "nothing"), [] if by else ["not caught: %s; found %s" % (what, found)]


class Simulated(Mutants):
    """The simulation's: each flush, lock and exclusive create of the daemon is lost alone, and lies of the kernel."""
    name, title = "mutants-simulation", "a daemon in the simulation that loses one flush, one lock: the checks must say so; a point is a mutant"
    workers = 1
    quick = ["no-flush-at-all", "no-fdatasync", "no-syncfs", "claims-go-early", "no-active-links", "unknown-is-success"]

    def tasks(self, context):
        return [Task(self.name, n=1, variant="all")]

    def thin(self, tasks):
        return [Task(self.name, n=1, variant="quick")]

    missing = seeds.Simulation.missing

    def run(self, task, directory, programs):
        run = world.Run(directory, programs)
        words = self.quick if task.variant == "quick" else ["--seeds", "1-600"]
        r = subprocess.run([seeds.program("sim", "sim"), "--mutants", *words], capture_output=True, text=True, env=run.env)
        with open(run.log, "w") as log:
            log.write(r.stdout + r.stderr)
        rows = [[cell.strip() for cell in line.split(" | ")] for line in r.stdout.splitlines()[1:-1]]
        run.count = len(rows)
        missed = ["not caught: %s" % " | ".join(row) for row in rows if "MISSED" in row[-1]]
        if r.returncode and not missed:
            missed = ["sim --mutants ended with %d: %s" % (r.returncode, run.tail_of_log(3))]
        return run, "\n".join("%s | %s | %s" % (row[0], row[1], row[-1]) for row in rows), missed


# name: (what it breaks, the suites that must notice, and what they try)
LIES = {
    "all": ("no flush at all", [("reorder-weak", "P", range(reorder.CHUNKS))]),
    "commits": ("commits are not flushed, nor any other file", [("reorder-weak", "P", range(reorder.CHUNKS))]),
    "journal": ("journal/ is not flushed", [("reorder-weak", "P", range(reorder.CHUNKS))]),
    "directories": ("no directory is flushed", [("reorder-weak", "P", range(reorder.CHUNKS))]),
    "wide": ("syncfs does nothing", [("reorder-weak", "P", range(reorder.CHUNKS))]),
    "active": ("active/ is not flushed", [("reorder-weak", "claimed", range(2)), ("reorder-weak", "reopened", range(2))]),
    "flock": ("locks exclude nobody", [("kill-daemon", "", range(30, 330, 6))]),
}


class Lying(Mutants):
    """A real daemon that loses calls of one kind (lie.c), tried by other suites until one of their runs goes wrong."""
    name, title = "mutants-daemon", "a daemon that loses its flushes or its locks, tried by other suites; a point is a mutant"
    sample = None
    others = [*kill.SUITES, *reorder.SUITES]

    def tasks(self, context):
        return [Task(self.name, n=k, variant=name) for k, name in enumerate(LIES, 1)]

    def missing(self):
        return None if shutil.which("strace") else "needs strace"

    def run(self, task, directory, programs):
        what, tries = LIES[task.variant]
        liar = world.Programs(programs.directory, {"LD_PRELOAD": world.tool("lie.so"), "LIE": task.variant})
        tried = 0
        for name, variant, points in tries:
            suite = copy.copy(next(s for s in self.others if s.name == name))
            suite.recorded = {}
            suite.set_up(os.path.join(os.path.dirname(directory), task.variant), liar)
            try:
                for n in points:
                    run, point, found = suite.run(Task(name, n=n, variant=variant, side="after"), directory, liar)
                    tried += 1
                    if found:
                        by = "%s %s: %s" % (name, point.replace("\t", " "), found[0].replace(" | ", " "))
                        return run, self.caught(task, what, by[:200]), []
                    if n != points[-1]:
                        run.remove()
            finally:
                suite.tear_down()
        return run, self.caught(task, what, "nothing"), ["not caught: %s, in %d runs" % (what, tried)]


SUITES = [Damage(), Simulated(), Lying()]
