"""others.py - what else lies in a spool, cut off at every byte: drops, claims, what is being built, breakers, APIs, notes,
copies of requests and orders, definitions, the configuration.

One file is cut in a copy of a spool that stands still, and a daemon starts on it. It serves; the file is used, refused
with a reason or made anew, and nothing that it does not concern is affected: the plan comes to its end.
"""
import glob
import json
import os
import shutil

import check
import world
from suite import Suite, Task

CHUNK = 50
TRUE = {"actionDefinitionId": "command", "inputs": {"command": "true"}}
ASK = {"required": True, "title": "Go on?", "message": "?"}
CHAIN = {"name": "two", "actions": [dict(TRUE, id="a", userConfirmation=ASK),
                                    dict(TRUE, id="b", dependencies=["a"], userConfirmation=ASK)]}
WHEN = "2026-01-01T00:00:00.000Z"


def write(path, text):
    with open(path, "w") as f:
        f.write(text)


def only(pattern):
    found = glob.glob(pattern)
    if len(found) != 1:
        raise RuntimeError("%d files are %s" % (len(found), pattern))
    return found[0]


# ---- spools that stand still: each builds one and says which files of it are cut, {name: path} ----

def waiting(run):
    """The first of two questions was answered by a decision with a content, and an order was obeyed."""
    run.drop(CHAIN)
    run.drain()
    ident = os.listdir(run.below("active"))[0]
    write(run.below("confirm", ident + ".a.approve"), "comment: yes\n")
    write(run.below("control", ident + ".pause"), "reason: a moment\n")
    run.drain()
    write(run.below("control", ident + ".resume"), "")
    run.drain()
    where = only(run.below("executions", "*", "*"))
    files = {os.path.relpath(p, where): p for p in glob.glob(os.path.join(where, "actions", "*", "confirm-*", "*")) +
             glob.glob(os.path.join(where, "control", "*")) + glob.glob(os.path.join(where, "actions", "a", "1", "*"))}
    return {name: path for name, path in files.items() if os.path.getsize(path)}


def personal(run):
    """A note says which of the decisions in people's own directories were looked at."""
    ask = dict(ASK, approvers=["root"])
    run.drop({"name": "two", "actions": [dict(TRUE, id="a", userConfirmation=ask),
                                         dict(TRUE, id="b", dependencies=["a"], userConfirmation=ask)]})
    run.drain()
    run.creel("approve", os.listdir(run.below("active"))[0], "a")
    run.drain()
    return {"confirm/by/.looked": run.below("confirm", "by", ".looked")}


def decided(run):
    run.drop(CHAIN)
    run.drain()
    ident = os.listdir(run.below("active"))[0]
    path = run.below("confirm", ident + ".a.approve")
    write(path, "comment: it may go on\nmodifications: {inputs: {args: [one, two]}}\n")
    return {"confirm/ID.a.approve": path}


def ordered(run):
    run.drop(CHAIN)
    run.drain()
    path = run.below("control", os.listdir(run.below("active"))[0] + ".cancel")
    write(path, "reason: it is not wanted\n")
    return {"control/ID.cancel": path}


def claimed(run):
    """The daemon was killed while it built an execution, just before the rename that puts it in place."""
    run.drop({"name": "one", "actions": [dict(TRUE, id="a", description="builds on nothing")]})
    run.crashpt("-w", "creeld", "-t", "renameat", "-P", "/new", "-n", "1", "-k", "all")
    files = {}
    for top, _, names in os.walk(only(run.below("tmp", "*-*"))):
        for name in names:
            files[os.path.relpath(os.path.join(top, name), run.below("tmp")).partition("/")[2]] = os.path.join(top, name)
    return {"tmp/ID/" + name: path for name, path in files.items() if os.path.getsize(path)}


