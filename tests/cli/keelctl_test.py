#!/usr/bin/env python3
"""The real keelctl against a real keelsond.

usage: keelctl_test.py KEELCTL KEELSOND OUT_OF_TREE, where the latter is what tests/sdk/out_of_tree.py has built."""
import hashlib
import json
import os
import pathlib
import shutil
import socket
import ssl
import stat
import subprocess
import sys
import tempfile
import threading
import unittest
import urllib.error
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "clients"))
import support  # noqa: E402

KEELCTL, KEELSOND, BUILT = os.path.abspath(sys.argv[1]), sys.argv[2], pathlib.Path(sys.argv[3])
TOKEN = "keelctl-token-0123456789"
CONFIG = json.dumps({"users": [{"token": TOKEN, "username": "vera"}]})


def run(*arguments, code=0, environment=None, **more):
    """Fails unless the exit code is as expected; None takes any. The environment says nothing of a server."""
    keep = {name: os.environ[name] for name in ("PATH", "LANG", "ASAN_OPTIONS") if name in os.environ}
    done = subprocess.run([KEELCTL, *map(str, arguments)], capture_output=True, text=True, timeout=120,
                          env={**keep, **(environment or {})}, stdin=subprocess.DEVNULL, **more)
    if code is not None and done.returncode != code:
        raise AssertionError(f"keelctl {arguments}: exit code {done.returncode}, expected {code}\n"
                             f"{done.stdout}{done.stderr}")
    return done


def admin_call(server, method, path, body):
    """Over the API port: something that changes the store."""
    status, _, text = server.request(method, path, body)
    assert status < 300, text
    return json.loads(text)


