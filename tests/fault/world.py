"""world.py - the programs under test, plan P, and one run: a spool of its own, a daemon on it, its recovery.

The programs are those of $BUILD (build/), the tools those of $BUILD/fault.  A run lives in a directory of its own below
the work directory, which is in memory where that is possible: flushes cost nothing there, and what kill -9 leaves does
not depend on them.
"""
import datetime
import glob
import json
import os
import select
import shutil
import signal
import subprocess
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BUILD = os.environ.get("BUILD", "build")
if not os.path.isabs(BUILD):
    BUILD = os.path.join(ROOT, BUILD)
TOOLS = os.path.join(BUILD, "fault")
PATIENCE = 120  # seconds, for what takes a fraction of one: the machine may be busy with other things
SPOOL_DIRS = ("inbox", "rejected", "confirm", "confirm/by", "control", "results", "executions", "active", "quarantine",
              "catalog", "catalog/plans", "events", "tmp", "breakers")


class Programs:
    """Where creeld, creel and creel-run are: those of the build, or a mutant's."""

    def __init__(self, directory=BUILD, env=None):
        self.directory = directory
        self.env = env or {}

    def path(self, name):
        return os.path.join(self.directory, name)


def tool(name):
    return os.path.join(TOOLS, name)


# ---- plan P ----

def value(action):
    return "${%s.output.value}" % action


def plan_p(effects, name="P", slow=0):
    """12 actions, 3 in parallel, with a retry (b), a confirmation (c), a timeout (t) whose alternative (talt) stands in,
    and a failure (f) for which a fallback value does.  Every action's effect is a line in the file effects.  slow: how
    many milliseconds each action takes."""

    def action(ident, after, *words, **more):
        return dict({"id": ident, "actionDefinitionId": "command", "dependencies": after,
                     "inputs": {"command": tool("effect"), "args": [effects, *pace, *words]}}, **more)

    pace = ["slow:%d" % slow] if slow else []
    retry = {"maxAttempts": 3, "initialDelay": 10, "maxDelay": 10, "backoffMultiplier": 1,
             "retryableErrors": ["network_timeout"], "jitter": False}
    return {"name": name, "maxConcurrency": 3, "actions": [
        action("a1", [], "out:value=1"),
        action("a2", [], "out:value=2"),
        action("a3", [], "out:value=3"),
        action("b", ["a1", "a2"], "first:75", "out:value=b", value("a1"), value("a2"), retryPolicy=retry),
        action("c", ["a3"], "out:value=c", value("a3"),
               userConfirmation={"required": True, "title": "Go on?", "message": "c follows"}),
        action("t", ["a1"], "forever", timeoutMs=50 + slow,
               errorHandling={"continueOnFailure": False, "alternativeActionId": "talt"}),
        action("talt", [], "out:value=alt"),
        action("f", ["a2"], "exit:3",
               errorHandling={"continueOnFailure": False, "fallbackValue": {"value": "fallback"}}),
        action("g1", ["b"], "out:value=g1", value("b")),
        action("g2", ["c"], "out:value=g2", value("c")),
        action("g3", ["t", "f"], "out:value=g3", value("t"), value("f")),
        action("z", ["g1", "g2", "g3"], value("g1"), value("g2"), value("g3")),
    ]}


# What each action of P must have come to, and the words that its last attempt must have been given.
P_STATUS = {"a1": "completed", "a2": "completed", "a3": "completed", "b": "completed", "c": "completed", "t": "failed",
            "talt": "completed", "f": "failed", "g1": "completed", "g2": "completed", "g3": "completed",
            "z": "completed"}
P_WORDS = {"b": "1 2", "c": "3", "g1": "b", "g2": "c", "g3": "alt fallback", "z": "g1 g2 g3"}


# ---- one run ----

