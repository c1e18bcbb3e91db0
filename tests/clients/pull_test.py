#!/usr/bin/env python3
"""keelctl image pull and import on a terminal and elsewhere, from a registry that stops half way until it was seen.

  pull_test.py KEELSOND KEELCTL [unittest arguments]"""
import gzip
import hashlib
import http.server
import io
import json
import os
import pty
import re
import subprocess
import sys
import tarfile
import threading
import unittest

import support

KEELSOND = KEELCTL = None


def digest_of(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Registry:
    """One image, test:1, with one layer of noise. The second half of the layer waits for go_on."""

    def __init__(self):
        tar = io.BytesIO()
        with tarfile.open(fileobj=tar, mode="w") as archive:
            entry = tarfile.TarInfo("noise")
            entry.size = 4_000_000
            archive.addfile(entry, io.BytesIO(os.urandom(entry.size)))
        layer = gzip.compress(tar.getvalue(), 1)
        config = json.dumps({"architecture": "amd64", "os": "linux", "config": {},
                             "rootfs": {"type": "layers", "diff_ids": [digest_of(tar.getvalue())]}}).encode()
        manifest = json.dumps({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest_of(config), "size": len(config)},
            "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": digest_of(layer),
                        "size": len(layer)}]}).encode()
        self.size = len(layer)
        self.go_on = threading.Event()
        registry = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                content = {"/v2/": b"{}", "/v2/test/manifests/1": manifest, "/v2/test/blobs/" + digest_of(config): config,
                           "/v2/test/blobs/" + digest_of(layer): layer}.get(self.path)
                self.send_response(200 if content is not None else 404)
                self.send_header("Content-Type", json.loads(manifest)["mediaType"])
                self.send_header("Content-Length", str(len(content or b"")))
                self.end_headers()
                if content is layer:
                    self.wfile.write(layer[:len(layer) // 2])
                    self.wfile.flush()
                    registry.go_on.wait(support.PATIENCE_SECONDS)
                    content = layer[len(layer) // 2:]
                self.wfile.write(content or b"")

            def log_message(self, *_):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    @property
    def image(self):
        return f"127.0.0.1:{self.server.server_port}/test:1"

    def stop(self):
        self.go_on.set()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


class Pulling(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.registry = Registry()
        cls.addClassCleanup(cls.registry.stop)
        host = cls.registry.image.split("/")[0]
        cls.node = support.Node(KEELSOND, KEELCTL, "plugins: {entries: [{name: oci, config: {images: {registries: "
                                                   f"{{\"{host}\": {{plainHttp: true}}}}}}}}}}]}}\n")
        cls.node.__enter__()
        cls.addClassCleanup(cls.node.__exit__)

    def setUp(self):
        self.registry.go_on.clear()
        self.node.keelctl("image", "rm", self.registry.image)

    def command(self, *words):
        return [KEELCTL, "--data-dir", str(self.node.data), "image", *words]

    def on_a_terminal(self, *words, until=None):
        """What was written to it; `until`: the registry goes on when something like it was seen."""
        ours, theirs = pty.openpty()
        process = subprocess.Popen(self.command(*words), stdout=theirs, stderr=theirs, env={**os.environ, "TERM": "xterm"})
        os.close(theirs)
        shown = b""
        try:
            while True:
                shown += os.read(ours, 65536)
                if until is not None and re.search(until, shown):
                    self.registry.go_on.set()
        except OSError:  # nobody has the other end any more
            pass
        os.close(ours)
        self.assertEqual(process.wait(support.PATIENCE_SECONDS), 0, shown[-500:])
        return shown.decode()

    def test_a_terminal_shows_how_far_a_pull_is(self):
        shown = self.on_a_terminal("pull", self.registry.image, until=rb"(49|50)% of 4\.0 MB")
        self.assertIn(f"pulling {self.registry.image} [", shown)
        # The line is gone, and what stays is the answer.
        self.assertRegex(shown.split("\x1b[K")[-1], rf"^pulled {self.registry.image} \(\w+\)\r\n$")

    def test_the_admin_api_lists_pulls_under_way(self):
        process = subprocess.Popen(self.command("pull", self.registry.image), stdout=subprocess.PIPE, stderr=subprocess.PIPE)

        def pulls():
            done = subprocess.run(["curl", "-s", "--unix-socket", str(self.node.data / "run/admin.sock"),
                                   "http://keelson/v1/images/pulls"], capture_output=True, text=True, check=True)
            return json.loads(done.stdout)["pulls"]
        self.node.wait(lambda: [one for one in pulls() if one["doneBytes"] >= self.registry.size // 2], "no pull is listed")
        self.assertEqual([(one["image"], one["wholeBytes"]) for one in pulls()], [(self.registry.image, self.registry.size)])
        self.registry.go_on.set()
        output, errors = process.communicate(timeout=support.PATIENCE_SECONDS)
        # Where there is no terminal only the answer is written.
        self.assertRegex(output.decode(), r"^pulled .*\n$")
        self.assertEqual(errors, b"")
        self.assertEqual(pulls(), [])

    def test_a_terminal_shows_how_far_an_import_is(self):
        archive = self.node.directory / "busybox.tar"
        shown = self.on_a_terminal("import", str(archive))
        self.assertIn(f"importing {archive}", shown)
        self.assertRegex(shown.split("\x1b[K")[-1], r"^imported docker.io/library/busybox:1 \(\w+\)\r\n$")


if __name__ == "__main__":
    KEELSOND, KEELCTL = support.programs_for_containers(__doc__, 2)
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=2)
