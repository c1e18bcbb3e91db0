"""Debian's kernel for the virtual machine: fetched as a package, never installed (its hooks would make boot files).

prepare() gives a folder with `vmlinux`, `initrd` and `lib/modules/VERSION`. It is made once for each version of the
package and of what goes into the initrd; several callers at once wait for one of them.
"""

import fcntl
import hashlib
import lzma
import os
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
META_PACKAGE = "linux-image-amd64"
# What the initrd needs to reach the machine's own files; their dependencies come along.
EARLY_MODULES = ["virtio_pci", "9pnet_virtio", "9p", "overlay", "virtio_console"]
XZ_MAGIC = b"\xfd7zXZ\x00"
FORMAT = "1"  # of the prepared folder


class Unprepared(Exception):
    """The kernel cannot be had; the text says why and what helps."""


def _run(arguments, **more):
    try:
        return subprocess.run(arguments, check=True, capture_output=True, text=True, **more).stdout
    except FileNotFoundError:
        raise Unprepared(f"{arguments[0]} is not there: ./dev deps installs it") from None
    except subprocess.CalledProcessError as error:
        raise Unprepared(f"{' '.join(map(str, arguments))} failed: {error.stderr.strip()}") from None


def _candidate():
    """The package that the meta package stands for now, as (name, version)."""
    version, name = None, None
    for line in _run(["apt-cache", "show", "--no-all-versions", META_PACKAGE]).splitlines():
        if line.startswith("Version:"):
            version = line.split(":", 1)[1].strip()
        elif line.startswith("Depends:"):
            name = line.split(":", 1)[1].split("(")[0].split(",")[0].strip()
    if not name or not version:
        raise Unprepared(f"apt knows no {META_PACKAGE}: run apt-get update")
    return name, version


def _busybox():
    path = shutil.which("busybox")
    if path is None:
        raise Unprepared("busybox is not there: ./dev deps installs busybox-static")
    return pathlib.Path(path)


def _extract_kernel(compressed):
    """The ELF file within vmlinuz: QEMU starts it without decompressing it in emulation."""
    data = compressed.read_bytes()
    at = data.find(XZ_MAGIC)
    while at >= 0:
        try:
            kernel = lzma.LZMADecompressor(lzma.FORMAT_XZ).decompress(data[at:])
        except lzma.LZMAError:
            kernel = b""
        if kernel.startswith(b"\x7fELF"):
            return kernel
        at = data.find(XZ_MAGIC, at + 1)
    raise Unprepared(f"{compressed} holds no kernel compressed by xz")


def _archive(entries):
    """A cpio archive as the kernel reads it. entries: (name, mode, bytes)."""
    parts = []
    for inode, (name, mode, data) in enumerate([*entries, ("TRAILER!!!", 0, b"")], start=1):
        encoded = name.encode() + b"\0"
        fields = [inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(encoded), 0]
        header = b"070701" + b"".join(b"%08x" % field for field in fields) + encoded
        parts += [header, b"\0" * (-len(header) % 4), data, b"\0" * (-len(data) % 4)]
    return b"".join(parts)


def _make_initrd(folder, version):
    order = []
    for module in EARLY_MODULES:
        shown = _run(["modprobe", "--show-depends", "-d", folder, "-S", version, module])
        for line in shown.splitlines():
            if line.startswith("insmod "):
                path = line.split()[1]
                if path not in order:
                    order.append(path)
    entries = [(name, 0o040755, b"") for name in ("bin", "dev", "proc", "sys", "modules", "lower", "over", "root")]
    entries.append(("bin/busybox", 0o100755, _busybox().read_bytes()))
    entries.append(("init", 0o100755, (HERE / "early.sh").read_bytes()))
    for number, path in enumerate(order):
        entries.append((f"modules/{number:02}.ko", 0o100644, pathlib.Path(path).read_bytes()))
    (folder / "initrd").write_bytes(_archive(entries))


def _make(folder, package):
    download = folder / "download"
    download.mkdir(parents=True)
    _run(["apt-get", "download", "-q", package, "-o", "APT::Sandbox::User=root"], cwd=download)
    _run(["dpkg-deb", "-x", next(download.glob("*.deb")), download / "tree"])
    version = next((download / "tree/lib/modules").iterdir()).name
    (folder / "vmlinux").write_bytes(_extract_kernel(download / f"tree/boot/vmlinuz-{version}"))
    shutil.move(download / "tree/lib", folder / "lib")
    _run(["depmod", "-b", folder, version])
    _make_initrd(folder, version)
    shutil.rmtree(download)


def prepare(cache):
    cache.mkdir(parents=True, exist_ok=True)
    package, version = _candidate()
    made_of = [FORMAT, package, version, (HERE / "early.sh").read_text(), " ".join(EARLY_MODULES)]
    busybox = hashlib.sha256(_busybox().read_bytes()).hexdigest()
    key = hashlib.sha256("\0".join([*made_of, busybox]).encode()).hexdigest()[:16]
    folder = cache / f"{version}-{key}"
    with open(cache / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.exists():
            return folder
        print(f"vm: preparing {package} {version}", file=sys.stderr, flush=True)
        fresh = cache / "fresh"
        shutil.rmtree(fresh, ignore_errors=True)
        _make(fresh, package)
        # Those of former versions; a machine that still runs has its files open or gone, and its test fails.
        for old in cache.iterdir():
            if old.is_dir() and old not in (fresh, folder):
                shutil.rmtree(old, ignore_errors=True)
        os.rename(fresh, folder)
    return folder
