#!/usr/bin/env python3
"""The Debian package: what is in it, and that it installs, starts, stops and goes without a trace.

  package_test.py BUILD_DIRECTORY [unittest arguments]

It is installed into a copy of this machine's file system whose changes are kept in memory. Needs root."""
import hashlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import unittest

BUILD = None
SKIPPED = 77  # what CTest takes as "skipped"
READY_SECONDS = 60


def run(*command, code=0, **options):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=300, **options)
    if code is not None and done.returncode != code:
        raise AssertionError(f"{command}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def make_package(directory):
    run("cpack", "-G", "DEB", "--config", BUILD / "CPackConfig.cmake", "-B", directory,
        env={**os.environ, "SOURCE_DATE_EPOCH": "1000000000"})
    return next(directory.glob("*.deb"))


class Machine:
    """The file system of this machine, with a layer of memory over it. Use it as a context."""

    def __enter__(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="keelson-package-"))
        self.root = self.directory / "root"
        run("mount", "-t", "tmpfs", "none", self.directory)
        for name in ("upper", "work", "root"):
            (self.directory / name).mkdir()
        # Policy of Debian: a package finds no systemd that runs.
        run("mount", "-t", "overlay", "overlay", "-o",
            f"lowerdir=/,upperdir={self.directory}/upper,workdir={self.directory}/work", self.root)
        for name in ("proc", "dev", "sys"):
            run("mount", "--rbind", "/" + name, self.root / name)
            run("mount", "--make-rslave", self.root / name)
        run("mount", "-t", "tmpfs", "none", self.root / "run")
        return self

    def __exit__(self, *_):
        for path in (self.root, self.directory):
            subprocess.run(["umount", "-R", "-l", path], stderr=subprocess.DEVNULL)
        shutil.rmtree(self.directory, ignore_errors=True)

    def run(self, *command, **options):
        return run("chroot", self.root, *command, **options)

    def changed(self):
        """Files that a package could have left, below the places where packages put them."""
        upper = self.directory / "upper"
        return {str(path.relative_to(upper)) for place in ("usr", "etc", "var/lib/keelson", "lib", "opt")
                for path in (upper / place).rglob("*keelson*") if path.exists()}


