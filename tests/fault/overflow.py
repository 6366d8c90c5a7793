"""overflow.py - the queue of inotify holds 16 events, and thousands of files are dropped while the daemon is up.

Plans that run, plans that are wrong, decisions and orders that are right or mean nothing.  Each is dealt with exactly
once: every right plan is one execution and its action has run once, every wrong file lies in rejected/ once with its
reason, everything that was asked was answered, everything that was cancelled has ended, and nothing is left.
"""
import collections
import glob
import json
import os
import random
import re
import signal
import time

import check
import world
from suite import Suite, Task

LIMIT = "/proc/sys/fs/inotify/max_queued_events"
QUEUE = 16
KEPT = re.compile(r"^\d{8}T\d{9}Z(?:\.\d+)?-(.*)$")
TRUE = {"actionDefinitionId": "command", "inputs": {"command": "true"}}


class Queue:
    """A short one, for whoever begins to listen meanwhile: the kernel looks at the limit then.  It is everybody's, so
    it is for moments."""

    def __enter__(self):
        with open(LIMIT) as f:
            self.was = f.read()
        self.put(str(QUEUE))

    def __exit__(self, *_):
        self.put(self.was)

    @staticmethod
    def put(text):
        with open(LIMIT, "w") as f:
            f.write(text)


