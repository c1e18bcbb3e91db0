#!/usr/bin/env python3
"""Finds coroutine code that g++ 12 compiles wrongly without a word.

1. `if (... co_await x ...) co_return ...;`: when the awaited value is of class type or the co_return makes temporaries,
   the coroutine never runs at all. Name the result first.
2. A lambda with captures as a temporary inside an awaited expression is destroyed twice. Name the lambda first.
3. Several awaits joined by && or ||: the same family. Await one after the other.

And what any compiler gets wrong: a view into a record's pod that is used after an await, when the record may hold
another pod. Keep the pointer to the object."""
import pathlib
import re
import subprocess
import sys

CONDITION = re.compile(r"\b(?:if|while)\s*\(")
# Captures by reference alone are trivial to copy and do no harm.
LAMBDA = re.compile(r"\bco_await\b[^;{}]*?[(,]\s*\[(?!(?:&\w*|this|\s|,)*\])[^\]]+\]\s*(?:\(|\{|mutable)")
JOINED = re.compile(r"\bco_await\b[^;{}]*(?:&&|\|\|)\s*!?\s*co_await\b")
RULES = ((LAMBDA, "a lambda with captures inside an awaited expression: name it first"),
         (JOINED, "awaits joined by && or ||: await one after the other"))


VIEW = re.compile(r"^ +const [\w:]+ (\w+) = [^;]*record->object\(\)[^;]*;", re.M)


def stale_views(code):
    """Offsets of the views into a record's pod that are used after an await in the same function."""
    for match in VIEW.finditer(code):
        end = code.find("\n}", match.end())
        rest = code[match.end():end]
        awaited = re.search(r"\bco_await\b[^;]*;", rest)
        if awaited and re.search(rf"\b{match.group(1)}\b", rest[awaited.end():]):
            yield match.start()


def without_comments(text):
    """The same length and lines, comments and literals blanked."""
    pattern = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"', re.S)
    return pattern.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), text)


def awaited_conditions(code):
    """Offsets of the if and while statements with an await between their parentheses, initialisers apart."""
    for match in CONDITION.finditer(code):
        depth, at = 1, match.end()
        while at < len(code) and depth:
            depth += {"(": 1, ")": -1}.get(code[at], 0)
            at += 1
        condition = code[match.end():at - 1]
        if re.search(r"\bco_await\b", condition.rsplit(";", 1)[-1]):
            yield match.start()


def main():
    listed = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", "*.h", "*.cpp"],
                            capture_output=True, text=True, check=True).stdout.split("\n")
    failures = 0
    for name in filter(None, listed):
        path = pathlib.Path(name)
        if not path.is_file() or "co_await" not in (text := path.read_text(encoding="utf-8", errors="replace")):
            continue
        code = without_comments(text)
        found = [(start, "co_await inside a condition: name the result first") for start in awaited_conditions(code)]
        for rule, message in RULES:
            found += [(match.start(), message) for match in rule.finditer(code)]
        found = [(start, message + " (g++ 12 miscompiles it)") for start, message in found]
        found += [(start, "a view into a pod that may be replaced meanwhile") for start in stale_views(code)]
        for start, message in sorted(found):
            line = code.count("\n", 0, start) + 1
            print(f"{name}:{line}: {message}", file=sys.stderr)
            failures += 1
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
