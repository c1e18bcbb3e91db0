#!/usr/bin/env python3
"""Runs a command as root in a virtual machine with Debian's kernel and this machine's files.

The files are those of this machine; what the command writes to them stays in the memory of the virtual machine. What
is to come back it writes below $KEELSON_VM_RESULTS. Its output and its exit code are those of this program:

  124  it took longer than --timeout
  125  the machine panicked, stopped by itself or could not be started; the console's last lines say more
  126  a module is not there, or the folder to start in
"""

import argparse
import os
import pathlib
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import kernel

TIMED_OUT = 124
BROKEN = 125
CONSOLE_LINES = 80  # a panic alone has more than 50
# A start takes eight seconds, on a busy machine thirty. One that takes longer than this hangs in QEMU or in the kernel's
# first steps, which says nothing about the command: the machine is started again.
START_SECONDS = 150
STARTS = 2
APPEND = ("console=ttyS0 quiet loglevel=4 panic=-1 oops=panic mitigations=off nokaslr audit=0 no_timer_check "
          "tsc=reliable random.trust_cpu=on cryptomgr.notests cgroup_no_v1=all net.ifnames=0 "
          "rcupdate.rcu_expedited=1")

# What Keelson's parts want of the kernel.
MODULES_FOR = {
    "ipvs": ("ip_vs", "ip_vs_rr", "dummy", "nf_conntrack_netlink", "iptable_nat", "ip6table_nat", "iptable_filter",
             "ip6table_filter"),
    "pods": ("veth", "bridge", "overlay"),
}


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--module", "-m", action="append", default=[], help="load it first (again for more)")
    parser.add_argument("--for", dest="purposes", action="append", default=[], choices=sorted(MODULES_FOR),
                        help="load what this wants (again for more)")
    parser.add_argument("--memory", type=int, default=1024, metavar="MIB", help="of the machine (default 1024)")
    parser.add_argument("--cpus", type=int, default=2)
    parser.add_argument("--timeout", type=float, default=120, metavar="SECONDS", help="of everything (default 120)")
    parser.add_argument("--results", type=pathlib.Path, help="folder that is $KEELSON_VM_RESULTS in the machine")
    parser.add_argument("--env", "-e", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--cache", type=pathlib.Path, default=kernel.HERE.parents[1] / "build/vm",
                        help="where the prepared kernel is kept (default: build/vm)")
    parser.add_argument("--prepare", action="store_true", help="only prepare the kernel")
    parser.add_argument("command", nargs="*", help="after --")
    arguments = parser.parse_args()
    if not arguments.command and not arguments.prepare:
        parser.error("no command: vm.py [options] -- COMMAND...")
    return arguments


def write_job(share, folder, arguments):
    job = share / "job"
    job.mkdir()
    (job / "command").write_bytes(b"".join(os.fsencode(word) + b"\0" for word in arguments.command))
    (job / "environment").write_bytes(b"".join(os.fsencode(word) + b"\0" for word in arguments.env))
    modules = [module for purpose in arguments.purposes for module in MODULES_FOR[purpose]] + arguments.module
    (job / "modules").write_text("".join(f"{module}\n" for module in modules))
    (job / "kernel").write_text(f"{folder}\n")
    (job / "guest").write_text(f"{kernel.HERE / 'guest.sh'}\n")
    (job / "directory").write_text(os.getcwd() + "\n")
    (job / "seconds").write_text(f"{arguments.timeout:.0f}\n")
    return job


def qemu_command(folder, share, console, arguments):
    return [
        "qemu-system-x86_64", "-M", "q35", "-accel", "tcg,thread=multi", "-cpu", "qemu64",
        "-smp", str(arguments.cpus), "-m", str(arguments.memory),
        "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none",
        "-kernel", str(folder / "vmlinux"), "-initrd", str(folder / "initrd"),
        "-fsdev", "local,id=host,path=/,security_model=none,readonly=on,multidevs=remap",
        "-device", "virtio-9p-pci,fsdev=host,mount_tag=host",
        "-fsdev", f"local,id=results,path={share},security_model=none,multidevs=remap",
        "-device", "virtio-9p-pci,fsdev=results,mount_tag=results",
        "-chardev", f"file,id=console,path={console}", "-serial", "chardev:console",
        "-device", "virtio-serial-pci", "-chardev", "stdio,id=output,signal=off",
        "-device", "virtserialport,chardev=output,name=output",
        "-device", "isa-debug-exit,iobase=0xf4,iosize=4",
        "-append", APPEND,
    ]  # fmt: skip


def pass_output(process, deadline, is_hanging):
    """Copies what the command says until QEMU ends; False when the deadline comes first, or is_hanging() holds."""
    selector = selectors.DefaultSelector()
    selector.register(process.stdout, selectors.EVENT_READ)
    while True:
        left = deadline - time.monotonic()
        if left <= 0 or is_hanging():
            return False
        if not selector.select(min(left, 5)):
            continue
        data = os.read(process.stdout.fileno(), 1 << 16)
        if not data:
            break
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    try:
        process.wait(max(0.1, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        return False
    return True


def show_console(console):
    lines = console.read_text(errors="replace").splitlines() if console.exists() else []
    print(f"vm: the last lines of the console ({len(lines)} in all):", file=sys.stderr)
    for line in lines[-CONSOLE_LINES:]:
        print(f"vm| {line}", file=sys.stderr)


def start_once(share, folder, arguments, job):
    """Whether it ended in time, and QEMU's exit code."""
    deadline = time.monotonic() + arguments.timeout
    start_by = time.monotonic() + START_SECONDS
    # QEMU would close the channel of the output when its input ends.
    process = subprocess.Popen(qemu_command(folder, share, job / "console", arguments),
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        is_in_time = pass_output(process, deadline,
                                 lambda: time.monotonic() > start_by and not (job / "begun").exists())
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    return is_in_time, process.returncode


def run_in(share, folder, arguments):
    for start in range(1, STARTS + 1):
        shutil.rmtree(share / "job", ignore_errors=True)
        job = write_job(share, folder, arguments)
        is_in_time, code = start_once(share, folder, arguments, job)
        has_begun = (job / "begun").exists()
        if is_in_time or has_begun or arguments.timeout <= START_SECONDS or start == STARTS:
            break
        show_console(job / "console")
        print(f"vm: the machine has not started within {START_SECONDS} s; once more", file=sys.stderr)
    if not is_in_time:
        show_console(job / "console")
        print(f"vm: not finished within {arguments.timeout:g} s" + ("" if has_begun else ": the machine did not start"),
              file=sys.stderr)
        return TIMED_OUT
    try:
        return int((job / "status").read_text())
    except (OSError, ValueError):
        show_console(job / "console")
        print(f"vm: the machine stopped before the command had ended (QEMU: {code})", file=sys.stderr)
        return BROKEN


def main():
    arguments = parse_arguments()
    # Ctrl-C and a polite kill leave no machine behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        folder = kernel.prepare(arguments.cache.resolve())
        if arguments.prepare:
            return 0
        if shutil.which("qemu-system-x86_64") is None:
            raise kernel.Unprepared("qemu-system-x86_64 is not there: ./dev deps installs qemu-system-x86")
    except kernel.Unprepared as error:
        print(f"vm: {error}", file=sys.stderr)
        return BROKEN
    if arguments.results:
        arguments.results.mkdir(parents=True, exist_ok=True)
        share = arguments.results.resolve()
        return run_in(share, folder, arguments)
    with tempfile.TemporaryDirectory(prefix="keelson-vm-") as share:
        return run_in(pathlib.Path(share), folder, arguments)


if __name__ == "__main__":
    sys.exit(main())
