#!/usr/bin/env python3
"""Writes typed accessors for kernel/object/schema: one header for each package of types (core_v1.h, apps_v1.h, ...).

usage: generate_accessors.py SCHEMA_DIRECTORY OUTPUT_DIRECTORY
       generate_accessors.py --list SCHEMA_DIRECTORY          the names of the headers, one a line

A structure becomes a class derived from object::View, with these members for a field `nodeName`: node_name(),
has_node_name(), clear_node_name(), and set_node_name(arena, ...) for plain values or make_node_name(arena) for
structures, lists and maps."""
import pathlib
import re
import sys

import compile_schema

KEYWORDS = set("""alignas and asm auto bool break case catch char class const constexpr continue default delete do
double else enum explicit export extern false float for friend goto if inline int long mutable namespace new not
operator or private protected public register requires return short signed sizeof static struct switch template this
throw true try typedef typeid typename union unsigned using virtual void volatile while xor""".split())
PLAIN = {"boolean": "bool", "int32": "std::int64_t", "int64": "std::int64_t", "float64": "double",
         "string": "std::string_view", "bytes": "std::string_view", "quantity": "std::string_view",
         "time": "std::string_view", "micro_time": "std::string_view", "duration": "std::string_view",
         "int_or_string": "object::Value", "any": "object::Value", "raw_object": "object::Value"}
# What a View has already.
TAKEN = {"untyped", "is_set"}


def snake_case(name):
    name = re.sub(r"([A-Z]{2,})s(?![a-z])", lambda m: m[1].capitalize() + "s", name.lstrip("$"))
    name = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name)
    name = re.sub(r"([A-Z])([A-Z][a-z])", r"\1_\2", name)
    return re.sub(r"[^a-z0-9_]", "_", name.lower())


def function_name(field):
    name = snake_case(field)
    return name + "_" if name in KEYWORDS or name in TAKEN else name


def package_of(type_id):
    """'core/v1.Pod' is the class Pod of core_v1."""
    package, _, _ = type_id.rpartition(".")
    return re.sub(r"[^a-z0-9]", "_", package.lower())


def class_of(type_id):
    return type_id.rpartition(".")[2]


class Generator:
    def __init__(self, directory):
        types, resources, gates = compile_schema.read_types(directory)
        self.compiler = compile_schema.Compiler(types, resources, gates)
        self.packages = {}
        for name, declaration in types.items():
            if declaration.form == "struct" and self.compiler.shape(name) == "structure":
                self.packages.setdefault(package_of(name), []).append(name)

    def header_names(self):
        return [f"{package}.h" for package in sorted(self.packages)]

    def cpp_type(self, expression, uses):
        """The C++ type of a value; the packages that it needs are added to uses."""
        shape = self.compiler.shape(expression)
        if shape in PLAIN:
            return PLAIN[shape]
        if shape in ("list", "map"):
            element = self.cpp_type(self.compiler.element(expression), uses)
            return f"object::{'ListView' if shape == 'list' else 'MapView'}<{element}>"
        resolved = self.compiler.resolve(expression)
        uses.add(package_of(resolved))
        return f"{package_of(resolved)}::{class_of(resolved)}"

    def members(self, owner, field, uses):
        """Declarations of one field, and the definitions that have to wait until all classes are known."""
        name, expression = field[0], field[1]
        shape = self.compiler.shape(expression)
        cpp, function = self.cpp_type(expression, uses), function_name(name)
        bare = function.rstrip("_")
        literal = f'"{name}"'
        inside, outside = [], []
        if shape in PLAIN:
            inside.append(f"[[nodiscard]] {cpp} {function}() const {{ return object::view_cast<{cpp}>(untyped_[{literal}]); }}")
            inside.append(f"void set_{bare}(object::Arena& arena, {cpp} value) const "
                          f"{{ untyped_.set(arena, {literal}, object::to_value(arena, value)); }}")
        else:
            make = {"structure": f"untyped_.child_map(arena, {literal})", "map": f"untyped_.child_map(arena, {literal})",
                    "list": f"object::child_list(untyped_, arena, {literal})"}[shape]
            inside.append(f"[[nodiscard]] {cpp} {function}() const;")
            inside.append(f"{cpp} make_{bare}(object::Arena& arena) const;")
            outside.append(f"inline {cpp} {owner}::{function}() const {{ return {cpp}(untyped_[{literal}]); }}")
            outside.append(f"inline {cpp} {owner}::make_{bare}(object::Arena& arena) const {{ return {cpp}({make}); }}")
        inside.append(f"[[nodiscard]] bool has_{bare}() const {{ return untyped_[{literal}].is_set(); }}")
        inside.append(f"void clear_{bare}() const {{ untyped_.erase({literal}); }}")
        return inside, outside

    def header(self, package):
        uses, classes, definitions = set(), [], []
        for type_id in self.packages[package]:
            owner = class_of(type_id)
            lines = [f"class {owner} : public object::View {{", "  public:", "    using View::View;"]
            for field in self.compiler.flatten(self.compiler.types[type_id]):
                inside, outside = self.members(owner, field, uses)
                lines += ["    " + line for line in inside]
                definitions += outside
            classes.append("\n".join(lines + ["};", ""]))
        includes = "".join(f'#include "kernel/object/accessors/{used}.h"\n' for used in sorted(uses - {package}))
        forward = "".join(f"class {class_of(name)};\n" for name in self.packages[package])
        return (f"// Generated by tools/generate_accessors.py from kernel/object/schema; do not edit.\n#pragma once\n\n"
                f"#include <cstdint>\n#include <string_view>\n\n{includes}#include \"kernel/object/view.h\"\n\n"
                f"namespace keelson::api_types::{package} {{\n\n{forward}\n" + "\n".join(classes) + "\n"
                + "\n".join(definitions) + f"\n\n}}  // namespace keelson::api_types::{package}\n")

    def write(self, directory):
        directory.mkdir(parents=True, exist_ok=True)
        for package in self.packages:
            (directory / f"{package}.h").write_text(self.header(package))


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    if sys.argv[1] == "--list":
        print("\n".join(Generator(pathlib.Path(sys.argv[2])).header_names()))
    else:
        Generator(pathlib.Path(sys.argv[1])).write(pathlib.Path(sys.argv[2]))


if __name__ == "__main__":
    main()
