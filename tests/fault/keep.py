"""keep.py - creel gc (with an archive) and creel import, killed or cut off from power at every call that changes something.

Each execution is there as it was, byte by byte, or it is gone and a whole archive has it; the next creel gc finishes.  Of
an import there is all of an execution or nothing, and a daemon makes a true end of what is there."""
import glob
import hashlib
import json
import os
import shutil

import check
import cut
import trees
import world
from suite import Suite, Task

DAY_PATTERN = ("executions", "*", "*")


def tree(directory):
    """Every file and link below, with its content."""
    found = {}
    for top, _, names in os.walk(directory):
        for name in names:
            path = os.path.join(top, name)
            found[os.path.relpath(path, directory)] = \
                os.readlink(path) if os.path.islink(path) else check.read(path)
    return found


def executions(spool):
    return {os.path.basename(d): tree(d) for d in glob.glob(os.path.join(spool, *DAY_PATTERN)) if os.path.isdir(d)}


def finished(directory, programs):
    """A spool with an execution that ran another one, and one beside them, all over."""
    run = world.Run(directory, programs)
    run.new_spool()
    quick = {"actionDefinitionId": "command", "inputs": {"command": "true"}}
    with open(run.below("catalog", "plans", "child.json"), "w") as f:
        json.dump({"name": "child", "actions": [dict(quick, id="c")]}, f)
    run.drop({"name": "parent", "actions": [
        {"id": "a", "actionDefinitionId": "plan.run", "inputs": {"plan": "child"}}, dict(quick, id="b")]}, "p.json")
    run.drop({"name": "other", "actions": [dict(quick, id="a")]}, "o.json")
    run.drain()
    return run


def asking(directory, programs):
    """An archive of an execution that waits for a person, and what it is as a tree."""
    run = world.Run(directory, programs)
    run.new_spool()
    quick = {"actionDefinitionId": "command", "inputs": {"command": "true"}}
    run.drop({"name": "asks", "actions": [
        dict(quick, id="a"),
        dict(quick, id="b", dependencies=["a"],
             userConfirmation={"required": True, "title": "Go on?", "message": "b follows"})]})
    run.drain()
    run.archive = os.path.join(run.dir, "x.tar")
    run.creel("export", "-q", "-o", run.archive, os.listdir(run.below("active"))[0])
    return run


def events(run):
    found = []
    for path in glob.glob(run.below("events", "*.jsonl")):
        for line in check.read(path).decode().splitlines():
            found.append(json.loads(line))
    return found


class Place:
    """Where a run's spool lies: in memory, or on a disk whose power can go."""

    def __init__(self, kind):
        self.kind = kind
        self.disk = None

    def set_up(self, directory):
        if self.kind:
            cut.own_mounts()
            self.disk = cut.Disk(directory, self.kind)

    def run(self, directory, programs, original):
        """A run with a copy of the original spool, on the disk for good."""
        top = os.path.join(self.disk.mnt, "run") if self.kind else None
        if top:
            shutil.rmtree(top, ignore_errors=True)
        run = world.Run(directory, programs, spool=os.path.join(top, "spool") if top else None)
        run.kept = os.path.join(top or run.dir, "kept")
        if top:
            os.mkdir(top)
        shutil.copytree(original.spool, run.spool, symlinks=True)
        os.mkdir(run.kept)
        if self.kind:
            self.disk.sync()
        return run

    def strike(self):
        return ["-c", self.disk.mnt] if self.kind else ["-k", "all"]

    def come_back(self):
        if self.kind:
            self.disk.umount()
            self.disk.mount()

    def tear_down(self):
        if self.disk:
            self.disk.remove()
            self.disk = None


