#!/usr/bin/env python3
"""A node with real containers against its budgets, and against plain crun and containerd's ctr on the same root file system.

  compare.py BIN_DIRECTORY [--pods N] [--runs N]

Rows: pods (from `kubectl apply` to all Ready, and until nothing is left after the deletion), one (a pod from its create call
to Ready), memory (of keelsond, plugins and shims with the pods, at once and when all is quiet), crun and ctr (the same number
of containers, two at a time, and the ratio a container). Needs root, crun, kubectl, busybox-static; ctr is left out when
containerd is not there."""
import argparse, concurrent.futures, json, os, pathlib, shutil, statistics, subprocess, sys, tempfile, threading, time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests" / "clients"))
import support


IDLE_SECONDS = 15  # after which what a load has left behind was given back
# One that knows nothing of signals, as the first process of a pod, and one that ends when it is told.
DEAF = ["sleep", "1000"]
HEEDING = ["sh", "-c", "trap 'exit 0' TERM; mkfifo /wait; read nothing </wait"]


def pod(name, command=DEAF):
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "bench"},
            "spec": {"terminationGracePeriodSeconds": 1, "automountServiceAccountToken": True,
                     "containers": [{"name": "c", "image": "busybox:1", "command": command}]}}


def is_ready(status):
    return any(one["type"] == "Ready" and one["status"] == "True" for one in status.get("conditions", []))


class Watch:
    """The pods as events come."""

    def __init__(self, node):
        self.ready, self.there, self.changed = set(), set(), threading.Condition()
        self.process = subprocess.Popen(["kubectl", "--kubeconfig", node.kubeconfig, "get", "pods", "-n", "bench", "-w",
                                         "--output-watch-events", "-o", "json"], stdout=subprocess.PIPE, text=True)
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        for line in self.process.stdout:
            event = json.loads(line)
            with self.changed:
                name = event["object"]["metadata"]["name"]
                (self.there.discard if event["type"] == "DELETED" else self.there.add)(name)
                if event["type"] != "DELETED" and is_ready(event["object"].get("status", {})):
                    self.ready.add(name)
                elif event["type"] == "DELETED":
                    self.ready.discard(name)
                self.changed.notify_all()

    def wait(self, done, seconds=120):
        with self.changed:
            if not self.changed.wait_for(done, seconds):
                sys.exit("the pods do not come: " + str(len(self.ready)))


def resident(pid):
    """PSS in MB without the pages of the store's map."""
    total, is_map = 0, False
    try:
        for line in pathlib.Path(f"/proc/{pid}/smaps").read_text().splitlines():
            if "-" in line.split(" ", 1)[0]:
                is_map = line.endswith("/data.mdb")
            elif line.startswith("Pss:") and not is_map:
                total += int(line.split()[1])
    except OSError:
        pass
    return total / 1024


def processes(node):
    """What runs of this node: its programs by name, with their process ids."""
    found = {"keelsond": [node.process.pid], "plugin oci": [node.plugin_host()], "shims": []}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            if (pathlib.Path(f"/proc/{entry}/comm").read_text().strip() == "keelson-pod" and
                    str(node.directory) in pathlib.Path(f"/proc/{entry}/mountinfo").read_text()):
                found["shims"].append(int(entry))
        except OSError:
            pass
    return found


def memory_of(node):
    return {name: sum(map(resident, pids)) for name, pids in processes(node).items()}


def measure_pods(node, count, command=DEAF):
    manifest = node.directory / "pods.json"
    manifest.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": [pod(f"p{i}", command) for i in range(count)]}))
    watch = Watch(node)
    time.sleep(0.5)
    begin = time.monotonic()
    subprocess.run(["kubectl", "--kubeconfig", node.kubeconfig, "apply", "-f", str(manifest)], check=True,
                   stdout=subprocess.DEVNULL)
    watch.wait(lambda: len(watch.ready) == count)
    took = time.monotonic() - begin
    memory = memory_of(node)
    time.sleep(IDLE_SECONDS)
    quiet = memory_of(node)
    begin = time.monotonic()
    node.request("DELETE", "/api/v1/namespaces/bench/pods", {"kind": "DeleteOptions", "apiVersion": "v1"})
    node.wait(lambda: not node.sandboxes(), "pods were left")
    gone = time.monotonic() - begin
    watch.process.terminate()
    return took, gone, memory, quiet


def measure_one(node):
    watch = Watch(node)
    time.sleep(0.5)
    times = []
    for index in range(10):
        begin = time.monotonic()
        node.request("POST", "/api/v1/namespaces/bench/pods", pod(f"one{index}"))
        watch.wait(lambda: f"one{index}" in watch.ready)
        times.append(time.monotonic() - begin)
    node.request("DELETE", "/api/v1/namespaces/bench/pods", {"kind": "DeleteOptions", "apiVersion": "v1"})
    node.wait(lambda: not node.sandboxes(), "pods were left")
    watch.process.terminate()
    return statistics.median(times)


