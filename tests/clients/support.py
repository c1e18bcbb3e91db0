"""What the client tests share: a server of their own, and ways to run clients against it."""
import contextlib
import glob
import hashlib
import io
import json
import os
import pathlib
import re
import shutil
import socket
import ssl
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import urllib.error
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
SKIPPED = 77  # what CTest takes as "skipped"
# Only what hangs waits for so long: longer than anything takes on a machine that does other things as well.
PATIENCE_SECONDS = 120
PATIENT = f"--timeout={PATIENCE_SECONDS}s"  # of kubectl
STOP_SECONDS = 10


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """keelsond on free ports with a data directory of its own. Use it as a context; it always ends.

    prefix: what goes before the words of its command; address: where it is to be reached then."""

    def __init__(self, binary, roles="api", prefix=(), address="127.0.0.1"):
        self.binary, self.prefix, self.address = binary, prefix, address
        self.roles = roles
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="keelson-clients-"))
        self.data = self.directory / "data"
        self.port = free_port()
        self.process = None
        self.config = None  # the text of a configuration file

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    @property
    def url(self):
        return f"https://{self.address}:{self.port}"

    @property
    def token(self):
        return (self.data / "admin.token").read_text().strip()

    @property
    def kubeconfig(self):
        return str(self.data / "admin.kubeconfig")

    def start(self):
        log = open(self.directory / "log", "ab")
        more = []
        if self.config is not None:
            (self.directory / "keelsond.yaml").write_text(self.config)
            more = ["--config", str(self.directory / "keelsond.yaml")]
        self.process = subprocess.Popen(
            [*self.prefix, self.binary, "--data-dir", str(self.data), "--api-port", str(self.port), "--admin-port",
             "0", "--roles", self.roles, *more], stdout=log, stderr=log)
        log.close()
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self.ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("keelsond is not ready:\n" + self.log())
            time.sleep(0.02)

    def log(self):
        return (self.directory / "log").read_text()

    @property
    def admin_port(self):
        """Of the last start: any free one."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not (found := re.findall(r"ready .*admin_port=(\d+)", self.log())):
            if time.monotonic() > deadline:
                raise RuntimeError("no admin port is named:\n" + self.log())
            time.sleep(0.02)
        return int(found[-1])

    def ready(self):
        context = ssl._create_unverified_context()
        try:
            with urllib.request.urlopen(self.url + "/readyz", context=context, timeout=5) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False

    def stop(self):
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def request(self, method, path, body=None, content_type="application/json", accept="application/json"):
        """The status code, headers and body of a plain request."""
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(self.url + path, data=data, method=method)
        request.add_header("Authorization", "Bearer " + self.token)
        request.add_header("Accept", accept)
        if data is not None:
            request.add_header("Content-Type", content_type)
        try:
            with urllib.request.urlopen(request, context=ssl._create_unverified_context(), timeout=PATIENCE_SECONDS) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read()


BUSYBOX = "/bin/busybox"
APPLETS = ("sh sleep echo cat ls ps id env hostname wget nc httpd true false date touch mkdir rm seq head tail grep "
           "dd kill tar wc stat mount chmod test sed sync ip ping nslookup stty tty").split()


# For a container of that image: says its own name and the client's address to whoever asks for /cgi-bin/who at port 8080.
WHO_SERVER = """mkdir -p /w/cgi-bin && cat >/w/cgi-bin/who <<'END'
#!/bin/sh
printf 'Content-Type: text/plain\\r\\n\\r\\n%s %s\\n' "$(hostname)" "$REMOTE_ADDR"
END
chmod +x /w/cgi-bin/who && exec httpd -f -p 8080 -h /w"""


def busybox_image(path, name="docker.io/library/busybox:1", more=None):
    """An archive as `docker save` writes it, of Debian's static busybox. more: the contents of further files by their
    paths."""
    def add(archive, name, data=b"", **more):
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode = len(data), 0o755
        for key, value in more.items():
            setattr(entry, key, value)
        archive.addfile(entry, io.BytesIO(data) if entry.isreg() else None)

    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as archive:
        for directory in ("bin", "etc", "proc", "dev", "sys", "root", "var"):
            add(archive, directory, type=tarfile.DIRTYPE)
        add(archive, "tmp", type=tarfile.DIRTYPE, mode=0o1777)
        add(archive, "etc/passwd", b"root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000:user:/tmp:/bin/sh\n")
        add(archive, "etc/group", b"root:x:0:\nuser:x:1000:\n")
        add(archive, "bin/busybox", pathlib.Path(BUSYBOX).read_bytes())
        for applet in APPLETS:
            add(archive, "bin/" + applet, type=tarfile.SYMTYPE, linkname="busybox")
        for file, data in (more or {}).items():
            add(archive, file, data)
    layer = layer.getvalue()
    config = json.dumps({"architecture": "amd64", "os": "linux",
                         "config": {"Cmd": ["sh"], "Env": ["PATH=/bin"]},
                         "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest()]}}).encode()
    manifest = json.dumps([{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]).encode()
    with tarfile.open(path, "w") as archive:
        for name, data in (("manifest.json", manifest), ("config.json", config), ("layer.tar", layer)):
            add(archive, name, data)


def enter_private_network():
    """Runs the program again in a network namespace of its own, with an outside that nobody answers from, so that bridges
    and firewall rules of a node go with it."""
    if os.environ.get("KEELSON_PRIVATE_NETWORK") != "yes":
        os.execvpe("unshare", ["unshare", "--net", "--", sys.executable, *sys.argv],
                   {**os.environ, "KEELSON_PRIVATE_NETWORK": "yes"})
    for command in ("link set lo up", "link add up0 type veth peer name down0", "addr add 192.0.2.1/24 dev up0",
                    "link set up0 up", "link set down0 up", "route add default via 192.0.2.254 dev up0"):
        subprocess.run(["ip", *command.split()], check=True)


def why_no_containers():
    """Why this machine cannot run containers; empty when it can."""
    if os.geteuid() != 0:
        return "containers need root"
    if not shutil.which("crun"):
        return "there is no crun"
    if not pathlib.Path(BUSYBOX).exists():
        return f"there is no {BUSYBOX}: install busybox-static"
    disk = shutil.disk_usage(tempfile.gettempdir())
    if disk.free < disk.total * 0.12:
        return "the disk is nearly full: a node would be under pressure and take no pods"
    return ""


def skip(reason):
    """Ends the program when there is a reason."""
    if reason:
        print(f"skipped: {reason}")
        sys.exit(SKIPPED)


def programs(usage, count=2):
    """The programs that the command line begins with, the client last; ends the program where that is not installed."""
    if len(sys.argv) <= count:
        sys.exit(usage)
    named = sys.argv[1:count + 1]
    skip("" if pathlib.Path(named[-1]).exists() else f"there is no {named[-1]}")
    return named


def programs_for_containers(usage, count=3):
    """The same from within a private network; ends the program where there are no containers."""
    named = programs(usage, count)
    skip(why_no_containers())
    enter_private_network()
    return named


def wait_until(condition, tell, seconds=PATIENCE_SECONDS):
    """What the condition gives once that is true. When it takes too long the failure says what `tell` gives then."""
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        if time.monotonic() > deadline:
            raise AssertionError("it does not come about:\n" + tell())
        time.sleep(0.05)
    return result


class OneNode:
    """For the tests of a case that share its `node` and `kubectl`, and the namespace "default"."""

    @classmethod
    def k(cls, *arguments, **options):
        return cls.kubectl.run(*arguments, **options)

    @classmethod
    def wait(cls, condition):
        return wait_until(condition, cls.tell)

    @classmethod
    def wait_for_service_account(cls):
        cls.wait(lambda: cls.k("get", "serviceaccount", "default", code=None).code == 0)

    @classmethod
    def tell(cls):
        return cls.k("get", "all,endpointslices,events", "-A", code=None).out[-4000:] + cls.node.log()[-3000:]


class OwnNamespace:
    """A namespace for each test of a case with a `node`, or another server, and a `kubectl`. A failure tells SHOWN and the
    end of the server's log."""
    SHOWN = "all,events"

    def setUp(self):
        self.namespace = self.id().rsplit(".", 1)[1].replace("_", "-")[5:45].strip("-")
        self.kubectl.run("create", "namespace", self.namespace)
        self.addCleanup(self.kubectl.run, "delete", "namespace", self.namespace, "--wait=false", code=None)
        self.wait_for(lambda: self.k("get", "serviceaccount", "default", code=None).code == 0)

    def k(self, *arguments, **options):
        return self.kubectl.run("-n", self.namespace, *arguments, **options)

    def wait_for(self, condition):
        wait_until(condition, lambda: self.k("get", self.SHOWN, code=None).out[-5000:] + self.node.log()[-3000:])