class Keep(Suite):
    sample = 20

    def __init__(self, what, title, kind=""):
        self.name = "%s-%s" % ("cut" if kind else "kill", what) + ("-" + kind if kind else "")
        self.title = "%s of creel %s at every call%s" % ("power cut" if kind else "kill -9", title,
                                                        " on " + kind if kind else "")
        self.place = Place(kind)
        self.needs_root = bool(kind)
        if kind == "xfs":
            self.sample = None

    def missing(self):
        tools = cut.KINDS[self.place.kind][0][0] if self.place.kind else None
        return super().missing() or (None if not tools or shutil.which(tools) else "needs %s" % tools)

    def command(self, run):
        raise NotImplementedError

    def original(self, directory, programs):
        raise NotImplementedError

    def tasks(self, context):
        original = self.original(os.path.join(context.directory, "original"), context.programs)
        run = Place("").run(os.path.join(context.directory, "count"), context.programs, original)
        listing = os.path.join(run.dir, "list")
        self.source = original
        run.crashpt("-l", listing, command=self.command(run))
        with open(listing, errors="replace") as f:
            n = sum(1 for _ in f)
        run.remove()
        original.remove()
        return [Task(self.name, n=k, side=side) for k in range(1, n + 1) for side in ("before", "after")]

    def set_up(self, directory, programs):
        self.source = self.original(os.path.join(directory, "original"), programs)
        self.before = executions(self.source.spool)
        self.place.set_up(directory)

    def tear_down(self):
        self.place.tear_down()

    def run(self, task, directory, programs):
        run = self.place.run(directory, programs, self.source)
        point, _ = run.crashpt("-n", str(task.n), *self.place.strike(), *(["-a"] if task.side == "after" else []),
                               command=self.command(run))
        if point:
            self.place.come_back()
        found = self.judge(run)
        return run, point, found + run.problems


def in_tree(tree, ident):
    """The files of an execution in a tree of trees.py."""
    found = {}
    for path, data in tree.items():
        _, is_there, rest = path.partition("/%s/" % ident)
        if is_there and path.startswith("spool/executions/") and data is not None:
            found[rest] = data
    return found


class Gc(Keep):
    """Everything goes, into an archive first."""

    def judge_tree(self, tree, end):
        archive = tree.get("kept/a.tar")
        if archive is not None and archive != end["a.tar"]:
            yield "half: an archive of %d bytes has the name of a whole one" % len(archive)
        for ident, was in self.before.items():
            files = in_tree(tree, ident)
            if files and files != was:
                yield "half: %s has %d of %d files" % (ident, len(files), len(was))
            elif not files and archive is None:
                yield "lost: %s is gone, and there is no archive" % ident

    def original(self, directory, programs):
        return finished(directory, programs)

    def gc(self, run, name):
        return [run.programs.path("creel"), "--spool", run.spool, "gc", "-q", "--keep-days", "0", "--archive",
                os.path.join(run.kept, name)]

    def command(self, run):
        return self.gc(run, "a.tar")

    def judge(self, run):
        found = []
        there = executions(run.spool)
        archive = os.path.join(run.kept, "a.tar")
        listed = run.creel("import", "--list", archive) if os.path.exists(archive) else ""
        for ident, was in self.before.items():
            if ident in there:
                if there[ident] != was:
                    found.append("half: %s is there and not whole" % ident)
            elif ident not in listed:
                found.append("lost: %s is gone, and no archive has it" % ident)
        if listed:
            found += self.judge_archive(run, archive)
        run.creel(*self.gc(run, "b.tar")[3:])
        if executions(run.spool) or os.listdir(run.below("tmp")):
            found.append("unfinished: the next creel gc leaves %s" % (list(executions(run.spool)) or "tmp/"))
        told = {e["execution"] for e in events(run) if e["type"] == "execution.removed"}
        found += ["untold: events/ does not say that %s was removed" % i for i in self.before if i not in told]
        return found

    def judge_archive(self, run, archive):
        """Whatever has its name is whole: all of it is imported, as it was."""
        other = world.Run(os.path.join(run.dir, "other"), run.programs)
        other.new_spool()
        other.creel("import", "-q", archive)
        got = executions(other.spool)
        found = list(other.problems)
        for ident, was in self.before.items():
            differs = [p for p in was if p not in ("state.json",) and not p.endswith("/lock") and
                       got.get(ident, {}).get(p) != was[p]]
            if differs:
                found.append("archive: %s has another %s" % (ident, differs[0]))
        return found


