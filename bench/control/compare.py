#!/usr/bin/env python3
"""The control plane against its budgets: a keelsond with API, controllers and scheduler on a directory of its own.

  compare.py BIN_DIRECTORY [--work DIR] [--only ROW,...]

Rows: replicas (2,000 replicas made and scheduled on 50 nodes), rollout (writes a pod of a rollout of 1,000 replicas),
idle (processor time and disk writes of a cluster in which nothing happens), scale (100,000 pods on 5,000 nodes: memory and
restart). Nodes are API objects; this program reports for them. The numbers of Kubernetes 1.36 on such a machine are given
where they are known. Standard library only."""
import argparse, http.client, json, os, pathlib, shutil, ssl, subprocess, sys, tempfile, threading, time


class Server:
    """A keelsond; its connection is kept open."""

    def __init__(self, binary, directory, port):
        self.port = port
        self.log = open(os.path.join(directory, "log"), "a")
        self.data = os.path.join(directory, "data")
        self.begin = time.monotonic()
        self.process = subprocess.Popen([binary, "--data-dir", self.data, "--api-port", str(port), "--admin-port", "0",
                                         "--roles", "api,control,scheduler"], stdout=self.log, stderr=self.log)
        while True:
            try:
                self.token = pathlib.Path(self.data, "admin.token").read_text().strip()
                self.connect()
                if self.call("GET", "/readyz", raw=True)[0] == 200:
                    break
            except (OSError, http.client.HTTPException):
                if self.process.poll() is not None:
                    sys.exit("keelsond ended: see " + self.log.name)
                time.sleep(0.002)

    def connect(self):
        context = ssl.create_default_context(cafile=os.path.join(self.data, "pki", "ca.crt"))
        context.check_hostname = False
        self.connection = http.client.HTTPSConnection("127.0.0.1", self.port, context=context, timeout=120)

    def call(self, method, path, body=None, content_type="application/json", raw=False):
        headers = {"Authorization": "Bearer " + self.token, "Content-Type": content_type}
        self.connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        answer = self.connection.getresponse()
        data = answer.read()
        return (answer.status, data) if raw else (answer.status, json.loads(data))

    def must(self, method, path, body=None, **more):
        code, answer = self.call(method, path, body, **more)
        if code >= 300:
            sys.exit(f"{method} {path}: {code} {answer}")
        return answer

    def metric(self, name):
        text = self.call("GET", "/metrics", raw=True)[1].decode()
        return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(name))

    def revision(self):
        return int(self.must("GET", "/api/v1/namespaces?limit=1")["metadata"]["resourceVersion"])

    def resident_bytes(self):
        """Resident memory without the pages of the store's map."""
        total = 0
        is_map = False
        for line in pathlib.Path(f"/proc/{self.process.pid}/smaps").read_text().splitlines():
            head = line.split()
            if not head[0].endswith(":"):
                is_map = line.endswith(".mdb") or "/store/" in line
            elif head[0] == "Pss:" and not is_map:
                total += int(head[1]) * 1024
        return total

    def processor_seconds(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(") ", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def written_bytes(self):
        lines = dict(line.split(": ") for line in pathlib.Path(f"/proc/{self.process.pid}/io").read_text().splitlines())
        return int(lines["write_bytes"])

    def stop(self):
        self.connection.close()
        self.process.terminate()
        self.process.wait(30)


def add_nodes(server, count):
    capacity = {"cpu": "400", "memory": "800Gi", "pods": "2500", "ephemeral-storage": "1000Gi"}
    for index in range(count):
        name = f"node-{index:04d}"
        server.must("POST", "/api/v1/nodes", {"metadata": {"name": name, "labels": {
            "kubernetes.io/hostname": name, "topology.kubernetes.io/zone": f"zone-{index % 3}"}}})
        server.must("PATCH", f"/api/v1/nodes/{name}/status", {"status": {
            "capacity": capacity, "allocatable": capacity, "conditions": [
                {"type": "Ready", "status": "True", "lastHeartbeatTime": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}]}},
            content_type="application/strategic-merge-patch+json")


def deployment(name, replicas, image="app:1"):
    return {"metadata": {"name": name}, "spec": {
        "replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": {
            "metadata": {"labels": {"app": name}}, "spec": {"automountServiceAccountToken": False, "containers": [
                {"name": "c", "image": image, "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}}}]}}}}


def wait_for(condition, seconds=120):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.005)
    return False


BOUND = 'scheduler_schedule_attempts_total{result="scheduled"}'


def wait_until_tainted_no_more(server, count):
    def is_done():
        nodes = server.must("GET", "/api/v1/nodes")["items"]
        return len(nodes) == count and not any(node["spec"].get("taints") for node in nodes)
    if not wait_for(is_done):
        sys.exit("the nodes do not become ready")


def row_replicas(start, report):
    server = start()
    add_nodes(server, 50)
    wait_until_tainted_no_more(server, 50)
    seconds = []
    for run in range(3):
        before = server.metric(BOUND)
        begin = time.monotonic()
        server.must("POST", "/apis/apps/v1/namespaces/default/deployments", deployment(f"d{run}", 2000))
        if not wait_for(lambda: server.metric(BOUND) - before >= 2000):
            sys.exit("2,000 replicas were not scheduled")
        seconds.append(time.monotonic() - begin)
        server.must("DELETE", f"/apis/apps/v1/namespaces/default/deployments/d{run}")
        for pod in server.must("GET", "/api/v1/namespaces/default/pods")["items"]:
            server.call("DELETE", f"/api/v1/namespaces/default/pods/{pod['metadata']['name']}?gracePeriodSeconds=0")
        wait_for(lambda: not server.must("GET", "/api/v1/namespaces/default/pods?limit=1")["items"])
    seconds.sort()
    report("2,000 replicas made and scheduled, 50 nodes", f"{seconds[1]:.2f} s", "<= 0.5 s", "Kubernetes 1.36: 5 s")
    server.stop()


class Kubelets(threading.Thread):
    """Reports bound pods as ready, and lets those go that are being deleted."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.server = Server.__new__(Server)
        self.server.__dict__.update(server.__dict__)
        self.server.connect()
        self.on = True
        self.writes = 0

    def run(self):
        seen = set()
        while self.on:
            for pod in self.server.must("GET", "/api/v1/namespaces/default/pods")["items"]:
                name, uid = pod["metadata"]["name"], pod["metadata"]["uid"]
                path = f"/api/v1/namespaces/default/pods/{name}"
                if pod["metadata"].get("deletionTimestamp"):
                    self.server.call("DELETE", path + "?gracePeriodSeconds=0")
                    self.writes += 1
                elif pod["spec"].get("nodeName") and uid not in seen:
                    seen.add(uid)
                    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
                    self.server.call("PATCH", path + "/status", {"status": {"phase": "Running", "conditions": [
                        {"type": "Ready", "status": "True", "lastTransitionTime": now}]}},
                        content_type="application/strategic-merge-patch+json")
                    self.writes += 1
            time.sleep(0.02)


def row_rollout(start, report):
    server = start()
    add_nodes(server, 50)
    wait_until_tainted_no_more(server, 50)
    kubelets = Kubelets(server)
    kubelets.start()
    path = "/apis/apps/v1/namespaces/default/deployments/web"

    def is_complete():
        status = server.must("GET", path).get("status", {})
        return all(status.get(field) == 1000 for field in ("replicas", "updatedReplicas", "availableReplicas"))
    server.must("POST", "/apis/apps/v1/namespaces/default/deployments", deployment("web", 1000))
    if not wait_for(is_complete):
        sys.exit("the deployment does not become complete")
    time.sleep(1)
    revision, reported, begin = server.revision(), kubelets.writes, time.monotonic()
    events = len(server.must("GET", "/api/v1/namespaces/default/events")["items"])
    server.must("PATCH", path, {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "app:2"}]}}}},
                content_type="application/strategic-merge-patch+json")
    time.sleep(0.2)
    if not wait_for(is_complete):
        sys.exit("the rollout does not become complete")
    seconds = time.monotonic() - begin
    time.sleep(1)
    events = len(server.must("GET", "/api/v1/namespaces/default/events")["items"]) - events
    writes = server.revision() - revision - events - (kubelets.writes - reported)
    kubelets.on = False
    kubelets.join()
    report("rollout of 1,000 replicas: writes of the control plane a pod (2,000 pods), events apart",
           f"{writes / 2000:.2f}", "<= 3", f"{seconds:.1f} s with this program as the kubelets")
    server.stop()


def row_idle(start, report):
    server = start()
    add_nodes(server, 3)
    server.must("POST", "/apis/apps/v1/namespaces/default/deployments", deployment("web", 10))
    wait_for(lambda: server.metric(BOUND) >= 10)
    time.sleep(60)  # nobody is the nodes' kubelet: that they are given up is written
    processor, written, begin = server.processor_seconds(), server.written_bytes(), time.monotonic()
    time.sleep(60)
    seconds = time.monotonic() - begin
    share = (server.processor_seconds() - processor) / seconds * 100
    report("idle control plane: processor", f"{share:.2f} % of a core", "<= 0.5 %", "")
    report("idle control plane: written to disk in a minute", f"{server.written_bytes() - written} bytes", "<= 1 write", "")
    server.stop()


def row_scale(start, report):
    server = start()
    add_nodes(server, 5000)
    wait_until_tainted_no_more(server, 5000)
    begin = time.monotonic()
    for index in range(50):
        server.must("POST", "/apis/apps/v1/namespaces/default/deployments", deployment(f"d{index:02d}", 2000))
    if not wait_for(lambda: server.metric(BOUND) >= 100_000, 600):
        sys.exit(f"only {server.metric(BOUND)} of 100,000 pods were scheduled")
    report("100,000 replicas made and scheduled, 5,000 nodes", f"{100_000 / (time.monotonic() - begin):.0f} pods/s",
           ">= 5,000", "writes included")
    time.sleep(10)
    report("100,000 pods on 5,000 nodes: PSS, map pages apart", f"{server.resident_bytes() / 1e6:.0f} MB", "<= 1,500 MB", "")
    server.stop()
    server = start()
    name = "d-after"
    server.must("POST", "/apis/apps/v1/namespaces/default/deployments", deployment(name, 1))
    if not wait_for(lambda: server.metric(BOUND) >= 1, 120):
        sys.exit("nothing is scheduled after the restart")
    report("restart with 100,000 pods until a new deployment's pod is bound", f"{time.monotonic() - server.begin:.1f} s",
           "<= 5 s", "")
    server.stop()


ROWS = {"replicas": row_replicas, "rollout": row_rollout, "idle": row_idle, "scale": row_scale}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binaries")
    parser.add_argument("--work")
    parser.add_argument("--only", default="replicas,rollout,idle")
    parser.add_argument("--port", type=int, default=28443)
    options = parser.parse_args()
    for name in options.only.split(","):
        if name not in ROWS:
            parser.error(f"no such row: {name}; rows are {', '.join(ROWS)}")
        directory = tempfile.mkdtemp(prefix="control-bench-", dir=options.work)
        started = []

        def start():
            started.append(Server(os.path.join(options.binaries, "keelsond"), directory, options.port))
            return started[-1]
        try:
            ROWS[name](start, lambda what, value, budget, note: print(f"{what:90} {value:>16} {budget:>12}  {note}", flush=True))
        finally:
            for server in started:
                if server.process.poll() is None:
                    server.process.kill()
                    server.process.wait()
            shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
