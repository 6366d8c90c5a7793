"""trees.py - the file trees that a power cut may leave, by a model of what file systems promise.

A run is recorded with strace: every call that changes the spool, every flush, and every line that an action writes outside
of it. From that follow the trees that may be found after a power cut at any moment, under one of two models:

  ordered  like ext4 and xfs: changes of directories persist as a prefix of their order, at least to the last flush of
           anything; bytes of a file persist when it is flushed, else all, the first half or none of them
  weak     what POSIX promises: a change of a directory persists when that directory is flushed; of those that are not, any
           subset may be lost (a rename as a whole), except that nothing persists in a directory that does not; of bytes
           that are not flushed the first may also be zeros where later ones persist

Each tree can be judged: what had shown itself by then must be in it. And it can be brought to life, as a spool on which a
daemon starts.

Which moments: the trees that are possible before a call are also possible after it, unless the call flushes something, and
no more had shown itself before than after. So it is enough to look just before each flush returns, just after something
showed itself, and at the end. Which subsets: all of up to 8 changes; of more all, none, each lost alone, each kept alone, and
as many at random as CAP says.
"""
import collections
import itertools
import json
import os
import random
import re
import subprocess

import check
import world

CAP = 48          # random subsets of one moment
CALLS = ("open,openat,creat,write,pwrite64,writev,fsync,fdatasync,syncfs,sync,rename,renameat,renameat2,link,linkat,"
         "symlink,symlinkat,unlink,unlinkat,mkdir,mkdirat,rmdir,ftruncate,truncate")

HEX = re.compile(rb"(?:\\x[0-9a-f]{2})+")
STRING = r'"((?:\\x[0-9a-f]{2})*)"'
FD = r"(-?\d+|AT_FDCWD)(?:<([^>]*)>)?"


def unhex(text):
    return HEX.sub(lambda m: bytes.fromhex(m.group().decode().replace("\\x", "")), text.encode("latin1"))


def to_path(text):
    return unhex(text).decode("utf8", "surrogateescape")


class Symlink(bytes):
    """The content of a symbolic link."""


# One change: kind is mk (a name for an inode), rm, mv, wr (bytes), tr (a length), fl (a flush), out (a line outside).
Change = collections.namedtuple("Change", "kind a b c d e", defaults=(None,) * 5)


