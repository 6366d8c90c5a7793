#!/usr/bin/python3
"""Where secrets are that should not be: leaks.py SECRETS TREE prints a line for each finding, and exits 1 if there is one.

SECRETS is a file with one secret a line.  Each is looked for as it is, percent-encoded, as in a JSON string, and in base64
(both alphabets) at whatever place of a longer text it stands.  spool_and_processes() is for a server that looks while it
is asked.
"""
import base64
import json
import os
import re
import sys
import urllib.parse


def in_base64(secret):
    for before in range(3):
        coded = base64.b64encode(b"\0" * before + secret).rstrip(b"=")
        if (before + len(secret)) % 3:
            coded = coded[:-1]  # its bits are not all the secret's
        coded = coded[(0, 2, 3)[before]:]
        yield coded
        yield coded.replace(b"+", b"-").replace(b"/", b"_")


def spellings(secret):
    """What stands for the secret in some text: {bytes: name}."""
    text = secret.decode()
    found = {secret: "raw"}
    upper = urllib.parse.quote(text, safe="").encode()
    found.setdefault(upper, "percent")
    found.setdefault(urllib.parse.quote_plus(text).encode(), "percent")
    found.setdefault(re.sub(b"%..", lambda m: m.group().lower(), upper), "percent")
    found.setdefault(urllib.parse.quote(text, safe="!'()*").encode(), "percent")  # as browsers do it
    found.setdefault(json.dumps(text)[1:-1].encode(), "JSON")
    found.setdefault(json.dumps(json.dumps(text))[3:-3].encode(), "JSON in JSON")
    for coded in in_base64(secret):
        found.setdefault(coded, "base64")
    return found


def load(path):
    with open(path, "rb") as f:
        return [line for line in f.read().split(b"\n") if line]


def all_spellings(path):
    return [(secret, spelled, name) for secret in load(path) for spelled, name in spellings(secret).items()]


def findings(where, data, wanted):
    for secret, spelled, name in wanted:
        if spelled in data:
            yield "%s: %s of %s" % (where, name, secret.decode())


def in_tree(tree, wanted, but=()):
    for path, dirs, files in os.walk(tree):
        for name in dirs + files:
            yield from findings(path + " (its entry " + name + ")", name.encode(), wanted)
        for name in files:
            if name.endswith(but) and but:
                continue
            try:
                with open(os.path.join(path, name), "rb") as f:
                    data = f.read()
            except OSError:
                continue  # it went meanwhile
            yield from findings(os.path.join(path, name), data, wanted)


def in_arguments(wanted):
    for pid in os.listdir("/proc"):
        if not pid.isdigit():
            continue
        try:
            with open("/proc/%s/cmdline" % pid, "rb") as f:
                data = f.read()
        except OSError:
            continue
        yield from findings("arguments of " + repr(data[:60]), data, wanted)


if __name__ == "__main__":
    found = list(in_tree(sys.argv[2], all_spellings(sys.argv[1])))
    for line in found:
        print(line)
    sys.exit(1 if found else 0)
