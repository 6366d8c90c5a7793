#!/usr/bin/python3
"""Attempts of creel-http that share processes with connections, as the engine would let them.

    http_pool.py BINARIES COMMAND...

COMMANDS, in order: start DIR (an attempt with DIR/request.json and DIR.secrets, in the background), wait DIR, run DIR
(both), kill DIR, lines N PATH (wait until the file has so many lines), touch PATH, crash (the processes with
connections, by SIGKILL), stop and continue (them, by signal), crash-pool (the router).  For each attempt that ended a line
"DIR STATUS".
"""
import os
import secrets
import signal
import socket
import subprocess
import sys
import time

binaries = sys.argv[1]
listening = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
name = "creel-test-" + secrets.token_hex(16)
listening.bind("\0" + name)
listening.listen(64)
pool = subprocess.Popen([binaries + "/creel-http-wire", "--pool", str(os.getpid())], stdin=listening, env={})
running = {}


def start(where):
    env = {"CREEL_INPUT": where + "/request.json", "CREEL_OUTPUT": where + "/output", "CREEL_ERROR": where + "/error",
           "CREEL_DIR": where, "CREEL_SECRETS_FD": "3", "CREEL_POOL": name}

    def descriptors():
        os.dup2(os.open(where + ".secrets", os.O_RDONLY), 3)

    running[where] = subprocess.Popen([binaries + "/creel-http"], env=env, preexec_fn=descriptors, pass_fds=(3,),
                                      stderr=open(where + "/stderr", "w"))


def wait(where):
    print(where, running.pop(where).wait(60), flush=True)


def keepers():
    with open("/proc/%d/task/%d/children" % (pool.pid, pool.pid)) as f:
        return [int(pid) for pid in f.read().split()]


def each(what):
    for pid in keepers():
        os.kill(pid, what)


def until(condition):
    for _ in range(2000):
        if condition():
            return
        time.sleep(0.01)
    sys.exit("waited in vain")


def dead():
    for pid in keepers():
        with open("/proc/%d/stat" % pid) as f:
            if f.read().rsplit(")", 1)[1].split()[0] != "Z":
                return False
    return True


argv = iter(sys.argv[2:])
for word in argv:
    if word == "start":
        start(next(argv))
    elif word == "wait":
        wait(next(argv))
    elif word == "run":
        where = next(argv)
        start(where)
        wait(where)
    elif word == "kill":
        running[next(argv)].kill()
    elif word == "lines":
        count, path = int(next(argv)), next(argv)
        until(lambda: os.path.exists(path) and open(path).read().count("\n") >= count)
    elif word == "touch":
        open(next(argv), "w").close()
    elif word == "crash":
        each(signal.SIGKILL)
        until(dead)
    elif word == "stop":
        each(signal.SIGSTOP)
    elif word == "continue":
        each(signal.SIGCONT)
    elif word == "crash-pool":
        pool.kill()
        pool.wait()
    else:
        sys.exit("what is " + word)
# The processes end when the router does.
left = keepers() if pool.poll() is None else []
pool.terminate()
pool.wait(60)
until(lambda: not any(os.path.exists("/proc/%d" % pid) for pid in left))