class Record:
    """What a run did to a spool: the tree at its beginning, and the changes in order."""

    def __init__(self, root, effects):
        self.root, self.effects = os.path.realpath(root), os.path.realpath(effects)
        self.dirs, self.files = {0: {}}, {}
        self.last_ino = 0
        self.load(self.root, 0)
        self.first_dirs = {i: dict(d) for i, d in self.dirs.items()}
        self.first_files = dict(self.files)
        self.changes = []
        self.made_dir = {}  # inode of a directory -> the change that made its name
        self.offsets = {}

    def ino(self):
        self.last_ino += 1
        return self.last_ino

    def load(self, path, into):
        for entry in sorted(os.scandir(path), key=lambda e: e.name):
            i = self.ino()
            self.dirs[into][entry.name] = i
            if entry.is_symlink():
                self.files[i] = Symlink(os.readlink(entry.path).encode())
            elif entry.is_dir(follow_symlinks=False):
                self.dirs[i] = {}
                self.load(entry.path, i)
            elif entry.is_file(follow_symlinks=False):
                self.files[i] = check.read(entry.path)

    # -- reading the trace --

    def look(self, path):
        """(directory, name, inode or None) of a path below the root, else None."""
        if path == self.root:
            return None, "", 0
        if not path.startswith(self.root + "/"):
            return None
        at = 0
        parts = path[len(self.root) + 1:].split("/")
        for part in parts[:-1]:
            at = self.dirs.get(at, {}).get(part)
            if at is None or at not in self.dirs:
                return None
        return at, parts[-1], self.dirs[at].get(parts[-1])

    def resolve(self, base, name):
        name = to_path(name)
        if not name.startswith("/"):
            name = os.path.join(to_path(base) if base else "/", name)
        return os.path.normpath(name)

    def read_trace(self, path):
        pending = {}
        with open(path, encoding="latin1") as f:
            for line in f:
                m = re.match(r"(\d+) +(.*)$", line.rstrip("\n"))
                if not m:
                    continue
                pid, text = m.groups()
                begun = len(self.changes)
                if text.endswith("<unfinished ...>"):
                    pending[pid] = (text[:-len("<unfinished ...>")], begun)
                    continue
                m = re.match(r"<\.\.\. \w+ resumed>(.*)$", text)
                if m:
                    before, begun = pending.pop(pid, ("", begun))
                    text = before + m.group(1)
                m = re.match(r"(\w+)\((.*)\) += (-?\d+)", text)
                if m and int(m.group(3)) >= 0:
                    self.take(pid, m.group(1), m.group(2), int(m.group(3)), begun)

    def take(self, pid, call, args, result, begun):
        if call in ("open", "openat", "creat"):
            self.take_open(pid, call, args, result)
        elif call in ("write", "pwrite64"):
            self.take_write(pid, args, result)
        elif call in ("fsync", "fdatasync"):
            where = self.look(to_path(re.match(FD, args).group(2) or ""))
            if where and where[2] is not None:
                self.changes.append(Change("fl", where[2], begun))
        elif call in ("sync", "syncfs"):
            self.changes.append(Change("fl", None, begun))
        elif call.startswith("rename"):
            self.take_rename(call, args)
        elif call in ("link", "linkat"):
            old, new = self.two_paths(call == "link", args)
            if old and new and old[2] is not None:
                self.add_name(new, old[2])
        elif call in ("symlink", "symlinkat"):
            m = re.match(STRING + ", " + (FD + ", " if call == "symlinkat" else "()()") + STRING, args)
            where = self.look(self.resolve(m.group(3), m.group(4)))
            if where:
                i = self.ino()
                self.files[i] = Symlink(unhex(m.group(1)))
                self.add_name(where, i, content=self.files[i])
        elif call in ("unlink", "unlinkat", "rmdir"):
            where = self.one_path(call in ("unlink", "rmdir"), args)
            if where and where[0] is not None and where[2] is not None:
                del self.dirs[where[0]][where[1]]
                self.changes.append(Change("rm", where[0], where[1]))
        elif call in ("mkdir", "mkdirat"):
            where = self.one_path(call == "mkdir", args)
            if where:
                i = self.ino()
                self.dirs[i] = {}
                self.made_dir[i] = len(self.changes)
                self.add_name(where, i, is_dir=True)
        elif call == "ftruncate":
            m = re.match(FD + r", (\d+)", args)
            where = self.look(to_path(m.group(2) or "")) if m else None  # none: a memory file
            if where and where[2] in self.files:
                n = int(m.group(3))
                self.files[where[2]] = self.files[where[2]][:n].ljust(n, b"\0")
                self.changes.append(Change("tr", where[2], n))

    def one_path(self, plain, args):
        if plain:
            return self.look(self.resolve(None, re.match(STRING, args).group(1)))
        m = re.match(FD + ", " + STRING, args)
        return self.look(self.resolve(m.group(2), m.group(3)))

    def two_paths(self, plain, args):
        if plain:
            m = re.match(STRING + ", " + STRING, args)
            return self.look(self.resolve(None, m.group(1))), self.look(self.resolve(None, m.group(2)))
        m = re.match(FD + ", " + STRING + ", " + FD + ", " + STRING, args)
        return self.look(self.resolve(m.group(2), m.group(3))), self.look(self.resolve(m.group(5), m.group(6)))

    def add_name(self, where, i, is_dir=False, content=None):
        self.dirs[where[0]][where[1]] = i
        self.changes.append(Change("mk", where[0], where[1], i, is_dir, content))

    def take_rename(self, call, args):
        old, new = self.two_paths(call == "rename", args)
        if not old or not new:
            if new:  # from outside: whoever drops flushes first
                raise SystemExit("a rename into the spool from outside: %s" % args[:200])
            return
        i = self.dirs[old[0]].pop(old[1])
        self.dirs[new[0]][new[1]] = i
        self.changes.append(Change("mv", old[0], old[1], new[0], new[1], i))

    def take_open(self, pid, call, args, fd):
        if call == "openat":
            m = re.match(FD + ", " + STRING + r", ([A-Z_|0-9a-z]+)", args)
            path, flags = self.resolve(m.group(2), m.group(3)), m.group(4)
        else:
            path, flags = self.resolve(None, re.match(STRING, args).group(1)), args if call == "open" else "O_CREAT|O_TRUNC"
        where = self.look(path)
        if not where or where[0] is None:
            return
        i = where[2]
        if i is None and "O_CREAT" in flags:
            i = self.ino()
            self.files[i] = b""
            self.add_name(where, i)
        elif i in self.files and "O_TRUNC" in flags and self.files[i]:
            self.files[i] = b""
            self.changes.append(Change("tr", i, 0))
        self.offsets[(pid, fd)] = None if "O_APPEND" in flags else 0

    def take_write(self, pid, args, n):
        m = re.match(FD + ", " + STRING + r"(?:\.\.\.)?, \d+(?:, (\d+))?", args)
        if not m:
            return
        path, data = to_path(m.group(2) or ""), unhex(m.group(3))[:n]
        if path == self.effects:
            self.changes.append(Change("out", data.decode()))
            return
        where = self.look(path)
        if not where or where[2] not in self.files:
            return
        i, key = where[2], (pid, int(m.group(1)))
        if m.group(4):
            at = int(m.group(4))
        else:
            at = self.offsets.get(key)
            if at is None:
                at = len(self.files[i])
            else:
                self.offsets[key] += n
        self.files[i] = put(self.files[i], at, data)
        self.changes.append(Change("wr", i, at, data))