class WithServer(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = support.Server(KEELSOND)
        cls.more = cls.server.directory / "more"
        cls.more.mkdir(mode=0o755)
        cls.server.config = f"plugins:\n  directory: {cls.more / 'none'}\n  allowedDirectories: [{cls.more}]\n"
        (cls.more / "none").mkdir(mode=0o755)
        cls.addClassCleanup(cls.server.__exit__)
        cls.server.start()

    def keelctl(self, *arguments, **more):
        return run(*arguments, "--data-dir", self.server.data, **more)

    def over_port(self, *arguments, **more):
        return run("--admin", f"https://127.0.0.1:{self.server.admin_port}", "--data-dir", self.server.data,
                   *arguments, **more)

    def refused(self, *arguments, code=1):
        done = self.keelctl(*arguments, code=code)
        self.assertTrue(done.stderr.startswith("error: "), done.stderr)
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        self.assertNotIn("\033", done.stdout + done.stderr)
        return done.stderr

    def config_map(self, name, method="POST", **data):
        path = "/api/v1/namespaces/default/configmaps" + ("" if method == "POST" else "/" + name)
        return admin_call(self.server, method, path,
                          {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data})


class Plugins(WithServer):
    def setUp(self):
        if not (BUILT / "static-user").is_dir():
            self.skipTest(f"there is no plugin in {BUILT}")
        for suffix in (".so", ".yaml"):
            shutil.copy(BUILT / "static-user/lib/keelson/plugins" / ("static-user" + suffix), self.more)
            (self.more / ("static-user" + suffix)).chmod(0o644)
        self.manifest = self.more / "static-user.yaml"
        self.addCleanup(self.keelctl, "plugin", "remove", "static-user", "--force", code=None)

    def state(self):
        return json.loads(self.keelctl("plugin", "describe", "static-user", "-o", "json").stdout)["state"]

    def test_life_of_a_plugin(self):
        self.assertEqual(self.keelctl("plugin", "list").stdout.splitlines()[0].split(),
                         ["NAME", "KIND", "VERSION", "STATE", "ISOLATION", "PID", "RESTARTS", "REASON"])
        self.assertIn("unknown key 'user'", self.refused("plugin", "add", self.manifest, "--config", '{"user": []}'))
        self.assertIn("is expected", self.refused("plugin", "add", self.manifest, "--config", CONFIG, "--sha256",
                                                  "0" * 64))
        self.assertIn("manifest", self.refused("plugin", "add", "/etc/hostname"))
        self.assertIn("ready", self.keelctl("plugin", "add", self.manifest, "--config", CONFIG).stdout)

        lines = self.keelctl("plugin", "list").stdout.splitlines()
        line = next(line for line in lines if line.startswith("static-user "))
        name, kind, _, state, isolation, process, restarts = line.split()
        self.assertEqual((name, kind, state, isolation, restarts), ("static-user", "auth", "ready", "process", "0"))
        self.assertTrue(int(process) > 0)
        listed = json.loads(self.keelctl("plugin", "list", "-o", "json").stdout)
        self.assertIn("static-user", [plugin["name"] for plugin in listed["items"]])
        self.assertIn("static-user", self.keelctl("plugin", "describe", "static-user").stdout)

        config = self.server.directory / "config.json"
        config.write_text(CONFIG.replace("vera", "viktor"))
        self.assertIn("configured", self.keelctl("plugin", "configure", "static-user", f"@{config}").stdout)
        self.refused("plugin", "configure", "static-user", '{"user": 1}')
        self.assertIn("not JSON", self.refused("plugin", "configure", "static-user", "{", code=2))
        self.assertIn("No such file", self.refused("plugin", "configure", "static-user", "@/nowhere", code=2))
        self.keelctl("plugin", "disable", "static-user")
        self.assertEqual(self.state(), "disabled")
        self.keelctl("plugin", "enable", "static-user")
        self.assertEqual(self.state(), "ready")
        self.assertIn("reloaded", self.keelctl("plugin", "reload", "static-user").stdout)
        # Also by a name relative to where keelctl runs.
        self.assertIn("replaced", self.keelctl("plugin", "replace", "static-user", "static-user.yaml",
                                               cwd=self.more).stdout)
        self.trace()
        self.assertIn("removed", self.keelctl("plugin", "remove", "static-user").stdout)
        self.assertIn("there is no plugin 'static-user'", self.refused("plugin", "describe", "static-user"))
        self.assertIn("keelctl plugin add", self.refused("plugin", "trace", "static-user"))
        self.keelctl("plugin", "add", self.manifest, "--config", CONFIG, "--isolation", "process")

    def trace(self):
        """Calls come through a pipe while the trace goes on; it ends when its reader does."""
        tracing = subprocess.Popen([KEELCTL, "plugin", "trace", "static-user", "--data-dir", str(self.server.data)],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        stop = threading.Event()

        def ask():
            number = 0
            while not stop.wait(0.05):
                number += 1  # another token each time, or a cache answers
                self.who(f"{TOKEN}-{number}")

        asking = threading.Thread(target=ask)
        asking.start()
        try:
            self.assertIn("method", json.loads(tracing.stdout.readline()))
            tracing.stdout.close()
            self.assertEqual(tracing.wait(30), 0)
            self.assertEqual(tracing.stderr.read(), "")
        finally:
            stop.set()
            asking.join()
            tracing.kill()
            tracing.wait()
            tracing.stderr.close()
        # Silent ones end by themselves.
        self.keelctl("plugin", "trace", "static-user", "--seconds", "1")
        self.over_port("plugin", "trace", "static-user", "--seconds", "1")

    def who(self, token):
        request = urllib.request.Request(self.server.url + "/api/v1/pods")
        request.add_header("Authorization", "Bearer " + token)
        try:
            urllib.request.urlopen(request, context=ssl._create_unverified_context(), timeout=30).close()
        except urllib.error.HTTPError as error:
            error.close()


class Store(WithServer):
    def setUp(self):
        self.file = self.server.directory / (self.id() + ".snapshot")

    def test_snapshot_is_saved_whole(self):
        self.assertIn("saved revision", self.keelctl("snapshot", "save", self.file).stdout)
        self.assertEqual(stat.S_IMODE(self.file.stat().st_mode), 0o600)
        self.assertIn("--force", self.refused("snapshot", "save", self.file))
        said = json.loads(self.over_port("snapshot", "save", self.file, "--force", "-o", "json").stdout)
        self.assertEqual(said["sha256"], hashlib.sha256(self.file.read_bytes()).hexdigest())
        self.assertEqual(said["bytes"], self.file.stat().st_size)
        self.assertIn("No such file", self.refused("snapshot", "save", "/nowhere/x"))
        self.assertIn("not a plain file", self.refused("snapshot", "save", "/dev/null", "--force"))
        self.assertEqual(list(self.server.directory.glob(self.file.name + ".*")), [])

    def test_restore_is_staged_and_takes_place(self):
        self.config_map("before")
        self.keelctl("snapshot", "save", self.file)
        self.config_map("after")
        for keelctl in (self.keelctl, self.over_port):
            staged = keelctl("snapshot", "restore", self.file).stdout
            self.assertIn("staged", staged)
            self.assertIn("restart", staged)
        self.assertTrue(json.loads(self.keelctl("snapshot", "restore", self.file, "-o", "json").stdout)["staged"])
        self.assertIn("stagedRestore:", self.keelctl("store", "status").stdout)
        self.server.stop()
        self.server.start()
        self.assertNotIn("stagedRestore:", self.keelctl("store", "status").stdout)
        path = "/api/v1/namespaces/default/configmaps/"
        self.assertEqual(self.server.request("GET", path + "before")[0], 200)
        self.assertEqual(self.server.request("GET", path + "after")[0], 404)

    def test_what_is_no_snapshot_is_refused(self):
        self.file.write_bytes(b"nothing of a store" * 1000)
        for keelctl in (self.keelctl, self.over_port):
            self.assertIn("no snapshot that can be restored", keelctl("snapshot", "restore", self.file,
                                                                      code=1).stderr)
        self.file.write_bytes(b"")
        self.refused("snapshot", "restore", self.file)
        self.assertIn("No such file", self.refused("snapshot", "restore", "/nowhere"))
        self.assertIn("not a plain file", self.refused("snapshot", "restore", "/"))

    def test_rollback_shows_first(self):
        self.config_map("rolled", key="old")
        revision = json.loads(self.keelctl("store", "status", "-o", "json").stdout)["revision"]
        self.config_map("rolled", "PUT", key="new")
        path = "/api/v1/namespaces/default/configmaps/rolled"

        def value():
            return json.loads(self.server.request("GET", path)[2])["data"]["key"]

        shown = self.keelctl("store", "rollback", "--to", revision, code=1)
        self.assertIn("1 updated", shown.stdout)
        self.assertIn("configmaps", shown.stdout)
        self.assertIn("--yes", shown.stderr)
        self.assertEqual(value(), "new")
        self.assertIn("done", self.keelctl("store", "rollback", "--to", revision, "--yes").stdout)
        self.assertEqual(value(), "old")
        self.assertIn("does not exist", self.refused("store", "rollback", "--to", "999999999999999"))

    def test_log_level(self):
        self.assertEqual(self.keelctl("log-level", "debug").stdout, "debug\n")
        self.assertEqual(self.over_port("log-level").stdout, "debug\n")
        self.assertEqual(json.loads(self.over_port("log-level", "info", "-o", "json").stdout), {"level": "info"})
        self.refused("log-level", "loud")

    def test_who_may_ask(self):
        wrong = self.server.directory / "token"
        wrong.write_text("nobody\n")
        for arguments in (("log-level",), ("snapshot", "restore", KEELCTL)):
            self.assertNotIn("reached", self.over_port(*arguments, "--token-file", wrong, code=1).stderr)
        self.assertIn("cannot be trusted", self.over_port("log-level", "--ca-file", self.other_authority(),
                                                          code=1).stderr)

    def other_authority(self):
        other = self.server.directory / "other.crt"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=other", "-keyout",
                        "/dev/null", "-out", other], check=True, capture_output=True)
        return other

    def test_data_directory_of_the_environment(self):
        run("store", "status", environment={"KEELSON_DATA_DIR": str(self.server.data)})

    def test_full_and_closed_output(self):
        with open("/dev/full", "w") as full:
            done = subprocess.run([KEELCTL, "store", "status", "--data-dir", str(self.server.data)], stdout=full,
                                  stderr=subprocess.PIPE, text=True, timeout=60)
        self.assertEqual(done.returncode, 1)
        self.assertIn("No space left", done.stderr)