class Package(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = pathlib.Path(tempfile.mkdtemp(prefix="keelson-deb-"))
        cls.addClassCleanup(shutil.rmtree, cls.directory)
        cls.deb = make_package(cls.directory)

    def test_it_holds_programs_plugins_pages_and_completions(self):
        listed = run("dpkg-deb", "--contents", self.deb).stdout.splitlines()
        names = {line.split()[5].removeprefix("./") for line in listed}
        for name in ("usr/bin/keelsond", "usr/bin/keelctl", "usr/bin/keelson-plugin-host", "usr/lib/keelson/plugins/x509.so",
                     "usr/lib/keelson/plugins/x509.yaml", "usr/lib/keelson/plugins/iptables.so", "etc/keelson/keelsond.yaml",
                     "usr/lib/systemd/system/keelsond.service", "usr/share/man/man8/keelsond.8", "usr/share/man/man1/keelctl.1",
                     "usr/share/bash-completion/completions/keelctl", "usr/share/zsh/vendor-completions/_keelctl",
                     "usr/share/fish/vendor_completions.d/keelctl.fish", "usr/share/doc/keelson/sbom.spdx.json"):
            self.assertIn(name, names)
        for line in listed:
            mode, owner = line.split()[:2]
            self.assertEqual(owner, "root/root", line)
            self.assertNotIn("w", mode[5] + mode[8], line)

    def test_it_names_what_it_needs(self):
        needs = run("dpkg-deb", "--field", self.deb, "Depends").stdout
        for package in ("libc6", "libssl3", "libpoco", "liblmdb0", "tzdata"):
            self.assertIn(package, needs)
        with tempfile.TemporaryDirectory() as directory:
            run("dpkg-deb", "--extract", self.deb, directory)
            sbom = json.loads((pathlib.Path(directory) / "usr/share/doc/keelson/sbom.spdx.json").read_text())
        versions = {package["name"]: package["versionInfo"] for package in sbom["packages"]}
        for package in ("libssl3", "liblmdb0", "libldns3", "nlohmann-json3-dev"):
            self.assertTrue(versions.get(package), package)

    def test_the_same_files_make_the_same_package(self):
        with tempfile.TemporaryDirectory() as directory:
            other = make_package(pathlib.Path(directory))
            self.assertEqual(hashlib.sha256(self.deb.read_bytes()).hexdigest(), hashlib.sha256(other.read_bytes()).hexdigest())

    def test_pages_and_unit_are_well_formed(self):
        with tempfile.TemporaryDirectory() as directory:
            run("dpkg-deb", "--extract", self.deb, directory)
            for page in pathlib.Path(directory).glob("usr/share/man/*/*"):
                text = page.read_text()
                self.assertRegex(text, r"\A\.TH KEEL")
                self.assertIn("--help", text.replace("\\-", "-"))
            unit = (pathlib.Path(directory) / "usr/lib/systemd/system/keelsond.service").read_text()
        self.assertRegex(unit, r"(?m)^ExecStart=/usr/bin/keelsond ")

    def test_it_installs_starts_stops_and_goes_without_a_trace(self):
        with Machine() as machine:
            before = machine.changed()
            shutil.copy(self.deb, machine.root / "tmp/keelson.deb")
            machine.run("dpkg", "--install", "/tmp/keelson.deb")
            unit = (machine.root / "usr/lib/systemd/system/keelsond.service").read_text()
            command = re.search(r"(?m)^ExecStart=(.*)$", unit)[1].split()
            self.use(machine, command)
            machine.run("dpkg", "--remove", "keelson")
            left = machine.changed() - before
            self.assertFalse({name for name in left if not name.startswith(("etc/keelson", "var/lib/keelson"))}, left)
            self.assertTrue((machine.root / "etc/keelson/keelsond.yaml").exists(), "settings stay until the purge")
            machine.run("dpkg", "--purge", "keelson")
            self.assertEqual(machine.changed() - before, set())
            self.assertFalse((machine.root / "var/lib/keelson").exists())

    def use(self, machine, command):
        """As systemd would start it, with a newcomer's first commands."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.bind(str(machine.root / "run/notify"))
            notify.settimeout(READY_SECONDS)
            (machine.root / "var/lib/keelson").mkdir(mode=0o700)
            log = open(machine.root / "run/log", "wb")
            process = subprocess.Popen(["unshare", "--net", "--", "chroot", machine.root, "sh", "-c",
                                        'ip link set lo up; exec "$@"', "sh", *command], stdout=log, stderr=log,
                                       env={"PATH": os.environ["PATH"], "NOTIFY_SOCKET": "/run/notify"})
            try:
                told = b""
                while b"READY=1" not in told:
                    told = notify.recv(4096)
                inside = ("nsenter", f"--net=/proc/{process.pid}/ns/net", "chroot", machine.root)
                self.assertIn("kube-system", run(*inside, "keelctl", "get", "namespaces").stdout)
                plugins = run(*inside, "keelctl", "plugin", "list").stdout
                self.assertRegex(plugins, r"(?m)^x509 .*ready")
                self.end_plugins(inside)
            except (AssertionError, TimeoutError) as error:
                raise AssertionError(f"{error}\n{(machine.root / 'run/log').read_text()[-3000:]}") from error
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait(30)

    def end_plugins(self, inside):
        """Their processes outlive keelsond; here nobody would take them up again."""
        for plugin in json.loads(run(*inside, "keelctl", "plugin", "list", "-o", "json").stdout)["items"]:
            if plugin["isolation"] == "process":
                run(*inside, "keelctl", "plugin", "disable", plugin["name"], code=None)


def main():
    global BUILD
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    BUILD = pathlib.Path(sys.argv.pop(1)).resolve()
    if os.geteuid() != 0:
        print("skipped: packages are installed by root")
        sys.exit(SKIPPED)
    # Mounts go with this process, whatever becomes of it.
    if os.environ.get("KEELSON_PRIVATE_MOUNTS") != "yes":
        os.execvpe("unshare", ["unshare", "--mount", "--", sys.executable, sys.argv[0], str(BUILD), *sys.argv[1:]],
                   {**os.environ, "KEELSON_PRIVATE_MOUNTS": "yes"})
    unittest.main()


if __name__ == "__main__":
    main()
