#!/usr/bin/env python3
"""docs/configuration.md from packaging/keelsond.schema.json.

  make_configuration_page.py SCHEMA PAGE [--check]   (--check: fail unless the page is what it would be)"""
import json
import pathlib
import sys


def kind_of(schema):
    if "enum" in schema:
        return " or ".join(schema["enum"])
    if schema["type"] == "array":
        return "list of " + {"string": "texts", "object": "maps"}.get(schema["items"].get("type"), kind_of(schema["items"]))
    if schema["type"] == "integer":
        return f"{schema['minimum']} to {schema['maximum']}"
    return {"string": "text", "boolean": "true or false", "object": "map"}[schema["type"]]


def rows(schema, prefix=""):
    for name, member in schema["properties"].items():
        path = prefix + name
        is_group = member.get("type") == "object" and "properties" in member
        if not is_group:
            default = json.dumps(member["default"]) if "default" in member else ""
            yield f"| `{path}` | {kind_of(member)} | {f'`{default}`' if default else ''} | {member['description']} |"
        elif prefix:
            yield from rows(member, path + ".")
        if "properties" in member.get("items", {}):
            yield from rows(member["items"], path + "[].")


def page(schema):
    lines = ["# Configuration", "", schema["description"], "",
             "`packaging/keelsond.schema.json` is the schema that this page is made of (`tools/make_configuration_page.py`); editors that",
             "know JSON Schema check the file with it. `/etc/keelson/keelsond.yaml` is read by the service, `--config FILE` names another one.",
             "A mistake is named with its line, and keelsond does not start (or goes on with what it had).", ""]
    head = ["| key | value | default | what it is |", "|---|---|---|---|"]
    plain = {"properties": {name: member for name, member in schema["properties"].items() if "properties" not in member}}
    lines += head + list(rows(plain)) + [""]
    for name, member in schema["properties"].items():
        if "properties" in member:
            lines += [f"## {name}", "", member["description"], ""] + head + list(rows(member)) + [""]
    return "\n".join(lines)


def main():
    schema, output = json.loads(pathlib.Path(sys.argv[1]).read_text()), pathlib.Path(sys.argv[2])
    text = page(schema)
    if "--check" not in sys.argv:
        output.write_text(text)
    elif output.read_text() != text:
        sys.exit(f"{output} is not made of {sys.argv[1]}: run {sys.argv[0]} {sys.argv[1]} {sys.argv[2]}")


if __name__ == "__main__":
    main()