def put(old, at, data):
    return old[:at].ljust(at, b"\0") + data + old[at + len(data):]


# ---- what had shown itself ----

class Shown:
    """What somebody could see at a moment of the record: for each execution the last commit that had shown itself, its
    bytes, and the lines outside."""

    def __init__(self, record):
        self.upto = []     # after so many changes: {execution: seq}
        self.out = []      # and so many lines outside
        self.commits = {}  # (execution, seq) -> bytes
        self.starts = {}   # (execution, action, attempt) -> seq
        self.asks = {}     # (execution, action) -> seq
        self.lines = []
        self.events_at = {}
        dirs = {i: dict(d) for i, d in record.first_dirs.items()}
        files = dict(record.first_files)
        paths = {}

        def walk(i, path):
            for name, j in dirs.get(i, {}).items():
                paths[j] = path + name
                if j in dirs:
                    walk(j, path + name + "/")

        walk(0, "")
        shown = {}
        for i, path in list(paths.items()):
            self.note_commit(path, files.get(i))
        for i, path in list(paths.items()):
            self.note(path, files.get(i), shown)
        self.upto.append(dict(shown))
        self.out.append(0)
        for change in record.changes:
            if change.kind == "mk":
                dirs.setdefault(change.a, {})[change.b] = change.c
                if change.d:
                    dirs.setdefault(change.c, {})
                else:
                    files.setdefault(change.c, change.e or b"")
                paths[change.c] = os.path.join(paths.get(change.a, ""), change.b)
            elif change.kind == "mv":
                dirs[change.a].pop(change.b, None)
                dirs[change.c][change.d] = change.e
                paths[change.e] = os.path.join(paths.get(change.c, ""), change.d)
                if change.e in dirs:
                    walk(change.e, paths[change.e] + "/")
                    for i in list(paths):
                        self.note_commit(paths[i], files.get(i))
                self.note_commit(paths[change.e], files.get(change.e))
                self.note(paths[change.e], files.get(change.e), shown)
            elif change.kind == "wr":
                files[change.a] = put(files.get(change.a, b""), change.b, change.c)
                self.note(paths.get(change.a, ""), files[change.a], shown, change.c)
            elif change.kind == "tr":
                files[change.a] = files[change.a][:change.b]
            elif change.kind == "out":
                self.lines.append(change.a)
                words = change.a.split(" ")
                seq = self.starts.get((words[0], words[1], int(words[2])))
                if seq:
                    shown[words[0]] = max(shown.get(words[0], 0), seq)
                elif words[3] == "begin":
                    shown[words[0]] = 1 << 30  # it began before any commit said so: whatever is found, it is missing
            self.upto.append(dict(shown))
            self.out.append(len(self.lines))

    def note_commit(self, path, data):
        m = re.match(r"executions/[^/]+/([^/]+)/journal/(\d{8})\.json$", path)
        if not m or not data:
            return
        try:
            doc = json.loads(data)
        except ValueError:
            return
        execution, seq = m.group(1), int(m.group(2))
        self.commits[(execution, seq)] = data
        for ev in doc["events"]:
            if ev["type"] == "action.execute.requested":
                self.starts[(execution, ev["action"], ev["attempt"])] = seq
            if ev["type"] == "user.confirmation.requested":
                self.asks[(execution, ev["action"])] = seq

    def note(self, path, data, shown, new=None):
        """A file of the spool that says that something happened."""
        def up(execution, seq):
            shown[execution] = max(shown.get(execution, 0), seq)

        if path.startswith("events/"):
            for line in (new if new is not None else data or b"").split(b"\n"):
                try:
                    doc = json.loads(line)
                    up(doc["execution"], doc["seq"])
                except (ValueError, KeyError):
                    pass
        elif path.endswith("/state.json") and data:
            try:
                doc = json.loads(data)
                up(doc["id"], doc["seq"])
            except (ValueError, KeyError):
                pass
        elif path.startswith("confirm/") and path.endswith(".request.json"):
            execution, _, action = os.path.basename(path)[:-len(".request.json")].partition(".")
            up(execution, self.asks.get((execution, action), 1 << 30))