class Documents(WithServer):
    """With -o json or yaml a command prints one document and nothing else; what goes wrong is on standard error."""

    def document(self, *arguments, code=0):
        """The same in both formats."""
        done = self.keelctl(*arguments, "-o", "json", code=code)
        document = json.loads(done.stdout)
        as_yaml = self.keelctl(*arguments, "-o", "yaml", code=code).stdout
        for name in document if isinstance(document, dict) else ():
            self.assertRegex(as_yaml, rf"(?m)^{name}:")
        self.assertFalse(as_yaml.startswith("{"), as_yaml)
        # Differences are no failure that needs words.
        self.assertEqual(done.stderr == "", code == 0 or arguments[0] == "diff", done.stderr)
        return document

    def past(self, name):
        """The revision before the last change of a config map, from a to b."""
        first = self.config_map(name, key="a")["metadata"]["resourceVersion"]
        self.config_map(name, "PUT", key="b")
        return first

    def test_admin_commands(self):
        self.assertIsInstance(self.document("plugin", "list")["items"], list)
        self.assertIn("revision", self.document("store", "status"))
        self.assertEqual(self.document("log-level"), {"level": "info"})
        for arguments in (("image", "list"), ("plugin", "describe", "nobody"), ("snapshot", "restore", "/nowhere")):
            done = self.keelctl(*arguments, "-o", "json", code=1)
            self.assertEqual(done.stdout, "")
            self.assertTrue(done.stderr.startswith("error: "), done.stderr)

    def test_plugin_that_is_made_and_removed(self):
        made = json.loads(self.keelctl("plugin", "new", "my-plugin", "--kind", "network", "--directory", self.more,
                                       "-o", "json").stdout)
        self.assertEqual(made["directory"], str(self.more / "my-plugin"))
        self.assertEqual(sorted(made["files"]), sorted(path.name for path in (self.more / "my-plugin").iterdir()))
        self.assertIn("ingress", self.keelctl("plugin", "new", "x", "--kind", "nothing", code=2).stderr)
        if not (BUILT / "static-user").is_dir():
            self.skipTest(f"there is no plugin in {BUILT}")
        for suffix in (".so", ".yaml"):
            shutil.copy(BUILT / "static-user/lib/keelson/plugins" / ("static-user" + suffix), self.more)
            (self.more / ("static-user" + suffix)).chmod(0o644)
        added = self.keelctl("plugin", "add", self.more / "static-user.yaml", "--config", CONFIG, "-o", "json").stdout
        self.assertEqual(json.loads(added)["name"], "static-user")
        self.assertEqual(self.keelctl("plugin", "trace", "static-user", "-o", "yaml", code=2).stdout, "")
        removed = self.keelctl("plugin", "remove", "static-user", "-o", "json").stdout
        self.assertEqual(json.loads(removed), {"name": "static-user", "removed": True})

    def test_rollback_of_the_store(self):
        revision = self.past("stored")
        preview = self.document("store", "rollback", "--to", revision, code=1)
        self.assertEqual(preview["updated"], 1)
        self.assertIn("--yes", self.keelctl("store", "rollback", "--to", revision, "-o", "json", code=1).stderr)

    def test_cluster_and_nodes(self):
        status = self.document("cluster", "status")
        for part in ("server", "nodes", "pods", "plugins", "store", "warnings"):
            self.assertIn(part, status)
        token = self.document("node", "join-token")
        self.assertEqual(token["command"].split()[-4:], ["--token", token["token"], "--ca-hash", token["caHash"]])
        self.assertIn("serverVersion", self.document("version"))
        for arguments in (("cluster", "status"), ("node", "join-token"), ("version",), ("history", "cm/x"),
                          ("rollback", "cm/x", "--to", "1"), ("diff", "cm/x", "--revision", "1")):
            refused = self.keelctl(*arguments, "-o", "table", code=None)
            self.assertNotEqual(refused.returncode, 0)
            self.assertEqual((refused.stdout, refused.stderr), ("", "error: --output must be 'yaml' or 'json'\n"))

    def test_past_of_an_object(self):
        revision = self.past("one")
        states = self.document("history", "cm/one")
        self.assertEqual([(state["type"], state["object"]["data"]["key"]) for state in states],
                         [("ADDED", "a"), ("MODIFIED", "b")])
        since = {"op": "replace", "path": "/data/key", "value": "b"}
        (item,) = self.document("diff", "cm/one", "--revision", revision, code=1)["items"]
        self.assertEqual((item["kind"], item["namespace"], item["name"]), ("ConfigMap", "default", "one"))
        self.assertIn(since, item["changes"])
        back = self.document("rollback", "cm/one", "--to", revision, code=1)
        self.assertEqual((back["changes"], back["done"]), ([{**since, "value": "a"}], False))
        done = json.loads(self.keelctl("rollback", "cm/one", "--to", revision, "--yes", "-o", "json").stdout)
        self.assertEqual((done["changes"], done["done"]), (back["changes"], True))
        self.assertEqual(self.document("rollback", "cm/one", "--to", revision)["changes"], [])

    def test_differences_of_files(self):
        file = self.server.directory / "files.json"
        file.write_text(json.dumps({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "hidden"},
                                    "stringData": {"word": "geheim"}}))
        done = self.keelctl("diff", "-f", file, "-o", "json", code=1)
        (item,) = json.loads(done.stdout)["items"]
        self.assertEqual((item["kind"], item["changes"][0]["op"], done.stderr), ("Secret", "replace", ""))
        self.assertNotIn("Z2VoZWlt", done.stdout)
        self.keelctl("apply", "-f", file)
        self.assertEqual(self.document("diff", "-f", file)["items"][0]["changes"], [])


