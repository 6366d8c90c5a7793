"""truncation.py - every persisted file, cut off at every byte.

Many executions lie in one spool, each a copy of the same one under an id of its own (no commit and no plan names the
execution), and one file of each is cut at another length. One daemon starts on all of them. Then each is either in
quarantine with a reason and as it was, or it goes on and comes to the end that it must have; and two that were not
touched come to theirs.
"""
import glob
import json
import os
import random
import shutil

import check
import world
from kill import prepare
from suite import Suite, Task

BATCH = 250
SEPARATE = ("creeld.lock", "events")  # of a whole spool: one cut in each run
TORN = "journal/last-unseen"


def has_begun(attempt):
    """Its supervisor writes the lock's line last before the action starts."""
    try:
        return os.path.getsize(os.path.join(attempt, "lock")) > 0
    except FileNotFoundError:
        return False


class Original:
    """A spool that stands still: P waits for its confirmation (waiting), or everything was killed while one attempt had
    a result that was not taken and another one ran (killed)."""

    def __init__(self, directory, programs, kind):
        self.kind = kind
        for point in range(90, 400):
            self.run = prepare(directory, programs)
            if kind == "waiting":
                self.run.stop_approving()
                self.run.drain()
                break
            self.run.crashpt("-n", str(point), "-a", "-k", "all")
            self.run.stop_approving()
            if self.has_untaken_result():
                break
            self.run.remove()
        else:
            raise RuntimeError("P was never found as %s asks for" % kind)
        self.spool = self.run.spool
        self.dir = check.executions(self.spool)[0]
        self.id = os.path.basename(self.dir)
        self.effects = check.read(self.run.effects)
        self.events = check.read(glob.glob(self.run.below("events", "*"))[0])

    def has_untaken_result(self):
        """One attempt with a result that the journal does not know, and one that began and has none."""
        for d in check.executions(self.run.spool):
            text = b"".join(check.commits(d).values()).decode()
            results = {p.split("/")[-3]: p for p in glob.glob(os.path.join(d, "actions", "*", "1", "result.json"))}
            untaken = [a for a in results if '"completed","action":"%s"' % a not in text and a.startswith("a")]
            running = [a for a in ("a1", "a2", "a3") if a not in results and has_begun(os.path.join(d, "actions", a, "1"))]
            if untaken and running:
                self.untaken, self.running = untaken[0], running[0]
                return True
        return False

    def files(self):
        """What is cut: {name: path relative to the execution, or to the spool with a leading /}."""
        last = max(check.commits(self.dir))
        if self.kind == "waiting":
            names = {"plan.json": "plan.json", "state.json": "state.json", "source.json": "source.json",
                     "empty.json": "empty.json", "journal/last": "journal/%08d.json" % last,
                     TORN: "journal/%08d.json" % last, "confirm/request": "/confirm/ID.c.request.json",
                     "creeld.lock": "/creeld.lock", "events": "/" + os.path.relpath(
                         glob.glob(self.run.below("events", "*"))[0], self.spool)}
            for seq in range(1, last):
                names["journal/%d" % seq] = "journal/%08d.json" % seq
            return names
        return {"result.json": "actions/%s/1/result.json" % self.untaken,
                "output": "actions/%s/1/output" % self.untaken,
                "lock": "actions/%s/1/lock" % self.running,
                "lock-of-ended": "actions/%s/1/lock" % self.untaken,
                "request.json": "actions/%s/1/request.json" % self.running}

    def size(self, where):
        path = where.replace("ID", self.id)
        path = os.path.join(self.spool, path[1:]) if path.startswith("/") else os.path.join(self.dir, path)
        return os.path.getsize(path)

    def new_id(self, pick):
        """Another UUIDv7 of the same millisecond, so of the same day."""
        tail = "%020x" % pick.getrandbits(80)
        return "%s-7%s-%x%s-%s" % (self.id[:13], tail[:3], 8 + int(tail[3], 16) % 4, tail[4:7], tail[7:19])


def copy_tree(source, target, old, new):
    os.mkdir(target)
    for entry in os.scandir(source):
        to = os.path.join(target, entry.name.replace(old, new))
        if entry.is_dir(follow_symlinks=False):
            copy_tree(entry.path, to, old, new)
            continue
        data = check.read(entry.path).replace(old.encode(), new.encode())
        with open(to, "wb") as f:
            f.write(data)
        shutil.copymode(entry.path, to)


def cut_last(d, length):
    """Cut the last commit of an execution's directory; what it was."""
    path = os.path.join(d, "journal", "%08d.json" % max(check.commits(d)))
    doc = json.loads(check.read(path))
    os.chmod(path, 0o644)
    os.truncate(path, length)
    return doc


def unsee(run, d, doc):
    """Take away what shows that a commit, the last one of an execution's directory, took effect."""
    ident = os.path.basename(d)
    os.unlink(os.path.join(d, "state.json"))
    for path in glob.glob(run.below("events", "*")):
        data = check.read(path)
        mark = b'"execution":"%s","seq":%d,' % (ident.encode(), doc["seq"])
        with open(path, "wb") as f:
            f.write(b"".join(l + b"\n" for l in data.split(b"\n")[:-1] if mark not in l))
    for ev in doc["events"]:
        if ev["type"] == "user.confirmation.requested":
            os.unlink(run.below("confirm", "%s.c.request.json" % ident))
        if ev["type"] == "action.execute.requested":
            shutil.rmtree(os.path.join(d, "actions", ev["action"], str(ev["attempt"])), ignore_errors=True)


