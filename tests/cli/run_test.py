#!/usr/bin/env python3
"""run -i of keelctl when the container has ended before it could be attached to, against a server that plays that.

usage: run_test.py KEELCTL"""
import http.server
import json
import os
import subprocess
import sys
import tempfile
import threading
import unittest

KEELCTL = os.path.abspath(sys.argv[1])
PODS = "/api/v1/namespaces/default/pods"


def pod(phase):
    ended = {"containerStatuses": [{"name": "quick", "state": {"terminated": {"exitCode": 3, "reason": "Error"}}}]}
    return {"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "quick", "namespace": "default", "uid": "u", "resourceVersion": "7"},
            "spec": {"containers": [{"name": "quick", "image": "i", "stdin": True}]},
            "status": {"phase": phase, **(ended if phase == "Failed" else {})}}


class Handler(http.server.BaseHTTPRequestHandler):
    """The pod runs until somebody has asked to attach to it, and has failed by then."""
    has_ended, calls = False, []

    def answer(self, code, document):
        body = document if isinstance(document, bytes) else json.dumps(document).encode() + b"\n"
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        path, _, query = self.path.partition("?")
        Handler.calls.append(f"GET {path.removeprefix(PODS)}")
        if path == f"{PODS}/quick/attach":
            Handler.has_ended = True
            self.answer(500, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 500,
                              "message": "container quick has ended"})
        elif path == f"{PODS}/quick/log":
            self.answer(200, b"said before its end\n")
        elif path == PODS and "watch=" in query:
            self.answer(200, {"type": "MODIFIED", "object": pod("Failed" if Handler.has_ended else "Running")})
        elif path == PODS:
            self.answer(200, {"kind": "PodList", "apiVersion": "v1", "metadata": {"resourceVersion": "7"},
                              "items": [pod("Failed" if Handler.has_ended else "Running")]})
        else:
            self.answer(200, pod("Failed" if Handler.has_ended else "Running"))

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        Handler.calls.append("POST")
        self.answer(201, pod("Pending"))

    def do_DELETE(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        Handler.calls.append("DELETE")
        self.answer(200, pod("Failed"))

    def log_message(self, *_):
        pass


class Run(unittest.TestCase):
    def test_the_log_of_a_container_that_cannot_be_attached_to_is_shown_and_the_exit_code_kept(self):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        with tempfile.TemporaryDirectory() as home:
            done = subprocess.run([KEELCTL, f"--server=http://127.0.0.1:{server.server_port}", "run", "quick", "--image=i", "-i", "--rm",
                                   "--restart=Never"], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL,
                                  env={"HOME": home, "PATH": os.environ["PATH"], "KUBECONFIG": "/dev/null"})
        self.assertEqual(done.stdout, 'said before its end\npod "quick" deleted\n', done.stderr)
        self.assertIn("warning: couldn't attach to pod/quick, falling back to streaming logs: ", done.stderr)
        self.assertIn("pod default/quick terminated (Error)", done.stderr)
        self.assertEqual(done.returncode, 3)
        self.assertEqual(Handler.calls[-1], "DELETE")


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v"])
