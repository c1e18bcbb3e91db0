#!/usr/bin/env python3
"""Compiles kernel/api/descriptions/*.txt, what the API's types and fields are for, into one C++ file.

usage: compile_descriptions.py SCHEMA_DIRECTORY DESCRIPTION_DIRECTORY OUTPUT.cpp
       compile_descriptions.py SCHEMA_DIRECTORY DESCRIPTION_DIRECTORY --missing     lists what has no description yet

A line that begins with a type, "core/v1.Pod: TEXT", is followed by lines of its fields, "  spec: TEXT". Embedded structures describe
their fields themselves. The type "*" has the fields that mean the same everywhere. Errors name the file and line and end with status 1."""
import pathlib
import sys

from compile_schema import fail, read_types

ANY = "*"
LIST_META = "meta/v1.ListMeta"


def read_texts(directory, types):
    """{(type, field or None): text}"""
    texts = {}
    for path in sorted(directory.glob("*.txt")):
        current = None
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if not line.strip() or line.startswith("#"):
                continue
            name, colon, text = line.strip().partition(": ")
            if not colon or not text.strip():
                fail(path, number, "expected 'NAME: TEXT'")
            if not text.isascii() or '"' in text or "\\" in text:
                fail(path, number, "a text is plain ASCII without double quotes and backslashes")
            if line.startswith(" "):
                if current is None:
                    fail(path, number, "a field before the first type")
                if current != ANY and name not in names_of_fields(types[current]):
                    fail(path, number, f"{current} has no field {name} of its own")
                key = (current, name)
            else:
                if name != ANY and (name not in types or types[name].form != "struct"):
                    fail(path, number, f"there is no structure {name}")
                current = name
                key = (name, None)
            if key in texts:
                fail(path, number, f"{name} is described twice")
            texts[key] = text.strip()
    return texts


def names_of_fields(declaration):
    return [name for name, *_ in declaration.fields if name != "embed"]


def flat_texts(texts, types):
    """With the fields of embedded structures under the structures that have them, and lists' metadata as what they are."""
    flat = dict(texts)

    def inherit(name, declaration):
        for field, type_name, *_ in declaration.fields:
            if field == "embed":
                inherit(name, types[type_name])
            elif (declaration.name, field) in texts:
                flat.setdefault((name, field), texts[declaration.name, field])
            elif type_name == LIST_META:
                flat.setdefault((name, field), texts.get((LIST_META, None), ""))
    for name, declaration in types.items():
        if declaration.form == "struct":
            inherit(name, declaration)
    return flat


def missing(texts, types):
    for name, declaration in types.items():
        if declaration.form != "struct":
            continue
        wanted = [(name, None)] + [(name, field) for field in names_of_fields(declaration)]
        lacking = [field or "(the type itself)" for _, field in (key for key in wanted if key not in texts)
                   if not field or (ANY, field) not in texts]
        if lacking:
            yield f"{name}: {', '.join(lacking)}"


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    types, _, _ = read_types(pathlib.Path(sys.argv[1]))
    texts = read_texts(pathlib.Path(sys.argv[2]), types)
    if sys.argv[3] == "--missing":
        print("\n".join(missing(texts, types)))
        return
    emit(flat_texts(texts, types), pathlib.Path(sys.argv[3]))


def emit(texts, path):
    rows = sorted((name, field or "", text) for (name, field), text in texts.items())
    offsets, at = [], 0
    for row in rows:
        offsets.append(at)
        at += len("\t".join(row)) + 1
    lines = ['#include "kernel/api/description_lines.h"', "", "namespace keelson::api {", "",
             "constexpr char kLines[] ="]
    lines += ['    "' + "\\t".join(row) + '\\n"' for row in rows]
    lines += ["    ;", "constexpr std::uint32_t kOffsets[] = {"]
    lines += [f"    {', '.join(map(str, offsets[at:at + 16]))}," for at in range(0, len(offsets), 16)]
    lines += ["};", "const std::string_view description_lines(kLines, sizeof kLines - 1);",
              "const std::span<const std::uint32_t> description_offsets = kOffsets;", "", "}  // namespace keelson::api", ""]
    path.write_text("\n".join(lines))


main()