class Truncation(Suite):
    title = "every persisted file cut off at every byte"
    sample = 0

    def __init__(self, kind):
        self.kind = kind
        self.name = "truncate-" + kind
        self.title = "every file of a spool %s, cut off at every byte" % (
            "that waits for a person" if kind == "waiting" else "in which everything was killed")
        self.original = None

    def set_up(self, directory, programs):
        self.original = Original(os.path.join(directory, "original"), programs, self.kind)

    def tear_down(self):
        self.original.run.remove()

    def tasks(self, context):
        original = Original(os.path.join(context.directory, "original"), context.programs, self.kind)
        tasks = []
        for name, where in original.files().items():
            size = original.size(where)
            lengths = range(size)
            if name == "events":  # what was known to be on disk stays there
                lengths = range(self.flushed(original), size)
            if name == "lock":  # an empty one says that nothing was started, unless the power went
                lengths = range(1, size)
            step = 1 if name in SEPARATE else BATCH
            for first in lengths[::step]:
                tasks.append(Task(self.name, n=first, variant=name, second=min(first + step, size)))
        original.run.remove()
        return tasks

    def thin(self, tasks):
        """For a quick look: a few lengths of each file."""
        pick, chosen = random.Random(1), []
        for variant in sorted({t.variant for t in tasks}):
            own = [t for t in tasks if t.variant == variant]
            ends = {own[0].n, own[-1].second - 1, *(pick.randrange(own[0].n, own[-1].second) for _ in range(4))}
            if variant in SEPARATE:
                chosen += [t for t in own if t.n in ends]
            else:
                chosen.append(Task(self.name, n=own[0].n, variant=variant, second=own[-1].second,
                                   only=tuple(sorted(ends))))
        return chosen

    def narrow(self, task, points):
        """Only these lengths of a batch."""
        only = tuple(k for k in range(task.n, task.second) if k in points)
        return Task(task.suite, task.n, task.side, task.variant, task.second, only) if only else None

    @staticmethod
    def flushed(original):
        """Where in events/ the lines of commits begin that are not known to be on disk."""
        state = json.loads(check.read(os.path.join(original.dir, "state.json")))
        at = 0
        for line in original.events.split(b"\n")[:-1]:
            if json.loads(line)["seq"] > state["eventsSeq"]:
                break
            at += len(line) + 1
        return at

    # ---- one batch ----

    def run(self, task, directory, programs):
        o = self.original
        run = world.Run(directory, programs)
        run.new_spool()
        run.effects = o.run.effects  # the plan names it, and no byte of the plan may change
        with open(run.effects, "wb"):
            pass
        lengths = task.only or tuple(range(task.n, task.second))
        if task.variant in SEPARATE:
            lengths = lengths[:1]
        cut = {}
        pick = random.Random("%s %d" % (task.variant, task.n))
        where = o.files().get(task.variant)
        if where:
            lengths = tuple(k for k in lengths if k < o.size(where))
        if not where or not lengths:  # runs differ by a commit now and then
            return run, None, []
        for length in lengths:
            cut[self.add_copy(run, pick)] = length
        whole = [self.add_copy(run, pick) for _ in range(2)]
        for ident, length in cut.items():
            self.damage(run, ident, task.variant, where, length)
        before = {ident: check.commits(self.place(run, ident)) for ident in [*cut, *whole]}
        status = run.drain()
        found = [] if status in (0, 2) else ["the daemon ended with %s" % status]
        apart = self.quarantined(run)
        go_on = set(whole)
        for ident, length in cut.items():
            if ident in apart:
                found += ["cut at %d: %s" % (length, w) for w in self.apart_is_right(run, ident, task.variant, apart,
                                                                                   before)]
            else:
                found += ["cut at %d: %s" % (length, w) for w in self.may_go_on(run, ident, task.variant, length, where,
                                                                               before)]
                if length % 8 == 0 or len(cut) < 20:
                    go_on.add(ident)
        found += ["not touched: in quarantine" for ident in whole if ident in apart]
        found += self.go_on(run, go_on, apart, cut, task)
        run.count = len(cut)
        return run, "%s at %d..%d" % (where, lengths[0], lengths[-1]), found

    def place(self, run, ident):
        return os.path.join(run.spool, "executions", os.path.basename(os.path.dirname(self.original.dir)), ident)

    def add_copy(self, run, pick):
        o = self.original
        ident = o.new_id(pick)
        os.makedirs(os.path.dirname(self.place(run, ident)), exist_ok=True)
        copy_tree(o.dir, self.place(run, ident), o.id, ident)
        for name in ("active/" + o.id, "creeld.lock"):
            to = run.below(name.replace(o.id, ident))
            if os.path.islink(os.path.join(o.spool, name)):
                os.symlink("../" + os.path.relpath(self.place(run, ident), run.spool), to)
            elif not os.path.exists(to):
                self.copy_lock(run, os.path.join(o.spool, name), to)
        for request in glob.glob(os.path.join(o.spool, "confirm", "*.json")):
            with open(request.replace(o.spool, run.spool).replace(o.id, ident), "wb") as f:
                f.write(check.read(request).replace(o.id.encode(), ident.encode()))
        events = glob.glob(os.path.join(o.spool, "events", "*"))[0]
        with open(events.replace(o.spool, run.spool), "ab") as f:
            f.write(o.events.replace(o.id.encode(), ident.encode()))
        with open(run.effects, "ab") as f:
            f.write(o.effects.replace(o.id.encode(), ident.encode()))
        return ident

    @staticmethod
    def copy_lock(run, source, to):
        """That it is another directory must not show: this is no test of copies."""
        there = os.stat(run.spool)
        lines = [("dev=%d" % there.st_dev) if l.startswith("dev=") else ("ino=%d" % there.st_ino)
                 if l.startswith("ino=") else l for l in check.read(source).decode().splitlines()]
        with open(to, "w") as f:
            f.write("\n".join(lines) + "\n")

    def damage(self, run, ident, variant, where, length):
        path = where.replace("ID", ident)
        path = run.below(path[1:]) if path.startswith("/") else os.path.join(self.place(run, ident), path)
        if variant == "events":
            with open(path, "rb+") as f:  # the copy that is cut comes first; its lines come last here
                data = f.read()
                lines = [l for l in data.split(b"\n")[:-1]]
                own = b"".join(l + b"\n" for l in lines if ident.encode() in l)
                rest = b"".join(l + b"\n" for l in lines if ident.encode() not in l)
                f.seek(0)
                f.truncate()
                f.write(rest + own[:length])
            return
        os.chmod(path, 0o644)
        os.truncate(path, length)
        if variant == TORN:
            d = self.place(run, ident)
            whole = check.read(os.path.join(self.original.dir, "journal", os.path.basename(path)))
            unsee(run, d, json.loads(whole))

    # ---- what came of it ----

    @staticmethod
    def quarantined(run):
        apart = {}
        for path in glob.glob(run.below("quarantine", "*.reason.json")):
            apart[os.path.basename(path)[:36]] = check.read(path)
        return apart

    def apart_is_right(self, run, ident, variant, apart, before):
        """In quarantine: only damage that cannot be mended leads there, with a reason, and nothing was changed."""
        if not (variant.startswith("journal/") or variant == "plan.json") or variant == TORN:
            yield "in quarantine: %s" % apart[ident][:300]
        try:
            if len(json.loads(apart[ident])["reason"]) < 10:
                yield "in quarantine without a reason"
        except (ValueError, KeyError):
            yield "its reason is no JSON"
        if check.commits(self.place(run, ident)) != before[ident]:
            yield "in quarantine, and its journal was changed"
        if os.path.lexists(run.below("active", ident)):
            yield "in quarantine, and active"

    def may_go_on(self, run, ident, variant, length, where, before):
        torn = glob.glob(os.path.join(self.place(run, ident), "journal", "*.torn"))
        size = self.original.size(where)
        if variant == TORN:
            if not torn and length < size - 1:
                yield "its last commit, cut and without effect, was not set aside"
            return
        if torn:
            yield "a commit that took effect was set aside"
        if variant.startswith("journal/") or variant == "plan.json":
            # Of the last commit the newline at its end may be missing: it says all it said.
            if not (variant == "journal/last" and length == size - 1):
                yield "it goes on although its history is damaged"
            return
        now = check.commits(self.place(run, ident))
        if any(now.get(seq) != data for seq, data in before[ident].items()):
            yield "a commit has changed"

    def go_on(self, run, chosen, apart, cut, task):
        """Those that go on come to their end."""
        for ident in chosen:
            request = run.below("confirm", "%s.c.request.json" % ident)
            if os.path.exists(request):
                try:
                    json.loads(check.read(request))
                except ValueError:
                    yield "cut at %s: its request is not whole" % cut.get(ident)
                with open(run.below("confirm", "%s.c.approve" % ident), "w"):
                    pass
        for _ in range(4):
            if run.drain() != 2:
                break
            # What was counted as lost before it asked asks now.
            waiting = [i for i in chosen if os.path.exists(run.below("confirm", "%s.c.request.json" % i))]
            if not waiting:
                break
            for ident in waiting:
                with open(run.below("confirm", "%s.c.approve" % ident), "w"):
                    pass
        for ident in chosen:
            if ident in apart:
                continue
            c = check.Check(run, world.P_STATUS, world.P_WORDS)
            c.events, c.docs = {}, {}
            d = self.place(run, ident)
            c.journal(d)
            outcome = c.actions(ident, d)
            c.ended_well(ident, d, outcome)
            c.every_event_is_told()
            for what in c.found:
                if "no journal knows" not in what:  # of the others
                    yield "cut at %s: %s" % (cut.get(ident, "nothing"), what)
        yield from run.problems


SUITES = [Truncation("waiting"), Truncation("killed")]
