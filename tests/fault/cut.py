"""cut.py - the power goes at every call: FS_IOC_SHUTDOWN of a real file system in an image, whose log is not flushed, and
everything is killed.  What had shown itself by then (lines of events/, requests, states, effects of actions, which are
written outside) must be in what the file system brings back, and the next daemon, which sees another boot id, must make
a true end of it."""
import ctypes
import os
import shutil
import signal
import subprocess
import uuid

import check
import world
from suite import Suite, Task, count_points

libc = ctypes.CDLL(None, use_errno=True)

KINDS = {
    # Without auto_da_alloc ext4 does not flush data for a rename that replaces: programs have to do it themselves.
    "ext4": (["mkfs.ext4", "-q", "-F"], 64 << 20, "noauto_da_alloc"),
    "xfs": (["mkfs.xfs", "-q", "-f"], 320 << 20, ""),
}


def must(ok, what):
    if not ok:
        error = ctypes.get_errno()
        raise OSError(error, "%s: %s" % (what, os.strerror(error)))


def own_mounts():
    """Mounts of this process and its children alone: those of another worker's daemons would keep ours alive."""
    must(libc.unshare(0x00020000) == 0, "unshare CLONE_NEWNS")
    must(libc.mount(None, b"/", None, 0x44000, None) == 0, "mount MS_REC | MS_PRIVATE /")


class Disk:
    """An image with a file system, mounted through a loop device."""

    def __init__(self, directory, kind):
        command, size, self.options = KINDS[kind]
        self.kind = kind
        self.image = os.path.join(directory, kind + ".img")
        self.mnt = os.path.join(directory, kind + ".mnt")
        os.makedirs(self.mnt, exist_ok=True)
        with open(self.image, "wb") as f:
            f.truncate(size)
        subprocess.run(command + [self.image], check=True)
        self.loop = subprocess.run(["losetup", "--find", "--show", self.image], check=True, capture_output=True,
                                   text=True).stdout.strip()
        self.mounted = False
        self.mount()

    def mount(self):
        must(libc.mount(self.loop.encode(), self.mnt.encode(), self.kind.encode(), 0, self.options.encode()) == 0,
             "mount %s" % self.loop)
        self.mounted = True

    def umount(self):
        must(libc.umount2(self.mnt.encode(), 0) == 0, "umount %s" % self.mnt)
        self.mounted = False

    def sync(self):
        fd = os.open(self.mnt, os.O_RDONLY | os.O_DIRECTORY)
        try:
            must(libc.syncfs(fd) == 0, "syncfs")
        finally:
            os.close(fd)

    def remove(self):
        if self.mounted:
            libc.umount2(self.mnt.encode(), 2)
        subprocess.run(["losetup", "--detach", self.loop], check=False)
        os.unlink(self.image)


def recover_after_reboot(run):
    """The next daemons see a boot id of their own."""
    boot = os.path.join(run.dir, "boot_id")
    with open(boot, "w") as f:
        f.write("%s\n" % uuid.uuid4())
    plain = run.start
    run.start = lambda *options: plain(*options, command=[world.tool("otherboot"), boot])
    try:
        return run.recover()
    finally:
        run.start = plain


class Cut(Suite):
    needs_root = True

    def __init__(self, kind):
        self.kind = kind
        self.name = "cut-" + kind
        self.title = "power cut (file system shut down, log not flushed) on %s at every call" % kind
        self.disk = None
        self.sample = 24 if kind == "ext4" else None

    def missing(self):
        tools = KINDS[self.kind][0][0]
        return super().missing() or (None if shutil.which(tools) else "needs %s" % tools)

    def tasks(self, context):
        n = count_points(context)
        return [Task(self.name, n=k, side=side) for k in range(1, n + 1) for side in ("before", "after")]

    def set_up(self, directory, programs):
        own_mounts()
        self.disk = Disk(directory, self.kind)
        self.used = 0

    def tear_down(self):
        if self.disk:
            self.disk.remove()
            self.disk = None

    def run(self, task, directory, programs):
        self.used += 1
        if self.used % 300 == 0:  # a file system that was cut so often is a test of its own
            self.disk.remove()
            self.disk = Disk(os.path.dirname(directory), self.kind)
        run = world.Run(directory, programs, spool=os.path.join(self.disk.mnt, "spool"))
        shutil.rmtree(run.spool, ignore_errors=True)
        run.new_spool()
        run.drop(world.plan_p(run.effects))
        self.disk.sync()
        run.approve_in_background()
        seen = []

        def look(process):
            seen.append(check.Seen(run.spool, run.effects, run.acks))
            process.send_signal(signal.SIGUSR1)

        point, _ = run.crashpt("-n", str(task.n), "-W", "-c", self.disk.mnt,
                               *(["-a"] if task.side == "after" else []), meanwhile=look)
        run.stop_approving()
        if point:
            self.disk.umount()
            self.disk.mount()
            recover_after_reboot(run)
        else:
            run.recover()
        found = check.Check(run, world.P_STATUS, world.P_WORDS).final(seen=seen[0] if seen else None, power_cut=True)
        return run, point, found


SUITES = [Cut("ext4"), Cut("xfs")]
