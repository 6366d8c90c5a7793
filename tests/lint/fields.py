#!/usr/bin/python3
"""Every field of a definition and of an API's entry has a test that shows what it does: tests/http/fields.txt.

Lines there are SCHEMA FIELD<tab>TEST.  Fields are those of schemas/SCHEMA.schema.json; TEST is the name of a test in
tests/e2e/http*.bats, or its beginning, and the test must speak of the field by its name.
"""
import glob
import json
import re
import sys

SCHEMAS = ("action-definition", "api-catalog-entry")


def leaves(schema, root, path=""):
    while "$ref" in schema:
        schema = {**root["$defs"][schema["$ref"].split("/")[-1]], **{k: v for k, v in schema.items() if k != "$ref"}}
    if schema.get("properties"):
        for name, part in schema["properties"].items():
            if name != "$schema":
                yield from leaves(part, root, path + "." + name if path else name)
    elif schema.get("type") == "array" and "items" in schema:
        yield from leaves(schema["items"], root, path + "[]")
    else:
        yield path


def fields():
    for name in SCHEMAS:
        with open("schemas/%s.schema.json" % name) as f:
            root = json.load(f)
        for leaf in leaves(root, root):
            yield name + " " + leaf


def tests():
    found = {}
    for path in glob.glob("tests/e2e/http*.bats"):
        with open(path) as f:
            text = f.read()
        for part in re.split(r'^@test "', text, flags=re.M)[1:]:
            name, body = part.split('" {\n', 1)
            found[name] = name + "\n" + body.split("\n}\n", 1)[0] + "\n" + text.split("@test", 1)[0]
    return found


def main():
    bad = []
    known, bodies, shown = list(fields()), tests(), set()
    with open("tests/http/fields.txt") as f:
        for n, line in enumerate(f, 1):
            line = line.rstrip("\n")
            if not line or line.startswith("#"):
                continue
            where = "tests/http/fields.txt:%d" % n
            field, _, test = line.partition("\t")
            named = [t for t in bodies if t.startswith(test)] if test else []
            if field not in known:
                bad.append("%s: there is no field \"%s\"" % (where, field))
            elif not named:
                bad.append("%s: there is no test \"%s\"" % (where, test))
            elif not re.search(r"\b%s\b" % re.escape(re.sub(r"\[\]$", "", field).split()[-1].split(".")[-1]), bodies[named[0]]):
                bad.append("%s: the test \"%s\" does not speak of it" % (where, test))
            shown.add(field)
    bad += ["the field \"%s\" has no test: name one in tests/http/fields.txt" % f for f in known if f not in shown]
    for text in bad:
        print("lint: " + text, file=sys.stderr)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