class DamagedAnswer(unittest.TestCase):
    """A server on a Unix socket that says one thing and sends another."""

    def serve(self, answer):
        self.data = pathlib.Path(tempfile.mkdtemp(prefix="keelctl-"))
        self.addCleanup(shutil.rmtree, self.data)
        (self.data / "run").mkdir()
        listening = socket.socket(socket.AF_UNIX)
        self.addCleanup(listening.close)
        listening.bind(str(self.data / "run/admin.sock"))
        listening.listen()

        def serve():
            connection = listening.accept()[0]
            with connection:
                connection.recv(65536)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        self.addCleanup(thread.join)

    def test_wrong_sum_is_not_saved(self):
        self.serve(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Keelson-Sha256: " + b"0" * 64 + b"\r\n\r\nbytes")
        file = self.data / "s"
        self.assertIn("damaged", run("snapshot", "save", file, "--data-dir", self.data, code=1).stderr)
        self.assertEqual([path.name for path in self.data.iterdir()], ["run"])

    def test_cut_snapshot_is_not_saved(self):
        whole = hashlib.sha256(b"bytes").hexdigest().encode()
        self.serve(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Keelson-Sha256: " + whole + b"\r\n\r\nbyt")
        run("snapshot", "save", self.data / "s", "--data-dir", self.data, code=1)
        self.assertEqual([path.name for path in self.data.iterdir()], ["run"])

    def test_answer_that_is_no_json(self):
        self.serve(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 4\r\n\r\n<h1>")
        self.assertEqual(run("plugin", "list", "--data-dir", self.data, code=1).stderr,
                         "error: the server answered 502 Bad Gateway\n")

    def test_terminal_is_safe(self):
        body = json.dumps({"items": [{"name": "a\033[2Jb", "reason": "x\ny"}]}).encode()
        self.serve(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        out = run("plugin", "list", "--data-dir", self.data).stdout
        self.assertNotIn("\033", out)
        self.assertEqual(out.count("\n"), 2)


class WithoutServer(unittest.TestCase):
    def test_unreachable(self):
        nowhere = run("plugin", "list", "--data-dir", "/nowhere", code=1).stderr
        for part in ("/nowhere/run/admin.sock", "https://127.0.0.1:6444", "/nowhere/admin.token", "--data-dir"):
            self.assertIn(part, nowhere)
        directory = pathlib.Path(tempfile.mkdtemp(prefix="keelctl-"))
        self.addCleanup(shutil.rmtree, directory)
        (directory / "run").mkdir()
        with socket.socket(socket.AF_UNIX) as left:  # as a killed server leaves it
            left.bind(str(directory / "run/admin.sock"))
        stale = run("plugin", "list", "--data-dir", directory, code=1).stderr
        self.assertIn(str(directory / "run/admin.sock"), stale)
        self.assertIn("refused", stale)

    def test_bad_use(self):
        for arguments, known in ((("plugin", "lsit"), "describe"), (("plugin", "lsit"), "'lsit'"),
                                 (("plugin",), "replace"),
                                 (("snapshot", "save"), "--force"), (("store", "rollback"), "--yes"),
                                 (("plugin", "list", "-o", "xml"), "yaml"), (("store", "status", "more"), "--data-dir"),
                                 (("plugin", "add", "x", "--isolation", "none"), "in-process"),
                                 (("log-level", "--admin", "http://h"), "https://")):
            with self.subTest(arguments=arguments):
                done = run(*arguments, code=2)
                self.assertTrue(done.stderr.startswith("error: "), done.stderr)
                self.assertIn(known, done.stderr)
                self.assertEqual(done.stdout, "")

    def test_shells_read_what_completes_their_words(self):
        for shell in ("bash", "zsh", "fish"):
            script = run("completion", shell).stdout
            if shutil.which(shell) is None:
                continue
            checked = subprocess.run([shell, "-n"], input=script, capture_output=True, text=True, timeout=60)
            self.assertEqual((checked.returncode, checked.stderr), (0, ""), script)
        self.assertIn("${#COMPREPLY[@]} -eq 1", run("completion", "bash").stdout)

    def test_help_and_version(self):
        self.assertRegex(run("version", "--client").stdout, r"^Client Version: v\d+\.\d+\.\d+\n$")
        self.assertIn("gitVersion", json.loads(run("version", "--client", "-o", "json").stdout)["clientVersion"])
        self.assertIn("rollback", run("store", "--help").stdout)
        for arguments in ((), ("help",), ("--help",)):
            for command in ("snapshot", "apply", "cluster"):
                self.assertIn(f"\n  {command} ", run(*arguments).stdout)
        self.assertIn("--selector=", run("help", "get").stdout)
        self.assertIn("--kubeconfig=", run("options").stdout)
        self.assertIn("\tget\n", run("gte", code=1).stderr)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v"])