class Node(Server):
    """keelsond with all roles and containers of its own; nothing of them is left at the end. settings: more of its node."""

    def __init__(self, binary, keelctl, more_config="", settings="", **where):
        super().__init__(binary, roles="api,control,scheduler,node", **where)
        self.keelctl_binary = keelctl
        self.config = f"node: {{name: n1, {settings}}}\nlog: {{level: info}}\n{more_config}"

    def __enter__(self):
        super().__enter__()
        try:
            archive = self.directory / "busybox.tar"
            busybox_image(archive)
            self.wait(lambda: self.keelctl("image", "list").returncode == 0, "the runtime is not ready")
            imported = self.keelctl("image", "import", str(archive))
            if imported.returncode != 0:
                raise RuntimeError(imported.stderr + self.log())
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        try:
            if self.process is None or self.process.poll() is not None:
                self.start()
            for namespace in self.namespaces():
                self.request("DELETE", f"/api/v1/namespaces/{namespace}/pods",
                             {"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 0})
            # They are given the grace that they have asked for.
            self.wait(lambda: not self.sandboxes(), "pods were left")
            # Their processes would stay for the next keelsond of this data directory.
            for plugin in ("oci", "dns", "userspace", "local"):
                self.wait(lambda: "is in use" not in self.keelctl("plugin", "disable", plugin).stderr,
                          f"the plugin {plugin} does not end")
        finally:
            self.stop()
            for hierarchy in glob.glob("/sys/fs/cgroup/*/keelson/pods") + ["/sys/fs/cgroup/keelson/pods"]:
                for path in (hierarchy + "/burstable", hierarchy + "/besteffort", hierarchy):
                    with contextlib.suppress(OSError):
                        os.rmdir(path)
            shutil.rmtree(self.directory, ignore_errors=True)

    def namespaces(self):
        return [item["metadata"]["name"] for item in json.loads(self.request("GET", "/api/v1/namespaces")[2])["items"]]

    def sandboxes(self):
        """What is there of pods: their records with the runtime, their directories with the node."""
        found = []
        for path in (self.data / "plugin-state/state/oci/sandboxes", self.data / "node/pods"):
            with contextlib.suppress(FileNotFoundError):
                found += os.listdir(path)
        return found

    def keelctl(self, *arguments):
        return subprocess.run([*self.prefix, self.keelctl_binary, "--data-dir", str(self.data), *arguments],
                              capture_output=True, text=True, timeout=2 * PATIENCE_SECONDS)

    def wait(self, done, why):
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not done():
            if time.monotonic() > deadline:
                raise RuntimeError(why + "\n" + self.log()[-4000:])
            time.sleep(0.02)

    def kill(self):
        """As a power cut would, for this process."""
        self.process.kill()
        self.process.wait()
        self.process = None

    def plugin_host(self):
        """The process of the runtime plugin, once there is one: it may be starting anew."""
        found = []

        def look():
            for path in glob.glob("/proc/[0-9]*/cmdline"):
                with contextlib.suppress(OSError):
                    words = pathlib.Path(path).read_text()
                    if "keelson-plugin-host" in words and "\0oci\0" in words and str(self.data) in words:
                        found[:] = [int(path.split("/")[2])]
            return bool(found)
        self.wait(look, "the runtime plugin does not run")
        return found[0]


class SimulatedNodes:
    """Nodes without machines: reports every pod that is bound to one of them as running and ready (as ended, when the
    annotation test/exit says with which code; never ready, when an image holds "bad"), and lets those go that are being
    deleted. Use it as a context."""

    def __init__(self, server, count=3):
        self.server, self.names = server, [f"n{index + 1}" for index in range(count)]
        self.reported = {}
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def __enter__(self):
        for name in self.names:
            self.must("POST", "/api/v1/nodes", {"metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}}})
        self.beat()
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        self.thread.join()

    def must(self, method, path, body=None, content_type="application/json"):
        code, _, data = self.server.request(method, path, body, content_type)
        if code >= 300 and code not in (404, 409):
            raise AssertionError(f"{method} {path}: {code} {data[:500]}")
        return json.loads(data)

    def report(self, path, status):
        self.must("PATCH", path + "/status", {"status": status}, "application/strategic-merge-patch+json")

    def beat(self):
        room = {"cpu": "4", "memory": "8Gi", "pods": "110"}
        for name in self.names:
            self.report(f"/api/v1/nodes/{name}", {"capacity": room, "allocatable": room, "conditions": [
                {"type": "Ready", "status": "True", "reason": "Simulated", "lastHeartbeatTime": now()}]})

    def run(self):
        last_beat = time.monotonic()
        # This plays what nobody tells of in time: a kubelet that looks around.
        while not self.ending.wait(0.05):
            if time.monotonic() - last_beat > 10:
                self.beat()
                last_beat = time.monotonic()
            for pod in self.must("GET", "/api/v1/pods")["items"]:
                self.play(pod)

    def play(self, pod):
        metadata, spec = pod["metadata"], pod["spec"]
        path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}"
        if spec.get("nodeName") not in self.names:
            return
        if "deletionTimestamp" in metadata:
            self.must("DELETE", path + "?gracePeriodSeconds=0")
            return
        exit_code = metadata.get("annotations", {}).get("test/exit")
        bad = any("bad" in container["image"] for container in spec["containers"])
        ready = exit_code is None and not bad
        phase = {None: "Pending" if bad else "Running", "0": "Succeeded"}.get(exit_code, "Failed")
        if self.reported.get(metadata["uid"]) == phase:
            return
        self.reported[metadata["uid"]] = phase
        state = {"running": {"startedAt": now()}} if ready else {"waiting": {"reason": "ErrImagePull"}} if bad else {
            "terminated": {"exitCode": int(exit_code), "reason": "Completed" if exit_code == "0" else "Error"}}
        self.report(path, {"phase": phase, "startTime": now(), "conditions": [
            {"type": type, "status": "True" if ready else "False", "lastTransitionTime": now()}
            for type in ("Ready", "ContainersReady")], "containerStatuses": [
            {"name": container["name"], "image": container["image"], "imageID": "", "ready": ready, "restartCount": 0,
             "state": state} for container in spec["containers"]]})


def now():
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


class Answer:
    def __init__(self, done):
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr

    def json(self):
        return json.loads(self.out)


class Kubectl:
    """Runs one kubectl against a server, with a home directory (and caches) of its own."""

    def __init__(self, binary, server):
        self.binary, self.server = binary, server
        self.home = server.directory / "home"
        self.home.mkdir(exist_ok=True)
        text = self.run("version", "--client", "-o", "json").json()["clientVersion"]
        self.version = (int(text["major"]), int("".join(c for c in text["minor"] if c.isdigit())))

    def environment(self, **more):
        keep = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        return {**keep, "HOME": str(self.home), "KUBECONFIG": self.server.kubeconfig, **more}

    def run(self, *arguments, code=0, input=None, timeout=2 * PATIENCE_SECONDS, **environment):
        """Fails unless the exit code is as expected; None takes any."""
        command = [self.binary, *arguments]
        done = subprocess.run(command, input=input, capture_output=True, text=True, timeout=timeout,
                              env=self.environment(**environment))
        if code is not None and done.returncode != code:
            raise AssertionError(f"kubectl {' '.join(arguments)}: exit code {done.returncode}, expected {code}\n"
                                 f"{done.stdout[-3000:]}{done.stderr[-3000:]}")
        return Answer(done)

    def create(self, *objects, options=(), **more):
        """What is given as JSON would be."""
        items = {"apiVersion": "v1", "kind": "List", "items": objects}
        return self.run(*options, "create", "-f", "-", input=json.dumps(items), **more)

    def start(self, *arguments):
        return subprocess.Popen([self.binary, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                env=self.environment())
