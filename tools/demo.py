#!/usr/bin/env python3
"""Keelson at work on this machine: one node with real pods, and every step looked at. Used by ./dev demo.

  demo.py [--keep] [--here] BUILD_DIRECTORY

Everything happens in a network namespace of its own (--here: in the machine's own network) and in a temporary directory;
nothing is left at the end. --keep leaves it running and tells how to use it. Needs root."""
import argparse
import contextlib
import ctypes
import http.client
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent.parent
NAMESPACE = "guestbook"
NETWORK = "keelson-demo"
PATIENCE_SECONDS = 90
UNABLE = 77  # exit code where it cannot run
CLONE_NEWNET = 0x40000000
MS_BIND = 4096
IS_TERMINAL = sys.stdout.isatty()


def fail(text):
    raise SystemExit(text)


def run(*command, **options):
    """What a command prints; its failure is the demo's."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=300, **options)
    if done.returncode != 0:
        fail(f"`{' '.join(map(str, command))}` failed ({done.returncode}):\n{done.stdout}{done.stderr}")
    return done.stdout


def paint(text, code):
    return f"\033[{code}m{text}\033[0m" if IS_TERMINAL and "NO_COLOR" not in os.environ else text


class Progress:
    """One line that changes, on a terminal only."""

    def __init__(self):
        self.begin = time.monotonic()

    def show(self, text):
        if IS_TERMINAL:
            print(f"\r\033[K     {text} ({time.monotonic() - self.begin:.0f} s)", end="", flush=True)

    def clear(self):
        if IS_TERMINAL:
            print("\r\033[K", end="", flush=True)


class Load:
    """Asks for a URL over and over, each time on a connection of its own. Use it as a context."""

    def __init__(self, address, port):
        self.address, self.port = address, port
        self.seen, self.failures, self.longest_gap_seconds = {}, [], 0.0
        self.ending = threading.Event()
        self.threads = [threading.Thread(target=self.run, daemon=True) for _ in range(2)]

    def run(self):
        last = time.monotonic()
        while not self.ending.is_set():
            try:
                answer = get(self.address, self.port, "/who")
                self.seen[answer] = self.seen.get(answer, 0) + 1
                self.longest_gap_seconds = max(self.longest_gap_seconds, time.monotonic() - last)
                last = time.monotonic()
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(repr(error))
            time.sleep(0.005)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        for thread in self.threads:
            thread.join(10)

    @property
    def answers(self):
        return sum(self.seen.values())

    def wait_for_more(self, count):
        goal = self.answers + count
        wait_until(lambda: self.answers >= goal, "requests are no longer answered")


def get(address, port, path, seconds=3):
    connection = http.client.HTTPConnection(address, port, timeout=seconds)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        text = answer.read().decode().strip()
        if answer.status != 200:
            raise OSError(f"{answer.status}: {text}")
        return text
    finally:
        connection.close()


def wait_until(condition, otherwise, seconds=PATIENCE_SECONDS, progress=None):
    """The condition's value as soon as there is one. `progress` gives a text to show meanwhile."""
    line, deadline = Progress(), time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            line.clear()
            return value
        if time.monotonic() > deadline:
            fail(otherwise)
        if progress:
            line.show(progress())
        time.sleep(0.05)


