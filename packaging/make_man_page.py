#!/usr/bin/env python3
"""A manual page of what a program says about itself.

  make_man_page.py PROGRAM SECTION VERSION SUMMARY OUTPUT [SEE_ALSO...]"""
import os
import pathlib
import subprocess
import sys
import time


def escaped(text):
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + text if text.startswith((".", "'")) else text


def main():
    program, section, version, summary, output, *others = sys.argv[1:]
    name = pathlib.Path(program).name
    said = subprocess.run([program, "--help"], check=True, capture_output=True, text=True,
                          env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", "COLUMNS": "100"}).stdout
    # The same page of the same sources, whenever it is made.
    day = time.strftime("%Y-%m-%d", time.gmtime(int(os.environ.get("SOURCE_DATE_EPOCH", "0")))) \
        if "SOURCE_DATE_EPOCH" in os.environ else ""
    lines = [f'.TH {name.upper()} {section} "{day}" "Keelson {version}"', ".SH NAME", f"{name} \\- {escaped(summary)}",
             ".SH USE", ".nf", *map(escaped, said.rstrip().splitlines()), ".fi", ".SH FILES",
             ".I /etc/keelson/keelsond.yaml", ".br", ".I /var/lib/keelson", ".SH SEE ALSO",
             ", ".join(f".BR {other.split('.')[0]} ({other.split('.')[1]})" for other in others)]
    pathlib.Path(output).write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
