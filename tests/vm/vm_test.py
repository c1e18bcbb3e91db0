"""What the harness of the virtual machine promises to those whose tests run in it."""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
CACHE = os.environ.get("KEELSON_VM_CACHE", str(HERE.parents[1] / "build/vm"))


def vm(*command, options=(), timeout=60):
    line = [sys.executable, str(HERE / "vm.py"), "--cache", CACHE, "--timeout", str(timeout), *options, "--", *command]
    return subprocess.run(line, capture_output=True, text=True, timeout=timeout + 60, check=False)


def machines_of(mark):
    """The process ids of QEMUs with that in their command line."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                line = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if line.startswith(b"qemu-system") and mark.encode() in line:
                found.append(entry.name)
    return found


class Vm(unittest.TestCase):
    def test_command_runs_as_root_in_debians_kernel_and_its_exit_code_comes_back(self):
        done = vm("sh", "-c", "uname -r; id -u; pwd; echo wrong >&2; exit 7")
        self.assertEqual(done.returncode, 7, done.stderr)
        lines = done.stdout.splitlines()
        self.assertRegex(lines[0], r"^[0-9.-]+-amd64$")
        self.assertEqual(lines[1:], ["0", os.getcwd(), "wrong"])

    def test_words_and_variables_arrive_as_they_are(self):
        word = "two words\n'\"$HOME\\ *"
        done = vm("sh", "-c", 'printf %s "$1"; printf %s "$MARK"', "sh", word, options=["-e", f"MARK={word}="])
        self.assertEqual((done.stdout, done.returncode), (f"{word}{word}=", 0), done.stderr)

    def test_modules_are_loaded_and_cgroup_v2_has_all_controllers(self):
        script = """
            grep -q '^ip_vs ' /proc/modules && ip link add d0 type dummy || exit 1
            [ "$(stat -f -c %T /sys/fs/cgroup)" = cgroup2fs ] || exit 2
            mkdir /sys/fs/cgroup/one && cd /sys/fs/cgroup/one || exit 3
            for file in cpu.max memory.max pids.max io.max cpuset.cpus; do [ -e $file ] || exit 4; done"""
        done = vm("sh", "-c", script, options=["-m", "ip_vs", "-m", "dummy"])
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_results_come_back_and_nothing_else_does(self):
        with tempfile.TemporaryDirectory() as folder:
            results, kept = pathlib.Path(folder, "results"), pathlib.Path(folder, "kept")
            kept.write_text("old")
            script = f'echo new >{kept}; cat {kept}; echo result >"$KEELSON_VM_RESULTS/out"; kill -9 $$'
            done = vm("sh", "-c", script, options=["--results", str(results)])
            self.assertEqual((done.stdout, done.returncode), ("new\n", 128 + 9), done.stderr)
            self.assertEqual(kept.read_text(), "old")
            self.assertEqual((results / "out").read_text(), "result\n")

    def test_panic_is_a_failure_with_the_last_lines_of_the_console(self):
        done = vm("sh", "-c", "echo before; echo c >/proc/sysrq-trigger; sleep 60")
        self.assertEqual(done.returncode, 125)
        self.assertEqual(done.stdout, "before\n")
        self.assertIn("Kernel panic - not syncing: sysrq triggered crash", done.stderr)

    def test_hang_ends_at_the_timeout_and_leaves_no_machine(self):
        with tempfile.TemporaryDirectory() as folder:
            done = vm("sleep", "600", options=["--results", folder], timeout=3)
            self.assertEqual(done.returncode, 124)
            self.assertIn("not finished within 3 s: the machine did not start", done.stderr)
            self.assertEqual(machines_of(folder), [])

    def test_missing_module_is_named(self):
        done = vm("true", options=["-m", "no_such_module"])
        self.assertEqual(done.returncode, 126)
        self.assertIn("the kernel has no module no_such_module", done.stdout)


if __name__ == "__main__":
    unittest.main(verbosity=2)