def enter_own_network():
    """A named network namespace for this process and its children, with an outside that nobody answers from."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) != 0:
        fail("a network namespace cannot be made: " + os.strerror(ctypes.get_errno()))
    path = pathlib.Path("/run/netns") / NETWORK
    path.parent.mkdir(exist_ok=True)
    remove_network_name()
    path.touch()
    if libc.mount(b"/proc/self/ns/net", bytes(path), None, MS_BIND, None) != 0:
        fail(f"{path} cannot be made: " + os.strerror(ctypes.get_errno()))
    for command in ("link set lo up", "link add up0 type veth peer name down0", "addr add 192.0.2.1/24 dev up0",
                    "link set up0 up", "link set down0 up", "route add default via 192.0.2.254 dev up0"):
        run("ip", *command.split())


def remove_network_name():
    path = pathlib.Path("/run/netns") / NETWORK
    if path.exists():
        subprocess.run(["umount", str(path)], stderr=subprocess.DEVNULL)
        path.unlink()


class Demo:
    def __init__(self, build, here):
        self.build, self.here = build, here
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="keelson-demo-"))
        self.data, self.config = self.directory / "data", self.directory / "keelsond.yaml"
        self.process, self.step_number = None, 0
        self.begin = time.monotonic()
        self.environment = {**os.environ, "KUBECONFIG": str(self.data / "admin.kubeconfig"),
                            "KEELSON_DATA_DIR": str(self.data)}

    # --- tools ---

    def step(self, title):
        self.step_number += 1
        print("\n" + paint(f"{self.step_number:2}  {title}", "1"), flush=True)

    def did(self, command):
        print(paint("     $ " + command, "36"), flush=True)

    @staticmethod
    def saw(text):
        for line in text.rstrip().splitlines():
            print("     " + line, flush=True)

    def command(self, *words):
        return [str(self.build / "bin/keelctl"), *map(str, words)]

    def quiet(self, *words):
        return run(*self.command(*words), env=self.environment)

    def keelctl(self, *words):
        """Runs it and shows both the command and what it printed."""
        self.did("keelctl " + " ".join(f"'{word}'" if " " in str(word) else str(word) for word in words))
        printed = self.quiet(*words)
        self.saw(printed)
        return printed

    def read(self, *words):
        return json.loads(self.quiet("-n", NAMESPACE, "get", *words, "-o", "json"))

    def web_pods(self):
        return {pod["metadata"]["name"] for pod in self.read("pods", "-l", "app=web")["items"]
                if "deletionTimestamp" not in pod["metadata"]}

    def ready(self, kind, name):
        status = self.read(kind, name)["status"]
        return status.get("readyReplicas", 0)

    def roll_out(self):
        self.did("keelctl -n guestbook rollout status deployment/web")
        printed = self.quiet("-n", NAMESPACE, "rollout", "status", "deployment/web", "--timeout", f"{PATIENCE_SECONDS}s")
        self.saw(printed.strip().splitlines()[-1])

    # --- steps ---

    def start(self):
        self.step("keelsond starts, with every plugin that came with it")
        self.write_config("iptables")
        self.did("keelsond --data-dir DIRECTORY --config keelsond.yaml")
        begin = time.monotonic()
        with open(self.directory / "log", "ab") as log:
            self.process = subprocess.Popen(
                [self.build / "bin/keelsond", "--data-dir", self.data, "--config", self.config],
                stdout=log, stderr=log, start_new_session=True)
        wait_until(self.is_ready, "keelsond does not become ready")
        self.saw(f"ready after {(time.monotonic() - begin) * 1000:.0f} ms")
        self.keelctl("plugin", "list")

    def is_ready(self):
        if self.process.poll() is not None:
            fail("keelsond has ended")
        done = subprocess.run(self.command("get", "--raw", "/readyz"), env=self.environment, capture_output=True)
        return done.returncode == 0

    def write_config(self, proxy):
        self.config.write_text(f"node: {{name: demo}}\nnetwork: {{proxy: {proxy}}}\nlog: {{level: info}}\n"
                               f"plugins: {{allowedDirectories: [{self.directory / 'vendor'}]}}\n")

    def import_images(self):
        self.step("An image, made here of Debian's perl-base and busybox-static")
        for version in ("1", "2"):
            archive = self.directory / f"guestbook-{version}.tar"
            self.did(f"examples/guestbook/make-image guestbook.tar {version}")
            run(HERE / "examples/guestbook/make-image", archive, version)
            self.keelctl("image", "import", archive, "--name", f"guestbook:{version}")

    def apply(self):
        self.step("The guestbook: Deployment, StatefulSet, ConfigMap, Secret, Services, Job, CronJob")
        manifests = self.directory / "guestbook"
        manifests.mkdir()
        for path in (HERE / "examples/guestbook").glob("*.yaml"):
            text = path.read_text().replace("/var/lib/keelson-guestbook", str(self.directory / "entries"))
            (manifests / path.name).write_text(text)
        self.keelctl("apply", "-f", manifests / "namespace.yaml")
        begin = time.monotonic()
        self.keelctl("apply", "-f", manifests)
        wait_until(lambda: self.ready("deployment", "web") == 3 and self.ready("statefulset", "store") == 1 and
                   self.read("job", "welcome")["status"].get("succeeded") == 1,
                   "the guestbook does not come up", progress=self.readiness)
        self.saw(f"all ready after {time.monotonic() - begin:.1f} s")
        self.keelctl("-n", NAMESPACE, "get", "pods", "-o", "wide")

    def readiness(self):
        pods = self.read("pods")["items"]
        ready = sum(any(one["type"] == "Ready" and one["status"] == "True"
                        for one in pod["status"].get("conditions", [])) for pod in pods)
        return f"{ready} of {len(pods)} pods are ready"

    def reach(self):
        self.step("It answers: by cluster address, by node port, by name")
        self.keelctl("-n", NAMESPACE, "get", "services")
        service = self.read("service", "web")["spec"]
        self.address = service["clusterIP"]
        pods = self.web_pods()
        for what, address, port in (("cluster address", self.address, 80),
                                    ("node port", self.node_address(), service["ports"][0]["nodePort"])):
            self.did(f"ask http://{address}:{port}/who, the {what}, 60 times")
            counts = self.count(get(address, port, "/who").split()[0] for _ in range(60))
            if set(counts) != pods:
                fail(f"the answers came of {sorted(counts)}, the pods are {sorted(pods)}")
        ask = ("-n", NAMESPACE, "exec", "store-0", "--", "guestbook", "get", "http://web.guestbook.svc.cluster.local/who", "40")
        self.did("keelctl " + " ".join(ask))
        counts = self.count(line.split()[0] for line in self.quiet(*ask).splitlines())
        if set(counts) != pods:
            fail(f"the name led to {sorted(counts)}, the pods are {sorted(pods)}")
        self.keelctl("-n", NAMESPACE, "exec", "store-0", "--", "guestbook", "get", "http://web/")

    def count(self, names):
        counts = {}
        for name in names:
            counts[name] = counts.get(name, 0) + 1
        self.saw("answers of " + ", ".join(f"{name}: {count}" for name, count in sorted(counts.items())))
        return counts

    def only_version(self, version):
        return all(get(self.address, 80, "/who").endswith(" " + version) for _ in range(20))

    def node_address(self):
        node = json.loads(self.quiet("get", "node", "demo", "-o", "json"))
        return next(one["address"] for one in node["status"]["addresses"] if one["type"] == "InternalIP")

    def update(self):
        self.step("A rolling update under load")
        with Load(self.address, 80) as load:
            load.wait_for_more(50)
            self.keelctl("-n", NAMESPACE, "set", "image", "deployment/web", "web=guestbook:2")
            self.keelctl("-n", NAMESPACE, "annotate", "deployment/web", "kubernetes.io/change-cause=second edition", "--overwrite")
            self.roll_out()
            wait_until(lambda: self.only_version("2"), "the old version still answers")
        self.no_failures(load)
        self.keelctl("-n", NAMESPACE, "rollout", "history", "deployment/web")
        self.step("Undo")
        self.keelctl("-n", NAMESPACE, "rollout", "undo", "deployment/web")
        self.roll_out()
        wait_until(lambda: self.only_version("1"), "the first version does not come back")
        self.saw(get(self.address, 80, "/").splitlines()[0])

    def no_failures(self, load):
        self.saw(f"{load.answers} requests answered meanwhile, {len(load.failures)} failed, "
                 f"the longest pause {load.longest_gap_seconds * 1000:.0f} ms")
        if load.failures:
            fail("requests failed: " + ", ".join(load.failures[:5]))

    def scale(self):
        self.step("More of them, and fewer")
        for count in (6, 3):
            self.keelctl("-n", NAMESPACE, "scale", "deployment/web", f"--replicas={count}")
            wait_until(lambda: len(self.web_pods()) == count and self.ready("deployment", "web") == count,
                       f"there are not {count} pods", progress=self.readiness)
        self.keelctl("-n", NAMESPACE, "get", "deployment", "web")

    def heal(self):
        self.step("A pod dies, another takes its place")
        before = self.web_pods()
        victim = sorted(before)[0]
        self.keelctl("-n", NAMESPACE, "delete", "pod", victim, "--grace-period=1")
        wait_until(lambda: victim not in self.web_pods() and self.ready("deployment", "web") == 3, "it is not replaced",
                   progress=self.readiness)
        self.saw("in its place: " + ", ".join(sorted(self.web_pods() - before)))

    def keep_data(self):
        self.step("The store's pod is deleted; what was written stays")
        before = get(self.address, 80, "/").splitlines()[1:]
        self.keelctl("-n", NAMESPACE, "delete", "pod", "store-0")
        wait_until(lambda: self.ready("statefulset", "store") == 1 and self.entries() is not None, "store-0 does not come back",
                   progress=self.readiness)
        after = self.entries()
        self.saw("\n".join(after))
        if after[:len(before)] != before:
            fail(f"entries were lost: there were {before}")

    def entries(self):
        with contextlib.suppress(OSError, http.client.HTTPException):
            return get(self.address, 80, "/").splitlines()[1:]

    def switch_proxy(self):
        self.step("Services are carried by another plugin, while traffic runs")
        with Load(self.address, 80) as load:
            load.wait_for_more(50)
            for proxy in ("userspace", "iptables"):
                self.did(f"network.proxy: {proxy} in keelsond.yaml, then SIGHUP")
                self.write_config(proxy)
                self.process.send_signal(signal.SIGHUP)
                wait_until(lambda: (self.data / "node/proxies").read_text().strip() == proxy, "the proxy stays the old one")
                load.wait_for_more(100)
        self.saw(f"{load.answers} requests answered meanwhile, {len(load.failures)} failed, "
                 f"the longest pause {load.longest_gap_seconds * 1000:.0f} ms")
        if load.failures and load.longest_gap_seconds > 1:
            fail("no new connection for more than a second")

    def add_vendor_plugin(self):
        self.step("A vendor's plugin, one C file built outside of this tree, is added while all runs")
        sdk, built, vendor = (self.directory / name for name in ("sdk", "built", "vendor"))
        self.did("cmake --install build --component sdk; cmake -S examples/plugins/static-user ...")
        run("cmake", "--install", self.build, "--component", "sdk", "--prefix", sdk)
        run("cmake", "-G", "Ninja", "-S", HERE / "examples/plugins/static-user", "-B", built, f"-DCMAKE_PREFIX_PATH={sdk}")
        run("cmake", "--build", built)
        shutil.copytree(built / "lib/keelson/plugins", vendor)
        token = "a-token-that-only-the-vendor-knows"
        self.saw("before: whoami with the vendor's token: " + self.who_am_i(token))
        self.keelctl("plugin", "add", vendor / "static-user.yaml", "--config",
                     json.dumps({"users": [{"token": token, "username": "vera"}]}))
        name = self.who_am_i(token)
        self.saw("after: " + name)
        if name != "vera":
            fail("the plugin does not log anybody in")
        self.keelctl("plugin", "describe", "static-user")

    def who_am_i(self, token):
        done = subprocess.run(self.command("--token", token, "--server", self.server(), "--certificate-authority",
                                           self.data / "pki/ca.crt", "auth", "whoami", "-o", "json"),
                              capture_output=True, text=True, env={**self.environment, "KUBECONFIG": "/dev/null"})
        if done.returncode != 0:
            return done.stderr.strip()
        return json.loads(done.stdout)["status"]["userInfo"]["username"]

    def server(self):
        return self.quiet("config", "view", "--minify", "-o", "jsonpath={.clusters[0].cluster.server}").strip()

    def status(self):
        self.step("All of it on one screen")
        self.keelctl("cluster", "status")

    # --- the end ---

    def explain(self):
        enter = "" if self.here else f"sudo nsenter --net=/run/netns/{NETWORK} "
        print(f"""
