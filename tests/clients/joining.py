"""Machines that join a cluster, and what they need for it: a token, the hash of the CA's key, and images."""
import glob
import hashlib
import http.server
import json
import os
import pathlib
import shutil
import socketserver
import subprocess
import tarfile
import tempfile

import support
from background import Served

TOKEN = ("abcdef", "0123456789abcdef")


def add_token(kubectl, identifier=TOKEN[0], secret=TOKEN[1], **more):
    data = {"token-id": identifier, "token-secret": secret, "usage-bootstrap-authentication": "true",
            "usage-bootstrap-signing": "true", **more}
    kubectl.create({
        "apiVersion": "v1", "kind": "Secret", "type": "bootstrap.kubernetes.io/token",
        "metadata": {"name": "bootstrap-token-" + identifier, "namespace": "kube-system"}, "stringData": data})


def ca_hash(server):
    key = subprocess.run(["openssl", "x509", "-pubkey", "-noout", "-in", server.data / "pki/ca.crt"],
                         capture_output=True, check=True).stdout
    der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "der"], input=key, capture_output=True,
                         check=True).stdout
    return "sha256:" + hashlib.sha256(der).hexdigest()


class Registry(Served):
    """One image behind plain HTTP: busybox:1. Use it as a context."""

    def __init__(self, directory, address="127.0.0.1"):
        archive = directory / "busybox.tar"
        support.busybox_image(archive)
        with tarfile.open(archive) as files:
            config, layer = (files.extractfile(name).read() for name in ("config.json", "layer.tar"))
        self.blobs = {self.digest(data): data for data in (config, layer)}
        self.manifest = json.dumps({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": self.descriptor("application/vnd.oci.image.config.v1+json", config),
            "layers": [self.descriptor("application/vnd.oci.image.layer.v1.tar", layer)]}).encode()
        registry = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                registry.answer(self)
            do_HEAD = do_GET

            def log_message(self, *_):
                pass
        # That of the http module asks for the name of its address first, of servers that do not answer here.
        self.server = socketserver.ThreadingTCPServer((address, 0), Handler)
        self.server.daemon_threads = True
        self.host = "%s:%d" % self.server.server_address

    @property
    def config(self):
        """For keelsond: how it is to be asked."""
        return f"{{name: oci, config: {{images: {{registries: {{'{self.host}': {{plainHttp: true}}}}}}}}}}"

    @staticmethod
    def digest(data):
        return "sha256:" + hashlib.sha256(data).hexdigest()

    def descriptor(self, kind, data):
        return {"mediaType": kind, "digest": self.digest(data), "size": len(data)}

    def answer(self, request):
        name = request.path.rsplit("/", 1)[1]
        data, kind = self.blobs.get(name), "application/octet-stream"
        if "/manifests/" in request.path and name in ("1", self.digest(self.manifest)):
            data, kind = self.manifest, "application/vnd.oci.image.manifest.v1+json"
        elif request.path == "/v2/":
            data = b"{}"
        request.send_response(200 if data is not None else 404)
        data = data or b""
        request.send_header("Content-Type", kind)
        request.send_header("Content-Length", str(len(data)))
        request.send_header("Docker-Content-Digest", self.digest(data))
        request.end_headers()
        if request.command == "GET":
            request.wfile.write(data)


class JoiningNode:
    """keelsond --roles node of another data directory; `prefix` goes before the words of its command. Use it as a context; nothing of it is left."""

    def __init__(self, server, config, prefix=()):
        self.server, self.prefix = server, prefix
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="keelson-join-"))
        self.data = self.directory / "data"
        (self.directory / "keelsond.yaml").write_text(config)
        self.process = None

    def command(self, *more):
        return [*self.prefix, self.server.binary, "--data-dir", str(self.data), "--config", str(self.directory / "keelsond.yaml"),
                "--roles", "node", "--join", self.server.url, *more]

    def start(self, *more):
        with open(self.directory / "log", "ab") as log:
            self.process = subprocess.Popen(self.command(*more), stdout=log, stderr=log)

    def refused(self, *more, code=2):
        done = subprocess.run(self.command(*more), capture_output=True, text=True, timeout=support.PATIENCE_SECONDS)
        assert done.returncode == code, (done.returncode, done.stderr)
        return done.stderr

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process = None

    def log(self):
        return (self.directory / "log").read_text()

    def sandboxes(self):
        found = []
        for path in (self.data / "plugin-state/state/oci/sandboxes", self.data / "node/pods"):
            if path.exists():
                found += os.listdir(path)
        return found

    def plugin_hosts(self):
        """Processes that outlive this keelsond: they name its data directory."""
        found = []
        for path in glob.glob("/proc/[0-9]*/cmdline"):
            try:
                text = pathlib.Path(path).read_bytes().decode(errors="replace")
            except OSError:
                continue
            if str(self.data) in text and "keelson-plugin-host" in text:
                found.append(int(path.split("/")[2]))
        return found

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(support.STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill()
        for process in self.plugin_hosts():
            os.kill(process, 15)
        shutil.rmtree(self.directory, ignore_errors=True)