def broken_tool(run):
    """A breaker is open, a rate limit has been used, an API is left alone, something was wrong with the disk."""
    write(os.path.join(run.dir, "config"), "breakers: {tool: {failures: 1, window_sec: 60, open_sec: 0.05}}\n")
    run.drop({"name": "fails", "actions": [{"id": "a", "actionDefinitionId": "command", "inputs": {"command": "false"},
                                            "breaker": "tool", "onFailure": "continue"}]})
    run.wait(run.start("--drain", "--config", os.path.join(run.dir, "config")), "creeld")
    os.makedirs(run.below("apis"), exist_ok=True)
    # As apis_file.c writes them.
    write(run.below("apis", "global.get.json"), json.dumps({"key": "global.get", "windowMs": 500, "sent": [[WHEN, 2]]}))
    write(run.below("apis", "api.shop.json"), json.dumps({
        "key": "api.shop", "state": "parked", "since": WHEN, "until": WHEN, "reason": "429"}))
    write(run.below("problem.json"), json.dumps({"since": WHEN, "message": "cannot write"}))
    run.drop({"name": "next", "actions": [dict(TRUE, id="a", breaker={"name": "tool", "onOpen": "delay"})]})
    return {name: run.below(name) for name in ("breakers/tool.json", "apis/global.get.json", "apis/api.shop.json",
                                               "problem.json")}


def defined(run):
    write(run.below("catalog", "plans", "child.json"), json.dumps({"name": "child", "actions": [dict(TRUE, id="c")]}))
    os.makedirs(run.below("catalog", "apis"))
    write(run.below("catalog", "apis", "shop.json"), json.dumps({"id": "shop", "name": "shop", "version": "1",
                                                                 "baseUrl": "http://127.0.0.1:1", "endpoints": []}))
    write(os.path.join(run.dir, "config"), "max_concurrency: 2\nbreakers: {tool: {failures: 3}}\n")
    run.drop({"name": "parent", "actions": [{"id": "a", "actionDefinitionId": "plan.run", "inputs": {"plan": "child"}}]})
    return {"catalog/plans/child.json": run.below("catalog", "plans", "child.json"),
            "catalog/apis/shop.json": run.below("catalog", "apis", "shop.json"),
            "config": os.path.join(run.dir, "config")}


SPOOLS = {f.__name__: f for f in (waiting, personal, decided, ordered, claimed, broken_tool, defined)}


