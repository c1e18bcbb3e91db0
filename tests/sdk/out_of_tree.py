#!/usr/bin/env python3
"""Installs the SDK into a folder of its own and builds, from there, both versions of scratch-volume, static-user and
the plugin of docs/plugins.md as its text says. Each must export keelson_plugin and nothing else."""
import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

EXAMPLES = (("scratch-volume-1.0.0", "scratch-volume", ["-DSCRATCH_VOLUME_VERSION=1.0.0"]),
            ("scratch-volume-2.0.0", "scratch-volume", ["-DSCRATCH_VOLUME_VERSION=2.0.0"]),
            ("static-user", "static-user", []))
STRICT = "-Wall -Wextra -Wpedantic -Werror"


def run(*command, **options):
    print("+", *command, flush=True)
    subprocess.run([str(part) for part in command], check=True, **options)


def check_plugin(library):
    """One exported symbol, a manifest beside it, no C++ library to be found at run time."""
    symbols = subprocess.run(["nm", "-D", "--defined-only", library], check=True, capture_output=True, text=True).stdout
    names = [line.split()[-1] for line in symbols.splitlines()]
    if names != ["keelson_plugin"]:
        raise SystemExit(f"{library} exports {names}")
    needed = subprocess.run(["readelf", "-d", library], check=True, capture_output=True, text=True).stdout
    if "libstdc++" in needed or "libgcc_s" in needed or "BIND_NOW" not in needed:
        raise SystemExit(f"{library} is linked wrongly:\n{needed}")
    if not library.with_suffix(".yaml").is_file():
        raise SystemExit(f"{library} has no manifest beside it")


def build_example(source, sdk, folder, options):
    run("cmake", "-G", "Ninja", "-S", source, "-B", folder, f"-DCMAKE_PREFIX_PATH={sdk}", "-DCMAKE_BUILD_TYPE=Release",
        f"-DCMAKE_C_FLAGS={STRICT}", f"-DCMAKE_CXX_FLAGS={STRICT}", *options)
    run("cmake", "--build", folder)


def tutorial(text):
    """The tutorial's files and commands in their order: ("file", name, content) and ("run", "", commands).

    A block of a file follows a line that ends in `name`:. Of the commands only those marked sh are run; blocks marked
    console show what needs a running system."""
    pattern = re.compile(r"(?:`([\w./-]+)`:\n\n)?```(\w+)\n(.*?)```", re.S)
    for name, language, content in pattern.findall(text):
        if language == "sh":
            yield "run", "", content
        elif name:
            yield "file", name, content


def follow_tutorial(page, sdk, folder):
    folder.mkdir()
    steps = list(tutorial(page.read_text(encoding="utf-8")))
    if not any(kind == "run" for kind, _, _ in steps):
        raise SystemExit("the tutorial has no commands")
    for kind, name, content in steps:
        if kind == "file":
            print("+ write", name)
            (folder / name).write_text(content, encoding="utf-8")
        else:
            # The folder into which the SDK was installed.
            run("bash", "-euxc", content, cwd=folder, env={**os.environ, "SDK": str(sdk)})
    found = list(folder.glob("build/lib/keelson/plugins/*.so"))
    if len(found) != 1:
        raise SystemExit(f"the tutorial built {found}")
    check_plugin(found[0])


def follow_skeletons(keelctl, sdk, work):
    """For each kind that a manifest may name, what `keelctl plugin new` writes builds as it is and passes the check."""
    kinds = json.loads((sdk / "share/keelson/schema/manifest.json").read_text(encoding="utf-8"))["properties"]["kind"]["enum"]
    names = [f"my-{kind}" for kind in kinds]
    for kind, name in zip(kinds, names):
        run(keelctl, "plugin", "new", name, "--kind", kind, "--directory", work)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as builders:
        list(builders.map(lambda name: build_example(work / name, sdk, work / f"{name}-build", []), names))
    for name in names:
        library = work / f"{name}-build/lib/keelson/plugins/{name}.so"
        check_plugin(library)
        run(sdk / "bin/keelson-plugin-check", "--manifest", library.with_suffix(".yaml"), library)


def check_pkg_config(sdk):
    environment = {**os.environ, "PKG_CONFIG_PATH": str(sdk / "share/pkgconfig")}
    flags = subprocess.run(["pkg-config", "--cflags", "keelson-sdk"], check=True, capture_output=True, text=True,
                           env=environment).stdout.split()
    header = '#include <keelson/volume.h>\n'
    subprocess.run(["cc", "-std=c99", "-fsyntax-only", *flags, "-x", "c", "-"], input=header, text=True, check=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--source", "--build", "--work", "--keelctl"):
        parser.add_argument(name, type=pathlib.Path, required=True)
    options = parser.parse_args()
    shutil.rmtree(options.work, ignore_errors=True)
    options.work.mkdir(parents=True)
    sdk = options.work / "sdk"
    run("cmake", "--install", options.build, "--component", "sdk", "--prefix", sdk, stdout=subprocess.DEVNULL)
    check_pkg_config(sdk)
    for folder, example, arguments in EXAMPLES:
        build_example(options.source / "examples/plugins" / example, sdk, options.work / folder, arguments)
        check_plugin(options.work / folder / "lib/keelson/plugins" / f"{example}.so")
    follow_skeletons(options.keelctl, sdk, options.work)
    follow_tutorial(options.source / "docs/plugins.md", sdk, options.work / "tutorial")
    return 0


if __name__ == "__main__":
    sys.exit(main())