It goes on running in {self.directory}. To use it:

    export KUBECONFIG={self.data}/admin.kubeconfig KEELSON_DATA_DIR={self.data}
    {enter}kubectl get pods -A
    {enter}{self.build}/bin/keelctl cluster status
    {enter}curl http://{self.address}/

To end it, with all its pods: sudo {HERE}/dev demo --end {self.directory}""")

    def end(self):
        """Nothing stays: pods, plugins, the network namespace, the directory."""
        if self.process is not None and self.process.poll() is None:
            end_of(self.build, self.data, self.environment)
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        remove_groups()
        if not self.here:
            remove_network_name()
        shutil.rmtree(self.directory, ignore_errors=True)


def end_of(build, data, environment):
    """Ends pods and isolated plugins of a keelsond that still runs."""
    keelctl = lambda *words: subprocess.run([str(build / "bin/keelctl"), *words], env=environment, capture_output=True, text=True)
    for namespace in keelctl("get", "namespaces", "-o", "name").stdout.split():
        name = namespace.split("/")[1]
        keelctl("-n", name, "delete", "deployments,statefulsets,daemonsets,jobs,cronjobs", "--all", "--wait=false")
        keelctl("-n", name, "delete", "pods", "--all", "--grace-period=1", "--wait=false")
    sandboxes = data / "plugin-state/state/oci/sandboxes"
    deadline = time.monotonic() + 60
    while sandboxes.is_dir() and any(sandboxes.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.1)
    listed = keelctl("plugin", "list", "-o", "json")
    for plugin in json.loads(listed.stdout or "{}").get("items", []):
        if plugin.get("isolation") == "process":
            keelctl("plugin", "disable", plugin["name"])


def remove_groups():
    """The empty control groups that pods have had."""
    for hierarchy in [*pathlib.Path("/sys/fs/cgroup").glob("*/keelson/pods"), pathlib.Path("/sys/fs/cgroup/keelson/pods")]:
        for path in (hierarchy / "burstable", hierarchy / "besteffort", hierarchy):
            with contextlib.suppress(OSError):
                path.rmdir()


def end_kept(build, directory):
    data = directory / "data"
    if not directory.name.startswith("keelson-demo-") or not data.is_dir():
        fail(f"{directory} is not the directory of a demo")
    environment = {**os.environ, "KUBECONFIG": str(data / "admin.kubeconfig"), "KEELSON_DATA_DIR": str(data)}
    end_of(build, data, environment)
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = path.read_text().split("\0")
            if words[0].endswith("/keelsond") and str(data) in words:
                os.kill(int(path.parent.name), signal.SIGTERM)
                wait_until(lambda: not path.exists(), "keelsond does not end", 30)
    remove_groups()
    remove_network_name()
    shutil.rmtree(directory, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=lambda text: pathlib.Path(text).resolve())
    parser.add_argument("--keep", action="store_true", help="leave it running")
    parser.add_argument("--here", action="store_true", help="in the machine's own network")
    parser.add_argument("--end", metavar="DIRECTORY", type=pathlib.Path, help="end one that was kept")
    wanted = parser.parse_args()
    if os.geteuid() != 0:
        print("pods need root: sudo ./dev demo", file=sys.stderr)
        sys.exit(UNABLE)
    if wanted.end:
        if (pathlib.Path("/run/netns") / NETWORK).exists() and "KEELSON_DEMO_INSIDE" not in os.environ:
            os.execvpe("nsenter", ["nsenter", f"--net=/run/netns/{NETWORK}", sys.executable, *sys.argv],
                       {**os.environ, "KEELSON_DEMO_INSIDE": "yes"})
        return end_kept(wanted.build, wanted.end)
    if not wanted.here:
        enter_own_network()
    demo, kept = Demo(wanted.build, wanted.here), False
    try:
        for step in (demo.start, demo.import_images, demo.apply, demo.reach, demo.update, demo.scale, demo.heal,
                     demo.keep_data, demo.switch_proxy, demo.add_vendor_plugin, demo.status):
            step()
        print(f"\n{demo.step_number} steps, all as they should be, in {time.monotonic() - demo.begin:.0f} s")
        kept = wanted.keep
        if kept:
            demo.explain()
    except BaseException:
        with contextlib.suppress(OSError):
            lines = (demo.directory / "log").read_text().splitlines()
            print("\n" + paint("The last lines of keelsond's log:", "31"), *lines[-15:], sep="\n     ", file=sys.stderr)
        raise
    finally:
        if not kept:
            demo.end()


if __name__ == "__main__":
    main()
