"""reorder.py - every tree that a power cut may leave (trees.py), of plan P and of the rare things that flush: each judged,
and some brought to life, where a daemon must come to a true end."""
import glob
import hashlib
import json
import os
import shutil

import check
import truncation
import world
from suite import Suite, Task
from trees import Record, Shown, Trees, bring_to_life, judge, record

CHUNKS = 16   # tasks of plan P
ALIVE = 1200  # trees of one model of plan P that are brought to life


# ---- what is recorded ----

class Scene:
    """A spool, what a daemon does on it while it is recorded, and what must be true of every tree after that."""
    name = "P"
    chunks = CHUNKS
    alive = ALIVE
    approve = ('"$@" --drain; for r in "$0"/confirm/*.request.json; do [ ! -e "$r" ] || : > "${r%request.json}approve"; '
               'done; "$@" --drain')

    def prepare(self, directory, programs):
        run = world.Run(directory, programs)
        run.new_spool()
        run.drop(world.plan_p(run.effects))
        return run

    def record(self, directory, programs):
        run = self.prepare(directory, programs)
        self.before = check.read(run.effects).decode() if os.path.exists(run.effects) else ""
        found = Record(run.spool, run.effects)
        self.do(run, found)
        return run, found

    def do(self, run, found):
        record(run, found, ["/bin/sh", "-c", self.approve, run.spool, *run.creeld()])

    def judge(self, tree, shown, moment):
        """Findings in a tree."""
        return judge(tree, shown, moment)

    def final(self, run):
        run.recover()
        return check.Check(run, world.P_STATUS, world.P_WORDS).final(power_cut=True)


class Killed(Scene):
    """The first daemon is killed when a commit has its name and is not flushed; the next one acts on it."""
    name, chunks, alive = "killed", 2, 150

    def do(self, run, found):
        record(run, found, run.creeld("--drain"), "inject=fdatasync:signal=KILL:when=2")
        record(run, found, ["/bin/sh", "-c", self.approve, run.spool, *run.creeld()])


class Claimed(Scene):
    """An execution in place whose claim is still there, and whose link in active/ a power cut took."""
    name, chunks, alive = "claimed", 2, 100

    def prepare(self, directory, programs):
        run = super().prepare(directory, programs)
        run.crashpt("-n", "1", "-t", "renameat", "-P", "/new", "-a", "-k", "all")
        for link in glob.glob(run.below("active", "*")):
            os.unlink(link)
        return run


class Reopened(Scene):
    """An execution that has ended as failed is opened again by a retry."""
    name, chunks, alive = "reopened", 2, 100

    def prepare(self, directory, programs):
        run = world.Run(directory, programs)
        run.new_spool()
        run.drop({"name": "R", "actions": [{"id": "a", "actionDefinitionId": "command", "inputs": {
            "command": world.tool("effect"), "args": [run.effects, "first:3", "out:value=a"]}}]})
        run.drain()
        self.id = os.path.basename(check.executions(run.spool)[0])
        with open(run.below("control", self.id + ".a.retry"), "w"):
            pass
        return run

    def do(self, run, found):
        record(run, found, run.creeld("--drain"))

    def final(self, run):
        run.recover()
        return check.Check(run, {"a": "completed"}).final(power_cut=True)


class Torn(Scene):
    """A last commit in pieces that took no effect is set aside."""
    name, chunks, alive = "torn", 2, 100

    def prepare(self, directory, programs):
        run = super().prepare(directory, programs)
        run.drain()
        d = check.executions(run.spool)[0]
        truncation.unsee(run, d, truncation.cut_last(d, 40))
        return run


class Quarantined(Scene):
    """Damage in the middle of a journal sets the execution apart."""
    name, chunks, alive = "quarantined", 1, 50

    def prepare(self, directory, programs):
        run = super().prepare(directory, programs)
        run.drain()
        path = os.path.join(check.executions(run.spool)[0], "journal", "00000002.json")
        os.chmod(path, 0o644)
        os.truncate(path, 100)
        return run

    def do(self, run, found):
        record(run, found, run.creeld("--drain"))

    def judge(self, tree, shown, moment):
        apart = [p for p in tree if p.startswith("quarantine/") and p.endswith(".reason.json")]
        if not any(p.startswith("active/") and p != "active/" for p in tree) and not apart:
            yield "lost: a damaged execution is neither active nor in quarantine"

    def final(self, run):
        run.recover()
        c = check.Check(run)
        reasons = glob.glob(run.below("quarantine", "*.reason.json"))
        if len(reasons) != 1:
            c.say("lost", "%d reasons in quarantine/", len(reasons))
        for path in reasons:
            try:
                json.loads(check.read(path))["reason"]
            except (ValueError, KeyError):
                c.say("half", "%s is not whole", os.path.basename(path))
        if os.listdir(run.below("active")):
            c.say("unfinished", "it is in quarantine and active")
        return c.found + run.problems