# ---- the trees ----

class Trees:
    """The trees that a record allows under a model."""

    def __init__(self, record, model):
        self.record, self.model = record, model
        self.meta = [k for k, c in enumerate(record.changes) if c.kind in ("mk", "rm", "mv")]

    def moments(self):
        """How many changes have been made: just before each flush returns, after what shows itself, and at the end."""
        changes = self.record.changes
        found = {len(changes)}
        for k, c in enumerate(changes):
            if c.kind == "fl":
                found.add(k)
            elif c.kind in ("out", "mv", "wr"):
                found.add(k + 1)
        return sorted(found)

    def durable(self, moment):
        """The changes that no power cut can take any more: (of directories, of bytes)."""
        changes = self.record.changes
        meta, data = set(), set()
        for k in range(moment):
            flush = changes[k]
            if flush.kind != "fl":
                continue
            for q in range(flush.b):
                c = changes[q]
                if c.kind in ("wr", "tr") and flush.a in (None, c.a):
                    data.add(q)
                elif c.kind in ("mk", "rm", "mv") and (flush.a is None or self.model == "ordered" or
                                                       flush.a in (c.a, c.c if c.kind == "mv" else c.a)):
                    meta.add(q)
        return meta, data

    def needed(self, k):
        """The change without which this one cannot persist: that which made its directory."""
        c = self.record.changes[k]
        return self.record.made_dir.get(c.c if c.kind == "mv" else c.a)

    def closed(self, kept):
        """Nothing persists in a directory that does not."""
        while True:
            gone = {k for k in kept if self.needed(k) is not None and self.needed(k) not in kept}
            if not gone:
                return kept
            kept = kept - gone

    def subsets(self, meta, open_meta):
        everything = meta | set(open_meta)
        if self.model == "ordered":
            # To the last flush all of them, then a prefix.
            yield meta
            for n in range(1, len(open_meta) + 1):
                yield meta | set(open_meta[:n])
            return
        if len(open_meta) <= 8:
            for bits in itertools.product((0, 1), repeat=len(open_meta)):
                yield self.closed(meta | {k for b, k in zip(bits, open_meta) if b})
            return
        yield self.closed(meta)
        yield everything
        for k in open_meta:
            yield self.closed(everything - {k})
            yield self.closed(meta | {k})
        pick = random.Random(len(open_meta) * 1000 + max(open_meta))
        for _ in range(CAP):
            yield self.closed(meta | {k for k in open_meta if pick.random() < 0.5})

    def states(self, moment):
        """(changes of directories that persist, {inode: how much of its bytes that are not flushed})."""
        meta, data = self.durable(moment)
        open_meta = [k for k in self.meta if k < moment and k not in meta]
        open_files = sorted({c.a for k, c in enumerate(self.record.changes[:moment])
                             if c.kind in ("wr", "tr") and k not in data})
        for kept in self.subsets(meta, open_meta):
            for much in ("none", "all", "half") if self.model == "ordered" else ("none", "all", "half", "hole"):
                yield kept, data, {i: much for i in open_files}
        for i in open_files:  # the bytes of one file alone are lost, or are there
            yield meta | set(open_meta), data, {j: "none" if j == i else "all" for j in open_files}
            yield meta | set(open_meta), data, {j: "all" if j == i else "none" for j in open_files}

    def build(self, moment, kept, data, much):
        """{path: bytes, or None for a directory}"""
        dirs = {i: dict(d) for i, d in self.record.first_dirs.items()}
        files = dict(self.record.first_files)
        total, used = collections.Counter(), collections.Counter()
        for k, c in enumerate(self.record.changes[:moment]):
            if c.kind == "wr" and k not in data:
                total[c.a] += len(c.c)
        for k, c in enumerate(self.record.changes[:moment]):
            if c.kind == "mk":
                if c.d:
                    dirs.setdefault(c.c, {})
                else:
                    files.setdefault(c.c, c.e or b"")
                if k in kept:
                    dirs.setdefault(c.a, {})[c.b] = c.c
            elif c.kind == "rm":
                if k in kept:
                    dirs.get(c.a, {}).pop(c.b, None)
            elif c.kind == "mv":
                if k in kept:
                    if dirs.get(c.a, {}).get(c.b) == c.e:
                        del dirs[c.a][c.b]
                    dirs.setdefault(c.c, {})[c.d] = c.e
            elif c.kind == "wr":
                part = c.c
                if k not in data:
                    part = self.part(c, much.get(c.a, "all"), used[c.a], total[c.a])
                    used[c.a] += len(c.c)
                if part:
                    files[c.a] = put(files.get(c.a, b""), c.b, part)
            elif c.kind == "tr" and (k in data or much.get(c.a) != "none"):
                files[c.a] = files.get(c.a, b"")[:c.b].ljust(c.b, b"\0")
        found = {}

        def walk(i, path):
            for name, j in dirs.get(i, {}).items():
                if j in dirs:
                    found[path + name + "/"] = None
                    walk(j, path + name + "/")
                else:
                    found[path + name] = files.get(j, b"")

        walk(0, "")
        return found


    @staticmethod
    def part(change, much, used, total):
        """What persists of one write that is not flushed; used: the bytes of those before it, total: of all."""
        if much == "none":
            return b""
        if much == "half":
            return change.c[:max(0, total // 2 - used)]
        if much == "hole" and used == 0 and len(change.c) < total:
            return bytes(len(change.c))
        return change.c


def judge(tree, shown, moment):
    """Is what had shown itself in this tree?"""
    for execution, seq in shown.upto[moment].items():
        base = None
        for path in tree:
            if path.startswith("executions/") and path.endswith("/%s/plan.json" % execution):
                base = path[:-len("plan.json")]
        if base is None:
            yield "lost: execution %s had shown itself and is not there" % execution
            continue
        for n in range(1, min(seq, 100000) + 1):
            want = shown.commits.get((execution, n))
            if want is None:
                yield "false: something of %s had shown itself that no commit says" % execution
                break
            have = tree.get("%sjournal/%08d.json" % (base, n))
            if have != want:
                yield "lost: commit %d of %s had shown itself and is %s" % (
                    n, execution, "not there" if have is None else "cut to %d bytes" % len(have))
                break


def bring_to_life(tree, spool):
    """The tree as a spool at this place, after another boot."""
    os.makedirs(spool, mode=0o700)
    for path, data in sorted(tree.items()):
        to = os.path.join(spool, path)
        if data is None:
            os.makedirs(to, mode=0o700, exist_ok=True)
        elif isinstance(data, Symlink):
            os.symlink(data.decode(), to)
        else:
            with open(to, "wb") as f:
                f.write(data)
            if "/journal/" in path:
                os.chmod(to, 0o444)
    there = os.stat(spool)
    with open("/proc/sys/kernel/random/boot_id", "rb") as f:
        boot = f.read().strip()
    for base, _, names in os.walk(spool):
        for name in names:
            path = os.path.join(base, name)
            if name in ("creeld.lock", "lock"):
                text = check.read(path).replace(boot, b"00000000-0000-4000-8000-000000000000")
                if name == "creeld.lock":
                    text = re.sub(rb"dev=\d+\nino=\d+\n", b"dev=%d\nino=%d\n" % (there.st_dev, there.st_ino), text)
                with open(path, "wb") as f:
                    f.write(text)


def record(run, found, command, *options):
    """Run command under strace and add what it does to the record."""
    trace = os.path.join(run.dir, "trace")
    with open(run.log, "ab") as log:
        subprocess.run(["strace", "-f", "-y", "-xx", "-s", "4194304", *([] if options else ["--seccomp-bpf"]), "-e",
                        "trace=" + CALLS, "-e", "signal=none", *[x for o in options for x in ("-e", o)], "-o", trace,
                        *command], stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=run.env, check=False,
                       timeout=world.PATIENCE)
    found.read_trace(trace)
