#!/usr/bin/env python3
"""Compiles kernel/object/schema/*.schema into one C++ file of constant tables.

usage: compile_schema.py SCHEMA_DIRECTORY OUTPUT.cpp

The notation is described in kernel/object/schema/README.md. Errors name the file and line and end with status 1."""
import pathlib
import shlex
import sys

SCALARS = {
    "bool": ("boolean", "bool"), "string": ("string", "string"), "int32": ("int32", "int32"),
    "int64": ("int64", "int64"), "float64": ("float64", "float64"), "bytes": ("bytes", "[]uint8"),
    "any": ("any", "interface {}"),
}
SPECIALS = {
    "meta/v1.Time": "time", "meta/v1.MicroTime": "micro_time", "meta/v1.Timestamp": "time",
    "meta/v1.Duration": "duration", "meta/v1.FieldsV1": "raw_object", "runtime.RawExtension": "raw_object",
    "intstr.IntOrString": "int_or_string", "quantity.Quantity": "quantity",
}
FLAGS = {"pointer": "pointer", "omitempty": "omit_empty", "omitzero": "omit_zero", "required": "required",
         "optional": "optional", "must": "must"}
VERBS = {"create": 1, "delete": 2, "deletecollection": 4, "get": 8, "list": 16, "patch": 32, "update": 64, "watch": 128}


class Declaration:
    def __init__(self, form, name):
        self.form, self.name, self.options, self.marks, self.fields = form, name, {}, set(), []


def fail(path, number, text):
    sys.exit(f"{path}:{number}: {text}")


def words_of(line):
    return shlex.split(line, posix=True) if '"' in line else line.split()


def split_options(words):
    options, marks = {}, []
    for word in words:
        name, equals, value = word.partition("=")
        if equals:
            options[name] = value
        else:
            marks.append(word)
    return options, marks


def read_types(directory):
    types, resources, gates = {}, [], []
    for path in sorted(directory.glob("*.schema")):
        current = None
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if not line.strip() or line.startswith("#"):
                continue
            words = words_of(line)
            if line[0] != " ":
                if words[0] == "gate":
                    gates.append((words[1], words[2] == "on"))
                elif words[0] == "resource":
                    options, marks = split_options(words[4:])
                    current = {"group": "" if words[1] == "core" else words[1], "version": words[2], "name": words[3],
                               "options": options, "marks": set(marks), "subresources": []}
                    resources.append(current)
                elif words[0] in ("struct", "enum", "alias", "special"):
                    current = Declaration(words[0], words[1])
                    current.options, marks = split_options(words[2:])
                    current.marks = set(marks)
                    types[words[1]] = current
                else:
                    fail(path, number, f"unknown declaration '{words[0]}'")
            elif isinstance(current, dict):
                current["subresources"].append((words[1], split_options(words[2:])[0]))
            elif words[0] == "embed":
                options, marks = split_options(words[2:])
                current.fields.append(("embed", words[1], int(marks[0]) if marks else 0, [], options))
            else:
                options, marks = split_options(words[3:])
                unknown = [m for m in marks if m not in FLAGS]
                if unknown:
                    fail(path, number, f"unknown flag '{unknown[0]}'")
                current.fields.append((words[0], words[1], int(words[2]), marks, options))
    return types, resources, gates


def text(value):
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"sv' if value else "{}"


