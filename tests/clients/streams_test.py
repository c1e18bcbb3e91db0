#!/usr/bin/env python3
"""Logs, exec, attach, cp and port-forward with kubectl, or with keelctl in its place, into real containers of the oci runtime.

  streams_test.py KEELSOND KUBECTL [unittest arguments]"""
import fcntl
import hashlib
import json
import os
import pathlib
import pty
import shutil
import signal
import socket
import struct
import subprocess
import sys
import termios
import threading
import time
import unittest
import urllib.request

import support

KEELSOND = KUBECTL = None
PROGRAMS = ("crun", "umoci", "skopeo", "docker-registry", "busybox")
APPLETS = ("sh", "cat", "echo", "sleep", "wc", "head", "seq", "tar", "mkdir", "ls", "rm", "stty", "httpd", "true", "test",
           "kill", "cp", "md5sum", "date", "readlink", "sync")
CONFIG = """
node: {name: n1}
plugins:
  entries:
    - name: oci
      config: {images: {registries: {"127.0.0.1:%d": {plainHttp: true}}}}
"""


def reason_to_skip():
    if os.geteuid() != 0:
        return "containers need root"
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if KUBECTL is None or not os.path.exists(KUBECTL):
        missing.append(str(KUBECTL))
    return "not installed: " + ", ".join(missing) if missing else None


def wait_for(condition, what):
    return support.wait_until(condition, lambda: what)


