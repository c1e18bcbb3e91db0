#!/usr/bin/env python3
"""top of keelctl prints what kubectl's does, against a server that knows nothing but usages.

usage: top_test.py KEELCTL KUBECTL"""
import http.server
import json
import os
import pathlib
import shlex
import subprocess
import sys
import tempfile
import threading
import unittest

KEELCTL, KUBECTL = os.path.abspath(sys.argv[1]), sys.argv[2]
METRICS = "metrics.k8s.io/v1beta1"
LINES = ("top nodes|top node n1|top nodes --no-headers --sort-by=cpu|top nodes --sort-by=memory|top nodes --sort-by=age|top node nothing|"
         "top nodes a b|top nodes --show-capacity|top pods|top pod a|top pods -A|top pods --containers|top pod a --containers|top pods --sort-by=cpu|"
         "top pods --sort-by=memory --no-headers|top pods --sum|top pods -A --containers --sum|top pod nothing|top pods x y"
         ).split("|")


def node(name, **amounts):
    return {"metadata": {"name": name}, "status": {"allocatable": amounts, "capacity": {"cpu": "8", "memory": "16Gi"}}}


def usage(name, cpu, memory):
    return {"metadata": {"name": name}, "timestamp": "2024-01-02T03:04:05Z", "window": "30s", "usage": {"cpu": cpu, "memory": memory}}


def pod(namespace, name, **containers):
    return {"metadata": {"name": name, "namespace": namespace}, "timestamp": "2024-01-02T03:04:05Z", "window": "30s",
            "containers": [{"name": key, "usage": {"cpu": value[0], "memory": value[1]}} for key, value in containers.items()]}


NODES = [node("n1", cpu="4", memory="8Gi"), node("n2", cpu="2", memory="4Gi"), node("unknown", cpu="2", memory="4Gi")]
USAGES = [usage("n1", "250m", "1Gi"), usage("n2", "1900000000n", "512Mi")]
PODS = [pod("default", "a", c=("10m", "20Mi"), d=("1m", "300Mi")), pod("default", "b", c=("1500m", "2Mi")), pod("other", "z", c=("1n", "1Ki"))]


def status(code, reason, message):
    return code, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "message": message, "code": code}


def of(kind, version, items):
    return 200, {"kind": kind, "apiVersion": version, "metadata": {}, "items": items}


def one(kind, version, plural, items, name):
    for item in items:
        if item["metadata"]["name"] == name:
            return 200, {"kind": kind, "apiVersion": version, **item}
    return status(404, "NotFound", f'{plural} "{name}" not found')


def resource(name, kind, namespaced):
    return {"name": name, "singularName": "", "kind": kind, "namespaced": namespaced, "verbs": ["get", "list"]}


def answer(path):
    parts = path.strip("/").split("/")
    version = {"groupVersion": METRICS, "version": "v1beta1"}
    if path == "/api":
        return 200, {"kind": "APIVersions", "versions": ["v1"]}
    if path == "/apis":
        return 200, {"kind": "APIGroupList", "apiVersion": "v1", "groups": [
            {"name": "metrics.k8s.io", "versions": [version], "preferredVersion": version}]}
    if path == "/api/v1":
        return 200, {"kind": "APIResourceList", "groupVersion": "v1", "resources": [resource("nodes", "Node", False)]}
    if path == "/apis/" + METRICS:
        return 200, {"kind": "APIResourceList", "groupVersion": METRICS, "resources": [
            resource("nodes", "NodeMetrics", False), resource("pods", "PodMetrics", True)]}
    if parts[:3] == ["api", "v1", "nodes"]:
        return one("Node", "v1", "nodes", NODES, parts[3]) if len(parts) > 3 else of("NodeList", "v1", NODES)
    rest = parts[3:] or [""]
    if path.startswith("/openapi") or rest == [""]:
        return status(404, "NotFound", "the server could not find the requested resource")
    if rest[0] == "nodes":
        return one("NodeMetrics", METRICS, "nodemetrics.metrics.k8s.io", USAGES, rest[1]) if len(rest) > 1 else of("NodeMetricsList", METRICS, USAGES)
    pods = PODS if rest[0] == "pods" else [item for item in PODS if item["metadata"]["namespace"] == rest[1]]
    if rest[0] == "namespaces" and len(rest) > 3:
        return one("PodMetrics", METRICS, "podmetrics.metrics.k8s.io", pods, rest[3])
    return of("PodMetricsList", METRICS, pods)


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        code, document = answer(self.path.partition("?")[0])
        body = json.dumps(document).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Top(unittest.TestCase):
    def test_is_the_same(self):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        with tempfile.TemporaryDirectory() as home:
            for line in LINES:
                with self.subTest(line=line):
                    expected, got = (self.run_line(binary, line, server.server_port, home) for binary in (KUBECTL, KEELCTL))
                    self.assertEqual(got, expected)

    @staticmethod
    def run_line(binary, line, port, home):
        done = subprocess.run([binary, f"--server=http://127.0.0.1:{port}", *shlex.split(line)], capture_output=True, text=True,
                              timeout=60, env={"HOME": home, "PATH": os.environ["PATH"], "KUBECONFIG": "/dev/null"})
        return done.returncode, done.stdout, done.stderr.replace("kubectl", "PROGRAM").replace("keelctl", "PROGRAM")


if __name__ == "__main__":
    if not pathlib.Path(KUBECTL).exists():
        print(f"there is no {KUBECTL}")
        sys.exit(77)
    unittest.main(argv=[sys.argv[0], "-v"])