class Import(Keep):
    """An execution that has not ended comes into an empty spool."""

    def judge_tree(self, tree, end):
        for ident, was in self.source.asks.items():
            files = in_tree(tree, ident)
            wrong = [p for p in was if not p.endswith("/lock") and p != "state.json" and files.get(p) != was[p]]
            if files and (wrong or not files.get("state.json", b"").endswith(b"}\n")):
                yield "half: %s has not got %s" % (ident, wrong[0] if wrong else "a whole state.json")
            if files and "spool/active/" + ident not in tree:
                yield "orphan: %s is there and not active" % ident

    def original(self, directory, programs):
        run = asking(directory, programs)
        run.asks = executions(run.spool)
        shutil.rmtree(run.spool)
        run.new_spool()
        return run

    def command(self, run):
        return [run.programs.path("creel"), "--spool", run.spool, "import", "-q", "--continue", self.source.archive]

    def judge(self, run):
        found = self.judge_whole(run)
        (ident,) = self.source.asks
        run.creel("gc", "-q", "--leftovers")
        self.recover(run)
        found += self.judge_whole(run, ended=True)
        if ident not in executions(run.spool):
            run.creel("import", "-q", "--continue", self.source.archive)
            self.recover(run)
        state = json.loads(executions(run.spool).get(ident, {}).get("state.json", b"{}"))
        if state.get("status") != "completed":
            found.append("unfinished: it is %s" % state.get("status"))
        if os.listdir(run.below("active")) or os.listdir(run.below("quarantine")):
            found.append("left: active/ or quarantine/ is not empty")
        run.creel("verify", "--quiet")
        return found

    def recover(self, run):
        if self.place.kind:
            cut.recover_after_reboot(run)
        else:
            run.recover()

    def judge_whole(self, run, ended=False):
        found = []
        for ident, files in executions(run.spool).items():
            was = self.source.asks[ident]
            wrong = [p for p in was if not p.endswith("/lock") and p != "state.json" and files.get(p) != was[p]]
            if wrong:
                found.append("half: %s has not got %s as it was" % (ident, wrong[0]))
            if "state.json" not in files:
                found.append("half: %s has no state.json" % ident)
            if not ended and not os.path.islink(run.below("active", ident)):
                found.append("orphan: %s is there and not active" % ident)
        return found


# ---- every tree that a power cut may leave (trees.py) ----

class Reordered(Suite):
    """By both models, each tree judged as it lies there."""
    sample = 0
    chunks = 8

    def __init__(self, keep, model):
        self.keep, self.model = keep, model
        self.name = "reorder-%s-%s" % (keep.name.split("-")[1], model)
        self.title = "every tree that a power cut of %s may leave, %s model" % (keep.title.split(" of ")[1].split(" at ")[0],
                                                                               model)

    def missing(self):
        return None if shutil.which("strace") else "needs strace"

    def tasks(self, context):
        return [Task(self.name, n=k) for k in range(self.chunks)]

    def set_up(self, directory, programs):
        self.keep.set_up(os.path.join(directory), programs)
        top = os.path.join(directory, "recorded", "top")
        os.makedirs(top)
        run = world.Run(os.path.join(directory, "recorded", "run"), programs, spool=os.path.join(top, "spool"))
        run.kept = os.path.join(top, "kept")
        shutil.copytree(self.keep.source.spool, run.spool, symlinks=True)
        os.mkdir(run.kept)
        self.found = trees.Record(top, run.effects)
        trees.record(run, self.found, self.keep.command(run))
        self.end = {name: check.read(os.path.join(run.kept, name)) for name in os.listdir(run.kept)}
        self.trees = trees.Trees(self.found, self.model)

    def run(self, task, directory, programs):
        run = world.Run(directory, programs)
        seen, found = set(), []
        for moment in self.trees.moments()[task.n::self.chunks]:
            for kept, data, much in self.trees.states(moment):
                tree = self.trees.build(moment, kept, data, much)
                mark = hashlib.sha1(repr(sorted(tree.items())).encode()).digest()
                if mark not in seen:
                    seen.add(mark)
                    found += ["after %d changes: %s" % (moment, what) for what in self.keep.judge_tree(tree, self.end)]
            if len(found) > 20:
                break
        run.count = len(seen)
        run.notes.append("%d trees" % len(seen))
        return run, "%d changes" % len(self.found.changes), found


KEEPS = [(Gc, "gc", "gc"), (Import, "import", "import")]
SUITES = [make(what, title, kind) for make, what, title in KEEPS for kind in ("", "ext4", "xfs")] + \
         [Reordered(make(what, title), model) for make, what, title in KEEPS for model in ("ordered", "weak")]
