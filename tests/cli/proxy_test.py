#!/usr/bin/env python3
"""keelctl proxy and debug against a real keelsond, where the installed kubectl cannot say what is right.

usage: proxy_test.py KEELCTL KEELSOND"""
import http.client
import json
import os
import pathlib
import socket
import stat
import subprocess
import sys
import threading
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "clients"))
import support  # noqa: E402

KEELCTL, KEELSOND = os.path.abspath(sys.argv[1]), sys.argv[2]
LONGEST_WAIT = 30


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=LONGEST_WAIT)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(LONGEST_WAIT)
        self.sock.connect(self.path)


class WithServer(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = support.Server(KEELSOND)
        cls.addClassCleanup(cls.server.__exit__)
        cls.server.start()
        cls.environment = {"PATH": os.environ["PATH"], "HOME": str(cls.server.directory), "KUBECONFIG": str(cls.server.kubeconfig),
                           **{name: os.environ[name] for name in ("ASAN_OPTIONS",) if name in os.environ}}

    def keelctl(self, *arguments, code=0, input=""):
        done = subprocess.run([KEELCTL, *arguments], capture_output=True, text=True, timeout=60, env=self.environment, input=input)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done

    def made(self, path, body):
        status, _, text = self.server.request("POST", path, body)
        self.assertLess(status, 300, text)
        return json.loads(text)


class Proxy(WithServer):
    def proxy(self, *arguments):
        """Serves until the test's end; says where."""
        process = subprocess.Popen([KEELCTL, "proxy", *arguments], env=self.environment, stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)
        line = process.stdout.readline()
        self.assertTrue(line.startswith("Starting to serve on "), line)
        return line.split()[-1]

    def connection(self, *arguments):
        connection = http.client.HTTPConnection(self.proxy("--port=0", *arguments), timeout=LONGEST_WAIT)
        self.addCleanup(connection.close)
        return connection

    def ask(self, connection, path, method="GET", body=None, **headers):
        connection.request(method, path, body=body, headers={name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        return answer.status, answer.read().decode(), answer

    def test_requests_are_asked_as_the_user_of_the_kubeconfig(self):
        connection = self.connection()
        status, text, _ = self.ask(connection, "/api/v1/namespaces/default?pretty=false")
        self.assertEqual((status, json.loads(text)["metadata"]["name"]), (200, "default"))
        body = json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "by-proxy"}, "data": {"a": "b" * 100_000}})
        status, text, _ = self.ask(connection, "/api/v1/namespaces/default/configmaps", "POST", body, Content_Type="application/json")
        self.assertEqual(status, 201, text)
        status, text, _ = self.ask(connection, "/api/v1/namespaces/default/configmaps/none")
        self.assertEqual((status, json.loads(text)["reason"]), (404, "NotFound"))

    def test_what_other_web_pages_could_ask_is_refused(self):
        connection = self.connection("--reject-methods=^DELETE$")
        for path, method, host in (("/api/v1/pods", "GET", "evil.example.com"), ("/api/v1/namespaces/default/pods/a/exec", "GET", "localhost"),
                                   ("/api/v1/namespaces/default/pods/a/%65xec", "GET", "localhost"), ("/api/v1/pods", "DELETE", "localhost")):
            self.assertEqual(self.ask(connection, path, method, Host=host)[:2], (403, "Forbidden\n"), path)
        self.assertEqual(self.ask(connection, "/api/v1/./namespaces//default/pods/a/exec", Host="localhost")[2].getheader("Location"),
                         "/api/v1/namespaces/default/pods/a/exec")
        for host in ("localhost:8001", "127.0.0.1", "[::1]:8001"):
            self.assertEqual(self.ask(connection, "/version", Host=host)[0], 200, host)

    def test_filter_can_be_left_out_and_narrowed(self):
        self.assertEqual(self.ask(self.connection("--disable-filter"), "/version", Host="any.example.com")[0], 200)
        narrow = self.connection("--accept-paths=^/version$")
        self.assertEqual(self.ask(narrow, "/version")[0], 200)
        self.assertEqual(self.ask(narrow, "/api/v1/pods")[0], 403)

    def test_watch_tells_of_changes_as_they_come(self):
        connection = self.connection()
        connection.request("GET", "/api/v1/namespaces/default/configmaps?watch=true&fieldSelector=metadata.name%3Dwatched")
        answer = connection.getresponse()
        self.assertEqual(answer.status, 200)
        self.made("/api/v1/namespaces/default/configmaps", {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "watched"}})
        event = json.loads(answer.readline())
        self.assertEqual((event["type"], event["object"]["metadata"]["name"]), ("ADDED", "watched"))

    def test_upgraded_connection_is_passed_through(self):
        api = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(api.close)

        def serve():
            with api.accept()[0] as connection:
                head = b""
                while b"\r\n\r\n" not in head:
                    head += connection.recv(65536)
                self.head = head.decode()
                connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nearly ")
                while piece := connection.recv(65536):
                    connection.sendall(piece)

        server = threading.Thread(target=serve)
        server.start()
        host, port = self.proxy("--port=0", f"--server=http://127.0.0.1:{api.getsockname()[1]}").rsplit(":", 1)
        with socket.create_connection((host, int(port)), timeout=LONGEST_WAIT) as connection:
            connection.sendall(b"GET /any HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
            answer = connection.makefile("rb")
            self.assertIn(b" 101 ", answer.readline())
            while answer.readline().strip():
                pass
            self.assertEqual(answer.read(6), b"early ")
            much = bytes(range(256)) * 4096
            sender = threading.Thread(target=connection.sendall, args=(much,))
            sender.start()
            self.assertEqual(answer.read(len(much)), much)
            sender.join()
        server.join(LONGEST_WAIT)
        self.assertIn("Upgrade: echo", self.head)

    def test_api_and_files_have_their_prefixes(self):
        site = self.server.directory / "site"
        (site / "dir").mkdir(parents=True)
        (site / "a.txt").write_text("text")
        (self.server.directory / "secret").write_text("secret")
        connection = self.connection("--api-prefix=/k8s", f"--www={site}", "--www-prefix=/web")
        self.assertEqual(self.ask(connection, "/k8s/version")[0], 200)
        self.assertEqual(self.ask(connection, "/version")[0], 404)
        status, text, answer = self.ask(connection, "/web/a.txt")
        self.assertEqual((status, text, answer.getheader("Content-Type")), (200, "text", "text/plain; charset=utf-8"))
        self.assertIn('href="./a.txt"', self.ask(connection, "/web/")[1])
        for path in ("/web/none", "/web/../secret", "/web/%2e%2e/secret"):
            self.assertNotEqual(self.ask(connection, path)[0], 200, path)

    def test_unix_socket_is_for_its_owner(self):
        path = str(self.server.directory / "proxy.sock")
        self.assertEqual(self.proxy(f"--unix-socket={path}"), path)
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode) & 0o077, 0)
        connection = UnixConnection(path)
        self.addCleanup(connection.close)
        self.assertEqual(self.ask(connection, "/version")[0], 200)

    def test_wrong_use_is_told(self):
        for arguments, words in ((("--port=99999",), "listen tcp: address 99999: invalid port"), (("--port=1", "--unix-socket=/x"), "cannot set --unix-socket and --port at the same time"),
                                 (("--accept-paths=(",), "is no regular expression"), (("--unix-socket=/nothing/here",), "listen unix /nothing/here: bind: no such file or directory")):
            self.assertIn(words, self.keelctl("proxy", *arguments, code=1).stderr)


class Debug(WithServer):
    def test_pod_on_a_node_says_who_made_it(self):
        self.made("/api/v1/namespaces/default/serviceaccounts", {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}})
        self.made("/api/v1/nodes", {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"}})
        said = self.keelctl("debug", "node/n1", "--image=busybox", "-c", "look").stdout
        name = said.split("Creating debugging pod ")[1].split()[0]
        pod = json.loads(self.server.request("GET", f"/api/v1/namespaces/default/pods/{name}")[2])
        self.assertEqual(pod["metadata"]["labels"], {"app.kubernetes.io/managed-by": "kubectl-debug"})
        # As the profile "general" has it, which is that of those who name none.
        self.assertTrue(pod["spec"]["hostPID"])
        self.assertEqual(pod["spec"]["containers"][0]["volumeMounts"][0]["mountPath"], "/host")


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v"])