class Drops:
    """So many files, in an order drawn by lot: {kind: names}."""

    def __init__(self, run, n, pick):
        self.run = run
        self.names = collections.defaultdict(list)
        kinds = [("plan", n * 3 // 20), ("wrong", n * 12 // 20), ("order", n * 2 // 20), ("decision", n * 2 // 20),
                 ("approve", n // 40), ("cancel", n // 40)]
        self.queue = [(kind, k) for kind, many in kinds for k in range(many)]
        pick.shuffle(self.queue)
        self.n = len(self.queue)

    def first(self):
        """Those that the decisions and orders are about."""
        many = sum(kind == "approve" for kind, _ in self.queue)
        asked = dict(TRUE, userConfirmation={"required": True, "title": "Go on?", "message": "?"})
        for k in range(many):
            self.run.drop({"name": "asks%d" % k, "actions": [dict(asked, id="a")]}, "asks%d.json" % k)
            self.run.drop({"name": "waits%d" % k, "actions": [dict(asked, id="a")]}, "waits%d.json" % k)
        if not self.run.wait_until(lambda: len(glob.glob(self.run.below("confirm", "*.request.json"))) == 2 * many,
                                   "plans ask"):
            return
        ids = {}
        for d in check.executions(self.run.spool):
            ids[json.loads(check.read(os.path.join(d, "plan.json")))["name"]] = os.path.basename(d)
        self.asks = [ids["asks%d" % k] for k in range(many)]
        self.waits = [ids["waits%d" % k] for k in range(many)]

    def put(self, kind, k):
        where, name, text = {
            "plan": lambda: ("inbox", "p%d.json" % k, json.dumps({"name": "p%d" % k, "actions": [
                {"id": "a", "actionDefinitionId": "command", "inputs": {"command": world.tool("effect"),
                                                                        "args": [self.run.effects]}}]})),
            "wrong": lambda: ("inbox", "w%d.yaml" % k, "name: ["),
            "order": lambda: ("control", "o%d" % k, ""),
            "decision": lambda: ("confirm", "d%d" % k, ""),
            "approve": lambda: ("confirm", "%s.a.approve" % self.asks[k], ""),
            "cancel": lambda: ("control", "%s.cancel" % self.waits[k], ""),
        }[kind]()
        with open(self.run.below(where, name), "w") as f:
            f.write(text)
        self.names[kind].append(name)


class Overflow(Suite):
    name, title = "overflow", "the queue of inotify is 16 long and 20,000 files are dropped, 3,000 of them plans"
    needs_root = True
    workers = 1
    sample = 1
    many = 20000
    burst = 500

    def tasks(self, context):
        # bursts: the daemon stands still while each comes, so that the queue runs over for certain; stream: as fast as
        # files can be written, while it works.
        return [Task(self.name, n=self.many, variant=how) for how in ("bursts", "stream")]

    def narrow(self, task, points):
        return Task(self.name, n=points[0], variant=task.variant)

    def thin(self, tasks):
        return [Task(self.name, n=600, variant="bursts")]

    def run(self, task, directory, programs):
        run = world.Run(directory, programs)
        run.new_spool()
        drops = Drops(run, task.n, random.Random(task.n))
        with Queue():
            daemon = run.start("--max-concurrency", "8")
            run.wait_until(lambda: daemon.poll() is not None or b" serves " in check.read(run.log), "creeld serves")
        drops.first()
        for at in range(0, drops.n, self.burst):
            if task.variant == "bursts":
                daemon.send_signal(signal.SIGSTOP)
            for kind, k in drops.queue[at:at + self.burst]:
                drops.put(kind, k)
            daemon.send_signal(signal.SIGCONT)
        self.wait_for_the_end(run, daemon)
        daemon.terminate()
        if run.wait(daemon, "creeld") != 0:
            run.say("creeld did not end in order")
        return run, "%d files" % drops.n, run.problems + list(self.judge(run, drops))

    @staticmethod
    def left(run):
        return [name for d in ("inbox", "confirm", "control", "active") for name in os.listdir(run.below(d))
                if name != "by"]

    def wait_for_the_end(self, run, daemon):
        """As long as it goes on."""
        last, since = None, time.monotonic()
        while daemon.poll() is None:
            left = len(self.left(run))
            if not left:
                return
            if left != last:
                last, since = left, time.monotonic()
            if time.monotonic() - since > world.PATIENCE:
                run.say("%d files are left, for example %s" % (left, self.left(run)[0]))
                return
            time.sleep(0.05)
        run.say("the daemon ended with %s" % daemon.poll())

    @staticmethod
    def judge(run, drops):
        ran = collections.Counter(e[0] for e in check.read_effects(run.effects) if e[3] == "begin")
        names, status = collections.Counter(), {}
        for d in check.executions(run.spool):
            state = json.loads(check.read(os.path.join(d, "state.json")))
            name = json.loads(check.read(os.path.join(d, "plan.json")))["name"]
            names[name] += 1
            status[name] = state["status"]
            if name.startswith("p") and ran[os.path.basename(d)] != 1:
                yield "%s has run %d times" % (name, ran[os.path.basename(d)])
        expected = {"p%d" % k: "completed" for k in range(len(drops.names["plan"]))}
        for k in range(len(drops.asks)):
            expected["asks%d" % k] = "completed"
            expected["waits%d" % k] = "cancelled"
        for name, wanted in expected.items():
            if names[name] != 1:
                yield "%s: %s is %d executions" % ("repeated" if names[name] else "lost", name, names[name])
            elif status[name] != wanted:
                yield "%s is %s, not %s" % (name, status[name], wanted)
        if len(names) != len(expected):
            yield "%d executions that nobody wanted" % (len(names) - len(expected))
        yield from Overflow.refused_once(run, [*drops.names["wrong"], *drops.names["order"], *drops.names["decision"]])
        c = check.Check(run)
        c.verify()
        yield from c.found

    @staticmethod
    def refused_once(run, wrong):
        kept = collections.Counter()
        entries = set(os.listdir(run.below("rejected")))
        for entry in entries:
            if entry.endswith(".error.json"):
                continue
            kept[KEPT.match(entry).group(1)] += 1
            if entry + ".error.json" not in entries:
                yield "rejected/%s has no reason" % entry
        told = collections.Counter(l["file"] for l in check.event_lines(run.spool)[0] if l["type"] == "plan.rejected")
        for name in wrong:
            if kept[name] != 1 or told[name] != 1:
                yield "%s was refused %d times and that was told %d times" % (name, kept[name], told[name])
        for name in set(kept) - set(wrong):
            yield "%s was refused" % name


SUITES = [Overflow()]