class Run:
    """A directory with a spool (spool/), what happened outside of it (effects, acks), and the daemon's log."""

    def __init__(self, directory, programs=None, spool=None):
        self.dir = directory
        self.programs = programs or Programs()
        shutil.rmtree(directory, ignore_errors=True)
        os.makedirs(directory)
        self.spool = spool or os.path.join(directory, "spool")
        self.effects = os.path.join(directory, "effects")
        self.acks = os.path.join(directory, "acks")
        self.log = os.path.join(directory, "log")
        self.approver = None
        # Leaks cannot be looked for in a process that is traced.
        self.env = dict(os.environ, LC_ALL="C", ASAN_OPTIONS="detect_leaks=0", **self.programs.env)
        self.problems = []  # what was wrong
        self.notes = []     # what was noteworthy and right
        self.count = 1      # how many states it examines
        self.figures = {}   # what was measured: {what: how much}

    def new_spool(self):
        os.mkdir(self.spool, 0o700)
        for d in SPOOL_DIRS:
            os.mkdir(os.path.join(self.spool, d), 0o700)

    def below(self, *names):
        return os.path.join(self.spool, *names)

    def drop(self, plan, name="p.json"):
        part = self.below("inbox", "." + name)
        with open(part, "w") as f:
            json.dump(plan, f)
        os.rename(part, self.below("inbox", name))

    # -- the person who says yes --

    def approve_in_background(self):
        self.stop_approving()
        self.approver = subprocess.Popen([tool("approve"), self.below("confirm"), self.acks], env=self.env)

    def stop_approving(self):
        if self.approver:
            self.approver.kill()
            self.approver.wait()
            self.approver = None

    def answer(self):
        """Answer what is asked and has no answer yet; how many."""
        n = 0
        for request in glob.glob(self.below("confirm", "*.request.json")):
            answer = request[:-len("request.json")] + "approve"
            if not os.path.exists(answer):
                with open(answer, "w"):
                    pass
                n += 1
        return n

    # -- daemons --

    def creeld(self, *options):
        return [self.programs.path("creeld"), "--spool", self.spool, "--max-concurrency", "3", *options]

    def say(self, what):
        self.problems.append(what)

    def wait(self, process, what, patience=PATIENCE):
        try:
            return process.wait(patience)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            self.say("%s did not end within %d s" % (what, patience))
            return None

    def start(self, *options, command=None):
        with open(self.log, "ab") as log:
            return subprocess.Popen((command or []) + self.creeld(*options), stdin=subprocess.DEVNULL, stdout=log,
                                    stderr=log, env=self.env)

    def drain(self):
        return self.wait(self.start("--drain"), "creeld --drain")

    def wait_until(self, true, what):
        patience = time.monotonic() + PATIENCE
        while not true():
            if time.monotonic() > patience:
                self.say("waited %d s in vain: %s" % (PATIENCE, what))
                return False
            time.sleep(0.002)
        return True

    def wait_for_rest(self, daemon):
        """Until a daemon has ended, or its journals have not grown for a while."""
        last, still = None, 0
        while still < 8 and daemon.poll() is None:
            now = sorted(glob.glob(self.below("executions", "*", "*", "journal", "*")))
            still = still + 1 if now == last else 0
            last = now
            time.sleep(0.01)

    def wait_for_effect(self, daemon, had):
        """Until an action has begun that had not, or the daemon is at rest."""
        import check
        patience = time.monotonic() + 0.2
        while len(check.read_effects(self.effects)) <= had and daemon.poll() is None and time.monotonic() < patience:
            time.sleep(0.001)

    def recover(self, expected=0, rounds=6):
        """Serve until all is done, answering what is asked."""
        for _ in range(rounds):
            self.answer()
            status = self.drain()
            self.requests_are_whole()
            if status != 2:
                if None not in (status, expected) and status != expected:
                    self.say("creeld --drain ended with %d, not %d" % (status, expected))
                return status
        self.say("creeld --drain waits for people, again and again")
        return 2

    def requests_are_whole(self):
        """What people are asked they can read, whatever came before."""
        for request in glob.glob(self.below("confirm", "*.request.json")):
            try:
                with open(request) as f:
                    if "commands" in json.load(f):
                        continue
            except ValueError:
                pass
            self.say("%s is not whole although a daemon has looked at it" % os.path.basename(request))

    def creel(self, *words, expected=(0,)):
        """Run creel to its end; what it said."""
        p = subprocess.run([self.programs.path("creel"), "--spool", self.spool, *words], capture_output=True, text=True,
                           env=self.env, timeout=PATIENCE)
        if p.returncode not in expected:
            self.say("creel %s ended with %d: %s" % (" ".join(words), p.returncode, p.stderr.strip() or p.stdout.strip()))
        return p.stdout

    def crashpt(self, *options, meanwhile=None, command=None):
        """Run the daemon, or another command, under crashpt.  Returns (the line of the point or None, exit status of the daemon or None).
        meanwhile is called when it has struck, while what survived lives on."""
        reading, writing = os.pipe()
        with open(self.log, "ab") as log:
            command = [tool("crashpt"), "-o", "/dev/fd/%d" % writing, *options, "--",
                       *(command or self.creeld("--drain"))]
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.env,
                                       pass_fds=[writing])
        os.close(writing)
        point = status = None
        with open(reading, errors="replace") as report:
            for line in self.lines_of(report, process):
                if line.startswith("point ") and point is None:
                    point = line.strip()
                    if meanwhile:
                        meanwhile(process)
                elif line.startswith("exit "):
                    status = int(line.split()[1])
        self.wait(process, "crashpt")
        return point, status

    def lines_of(self, report, process):
        """Lines as they come, while anything comes within our patience."""
        while True:
            ready, _, _ = select.select([report], [], [], PATIENCE)
            if not ready:
                self.say("the daemon under crashpt did not end within %d s" % PATIENCE)
                process.kill()
                return
            line = report.readline()
            if not line:
                return
            yield line

    def set_clock(self, offset):
        """From now on the programs of clock/ have a clock that is so many milliseconds off."""
        path = self.programs.path("jumps")
        lines = []
        if os.path.exists(path):
            with open(path) as f:
                lines = f.readlines()
        with open(path + ".new", "w") as f:
            f.write("".join(lines) + "%d %d\n" % (time.time_ns() if lines else 0, offset))
        os.rename(path + ".new", path)

    # -- the end --

    def locked(self):
        """Attempts whose lock somebody still holds."""
        import fcntl
        held = []
        for lock in glob.glob(self.below("executions", "*", "*", "actions", "*", "*", "lock")):
            with open(lock) as f:
                try:
                    fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    held.append(lock)
        return held

    def end_leftovers(self):
        """End what runs on although nobody serves the spool: the processes that locks name, and their supervisors."""
        for lock in self.locked():
            try:
                with open(lock) as f:
                    words = dict(w.split("=") for w in f.read().split())
                pid = int(words["pid"])
                with open("/proc/%d/stat" % pid) as f:
                    fields = f.read().rpartition(")")[2].split()
                if fields[19] == words["start"]:
                    os.killpg(pid, signal.SIGKILL)
            except (OSError, KeyError, ValueError, IndexError):
                pass
        for _ in range(1000):
            if not self.locked():
                break
            time.sleep(0.01)

    def remove(self):
        self.stop_approving()
        if not self.locked():
            shutil.rmtree(self.dir, ignore_errors=True)
            return
        self.end_leftovers()
        shutil.rmtree(self.dir, ignore_errors=True)

    def tail_of_log(self, n=12):
        try:
            with open(self.log, errors="replace") as f:
                return [line.rstrip() for line in f.readlines()[-n:]]
        except FileNotFoundError:
            return []


def wall_ms():
    return time.time_ns() // 1000000


def parse_ms(text):
    """Milliseconds of a time as records have it."""
    at = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    return round(at.timestamp() * 1000)


def work_directory():
    """In memory if there is room."""
    base = os.environ.get("FAULT_DIR")
    if not base:
        base = "/tmp"
        if os.access("/dev/shm", os.W_OK):
            room = os.statvfs("/dev/shm")
            if room.f_bavail * room.f_frsize > 200 << 20:
                base = "/dev/shm"
    return os.path.join(base, "creel-fault.%d" % os.getpid())
