#!/usr/bin/env python3
"""Compares the plugin ABI of the headers with the recorded one: nothing but appending is allowed.

Guarded are the structs, enums and function types of entry.h and host.h and the tables of capabilities whose id ends in
/1 or higher; tables of drafts (/0) may change. A struct that starts with struct_size may get fields at its end; any
other is as it is for ever. Types are compared as they are written, sizes and offsets as the compiler has them.

  check_abi.py            fails on a change that breaks plugins that exist
  check_abi.py --exact    fails also when something new is not recorded yet
  check_abi.py --record   records today's ABI"""
import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
BASE_HEADERS = ("entry.h", "host.h")
CAPABILITY_HEADERS = ("auth.h", "ingress.h", "network.h", "runtime.h", "volume.h")
ID = re.compile(r'#\s*define\s+KEELSON_\w+\s+"(keelson\.[a-z0-9.-]+)/(\d+)"')
STRUCT = re.compile(r"\bstruct\s+(\w+)\s*\{([^{}]*)\}\s*;")
ENUM = re.compile(r"\benum\s+(\w+)\s*\{([^{}]*)\}\s*;")
FUNCTION = re.compile(r"\btypedef\s+[^;{}]*?\(\s*\*\s*(\w+)\s*\)[^;{}]*;")
CONSTANT = re.compile(r'#\s*define\s+(KEELSON_PLUGIN_SYMBOL|KEELSON_ABI_MINIMUM)\s+(\S+)')


def squeeze(text):
    return re.sub(r"\s*([*(),])\s*", r"\1", re.sub(r"\s+", " ", text)).strip()


def without_comments(text):
    return re.sub(r"/\*.*?\*/|//[^\n]*", " ", text, flags=re.S)


def declarations(body):
    """(name, type) of every field; a function pointer's type has an empty place for the name."""
    for declaration in filter(None, (squeeze(part) for part in body.split(";"))):
        pointer = re.search(r"\(\*(\w+)\)", declaration)
        match = pointer or re.search(r"(\w+)(?:\[[^\]]*\])*$", declaration)
        name = match.group(1)
        yield name, squeeze(declaration[:match.start(1)] + declaration[match.end(1):])


def capability_of(code, start):
    """The id (a match of ID) of the capability whose table begins there, or None: it stands right before it."""
    before = list(ID.finditer(code, 0, start))
    if not before or STRUCT.search(code, before[-1].end(), start):
        return None
    return before[-1]


def guarded(folder):
    """What the headers declare: structs with the types of their fields, enums, function types, constants."""
    found = {"structs": {}, "enums": {}, "functions": {}, "constants": {}}
    for header in BASE_HEADERS + CAPABILITY_HEADERS:
        code = without_comments((folder / header).read_text(encoding="utf-8"))
        for match in STRUCT.finditer(code):
            capability = capability_of(code, match.start())
            if capability.group(2) == "0" if capability else header not in BASE_HEADERS:
                continue
            if capability:
                found["constants"][match.group(1)] = "/".join(capability.groups())
            found["structs"][match.group(1)] = dict(declarations(match.group(2)))
        if header in BASE_HEADERS:
            for match in ENUM.finditer(code):
                found["enums"][match.group(1)] = re.findall(r"\b(KEELSON_\w+)", match.group(2))
            for match in FUNCTION.finditer(code):
                found["functions"][match.group(1)] = squeeze(match.group(0))
            found["constants"].update(CONSTANT.findall(code))
    return found


def program(found):
    """C that prints a line "key number" for every size, offset and value."""
    lines = ["#include <stdio.h>"]
    lines += [f'#include "keelson/{header}"' for header in BASE_HEADERS + CAPABILITY_HEADERS]
    lines.append('#define SHOW(key, value) printf("%s %ld\\n", key, (long)(value))')
    lines.append("int main(void) {")
    for name, fields in found["structs"].items():
        lines.append(f'SHOW("{name}", sizeof(struct {name}));')
        for field in fields:
            lines.append(f'SHOW("{name}.{field}", offsetof(struct {name}, {field}));')
            lines.append(f'SHOW("{name}.{field}.size", sizeof(((struct {name}*)0)->{field}));')
    for name, values in found["enums"].items():
        lines += [f'SHOW("{name}.{value}", {value});' for value in values]
    return "\n".join(lines + ["return 0;", "}", ""])