class Registry:
    """docker-registry on a free port with one image, busybox:1."""

    def __init__(self, directory):
        self.directory, self.port = directory, support.free_port()
        (directory / "registry.yml").write_text(json.dumps({
            "version": 0.1, "log": {"level": "error"}, "storage": {"filesystem": {"rootdirectory": str(directory / "blobs")}},
            "http": {"addr": f"127.0.0.1:{self.port}"}}))
        self.process = subprocess.Popen(["docker-registry", "serve", str(directory / "registry.yml")],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def stop(self):
        self.process.kill()
        self.process.wait()

    def answers(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def fill(self):
        root, layout = self.directory / "root", self.directory / "layout"
        for name in ("bin", "tmp", "www", "proc", "dev", "sys", "etc"):
            (root / name).mkdir(parents=True)
        shutil.copy(shutil.which("busybox"), root / "bin" / "busybox")
        for applet in APPLETS:
            (root / "bin" / applet).symlink_to("busybox")
        wait_for(self.answers, "the registry listens")
        for command in (["umoci", "init", "--layout", layout], ["umoci", "new", "--image", f"{layout}:1"],
                        ["umoci", "insert", "--image", f"{layout}:1", root, "/"],
                        ["skopeo", "copy", "--dest-tls-verify=false", f"oci:{layout}:1",
                         f"docker://127.0.0.1:{self.port}/busybox:1"]):
            subprocess.run([str(word) for word in command], check=True, capture_output=True, timeout=support.PATIENCE_SECONDS)


def setUpModule():
    global server, kubectl, image
    server = support.Server(KEELSOND, roles="api,control,scheduler,node")
    unittest.addModuleCleanup(server.__exit__)
    unittest.addModuleCleanup(end_what_is_left)
    registry = Registry(server.directory)
    unittest.addModuleCleanup(registry.stop)
    registry.fill()
    image = f"127.0.0.1:{registry.port}/busybox:1"
    server.config = CONFIG % registry.port
    server.start()
    unittest.addModuleCleanup(server.stop)
    kubectl = support.Kubectl(KUBECTL, server)
    wait_for(lambda: kubectl.run("get", "serviceaccount", "default", code=None).code == 0, "the service account")
    unittest.addModuleCleanup(remove_pods)
    run_pod("a", "echo out; echo err >&2; httpd -p 127.0.0.1:8080 -h /www; while true; do sleep 1000; done")


def end_what_is_left():
    """Hosts of plugins outlive keelsond, as sandboxes do when a test has failed."""
    for process in shims():
        os.kill(process, signal.SIGKILL)
    mark = str(server.directory).encode()
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if mark in path.read_bytes():
                os.kill(int(path.parent.name), signal.SIGKILL)
        except (OSError, ProcessLookupError):
            continue
    for line in reversed(pathlib.Path("/proc/self/mountinfo").read_text().splitlines()):
        if (point := line.split()[4]).startswith(str(server.directory)):
            subprocess.run(["umount", "-l", point])


def remove_pods():
    kubectl.run("delete", "pods", "--all", support.PATIENT, code=None)
    wait_for(lambda: not shims(), "the pods' processes have ended")


def shims():
    """What keeps the sandboxes of this test; one names itself after the pod and has its log open."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if (path / "comm").read_text().strip() != "keelson-pod":
                continue
            opened = [os.readlink(link) for link in (path / "fd").iterdir()]
            if any(target.startswith(str(server.directory)) for target in opened):
                found.append(int(path.name))
        except OSError:
            continue
    return found


def run_pod(name, script, wait="Ready", **container):
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {
        "terminationGracePeriodSeconds": 0, "restartPolicy": "Never", "containers": [
            {"name": "c", "image": image, "command": ["sh", "-c", script], **container}]}}
    kubectl.run("apply", "-f", "-", input=json.dumps(pod))
    if wait:
        kubectl.run("wait", f"--for=condition={wait}", "pod/" + name, support.PATIENT)


def descriptors():
    return len(os.listdir(f"/proc/{server.process.pid}/fd"))


class Logs(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        run_pod("logs", "for i in 1 2 3 4 5; do echo line $i; done; echo wrong >&2", wait=None)
        wait_for(lambda: kubectl.run("get", "pod", "logs", "-o", "jsonpath={.status.phase}").out == "Succeeded", "its end")

    def logs(self, *arguments, **options):
        return kubectl.run("logs", "logs", *arguments, **options).out

    def test_whole_and_in_part(self):
        lines = [f"line {index}\n" for index in range(1, 6)]
        self.assertEqual(self.logs(), "".join(lines) + "wrong\n")
        self.assertEqual(self.logs("--tail=2"), "line 5\nwrong\n")
        self.assertEqual(self.logs("--limit-bytes=9"), "line 1\nli")
        self.assertEqual(self.logs("-c", "c", "--since=1h"), "".join(lines) + "wrong\n")
        self.assertEqual(self.logs("--since-time=2100-01-01T00:00:00Z"), "")
        self.assertRegex(self.logs("--timestamps", "--tail=1"), r"^\d{4}-\d\d-\d\dT[\d:.]+Z wrong\n$")
        self.assertEqual(self.logs("--follow"), "".join(lines) + "wrong\n")

    def test_of_several_containers_and_pods(self):
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "many", "labels": {"logs": "many"}}, "spec": {
            "restartPolicy": "Never", "terminationGracePeriodSeconds": 0, "containers": [
                {"name": name, "image": image, "command": ["sh", "-c", "echo I am " + name]} for name in ("x", "y")]}}
        kubectl.run("apply", "-f", "-", input=json.dumps(pod))
        wait_for(lambda: kubectl.run("get", "pod", "many", "-o", "jsonpath={.status.phase}").out == "Succeeded", "its end")
        # Some kubectls take the containers in any order.
        self.assertEqual(sorted(kubectl.run("logs", "many", "--all-containers").out.splitlines()), ["I am x", "I am y"])
        done = kubectl.run("logs", "many")
        self.assertEqual((done.out, done.err), ("I am x\n", 'Defaulted container "x" out of: x, y\n'))
        done = kubectl.run("logs", "-l", "logs=many", "--all-containers", "--prefix")
        self.assertEqual(sorted(done.out.splitlines()), ["[pod/many/x] I am x", "[pod/many/y] I am y"])
        self.assertEqual(sorted(kubectl.run("logs", "-f", "-l", "logs=many", "--all-containers").out.splitlines()),
                         ["I am x", "I am y"])
        self.assertIn("use --max-log-requests to increase", kubectl.run(
            "logs", "-f", "-l", "logs=many", "--all-containers", "--max-log-requests=1", code=1).err)

    def test_failures(self):
        previous = kubectl.run("logs", "logs", "--previous", code=1).err
        self.assertIn('previous terminated container "c" in pod "logs" not found', previous)
        self.assertIn("container x is not valid for pod logs", kubectl.run("logs", "logs", "-c", "x", code=1).err)
        code, _, body = server.request("GET", "/api/v1/namespaces/default/pods/logs/log?tailLines=-1")
        self.assertEqual(code, 422, body)
        run_pod("waiting", "true", wait=None, image="127.0.0.1:1/nothing:1")
        wait_for(lambda: "waiting to start" in kubectl.run("logs", "waiting", code=None).err, "it is waited for")

    def test_following_ends_with_the_container_and_with_the_client(self):
        run_pod("follow", "echo begun; while [ ! -e /tmp/end ]; do sleep 0.1; done; echo ended")
        before = descriptors()
        follower, other = kubectl.start("logs", "-f", "follow"), kubectl.start("logs", "-f", "follow")
        self.assertEqual(follower.stdout.readline(), "begun\n")
        self.assertEqual(other.stdout.readline(), "begun\n")
        other.kill()
        other.communicate()
        kubectl.run("exec", "follow", "--", "sh", "-c", "echo > /tmp/end")
        self.assertEqual(follower.communicate(timeout=support.PATIENCE_SECONDS)[0], "ended\n")
        self.assertEqual(follower.returncode, 0)
        wait_for(lambda: descriptors() <= before, "what was opened is closed")


class Streams:
    """Each over WebSocket and over SPDY."""
    variables = {}

    def k(self, *arguments, **options):
        return kubectl.run(*arguments, **self.variables, **options)

    def start(self, *arguments, **options):
        return subprocess.Popen([KUBECTL, *arguments], env=kubectl.environment(**self.variables), **options)

    def raw(self, *arguments, input=b""):
        done = subprocess.run([KUBECTL, *arguments], env=kubectl.environment(**self.variables), input=input,
                              capture_output=True, timeout=support.PATIENCE_SECONDS)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_exec_tells_output_errors_and_exit_code(self):
        done = self.k("exec", "a", "--", "sh", "-c", "echo out; echo err >&2; exit 3", code=3)
        self.assertEqual(done.out, "out\n")
        self.assertEqual(done.err, "err\ncommand terminated with exit code 3\n")
        self.assertEqual(self.k("exec", "a", "--", "true").out, "")

    def test_exec_says_why_it_cannot(self):
        self.assertIn("`nope` not found in $PATH", self.k("exec", "a", "--", "nope", code=1).err)
        self.assertIn("container x is not valid for pod a", self.k("exec", "a", "-c", "x", "--", "true", code=1).err)
        run_pod("dead", "true", wait=None)
        wait_for(lambda: self.k("get", "pod", "dead", "-o", "jsonpath={.status.phase}").out == "Succeeded", "its end")
        error = self.k("exec", "dead", "--", "true", code=1).err
        self.assertTrue("container not found" in error or "completed pod" in error, error)

    def test_large_input_and_output(self):
        data = os.urandom(8 << 20)
        self.assertEqual(self.raw("exec", "-i", "a", "--", "wc", "-c", input=data), b"%d\n" % len(data))
        echoed = self.raw("exec", "-i", "a", "--", "cat", input=data)
        self.assertEqual(hashlib.sha256(echoed).digest(), hashlib.sha256(data).digest())

    def test_input_that_is_not_wanted_ends_nothing(self):
        self.assertEqual(self.raw("exec", "-i", "a", "--", "echo", "done", input=bytes(4 << 20)), b"done\n")

    def test_a_terminal_has_the_size_of_the_client_and_follows_it(self):
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 77, 0, 0))
        process = self.start("exec", "-it", "a", "--", "sh", stdin=slave, stdout=slave, stderr=slave,
                             preexec_fn=lambda: (os.setsid(), fcntl.ioctl(0, termios.TIOCSCTTY, 0)))
        os.close(slave)
        said = bytearray()

        def read():
            while True:
                try:
                    piece = os.read(master, 4096)
                except OSError:
                    return
                said.extend(piece)
        reader = threading.Thread(target=read)
        reader.start()
        try:
            wait_for(lambda: b"#" in said or b"$" in said, "a prompt")

            def has_size(text):
                os.write(master, b"stty size\n")
                time.sleep(0.1)
                return text in said
            wait_for(lambda: has_size(b"33 77"), "the size: %r" % said)
            fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
            wait_for(lambda: has_size(b"40 100"), "the new size: %r" % said)
            os.write(master, b"exit 5\n")
            self.assertEqual(process.wait(support.PATIENCE_SECONDS), 5)
        finally:
            process.kill()
            process.wait()
            reader.join(support.PATIENCE_SECONDS)
            os.close(master)

    def test_files_are_copied_both_ways(self):
        data = os.urandom(3 << 20)
        here = server.directory / "copied"
        here.write_bytes(data)
        self.k("cp", str(here), "a:/tmp/copied")
        self.assertEqual(self.k("exec", "a", "--", "md5sum", "/tmp/copied").out.split()[0], hashlib.md5(data).hexdigest())
        back = server.directory / "back"
        self.k("cp", "a:/tmp/copied", str(back))
        self.assertEqual(back.read_bytes(), data)

    def test_directories_are_copied_both_ways(self):
        here, back = server.directory / ("tree-" + self.transport), server.directory / ("back-" + self.transport)
        (here / "below/deep").mkdir(parents=True)
        (here / "a").write_text("1\n")
        (here / "below/deep/b").write_bytes(bytes(100_000))
        self.k("exec", "a", "--", "mkdir", "-p", "/tmp/into")
        self.k("cp", str(here), "a:/tmp/into")
        self.assertEqual(self.k("exec", "a", "--", "cat", f"/tmp/into/{here.name}/a").out, "1\n")
        self.k("cp", f"default/a:/tmp/into/{here.name}", str(back))
        self.assertEqual((back / "below/deep/b").read_bytes(), bytes(100_000))
        self.assertIn("doesn't exist in local filesystem", self.k("cp", "/nothing/here", "a:/tmp/x", code=1).err)
        # Not every kubectl says by its exit code that there was nothing.
        nothing = server.directory / ("nothing-" + self.transport)
        self.k("cp", "a:/tmp/nothing", str(nothing), code=None)
        self.assertFalse(nothing.exists())

    def test_any_port_leads_to_a_service(self):
        self.k("exec", "a", "--", "sh", "-c", "echo index > /www/service.html")
        self.k("apply", "-f", "-", input=json.dumps({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": {
            "selector": {"name": "a"}, "ports": [{"name": "http", "port": 80, "targetPort": 8080}]}}))
        self.k("label", "pod", "a", "name=a", "--overwrite")
        process = self.start("port-forward", "--address=127.0.0.1", "svc/web", ":http", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            said = process.stdout.readline().decode()
            self.assertRegex(said, r"^Forwarding from 127\.0\.0\.1:\d+ -> 8080\n$")
            port = int(said.split(" -> ")[0].rsplit(":", 1)[1])
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/service.html", timeout=support.PATIENCE_SECONDS) as answer:
                self.assertEqual(answer.read(), b"index\n")
            self.assertEqual(process.stdout.readline().decode(), f"Handling connection for {port}\n")
        finally:
            process.kill()
            process.communicate()
        self.assertIn("does not have a service port", self.k("port-forward", "svc/web", "81", code=1).err)

    def test_run_talks_to_its_pod_and_removes_it(self):
        name = "run-" + self.transport
        done = self.k("run", name, "--image=" + image, "--restart=Never", "--rm", "-i", "--quiet", "--", "sh", "-c",
                      "read line; echo got $line", input="one\n")
        self.assertIn("got one", done.out)
        wait_for(lambda: self.k("get", "pod", name, code=None).code == 1, "it goes")

    def test_attach(self):
        name = "attach-" + self.transport
        run_pod(name, "while read line; do echo got $line; done; echo over", stdin=True, stdinOnce=True)
        process = self.start("attach", "-i", name, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        out = process.communicate(b"one\ntwo\n", timeout=support.PATIENCE_SECONDS)[0]
        self.assertIn(b"got one\ngot two\nover\n", out)

    def test_a_killed_client_leaves_nothing_behind(self):
        self.k("exec", "a", "--", "true")
        before = descriptors()
        processes = [self.start("exec", "-i", "a", "--", "cat", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
                     for _ in range(5)]
        for process in processes:
            process.stdin.write(b"hello\n")
            process.stdin.flush()
            self.assertEqual(process.stdout.readline(), b"hello\n")
        self.assertGreater(descriptors(), before)
        for process in processes:
            process.kill()
            process.wait()
            process.stdin.close()
            process.stdout.close()
        wait_for(lambda: descriptors() <= before, "what was opened is closed")

    def test_ports_are_forwarded(self):
        self.k("exec", "a", "--", "sh", "-c", "echo index > /www/index.html; head -c 5000000 /dev/zero > /www/large")
        port = support.free_port()
        before = descriptors()
        process = self.start("port-forward", "pod/a", f"{port}:8080", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            self.assertIn(b"Forwarding from", process.stdout.readline())

            def get(path):
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=support.PATIENCE_SECONDS) as answer:
                    return answer.read()
            self.assertEqual(get("index.html"), b"index\n")
            self.assertEqual(get("large"), bytes(5_000_000))
            results = []
            threads = [threading.Thread(target=lambda: results.append(get("index.html"))) for _ in range(20)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(support.PATIENCE_SECONDS)
            self.assertEqual(results, [b"index\n"] * 20)
        finally:
            process.kill()
            process.communicate()
        wait_for(lambda: descriptors() <= before, "what was opened is closed")


class OverWebSocket(Streams, unittest.TestCase):
    transport = "websocket"
    variables = {"KUBECTL_REMOTE_COMMAND_WEBSOCKETS": "true", "KUBECTL_PORT_FORWARD_WEBSOCKETS": "true"}


class OverSpdy(Streams, unittest.TestCase):
    transport = "spdy"
    variables = {"KUBECTL_REMOTE_COMMAND_WEBSOCKETS": "false", "KUBECTL_PORT_FORWARD_WEBSOCKETS": "false"}


class PythonClient(unittest.TestCase):
    """Client libraries forward ports by the channels of a WebSocket."""

    @classmethod
    def setUpClass(cls):
        # Where Debian's packages are unpacked when they are not installed; beside the programs under test.
        sys.path.append(str(pathlib.Path(KEELSOND).parent.parent / "clients/debian/usr/lib/python3/dist-packages"))
        try:
            import kubernetes
            import kubernetes.stream
        except ImportError as missing:
            raise unittest.SkipTest(f"the Python client cannot be loaded: {missing}")
        cls.stream = kubernetes.stream
        cls.core = kubernetes.client.CoreV1Api(kubernetes.config.new_client_from_config(server.kubeconfig))

    def test_a_command_is_run(self):
        answer = self.stream.stream(self.core.connect_get_namespaced_pod_exec, "a", "default",
                                    command=["sh", "-c", "echo out; echo err >&2"], stderr=True, stdout=True,
                                    stdin=False, tty=False)
        self.assertEqual(sorted(answer.split()), ["err", "out"])

    def test_ports_are_forwarded(self):
        kubectl.run("exec", "a", "--", "sh", "-c", "echo python > /www/python.html; head -c 3000000 /dev/zero > /www/python")
        before = descriptors()
        for path, size in (("python.html", 7), ("python", 3_000_000)):
            with self.subTest(path):
                forward = self.stream.portforward(self.core.connect_get_namespaced_pod_portforward, "a", "default",
                                                  ports="8080,8081")
                connection = forward.socket(8080)
                connection.settimeout(support.PATIENCE_SECONDS)
                connection.sendall(f"GET /{path} HTTP/1.0\r\n\r\n".encode())
                answer = b""
                while piece := connection.recv(65536):
                    answer += piece
                connection.close()
                head, _, body = answer.partition(b"\r\n\r\n")
                self.assertIn(b"200 OK", head)
                self.assertEqual(len(body), size)
                self.assertIsNone(forward.error(8080))
                self.assertIn("error forwarding port 8081 to pod a", forward.error(8081))
        wait_for(lambda: descriptors() <= before, "what was opened is closed")


if __name__ == "__main__":
    KEELSOND, KUBECTL = sys.argv[1], sys.argv[2]
    support.skip(reason_to_skip())
    support.enter_private_network()
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=2)