class Others(Suite):
    name, title = "truncate-others", "drops, claims, breakers, APIs, notes, definitions and the configuration, cut off at every byte"
    sample = 0

    def set_up(self, directory, programs):
        self.spools = {}  # name: (the run that stands still, its files)
        for name, build in SPOOLS.items():
            run = world.Run(os.path.join(directory, "still", name), programs)
            run.new_spool()
            files = build(run)
            if run.problems:
                raise RuntimeError("%s: %s" % (name, run.problems))
            self.spools[name] = run, files

    def tear_down(self):
        for run, _ in self.spools.values():
            run.remove()

    def tasks(self, context):
        self.set_up(context.directory, context.programs)
        tasks = []
        for name, (_, files) in self.spools.items():
            for file, path in sorted(files.items()):
                size = os.path.getsize(path)
                tasks += [Task(self.name, n=k, variant="%s:%s" % (name, file), second=min(k + CHUNK, size))
                          for k in range(0, size, CHUNK)]
        self.tear_down()
        return tasks

    def narrow(self, task, points):
        chosen = tuple(k for k in range(task.n, task.second) if k in points)
        return Task(task.suite, task.n, task.side, task.variant, task.second, chosen) if chosen else None

    def thin(self, tasks):
        """Of each file its beginning and its middle."""
        first = {}
        for task in tasks:
            first.setdefault(task.variant, task)
        return [Task(t.suite, t.n, t.side, t.variant, t.second, (t.n, (t.n + t.second) // 2)) for t in first.values()]

    def run(self, task, directory, programs):
        name, _, file = task.variant.partition(":")
        still, files = self.spools[name]
        found, count = [], 0
        if name == "claimed":
            return self.run_claims(task, directory, programs, still, file, files.get(file))
        for length in task.only or range(task.n, task.second):
            run = world.Run(directory, programs)
            if file not in files or length >= os.path.getsize(files[file]):
                continue
            shutil.copytree(still.dir, directory, symlinks=True, dirs_exist_ok=True)
            self.same_place(run)
            path = os.path.join(directory, os.path.relpath(files[file], still.dir))
            os.chmod(path, 0o644)
            os.truncate(path, length)
            count += 1
            found += ["cut at %d: %s" % (length, what) for what in self.judge(run, name, file)]
            if found:
                break
        run.count = count
        return run, "%s at %d..%d" % (file, task.n, task.second - 1) if count else None, found

    def run_claims(self, task, directory, programs, still, file, path):
        """All of them in one spool: claims know nothing of one another."""
        run = world.Run(directory, programs)
        if not path:
            return run, None, []
        shutil.copytree(still.dir, directory, symlinks=True, dirs_exist_ok=True)
        self.same_place(run)
        ident = os.path.relpath(path, still.below("tmp")).partition("/")[0]
        where = os.path.relpath(os.readlink(still.below("active", ident)), "..")
        lengths = [k for k in task.only or range(task.n, task.second) if k < os.path.getsize(path)]
        for k in lengths:
            copy = "%s%012x" % (ident[:24], 1 + k)
            shutil.copytree(run.below("tmp", ident), run.below("tmp", copy))
            os.symlink("../" + where.replace(ident, copy), run.below("active", copy))
            cut = run.below("tmp", copy, os.path.relpath(path, still.below("tmp", ident)))
            os.chmod(cut, 0o644)
            os.truncate(cut, k)
        shutil.rmtree(run.below("tmp", ident))
        os.unlink(run.below("active", ident))
        run.count = len(lengths)
        return run, "%s at %d..%d" % (file, task.n, task.second - 1), list(self.judge(run, "claimed", file, len(lengths)))

    @staticmethod
    def same_place(run):
        """That it is another directory must not show."""
        path = run.below("creeld.lock")
        if os.path.exists(path):
            there = os.stat(run.spool)
            lines = check.read(path).decode().splitlines()
            marks = {"dev": there.st_dev, "ino": there.st_ino}
            write(path, "".join("%s=%s\n" % (k, marks.get(k, v)) for k, _, v in (l.partition("=") for l in lines)))

    # ---- what came of it ----

    def judge(self, run, name, file, many=1):
        if name == "waiting":
            run.answer()
        config = os.path.join(run.dir, "config")
        options = ["--drain"] + (["--config", config] if os.path.exists(config) else [])
        status = run.wait(run.start(*options), "creeld --drain")
        if file == "config" and status == 64:
            if b"config" not in check.read(run.log):
                yield "the configuration is refused, and not named"
            status = run.wait(run.start("--drain"), "creeld --drain")
        if status not in (0, 1, 2):
            yield "the daemon ended with %s" % status
            return
        refused = [e for e in os.listdir(run.below("rejected")) if not e.endswith(".error.json")]
        for entry in refused:
            try:
                if len(json.loads(check.read(run.below("rejected", entry + ".error.json")))["message"]) < 10:
                    yield "rejected/%s has no reason" % entry
            except (OSError, ValueError, KeyError) as e:
                yield "rejected/%s has no reason: %s" % (entry, e)
        if refused and not self.may_be_refused(file):
            yield "rejected/%s" % refused[0]
        yield from self.ends(run, name, len(refused), many)
        c = check.Check(run)
        c.nothing_left(allow=["rejected/" + e for e in os.listdir(run.below("rejected"))])
        yield from run.problems + c.found
        yield from self.whole(run, file)

    @staticmethod
    def may_be_refused(file):
        return file in ("confirm/ID.a.approve", "control/ID.cancel", "catalog/plans/child.json") or \
            file.startswith("tmp/ID/claim")

    @staticmethod
    def ends(run, name, refused, many):
        """Each execution that there must be comes to its end; each file was dealt with once."""
        if name == "personal" and len(os.listdir(run.below("active"))) == 1:
            ident = os.listdir(run.below("active"))[0]
            if not os.path.exists(run.below("confirm", ident + ".b.request.json")):
                yield "its second question is not asked"
            run.creel("approve", ident, "b")
        if os.listdir(run.below("active")):
            run.recover(expected=None)
        states = [json.loads(check.read(os.path.join(d, "state.json"))) for d in check.executions(run.spool)]
        wanted = {"waiting": 1, "personal": 1, "decided": 1, "ordered": 1, "claimed": many, "broken_tool": 2, "defined": 2}[name]
        if name == "claimed":
            wanted -= refused
        if name == "defined" and refused:
            wanted = 0
        if len(states) != wanted:
            yield "%d executions, not %d" % (len(states), wanted)
        for state in states:
            end = "cancelled" if name == "ordered" and not refused else "completed"
            if state["status"] != end:
                yield "%s is %s, not %s" % (state.get("name"), state["status"], end)

    @staticmethod
    def whole(run, file):
        """What the daemon keeps for itself is whole again, or gone."""
        if file.startswith(("breakers/", "problem")) and os.path.exists(run.below(file)):
            try:
                json.loads(check.read(run.below(file)))
            except ValueError:
                yield "%s is still not whole" % file


SUITES = [Others()]