def measure(found, include):
    with tempfile.TemporaryDirectory() as folder:
        source, binary = pathlib.Path(folder, "layout.c"), pathlib.Path(folder, "layout")
        source.write_text(program(found), encoding="utf-8")
        compiler = os.environ.get("CC", "cc")
        subprocess.run([compiler, "-std=c99", f"-I{include}", str(source), "-o", str(binary)], check=True)
        output = subprocess.run([str(binary)], check=True, capture_output=True, text=True).stdout
    return {key: int(number) for key, number in (line.split() for line in output.splitlines())}


def describe(include):
    """Today's ABI in the form of the snapshot."""
    found = guarded(include / "keelson")
    numbers = measure(found, include)
    structs = {}
    for name, fields in found["structs"].items():
        listed = [{"name": field, "type": kind, "offset": numbers[f"{name}.{field}"],
                   "size": numbers[f"{name}.{field}.size"]} for field, kind in fields.items()]
        structs[name] = {"size": numbers[name], "fields": listed}
    enums = {name: {value: numbers[f"{name}.{value}"] for value in values}
             for name, values in found["enums"].items()}
    return {"structs": structs, "enums": enums, "functions": found["functions"], "constants": found["constants"]}


def compare_struct(name, old, new):
    """What breaks in one struct."""
    for at, field in enumerate(old["fields"]):
        if at >= len(new["fields"]):
            yield f"struct {name}: the field {field['name']} is gone"
        elif new["fields"][at] != field:
            now = new["fields"][at]
            yield (f"struct {name}: field {at} was {field['type']} {field['name']} (offset {field['offset']}, "
                   f"{field['size']} bytes), is {now['type']} {now['name']} (offset {now['offset']}, {now['size']} bytes)")
    added = new["fields"][len(old["fields"]):]
    if added and old["fields"][0]["name"] != "struct_size":
        yield f"struct {name}: it has no struct_size, so nothing can be appended"
    for field in added:
        if field["offset"] < old["size"]:
            yield (f"struct {name}: the new field {field['name']} lies in what was padding: "
                   "older tables already say that they have it")


def compare_enum(name, old, new):
    for value, number in old.items():
        if new.get(value) != number:
            yield f"enum {name}: {value} was {number}, is {new.get(value, 'gone')}"


def compare_text(kind, old, new):
    for name, text in old.items():
        if new.get(name) != text:
            yield f"{kind} {name}: was {text}, is {new.get(name, 'gone')}"


def breaks(old, new):
    """Everything in which the new ABI does not contain the old one."""
    for name, struct in old["structs"].items():
        if name in new["structs"]:
            yield from compare_struct(name, struct, new["structs"][name])
        else:
            yield f"struct {name} is gone, or a draft again"
    for name, values in old["enums"].items():
        yield from compare_enum(name, values, new["enums"].get(name, {}))
    yield from compare_text("function type", old["functions"], new["functions"])
    yield from compare_text("constant", old["constants"], new["constants"])


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--include", type=pathlib.Path, default=ROOT / "sdk/include")
    parser.add_argument("--snapshot", type=pathlib.Path, default=ROOT / "sdk/abi/abi.json")
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--exact", action="store_true")
    return parser.parse_args()


def main():
    options = arguments()
    today = describe(options.include)
    if options.record:
        options.snapshot.write_text(json.dumps(today, indent=2) + "\n", encoding="utf-8")
        return 0
    recorded = json.loads(options.snapshot.read_text(encoding="utf-8"))
    problems = list(breaks(recorded, today))
    for problem in problems:
        print(problem, file=sys.stderr)
    if problems:
        return 1
    if today != recorded:
        print("the ABI has grown: record it with tools/check_abi.py --record", file=sys.stderr)
        return 1 if options.exact else 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
