"""upgrade.py - a daemon is upgraded again and again while it works: stopped, its program replaced, started.

Nothing is interrupted by it, nothing repeated, nothing lost: every attempt runs once and to its own end, and those that
run while no daemon does are adopted.
"""
import json
import os
import shutil
import signal

import check
import world
from suite import Suite, Task

# What plan P needs when nothing goes wrong.
ATTEMPTS = {action: 2 if action == "b" else 1 for action in world.P_STATUS}
OWN_FAILURES = ("exit:75", "exit:3", "timeout")


def effects_in(path):
    try:
        with open(path, "rb") as f:
            return f.read().count(b"\n")
    except FileNotFoundError:
        return 0


class Upgrade(Suite):
    """So many plans P at once; whenever `every` more lines of effects are there the daemon is upgraded."""
    name = "upgrade"
    title = "the daemon, its supervisor's program, or both are replaced under load; a run is an upgrade"
    sample = 2
    plans, every, slow, slots = 24, 30, 150, "16"
    copies = 0

    def tasks(self, context):
        return [Task(self.name, n=k, variant="%s/%s" % (which, order)) for k in range(1, self.every, 5)
                for which in ("creeld", "creel-run", "both") for order in ("stop-first", "replace-first")]

    def run(self, task, directory, programs):
        which, order = task.variant.split("/")
        run = world.Run(directory, programs)
        run.programs = world.Programs(os.path.join(run.dir, "bin"), programs.env)
        os.mkdir(run.programs.directory)
        for name in ("creeld", "creel-run", "creel"):
            shutil.copy(programs.path(name), run.programs.path(name))
        names = ("creeld", "creel-run") if which == "both" else (which,)
        run.new_spool()
        for k in range(self.plans):
            run.drop(world.plan_p(run.effects, name="P%02d" % k, slow=self.slow), "p%02d.json" % k)
        run.approve_in_background()
        started = []  # when a daemon was, and how many attempts ran then
        daemon = self.start(run, started)
        following = task.n
        while not self.is_over(run):
            if not run.wait_until(lambda: effects_in(run.effects) >= following or self.is_over(run), "plans go on"):
                break
            if self.is_over(run):
                break
            following = effects_in(run.effects) + self.every
            if order == "replace-first":
                self.replace(run, names)
            self.stop(run, daemon)
            if order == "stop-first":
                self.replace(run, names)
            daemon = self.start(run, started)
        self.stop(run, daemon)
        run.stop_approving()
        run.count = len(started) - 1
        adopted, slowest = self.adoptions(run, started)
        run.notes.append("%d adopted, the last of them %d ms after a start" % (adopted, slowest))
        run.figures["slowest adoption after a start, ms"] = slowest
        return run, "%d upgrades" % run.count, self.judge(run)

    def is_over(self, run):
        return not os.listdir(run.below("active")) and not os.listdir(run.below("inbox")) and \
            len(check.executions(run.spool)) == self.plans

    def start(self, run, started):
        running = len(run.locked())
        started.append((world.wall_ms(), running))
        self.served = self.servings(run) if len(started) > 1 else 0
        return run.start("--max-concurrency", self.slots)

    @staticmethod
    def servings(run):
        with open(run.log, "rb") as f:
            return f.read().count(b" serves ")

    def stop(self, run, daemon):
        daemon.terminate()
        status = run.wait(daemon, "creeld")
        # Before it can do anything it has nothing to end in order.
        if status != 0 and not (status == -signal.SIGTERM and self.servings(run) == self.served):
            run.say("creeld ended with %s" % status)

    def replace(self, run, names):
        """Another file under the name, as an installation leaves it; it differs in its last bytes."""
        for name in names:
            path = run.programs.path(name)
            shutil.copy(path, path + ".new")
            Upgrade.copies += 1
            with open(path + ".new", "ab") as f:
                f.write(b"upgrade %d\n" % Upgrade.copies)
            os.rename(path + ".new", path)

    @staticmethod
    def adoptions(run, started):
        """How many attempts were adopted, and how long after the start of a daemon at most, in milliseconds."""
        n = slowest = 0
        for d in check.executions(run.spool):
            for data in check.commits(d).values():
                doc = json.loads(data)
                for ev in doc["events"]:
                    if ev["type"] == "action.adopted":
                        at = world.parse_ms(ev.get("at", doc["at"]))
                        n += 1
                        slowest = max(slowest, at - max((t for t, _ in started if t <= at), default=at))
        if not n and any(running > 1 for _, running in started[1:]):
            run.say("attempts ran while daemons were started, and none was adopted")
        return n, slowest

    def judge(self, run):
        c = check.Check(run, world.P_STATUS, world.P_WORDS)
        found = c.final(may_lose=False, how_many=self.plans)
        begun = {e[:3] for e in check.read_effects(run.effects) if e[3] == "begin"}
        ended = {e[:3] for e in check.read_effects(run.effects) if e[3] == "end"}
        found += ["interrupted: attempt %d of %s began and did not come to its end" % (key[2], key[1])
                  for key in begun - ended if key[1] != "t"]
        for execution, events in c.events.items():
            tries = {}
            for ev in events:
                if ev["type"] == "action.execute.requested":
                    tries[ev["action"]] = tries.get(ev["action"], 0) + 1
                if ev["type"] == "action.failed" and ev.get("error", {}).get("code") not in OWN_FAILURES:
                    found.append("interrupted: %s of %s failed: %s" % (ev["action"], execution, ev.get("error")))
            if tries != ATTEMPTS:
                found.append("repeated: %s had the attempts %s" % (execution, tries))
        return found


SUITES = [Upgrade()]
