#!/usr/bin/env python3
"""usage: node_informer_test.py KEELSOND CLIENTS_DIRECTORY

An informer of @kubernetes/client-node lives through restarts of the server and misses nothing."""
import json
import os
import pathlib
import queue
import shutil
import subprocess
import sys
import threading
import unittest

import support

KEELSOND = ""
PACKAGE = pathlib.Path()


class Informer:
    """The node process; its events arrive in a queue, its cache is rebuilt from them."""

    def __init__(self, server):
        environment = {**os.environ, "KUBECONFIG": server.kubeconfig}
        self.process = subprocess.Popen(["node", str(support.HERE / "informer.mjs"), str(PACKAGE), "default"],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        self.lines = queue.Queue()
        self.events, self.cache = [], {}
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            self.lines.put(json.loads(line))
        self.lines.put(None)

    def next(self):
        event = self.lines.get(timeout=support.PATIENCE_SECONDS)
        if event is None:
            raise AssertionError("the informer ended; its last events: " + str(self.events[-5:]))
        self.events.append(event)
        if event["event"] in ("add", "update"):
            self.cache[event["name"]] = event["step"]
        elif event["event"] == "delete":
            self.cache.pop(event["name"], None)
        return event

    def until(self, done):
        try:
            while not done():
                self.next()
        except queue.Empty:
            raise AssertionError(f"nothing more came; cache: {self.cache}, last: {self.events[-8:]}") from None

    def stop(self):
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


class InformerTest(unittest.TestCase):
    def setUp(self):
        self.server = support.Server(KEELSOND)
        self.addCleanup(self.server.__exit__)
        self.server.start()
        self.expected = {}

    def write(self, name, step):
        path = "/api/v1/namespaces/default/configmaps"
        if name in self.expected:
            code, _, body = self.server.request("PATCH", f"{path}/{name}", {"data": {"step": step}},
                                                "application/merge-patch+json")
        else:
            code, _, body = self.server.request(
                "POST", path, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name},
                               "data": {"step": step}})
        self.assertIn(code, (200, 201), body)
        self.expected[name] = step

    def delete(self, name):
        code, _, body = self.server.request("DELETE", "/api/v1/namespaces/default/configmaps/" + name)
        self.assertEqual(code, 200, body)
        del self.expected[name]

    def test_restarts(self):
        for number in range(5):
            self.write(f"before-{number}", "1")
        informer = Informer(self.server)
        self.addCleanup(informer.stop)
        informer.until(lambda: informer.cache == self.expected and informer.events[-1]["event"] != "error")
        for round_number in range(3):
            self.server.stop()
            self.server.start()
            # Written before, while and after the informer finds its way back.
            for number in range(5):
                self.write(f"round-{round_number}-{number}", "1")
                self.write(f"before-{number}", str(round_number + 2))
            self.delete(f"round-{round_number}-0")
            self.write(f"round-{round_number}-1", "2")
            informer.until(lambda: informer.cache == self.expected)
        # Objects that came and went while nobody looked may go unseen; everything else must have been added.
        added = {event["name"] for event in informer.events if event["event"] == "add"}
        self.assertLessEqual(set(self.expected), added)
        self.write("last", "1")
        informer.until(lambda: informer.cache == self.expected)


def main():
    global KEELSOND, PACKAGE
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    KEELSOND = sys.argv[1]
    PACKAGE = pathlib.Path(sys.argv[2]) / "npm/node_modules/@kubernetes/client-node"
    if not PACKAGE.exists() or not shutil.which("node"):
        support.skip(f"there is no {PACKAGE}, or no node to run it")
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=2)


if __name__ == "__main__":
    main()