def bundle(directory):
    root = directory / "rootfs"
    for name in ("bin", "proc", "dev", "sys", "tmp"):
        (root / name).mkdir(parents=True)
    shutil.copy(support.BUSYBOX, root / "bin/busybox")
    os.symlink("busybox", root / "bin/sleep")
    subprocess.run(["crun", "spec"], cwd=directory, check=True)
    spec = json.loads((directory / "config.json").read_text())
    spec["process"].update(args=["/bin/sleep", "1000"], terminal=False)
    (directory / "config.json").write_text(json.dumps(spec))
    return root


def measure_crun(count, directory):
    bundle(directory)
    # crun refuses a machine that has both kinds of cgroups unless the newer ones are out of sight.
    hybrid = os.path.ismount("/sys/fs/cgroup/unified")
    prefix = ["unshare", "--mount", "--propagation", "slave", "sh", "-c", 'umount /sys/fs/cgroup/unified; exec "$@"', "sh"] if hybrid else []
    run = lambda index: subprocess.run([*prefix, "crun", "--cgroup-manager", "cgroupfs", "run", "--detach", "--bundle",
                                        str(directory), f"keelson-bench-{index}"],
                                       check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL)
    begin = time.monotonic()
    try:
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            list(pool.map(run, range(count)))
        return time.monotonic() - begin
    finally:
        for index in range(count):
            subprocess.run(["crun", "delete", "--force", f"keelson-bench-{index}"], stderr=subprocess.DEVNULL)


CONTAINERD = """version = 2
root = "{0}/root"
state = "{0}/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
address = "{0}/containerd.sock"
"""


def measure_ctr(count, directory):
    """None when containerd is not there."""
    if not all(map(shutil.which, ("containerd", "ctr", "runc"))):
        return None
    root = bundle(directory)
    config = directory / "containerd.toml"
    config.write_text(CONTAINERD.format(directory))
    ctr = lambda *arguments, **more: subprocess.run(
        ["ctr", "--address", f"{directory}/containerd.sock", "--namespace", "keelson-bench", *arguments],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, **more)
    daemon = subprocess.Popen(["containerd", "--config", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 30
        while ctr("version").returncode != 0:
            if daemon.poll() is not None or time.monotonic() > deadline:
                sys.exit("containerd does not start")
            time.sleep(0.1)

        def run(index):
            done = ctr("run", "--detach", "--rootfs", str(root), f"bench-{index}", "/bin/sleep", "1000")
            if done.returncode != 0:
                sys.exit("ctr: " + done.stderr)
        begin = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            list(pool.map(run, range(count)))
        return time.monotonic() - begin
    finally:
        for index in range(count):
            ctr("task", "delete", "--force", f"bench-{index}")
            ctr("container", "delete", f"bench-{index}")
        daemon.terminate()
        daemon.wait(30)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("binaries")
    arguments.add_argument("--pods", type=int, default=100)
    arguments.add_argument("--runs", type=int, default=3)
    wanted = arguments.parse_args()
    if reason := support.why_no_containers():
        print("node: left out: " + reason)
        return
    support.enter_private_network()
    binaries = pathlib.Path(wanted.binaries).resolve()
    with support.Node(str(binaries / "keelsond"), str(binaries / "keelctl")) as node:
        node.request("POST", "/api/v1/namespaces", {"metadata": {"name": "bench"}})
        time.sleep(IDLE_SECONDS)
        idle = memory_of(node)
        one = measure_one(node)
        runs = [measure_pods(node, wanted.pods) for _ in range(wanted.runs)]
        heeding = [measure_pods(node, wanted.pods, HEEDING) for _ in range(wanted.runs)]
    ready, gone = statistics.median(run[0] for run in runs), statistics.median(run[1] for run in runs)
    told = statistics.median(run[1] for run in heeding)
    memory, quiet = runs[-1][2:]
    print(f"one pod, create call to Ready: {one * 1000:.0f} ms (budget 150)")
    print(f"{wanted.pods} pods, apply to all Ready: {ready:.2f} s (budget 2.5; Kubernetes 1.36 with containerd and runc: 15.4)")
    print(f"as many that end when they are told, deleted, nothing left: {told:.2f} s (budget 2)")
    print(f"those that do not: {gone:.2f} s, of which 2 are the least that a container is given, as by the kubelet")
    print("PSS with them: " + ", ".join(f"{name} {size:.1f} MB" for name, size in sorted(memory.items())) +
          f"; in all {sum(memory.values()):.1f} MB (budget 70), {IDLE_SECONDS} s later {sum(quiet.values()):.1f} MB; a shim {memory['shims'] * 1024 / wanted.pods:.0f} kB; "
          f"idle {sum(idle.values()):.1f} MB")
    with tempfile.TemporaryDirectory(prefix="keelson-crun-") as directory:
        crun = measure_crun(wanted.pods, pathlib.Path(directory))
    print(f"{wanted.pods} containers by crun alone, two at a time: {crun:.2f} s; ratio a container {ready / crun:.2f} (budget 2)")
    with tempfile.TemporaryDirectory(prefix="keelson-ctr-") as directory:
        ctr = measure_ctr(wanted.pods, pathlib.Path(directory))
    print("containerd: left out, it is not installed" if ctr is None else
          f"the same by containerd's ctr run: {ctr:.2f} s; ratio a container {ready / ctr:.2f}")


if __name__ == "__main__":
    main()
