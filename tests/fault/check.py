"""check.py - is what a crashed and recovered spool says true?

Works from the journal, events/, state.json and what was recorded outside: the effects of actions, and what somebody had
seen before the crash.  It reads the files itself and trusts no code of creel, except that `creel verify` must find nothing
either.  Every finding is a sentence; none is what we want.

The promises (design section 2):

  lost        what was acknowledged is there: the drop (one execution, or it still lies in the inbox), every commit
              that somebody had seen or that had effects, every line of events/, every request
  repeated    an attempt's effect is there once; an action that completed never starts again; every further attempt
              has a record that says why (a failure with a retry, a loss)
  false       what the journal calls completed did come to its end, with the outcome that it says; nothing starts
              before its commit, nor before what it depends on
  half        every file under its final name is whole
  unfinished  the execution has ended as it must, with the right values handed on, and nothing is left lying about
"""
import glob
import hashlib
import json
import os
import re
import subprocess

COMMIT = re.compile(r"^(\d{8})\.json$")
ATTEMPT = re.compile(r"/actions/[^/]+/[0-9]+$")
ENDS = ("action.completed", "action.failed", "action.lost", "action.skipped")


def read(path):
    with open(path, "rb") as f:
        return f.read()


def tagged(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def executions(spool):
    return sorted(glob.glob(os.path.join(spool, "executions", "*", "*")))


def commits(directory):
    """{seq: bytes} of the journal of an execution."""
    found = {}
    try:
        names = os.listdir(os.path.join(directory, "journal"))
    except FileNotFoundError:
        return found
    for name in names:
        m = COMMIT.match(name)
        if m:
            found[int(m.group(1))] = read(os.path.join(directory, "journal", name))
    return found


def event_lines(spool):
    """The whole lines of events/, parsed, and the texts that are no JSON."""
    lines, bad = [], []
    for path in sorted(glob.glob(os.path.join(spool, "events", "*.jsonl"))):
        data = read(path)
        for text in data.split(b"\n")[:-1]:
            if not text.strip(b" "):  # a hole that was made blank
                continue
            try:
                lines.append(json.loads(text))
            except ValueError:
                bad.append(text)
    return lines, bad


def read_effects(path):
    """[(execution, action, attempt, "begin"|"end", words)]"""
    found = []
    if not os.path.exists(path):
        return found
    for line in read(path).decode().splitlines():
        words = line.split(" ")
        found.append((words[0], words[1], int(words[2]), words[3], words[4:]))
    return found


class Seen:
    """What stood in a spool at one moment."""

    def __init__(self, spool, effects=None, acks=None):
        self.commits = {os.path.basename(d): commits(d) for d in executions(spool)}
        self.lines = [l for l in event_lines(spool)[0]]
        self.requests = {os.path.basename(p)[:-len(".request.json")]
                         for p in glob.glob(os.path.join(spool, "confirm", "*.request.json"))}
        if acks and os.path.exists(acks):
            self.requests |= {l.split()[1] for l in read(acks).decode().splitlines()}
        self.state_seq = {}
        for d in executions(spool):
            try:
                self.state_seq[os.path.basename(d)] = json.loads(read(os.path.join(d, "state.json")))["seq"]
            except (OSError, ValueError, KeyError):
                pass
        self.effects = read_effects(effects) if effects else []

    def acknowledged(self):
        """{execution: seq}: up to here commits had shown themselves in the world when the power went."""
        shown = dict(self.state_seq)

        def note(execution, seq):
            shown[execution] = max(shown.get(execution, 0), seq)

        for line in self.lines:
            if "execution" in line and "seq" in line:
                note(line["execution"], line["seq"])
        for execution, found in self.commits.items():
            for seq, data in found.items():
                try:
                    events = json.loads(data)["events"]
                except ValueError:
                    continue
                for ev in events:
                    if ev["type"] == "user.confirmation.requested" and \
                            "%s.%s" % (execution, ev["action"]) in self.requests:
                        note(execution, seq)
                    if ev["type"] == "action.execute.requested" and \
                            any(e[:3] == (execution, ev["action"], ev["attempt"]) for e in self.effects):
                        note(execution, seq)
        return shown


class Check:
    def __init__(self, run, status=None, words=None, outcome=("completed",)):
        self.run = run
        self.spool = run.spool
        self.expected = status or {}
        self.words = words or {}
        self.outcome = outcome
        self.found = []

    def say(self, kind, what, *args):
        self.found.append("%s: %s" % (kind, what % args if args else what))

    # ---- what was seen before is still there ----

    def seen_is_kept(self, seen, power_cut=False):
        """After kill -9 everything that was there; after a power cut what had shown itself."""
        acknowledged = seen.acknowledged() if power_cut else None
        for execution, found in seen.commits.items():
            now = {}
            for d in executions(self.spool):
                if os.path.basename(d) == execution:
                    now = commits(d)
            for seq, data in found.items():
                if acknowledged is not None and seq > acknowledged.get(execution, 0):
                    continue
                if now.get(seq) != data:
                    self.say("lost", "commit %d of %s was acknowledged and is %s", seq, execution,
                             "not there" if seq not in now else "another one")
        if power_cut:
            return
        lines = {json.dumps(l, sort_keys=True) for l in event_lines(self.spool)[0]}
        for line in seen.lines:
            if json.dumps(line, sort_keys=True) not in lines:
                self.say("lost", "a line of events/ has gone: %s", json.dumps(line)[:120])

    def requests_were_asked(self, seen):
        """A request that somebody saw is in the journal."""
        for request in seen.requests:
            execution, _, action = request.partition(".")
            if not any(ev["type"] == "user.confirmation.requested" and ev["action"] == action
                       for ev in self.events.get(execution, [])):
                self.say("lost", "request %s was seen and the journal does not know it", request)

    # ---- the journal ----

    def journals(self, how_many=1):
        self.events = {}
        self.docs = {}
        found = executions(self.spool)
        if len(found) != how_many:
            self.say("lost" if len(found) < how_many else "repeated", "%d executions of %d drops", len(found), how_many)
        for d in found:
            self.journal(d)

    def journal(self, d):
        execution = os.path.basename(d)
        found = commits(d)
        events = self.events[execution] = []
        docs = self.docs[execution] = {}
        try:
            before = tagged(read(os.path.join(d, "plan.json")))
        except FileNotFoundError:
            self.say("half", "%s has no plan.json", execution)
            return
        for seq in range(1, max(found, default=0) + 1):
            if seq not in found:
                self.say("lost", "commit %d of %s is missing", seq, execution)
                return
            try:
                doc = json.loads(found[seq])
            except ValueError:
                self.say("half", "commit %d of %s is no JSON", seq, execution)
                return
            if doc["seq"] != seq or doc["prev"] != before:
                self.say("false", "commit %d of %s does not follow commit %d", seq, execution, seq - 1)
            before = tagged(found[seq])
            docs[seq] = doc
            for n, ev in enumerate(doc["events"]):
                events.append(dict(ev, seq=seq, n=n))
        if not events:
            self.say("half", "the journal of %s is empty", execution)

    def every_event_is_told(self):
        told = {}
        lines, bad = event_lines(self.spool)
        for text in bad:
            self.say("half", "a line of events/ is no JSON: %r", text[:80])
        for line in lines:
            if "seq" in line and "n" in line:
                told[(line["execution"], line["seq"], line["n"])] = line
        for execution, events in self.events.items():
            for ev in events:
                line = told.pop((execution, ev["seq"], ev["n"]), None)
                if line is None:
                    self.say("lost", "events/ does not tell of %s %s (commit %d, %d)", ev["type"],
                             ev.get("action", ""), ev["seq"], ev["n"])
                elif any(line.get(k) != v for k, v in ev.items()):
                    self.say("false", "events/ tells of commit %d, %d otherwise than the journal", ev["seq"], ev["n"])
        for key in told:
            self.say("false", "events/ tells of what no journal knows: %s", key)

    # ---- the history of each action ----

    def actions(self, execution, d):
        """The journal against itself and against the effects."""
        plan = json.loads(read(os.path.join(d, "plan.json")))
        after = {a["id"]: a.get("dependencies", []) for a in plan["actions"]}
        self.standby = {a["id"]: a.get("errorHandling", {}).get("alternativeActionId") for a in plan["actions"]}
        events = self.events[execution]
        begun, ended = {}, {}
        for ex, action, attempt, what, words in read_effects(self.run.effects):
            if ex != execution:
                continue
            where = begun if what == "begin" else ended
            if (action, attempt) in where:
                self.say("repeated", "the effect of %s, attempt %d, is there twice (%s)", action, attempt, what)
            where[(action, attempt)] = words
        requested = {}
        outcome = {}  # of (action, attempt)
        settled = set()
        for ev in events:
            action = ev.get("action")
            if ev["type"] == "action.execute.requested":
                self.start(ev, requested, outcome, after, settled)
                requested[(action, ev["attempt"])] = ev
            elif ev["type"] in ENDS:
                if "attempt" in ev and ev["type"] != "action.skipped":
                    key = (action, ev["attempt"])
                    if key in outcome and outcome[key]["type"] != "action.lost":
                        self.say("repeated", "%s, attempt %d, ends twice", *key)
                    outcome[key] = ev
                if ev.get("then") not in ("retry", "alternative", "rerun", "ask"):
                    settled.add(action)
        for key in begun:
            if key not in requested:
                self.say("lost", "%s, attempt %d, has run and no commit says that it starts", *key)
        for key, ev in outcome.items():
            self.outcome_is_true(key, ev, ended)
        return outcome

    def start(self, ev, requested, outcome, after, settled):
        action, attempt = ev["action"], ev["attempt"]
        if (action, attempt) in requested:
            self.say("repeated", "%s, attempt %d, is requested twice", action, attempt)
        if attempt > 1:
            last = outcome.get((action, attempt - 1))
            if last is None:
                self.say("repeated", "%s starts as attempt %d, and nothing says how the one before ended", action,
                         attempt)
            elif last["type"] == "action.completed":
                self.say("repeated", "%s completed and starts again", action)
        for before in after.get(action, []):
            if before not in settled and self.standby.get(before) not in settled:
                self.say("false", "%s starts before %s is settled", action, before)

    def decisions(self, execution):
        """What was asked is answered once, and goes on only when somebody said yes."""
        asked, answered, confirms, yes = {}, {}, set(), set()
        for ev in self.events[execution]:
            action = ev.get("action")
            if ev["type"] == "user.confirmation.requested":
                asked[action] = asked.get(action, 0) + 1
                if ev.get("kind") == "confirm":
                    confirms.add(action)
                    yes.discard(action)
            elif ev["type"] == "user.confirmation.received":
                answered[action] = answered.get(action, 0) + 1
                if answered[action] > asked.get(action, 0):
                    self.say("repeated", "%s has %d answers to %d request%s", action, answered[action],
                             asked.get(action, 0), "" if asked.get(action) == 1 else "s")
                if ev.get("confirmed"):
                    yes.add(action)
            elif ev["type"] == "action.execute.requested" and action in confirms - yes:
                self.say("false", "%s starts and nobody said yes", action)

    def outcome_is_true(self, key, ev, ended):
        if ev["type"] == "action.completed":
            if key not in ended:
                self.say("false", "%s, attempt %d, is called completed and did not come to its end", *key)
            elif ended[key] != ["0"]:
                self.say("false", "%s, attempt %d, is called completed and ended with %s", *key, ended[key][0])
        elif ev["type"] == "action.failed" and str(ev.get("error", {}).get("code", "")).startswith("exit:"):
            code = ev["error"]["code"][5:]
            if ended.get(key) != [code]:
                self.say("false", "%s, attempt %d, is called failed with %s and ended with %s", *key, code,
                         ended.get(key))

    def outputs(self, d, outcome):
        """What the journal says of a file of outputs is so."""
        for (action, attempt), ev in outcome.items():
            where = ev.get("outputLocation")
            if not where:
                continue
            try:
                data = read(os.path.join(d, where["path"]))
            except FileNotFoundError:
                self.say("lost", "%s of %s, attempt %d, is not there", where["path"], action, attempt)
                continue
            if len(data) != where["size"] or hashlib.sha256(data).hexdigest() != where["checksum"]:
                self.say("half", "%s of %s, attempt %d, is not what the journal says: %d bytes, not %d", where["path"],
                         action, attempt, len(data), where["size"])

    def no_loss(self):
        for execution, events in self.events.items():
            for ev in events:
                if ev["type"] == "action.lost":
                    self.say("lost", "attempt %d of %s was counted as lost although its supervisor lived",
                             ev["attempt"], ev["action"])

    # ---- how it ended ----

    def ended_well(self, execution, d, outcome):
        try:
            state = json.loads(read(os.path.join(d, "state.json")))
        except (OSError, ValueError) as e:
            self.say("half", "state.json of %s: %s", execution, e)
            return
        last = max(self.docs[execution], default=0)
        if state["seq"] != last:
            self.say("unfinished", "state.json reflects commit %d of %d", state["seq"], last)
        if state["status"] not in self.outcome:
            self.say("unfinished", "%s is %s, not %s", execution, state["status"], " or ".join(self.outcome))
        for action, status in self.expected.items():
            s = state["actionStates"][action]
            if s["status"] != status:
                self.say("unfinished", "%s is %s, not %s", action, s["status"], status)
            tries = max((k[1] for k in outcome if k[0] == action), default=0)
            if s.get("attempts", 0) != tries:
                self.say("false", "the state says %s attempts of %s, the journal %d", s.get("attempts"), action, tries)
        given = {}
        for ex, action, attempt, what, words in read_effects(self.run.effects):
            if ex == execution and what == "begin":
                given[action] = " ".join(w for w in words if not w.startswith(("out:", "first:", "exit:", "slow:", "forever")))
        for action, words in self.words.items():
            if given.get(action) != words:
                self.say("false", "%s was given %r, not %r", action, given.get(action), words)

    def came_too_late(self, entry):
        """What was obeyed lies there again if the power cut took its leaving and not what came of it; and whoever approves may
        do so when the plan has just failed elsewhere.  It is refused then, with the reason."""
        kept = entry[:-len(".error.json")] if entry.endswith(".error.json") else entry
        try:
            report = json.loads(read(os.path.join(self.spool, "rejected", kept + ".error.json")))
        except (OSError, ValueError):
            return False
        return (kept.endswith(".approve") and (report["message"].endswith("has ended") or
                                               "does not wait for a decision any more" in report["message"])) or \
            (kept.endswith(".retry") and "cannot be retried: it is " in report["message"])

    def nothing_left(self, torn_allowed=False, allow=()):
        for name in ("tmp", "active", "results", "quarantine", "rejected", "inbox", "control"):
            for entry in os.listdir(os.path.join(self.spool, name)):
                if (torn_allowed or "failed" in self.outcome) and name == "rejected" and self.came_too_late(entry):
                    continue
                if "%s/%s" % (name, entry) not in allow:
                    self.say("unfinished", "%s/%s is left", name, entry)
        for entry in os.listdir(os.path.join(self.spool, "confirm")):
            if entry != "by":
                self.say("unfinished", "confirm/%s is left", entry)
        if os.path.exists(os.path.join(self.spool, "problem.json")):
            self.say("unfinished", "problem.json is left")
        for lock in self.run.locked():
            self.say("unfinished", "the lock of %s is held", os.path.relpath(lock, self.spool))
        if not torn_allowed:
            for path in glob.glob(os.path.join(self.spool, "executions", "*", "*", "journal", "*.torn")):
                self.say("half", "%s was torn", os.path.relpath(path, self.spool))

    def all_whole(self, power_cut=False):
        """After a power cut what an attempt left, which is not flushed before the execution ends, may be cut short: the
        attempt is lost then.  What the journal refers to is looked at in outputs()."""
        for base, _, names in os.walk(self.spool):
            for name in names:
                if power_cut and name in ("request.json", "result.json", "output.json") and ATTEMPT.search(base):
                    continue
                if name.endswith(".json") and not name.startswith("."):
                    try:
                        json.loads(read(os.path.join(base, name)))
                    except ValueError:
                        self.say("half", "%s is no JSON", os.path.relpath(os.path.join(base, name), self.spool))

    def verify(self):
        r = subprocess.run([self.run.programs.path("creel"), "--spool", self.spool, "verify"], capture_output=True,
                           text=True, env=self.run.env)
        if r.returncode != 0 or " 0 damaged, 0 warnings" not in r.stdout:
            self.say("unfinished", "creel verify: %s", " | ".join((r.stdout + r.stderr).strip().splitlines())[:300])

    # ---- all of it ----

    def final(self, seen=None, power_cut=False, may_lose=True, how_many=1):
        """One plan P was dropped, crashed over and recovered; or so many."""
        self.journals(how_many)
        for d in executions(self.spool):
            execution = os.path.basename(d)
            if not self.events.get(execution):
                continue
            outcome = self.actions(execution, d)
            self.decisions(execution)
            self.outputs(d, outcome)
            self.ended_well(execution, d, outcome)
        if seen:
            self.seen_is_kept(seen, power_cut)
            self.requests_were_asked(seen)
        if not may_lose:
            self.no_loss()
        self.every_event_is_told()
        self.nothing_left(torn_allowed=power_cut)
        self.all_whole(power_cut)
        self.verify()
        return self.run.problems + self.found
