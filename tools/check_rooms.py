#!/usr/bin/env python3
"""Reads the #includes and fails on what the plan of the rooms forbids.

A room of the kernel may include itself and the rooms below it; a plugin nothing of the kernel; the sdk only itself;
heavy third-party headers (Beast, Poco, nlohmann) stay in .cpp files."""
import pathlib
import re
import subprocess
import sys

# From the top down; the order of docs and CMakeLists.txt.
ROOMS = ["daemon", "admin", "api", "control", "scheduling", "node", "network", "client", "resource", "access", "plugin",
         "object", "store", "base"]
INCLUDE = re.compile(r'^\s*#\s*include\s+["<]([^">]+)[">]')
# What of the kernel keelctl may use besides base: the texts of objects, and patches of files that no server sees.
CODECS = {f"kernel/object/{name}.h" for name in ("json", "names", "patch", "quantity", "schema", "selector", "time_format", "value", "yaml")}
HEAVY = ("boost/beast", "Poco/", "nlohmann/")


def includes(path):
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        match = INCLUDE.match(line)
        if match:
            yield number, match.group(1)


def problem(path, included):
    """Why this file may not include that, or None."""
    parts = path.parts
    target = included.split("/")
    if parts[0] == "kernel":
        if target[0] in ("plugins", "cli", "tests", "bench"):
            return f"the kernel includes {target[0]}/"
        if target[0] == "kernel" and len(target) > 2:
            if parts[1] not in ROOMS:
                return f"{parts[1]} is no room of the kernel"
            if target[1] not in ROOMS:
                return f"{target[1]} is no room of the kernel"
            if ROOMS.index(target[1]) < ROOMS.index(parts[1]):
                return f"{parts[1]} includes {target[1]}, which is above it"
        if path.suffix == ".h" and included.startswith(HEAVY):
            return f"a header includes {included}; keep it in a .cpp file"
    if parts[0] in ("plugins", "sdk") and target[0] == "kernel":
        return f"{parts[0]} may not include the kernel"
    if parts[0] == "sdk" and target[0] in ("plugins", "cli"):
        return f"the sdk includes {target[0]}/"
    if parts[0] == "cli" and target[0] == "kernel" and target[1:2] != ["base"] and included not in CODECS:
        return "cli speaks HTTP only"
    return None


def files():
    listed = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", "*.h", "*.cpp", "*.c"],
                            capture_output=True, text=True, check=True).stdout.split("\n")
    return [pathlib.Path(name) for name in listed if name and pathlib.Path(name).is_file()]


def main():
    failures = 0
    for path in files():
        for number, included in includes(path):
            reason = problem(path, included)
            if reason:
                print(f"{path}:{number}: {reason}", file=sys.stderr)
                failures += 1
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
