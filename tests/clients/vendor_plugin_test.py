#!/usr/bin/env python3
"""A vendor's plugins, built outside of the tree, in a running keelsond: dropped in, used, crashed, swapped, removed.

usage: vendor_plugin_test.py KEELSOND OUT_OF_TREE, where the latter is what tests/sdk/out_of_tree.py has built."""
import json
import os
import pathlib
import shutil
import signal
import ssl
import sys
import threading
import unittest
import urllib.error
import urllib.request

import support

KEELSOND, BUILT = sys.argv[1], pathlib.Path(sys.argv[2])
TOKEN = "vendor-token-0123456789"


class VendorPlugins(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = support.Server(KEELSOND)
        cls.more = cls.server.directory / "more"
        cls.more.mkdir(mode=0o755)
        cls.dropped = cls.server.directory / "dropped"
        cls.dropped.mkdir(mode=0o755)
        cls.server.config = f"plugins:\n  directory: {cls.dropped}\n  allowedDirectories: [{cls.more}]\n"
        cls.addClassCleanup(cls.server.__exit__)
        cls.server.start()
        cls.addClassCleanup(cls.remove_all)

    @classmethod
    def remove_all(cls):
        """Isolated plugins would outlive the server."""
        for plugin in cls.admin("GET", "/v1/plugins")[1]["items"]:
            cls.admin("DELETE", f"/v1/plugins/{plugin['name']}?force=true")

    @classmethod
    def admin(cls, method, path, body=None):
        data = json.dumps(body).encode() if body is not None else None
        url = f"https://127.0.0.1:{cls.server.admin_port}{path}"
        request = urllib.request.Request(url, data=data, method=method)
        request.add_header("Authorization", "Bearer " + cls.server.token)
        if data is not None:
            request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, context=ssl._create_unverified_context(), timeout=support.PATIENCE_SECONDS) as answer:
                text = answer.read()
                return answer.status, json.loads(text) if text else None
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read() or b"null")

    def plugin(self, name):
        return self.admin("GET", "/v1/plugins/" + name)[1]

    def eventually(self, holds, what):
        support.wait_until(holds, lambda: what)

    def place(self, directory, variant, name):
        """As an installation does: new files, the manifest last."""
        built = BUILT / variant / "lib/keelson/plugins"
        for suffix in (".so", ".yaml"):
            shutil.copy(built / (name + suffix), directory / (name + suffix + ".new"))
            (directory / (name + suffix + ".new")).chmod(0o644)
            os.rename(directory / (name + suffix + ".new"), directory / (name + suffix))

    def who_is(self, token):
        """The name by which the API refuses to list pods, or None when it does not know the token."""
        request = urllib.request.Request(self.server.url + "/api/v1/pods")
        request.add_header("Authorization", "Bearer " + token)
        try:
            urllib.request.urlopen(request, context=ssl._create_unverified_context(), timeout=support.PATIENCE_SECONDS)
        except urllib.error.HTTPError as error:
            message = json.loads(error.read())["message"]
            return message.split('"')[1] if error.code == 403 else None
        self.fail("it may list pods")

    def test_authenticator_used_crashed_configured_and_removed(self):
        self.assertIsNone(self.who_is(TOKEN))
        self.place(self.more, "static-user", "static-user")
        manifest = str(self.more / "static-user.yaml")
        refused = self.admin("POST", "/v1/plugins", {"manifest": manifest, "config": {"user": []}})
        self.assertEqual(refused[0], 400)
        self.assertIn("unknown key 'user'", json.dumps(refused[1]))
        users = [{"token": TOKEN, "username": "vera"}]
        status, added = self.admin("POST", "/v1/plugins", {"manifest": manifest, "config": {"users": users}})
        self.assertEqual(status, 201, added)
        self.assertEqual(added["state"], "ready")
        self.assertEqual(added["isolation"], "process")
        self.assertEqual(self.who_is(TOKEN), "vera")
        process = added["processId"]
        os.kill(process, signal.SIGSEGV)
        self.eventually(lambda: self.plugin("static-user").get("processId") not in (None, 0, process),
                        "it does not come back")
        self.eventually(lambda: self.who_is(TOKEN) == "vera", "it does not answer again")
        self.assertEqual(self.plugin("static-user")["restarts"], 1)
        users[0]["username"] = "viktor"
        status, configured = self.admin("PUT", "/v1/plugins/static-user/config", {"users": users})
        self.assertEqual(status, 200, configured)
        self.assertEqual(self.who_is(TOKEN), "viktor")
        self.assertLess(self.admin("DELETE", "/v1/plugins/static-user")[0], 300)
        self.assertIsNone(self.who_is(TOKEN))

    def test_volume_dropped_in_swapped_under_load_and_taken_away(self):
        stop = threading.Event()
        failures = []

        def ask():
            while not stop.is_set():
                status, _, body = self.server.request("GET", "/api/v1/namespaces/default")
                if status != 200:
                    failures.append((status, body))

        asking = threading.Thread(target=ask)
        asking.start()
        try:
            self.place(self.dropped, "scratch-volume-1.0.0", "scratch-volume")
            self.eventually(lambda: self.plugin("scratch-volume").get("state") == "ready", "it does not come up")
            self.assertEqual(self.plugin("scratch-volume")["version"], "1.0.0")
            os.kill(self.plugin("scratch-volume")["processId"], signal.SIGABRT)
            self.place(self.dropped, "scratch-volume-2.0.0", "scratch-volume")
            self.eventually(lambda: self.plugin("scratch-volume").get("version") == "2.0.0", "it is not swapped")
            self.eventually(lambda: self.plugin("scratch-volume").get("state") == "ready", "it is not well")
            (self.dropped / "scratch-volume.yaml").unlink()
            self.eventually(lambda: self.admin("GET", "/v1/plugins/scratch-volume")[0] == 404, "it stays")
        finally:
            stop.set()
            asking.join()
        self.assertEqual(failures, [])


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v"])