class Compiler:
    def __init__(self, types, resources, gates):
        self.types, self.resources, self.gates = types, resources, gates
        self.index, self.order = {}, []
        self.by_kind = {}
        for declaration in types.values():
            for kind in filter(None, declaration.options.get("kind", "").split(",")):
                self.by_kind[kind] = declaration.name

    def number(self, expression):
        """The table index of a type expression, adding it (and what it refers to) when new."""
        if expression not in self.index:
            self.index[expression] = len(self.order)
            self.order.append(expression)
            element = self.element(expression)
            if element:
                self.number(element)
            declaration = self.types.get(expression)
            if declaration and declaration.form == "struct":
                for _, type_name, *_ in self.flatten(declaration):
                    self.number(type_name)
        return self.index[expression]

    def resolve(self, expression):
        declaration = self.types.get(expression)
        while declaration and declaration.form in ("alias", "enum"):
            expression = declaration.options["of"]
            declaration = self.types.get(expression)
        return expression

    def element(self, expression):
        base = self.resolve(expression)
        if base.startswith("[]"):
            return base[2:]
        if base.startswith("{"):
            return base[base.index("}") + 1:]
        return None

    def flatten(self, declaration, numbers=(), path=()):
        for name, type_name, number, marks, options in declaration.fields:
            if name == "embed":
                inner = self.flatten(self.types[type_name], numbers + ((number,) if number else ()),
                                     path + (type_name.rsplit(".", 1)[-1],))
                # Embedded without a number it is no part of the message: kind and apiVersion.
                yield from inner if number else ((*field[:2], 0, *field[3:]) for field in inner)
            else:
                yield name, type_name, number, marks, options, numbers, path

    def shape(self, expression):
        base = self.resolve(expression)
        if base in SCALARS:
            return SCALARS[base][0]
        if base.startswith("[]"):
            return "list"
        if base.startswith("{"):
            return "map"
        declaration = self.types.get(base)
        if declaration is None:
            sys.exit(f"unknown type '{expression}'")
        if declaration.form == "special":
            return SPECIALS.get(base, "any")
        return "structure"

    def go_name(self, expression):
        if expression in SCALARS:
            return SCALARS[expression][1]
        if expression.startswith("[]"):
            return "[]" + self.go_name(expression[2:])
        if expression.startswith("{"):
            key, _, element = expression[1:].partition("}")
            return f"map[{self.go_name(key) if key else 'string'}]{self.go_name(element)}"
        if expression == "quantity.Quantity":
            return "resource.Quantity"
        return expression.rsplit("/", 1)[-1]

    def field_text(self, field):
        name, type_name, number, marks, options, inline, path = field
        flags = [f"Field::{FLAGS[mark]}" for mark in marks]
        patch = options.get("patch", "").split(",")
        if "merge" in patch:
            flags.append("Field::patch_merge")
        if "retainKeys" in patch:
            flags.append("Field::patch_retain")
        inner = list(inline) + [0] * (2 - len(inline))
        return ("{" + ", ".join([
            text(name), f"&kTypes[{self.number(type_name)}]", " | ".join(flags) or "0", str(number),
            "{%d, %d}" % tuple(inner), f"ListType::{options.get('list') or 'unspecified'}",
            f"MapType::{options.get('map') or 'unspecified'}", text(options.get("keys", "")),
            text(options.get("patchkey", "")), text(options.get("default", "")), text(options.get("gate", "")),
            text(options.get("proto", "")), text(".".join(path))]) + "}")

    def emit(self, out):
        for name in self.types:
            self.number(name)
        for name in SCALARS:
            self.number(name)
        lines = ["// Generated by tools/compile_schema.py from kernel/object/schema; do not edit.",
                 '#include "kernel/object/schema_tables.h"', "", "namespace keelson::object::tables {",
                 "using namespace std::string_view_literals;", "namespace {", f"extern const Type kTypes[{len(self.order)}];"]
        rows = []
        for index, expression in enumerate(self.order):
            declaration = self.types.get(expression) or Declaration("", "")
            options = declaration.options
            fields = values = "{}"
            if declaration.form == "struct" and declaration.fields:
                flat = [self.field_text(f) for f in self.flatten(declaration)]
                if flat:
                    lines.append(f"const Field kFields{index}[] = {{\n    " + ",\n    ".join(flat) + "};")
                    fields = f"kFields{index}"
            if options.get("values") is not None:
                lines.append(f"const std::string_view kValues{index}[] = {{"
                             + ", ".join(f'"{v}"sv' for v in options["values"].split(",")) + "};")
                values = f"kValues{index}"
            element = self.element(expression)
            group = version = kind = ""
            first = options.get("kind", "").split(",")[0]
            if first == "*":
                group, version, kind = "*", "*", expression.rsplit(".", 1)[-1]
            elif first:
                group, version, kind = first.split("/")
            rows.append("{" + ", ".join([
                text(expression), text("" if "unlisted" in declaration.marks else options.get("openapi", "")),
                text(options.get("proto", "")), text(self.go_name(expression)), f"Shape::{self.shape(expression)}",
                f"MapType::{options.get('map') or 'unspecified'}",
                f"&kTypes[{self.number(element)}]" if element else "nullptr", fields, values,
                text(options.get("unions", "")), text(group), text(version), text(kind)]) + "}")
        lines.append(f"const Type kTypes[{len(rows)}] = {{\n    " + ",\n    ".join(rows) + "};")
        lines += self.emit_resources()
        lines.append("const Gate kGates[] = {\n    " + ",\n    ".join(
            f"{{{text(name)}, {'true' if on else 'false'}}}" for name, on in sorted(self.gates)) + "};")
        lines += ["}  // namespace", "std::span<const Type> types() { return kTypes; }",
                  "std::span<const Resource> resources() { return kResources; }",
                  "std::span<const Gate> gates() { return kGates; }", "}  // namespace keelson::object::tables", ""]
        out.write_text("\n".join(lines))

    def kind_type(self, group, version, kind):
        name = self.by_kind.get(f"{group}/{version}/{kind}")
        return f"&kTypes[{self.index[name]}]" if name else "nullptr"

    def emit_resources(self):
        lines, rows = [], []
        positions = {(r["group"], r["version"], r["name"]): i for i, r in enumerate(self.resources)}

        def names(prefix, index, value):
            if not value:
                return "{}"
            lines.append(f"const std::string_view {prefix}{index}[] = {{"
                         + ", ".join(f'"{v}"sv' for v in value.split(",")) + "};")
            return f"{prefix}{index}"

        for index, resource in enumerate(self.resources):
            options, marks = resource["options"], resource["marks"]
            subresources = []
            for name, sub in resource["subresources"]:
                group, version = resource["group"], resource["version"]
                if "of" in sub:
                    group, _, version = sub["of"].rpartition("/")
                verbs = sum(VERBS[v] for v in sub["verbs"].split(","))
                subresources.append("{" + ", ".join([
                    text(name), text(sub["kind"]), text(group), text(version), "true" if "of" in sub else "false",
                    str(verbs), self.kind_type(group, version, sub["kind"])]) + "}")
            subs = "{}"
            if subresources:
                lines.append(f"const Subresource kSubresources{index}[] = {{" + ", ".join(subresources) + "};")
                subs = f"kSubresources{index}"
            stored = index
            if "stored-as" in options:
                group, version, name = options["stored-as"].split("/")
                stored = positions[("" if group == "core" else group, version, name)]
            flag = lambda mark: "true" if mark in marks else "false"
            rows.append("{" + ", ".join([
                text(resource["group"]), text(resource["version"]), text(resource["name"]),
                text(options.get("singular", "")), text(options["kind"]),
                self.kind_type(resource["group"], resource["version"], options["kind"]), flag("namespaced"),
                str(sum(VERBS[v] for v in options["verbs"].split(","))),
                names("kShort", index, options.get("short")), names("kCategories", index, options.get("categories")),
                names("kSelectors", index, options.get("selectors")), subs, text(options.get("hash", "")),
                flag("create-clears-status"), flag("update-keeps-status"), flag("status-update-keeps-spec"),
                flag("status-keeps-metadata"), flag("generation"), flag("create-on-update"),
                flag("unconditional-update"), flag("delete-returns-object"),
                text(options.get("dependents", "")),
                names("kGeneration", index, options.get("generation-fields")),
                names("kResetMain", index, options.get("reset-main")),
                names("kResetStatus", index, options.get("reset-status")), str(index), str(stored)]) + "}")
        lines.append("const Resource kResources[] = {\n    " + ",\n    ".join(rows) + "};")
        return lines


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    Compiler(*read_types(pathlib.Path(sys.argv[1]))).emit(pathlib.Path(sys.argv[2]))


if __name__ == "__main__":
    main()