SCENES = [Scene(), Killed(), Claimed(), Reopened(), Torn(), Quarantined()]


# ---- the suite ----

class Recorded:
    """A scene that was recorded, and the trees that it allows."""

    def __init__(self, scene, model, directory, programs):
        self.scene = scene
        self.run, found = scene.record(directory, programs)
        self.before = scene.before
        self.shown, self.trees = Shown(found), Trees(found, model)
        self.seen = set()

    def unique(self, moments):
        """(moment, tree, mark) of all trees that are not the same as one before."""
        for moment in moments:
            for kept, data, much in self.trees.states(moment):
                tree = self.trees.build(moment, kept, data, much)
                text = repr((sorted(tree.items()), self.shown.upto[moment], self.shown.out[moment]))
                mark = hashlib.sha1(text.encode()).digest()
                if mark not in self.seen:
                    self.seen.add(mark)
                    yield moment, tree, int.from_bytes(mark[:4], "big")

    def judge(self, tree, moment):
        return list(self.scene.judge(tree, self.shown, moment))

    def live(self, run, tree, moment):
        """Bring it to life in the spool of run."""
        shutil.rmtree(run.spool, ignore_errors=True)
        run.problems.clear()
        bring_to_life(tree, run.spool)
        run.effects = self.run.effects  # the plan names it
        with open(run.effects, "w") as f:
            f.write(self.before + "".join(self.shown.lines[:self.shown.out[moment]]))
        return self.scene.final(run)

    def what(self, moment):
        c = self.trees.record.changes[moment - 1] if moment else None
        return "after %d changes%s" % (moment, " (%s)" % " ".join(str(x)[:40] for x in c if x is not None) if c else "")


class Reorder(Suite):
    sample = 0

    def __init__(self, model):
        self.model = model
        self.name = "reorder-" + model
        self.title = "every tree that a power cut may leave, %s model; of plan P about %d brought to life" % (model, ALIVE)
        self.recorded = {}

    def missing(self):
        return None if shutil.which("strace") else "needs strace"

    def tasks(self, context):
        return [Task(self.name, n=k, variant=s.name) for s in SCENES for k in range(s.chunks)]

    def thin(self, tasks):
        return [t for t in tasks if t.variant in ("reopened", "quarantined")] if self.model == "weak" else []

    def set_up(self, directory, programs):
        self.directory = directory

    def run(self, task, directory, programs):
        scene = next(s for s in SCENES if s.name == task.variant)
        if scene.name not in self.recorded:
            self.recorded[scene.name] = Recorded(scene, self.model, os.path.join(self.directory, scene.name), programs)
        recorded = self.recorded[scene.name]
        run = world.Run(directory, programs)
        moments = recorded.trees.moments()[task.n::scene.chunks]
        total = sum(1 for m in moments for _ in recorded.trees.states(m))
        one_of = max(1, total * scene.chunks // 3 // scene.alive)  # two of three or so are the same as another
        count, alive, found = 0, 0, []
        for moment, tree, mark in recorded.unique(moments):
            count += 1
            bad = recorded.judge(tree, moment)
            if mark % one_of == 0:
                alive += 1
                bad += recorded.live(run, tree, moment)
                if bad:
                    self.keep(tree, moment)
            found += ["%s: %s" % (recorded.what(moment), what) for what in bad]
            if len(found) > 20:
                break
        run.count = count
        run.notes.append("%d trees, %d brought to life" % (count, alive))
        return run, "%s, %d changes" % (scene.name, len(recorded.trees.record.changes)), found

    def keep(self, tree, moment):
        kept = os.path.join(world.TOOLS, "kept", "%s-%d" % (self.name, moment))
        shutil.rmtree(kept, ignore_errors=True)
        os.makedirs(kept)
        bring_to_life(tree, os.path.join(kept, "spool"))

    def tear_down(self):
        for recorded in self.recorded.values():
            recorded.run.remove()


SUITES = [Reorder("ordered"), Reorder("weak")]
