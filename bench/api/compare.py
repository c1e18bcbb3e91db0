#!/usr/bin/env python3
"""Measures keelsond over TLS, and Debian's nginx serving the same bytes in the same run, and prints one table.

    compare.py BIN_DIRECTORY [--work DIRECTORY] [--seconds S] [--rounds N] [--port N]

Needs keelsond and api_bench in BIN_DIRECTORY; without nginx the rows that compare with it have no ratio.
"""
import argparse
import glob
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
LIST_PODS = 500
MANY_PODS = 7200
WATCHERS = 1000

NGINX = """
worker_processes 2;
pid {work}/nginx.pid;
error_log {work}/nginx-error.log;
daemon off;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    sendfile on;
    tcp_nodelay on;
    keepalive_requests 100000000;
    client_body_temp_path {work}/nginx-temp;
    proxy_temp_path {work}/nginx-temp;
    fastcgi_temp_path {work}/nginx-temp;
    uwsgi_temp_path {work}/nginx-temp;
    scgi_temp_path {work}/nginx-temp;
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {cert};
        ssl_certificate_key {key};
        ssl_protocols TLSv1.3;
        default_type application/json;
        open_file_cache max=16;
        root {work}/www;
    }}
}}
"""


class Bench:
    def __init__(self, arguments):
        self.bin = os.path.abspath(arguments.bin)
        self.work = tempfile.mkdtemp(prefix="keelson-bench-", dir=arguments.work)
        self.port = arguments.port
        self.seconds = arguments.seconds
        self.rounds = arguments.rounds
        self.rows = []
        self.processes = []

    def program(self, name):
        return os.path.join(self.bin, name)

    # Runs api_bench against a port; its "name value" lines as a dictionary of numbers.
    def client(self, command, port, *options, directory=None):
        line = [self.program("api_bench"), command, "--port", str(port), *map(str, options)]
        if directory:
            line += ["--token-file", os.path.join(directory, "admin.token")]
        text = subprocess.run(line, check=True, stdout=subprocess.PIPE, text=True).stdout
        result = {name: float(value) for name, value in (row.split() for row in text.splitlines())}
        if result.get("failures"):
            raise SystemExit(f"{command} on port {port}: {int(result['failures'])} of {int(result['answers'])} requests failed")
        return result

    def body(self, path, directory, accept="application/json"):
        return subprocess.run([self.program("api_bench"), "fetch", "--port", str(self.port), "--path", path, "--accept",
                               accept, "--token-file", os.path.join(directory, "admin.token")],
                              check=True, stdout=subprocess.PIPE).stdout

    # Starts keelsond; the process and the milliseconds until /readyz answered 200.
    def start(self, directory, sync_delay_ms=0, config=None):
        environment = dict(os.environ)
        if sync_delay_ms:
            environment["KEELSON_TEST_SYNC_DELAY_MS"] = str(sync_delay_ms)
        begun = time.monotonic_ns()
        log = open(os.path.join(self.work, "keelsond.log"), "a")
        process = subprocess.Popen([self.program("keelsond"), "--data-dir", directory, "--api-port", str(self.port),
                                    "--admin-port", "0", *(["--config", config] if config else [])],
                                   env=environment, stdout=log, stderr=log)
        log.close()
        self.processes.append(process)
        ready = self.client("ready", self.port)
        return process, (ready["ready_ns"] - begun) / 1e6

    def stop(self, process):
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)
        self.processes.remove(process)

    def start_nginx(self, directory):
        if shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin:/sbin") is None:
            print("nginx is not installed: rows without a peer", file=sys.stderr)
            return None
        port = self.port + 1
        config = os.path.join(self.work, "nginx.conf")
        os.makedirs(os.path.join(self.work, "nginx-temp"), exist_ok=True)
        certificate = find_certificate(directory)
        with open(config, "w") as file:
            file.write(NGINX.format(work=self.work, port=port, cert=certificate[0], key=certificate[1]))
        os.chmod(self.work, 0o755)
        path = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin:/sbin")
        process = subprocess.Popen([path, "-c", config, "-p", self.work], stderr=subprocess.DEVNULL)
        self.processes.append(process)
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                time.sleep(0.01)
        return port

    def row(self, what, ours, peer, budget, met, unit=""):
        ratio = f"{ours / peer:.2f}" if peer else "-"
        peer_text = f"{peer:,.0f}{unit}" if peer else "-"
        ours_text = f"{ours:,.0f}{unit}" if ours >= 100 else f"{ours:,.1f}{unit}"
        verdict = {True: "yes", False: "**no**", None: ""}[met]
        self.rows.append(f"| {what} | {ours_text} | {peer_text} | {ratio} | {budget} | {verdict} |")
        print(self.rows[-1], file=sys.stderr, flush=True)

    def median(self, measure):
        return statistics.median(measure() for _ in range(self.rounds))

    def close(self):
        for process in self.processes:
            process.terminate()  # not kill: nginx takes its workers along
        for process in self.processes:
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(self.work, ignore_errors=True)


def find_certificate(directory):
    certificates = glob.glob(os.path.join(directory, "**", "*server*.crt"), recursive=True)
    keys = glob.glob(os.path.join(directory, "**", "*server*.key"), recursive=True)
    return certificates[0], keys[0]


# Proportional set size in bytes, the mapped data file apart: its pages belong to the page cache.
def memory_of(process):
    total, counts = 0, True
    with open(f"/proc/{process.pid}/smaps") as file:
        for line in file:
            first = line.split(None, 1)[0]
            if not first.endswith(":"):
                counts = not line.rstrip().endswith("data.mdb")
            elif counts and first == "Pss:":
                total += int(line.split()[1]) * 1024
    return total


def measure_starts(bench):
    first, second = [], []
    for number in range(max(3, bench.rounds)):
        directory = os.path.join(bench.work, f"start-{number}")
        for times in (first, second):
            process, milliseconds = bench.start(directory)
            times.append(milliseconds)
            bench.stop(process)
        shutil.rmtree(directory)
    for what, times in (("first", first), ("second", second)):
        value = statistics.median(times)
        bench.row(f"start to ready, {what}", value, None, "<= 150 ms", value <= 150, " ms")


def measure_reads(bench, directory, nginx):
    pods = "/api/v1/namespaces/default/pods"
    make_namespace(bench, directory, "default")
    bench.client("create", bench.port, "--count", LIST_PODS, directory=directory)
    name = bench.body(pods + "?limit=1", directory).split(b'"name":"')[1].split(b'"')[0].decode()
    cases = [("GET pod/s, 64 connections", f"{pods}/{name}", "application/json", 64, 0.5),
             (f"LIST of {LIST_PODS} pods/s, 8 connections", pods, "application/json", 8, 0.5),
             (f"Table LIST of {LIST_PODS} pods/s, 8 connections", pods, TABLE, 8, 0.25)]
    www = os.path.join(bench.work, "www")
    os.makedirs(www, exist_ok=True)
    for number, (what, path, accept, connections, budget) in enumerate(cases):
        body = bench.body(path, directory, accept)
        with open(os.path.join(www, f"case-{number}"), "wb") as file:
            file.write(body)
        ours, peers = [], []
        for _ in range(bench.rounds):
            load = ["--connections", connections, "--seconds", bench.seconds]
            ours.append(bench.client("get", bench.port, "--path", path, "--accept", accept, *load,
                                     directory=directory)["per_second"])
            if nginx:
                peers.append(bench.client("get", nginx, "--path", f"/case-{number}", *load)["per_second"])
        value, peer = statistics.median(ours), statistics.median(peers) if peers else None
        size = f"{len(body) / 1000:.1f} KB" if len(body) < 100_000 else f"{len(body) / 1e6:.2f} MB"
        bench.row(f"{what}, {size}", value, peer, f">= {budget} of nginx",
                  value / peer >= budget if peer else None)


def measure_creates(bench, directory, budget, what):
    rates = []
    for number in range(bench.rounds):
        namespace = f"creates-{number}"
        make_namespace(bench, directory, namespace)
        result = bench.client("create", bench.port, "--namespace", namespace, "--connections", 64, "--seconds",
                              bench.seconds, directory=directory)
        rates.append(result["per_second"])
    value = statistics.median(rates)
    bench.row(what, value, None, f">= {budget:,}/s", value >= budget)


def make_namespace(bench, directory, name):
    bench.client("namespace", bench.port, "--namespace", name, directory=directory)


# Runs the watchers; what they measured, and what each takes of the server before and after the events.
def run_watchers(bench, process, directory, *options):
    before = memory_of(process)
    line = [bench.program("api_bench"), "watch", "--port", str(bench.port), "--connections", str(WATCHERS), "--seconds",
            "10", "--rate", "50", "--namespace", "watched", "--pause", "--token-file",
            os.path.join(directory, "admin.token"), *options]
    client = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    bench.processes.append(client)
    if client.stdout.readline().strip() != "watching":
        raise SystemExit("the watchers did not come up")
    result = {"idle_kb": (memory_of(process) - before) / WATCHERS / 1024}
    client.stdin.write("\n")
    client.stdin.flush()
    for name, value in (client.stdout.readline().split() for _ in range(4)):
        result[name] = float(value)
    result["busy_kb"] = (memory_of(process) - before) / WATCHERS / 1024
    client.wait()
    bench.processes.remove(client)
    if result["delivered"] != result["expected"]:
        raise SystemExit(f"watch: {result['delivered']:.0f} of {result['expected']:.0f} events came")
    return result


def measure_watch(bench, process, directory):
    make_namespace(bench, directory, "watched")
    what = f"{WATCHERS:,} watchers, 50 events/s"
    for options, size in (((), "pods of 4.6 KB"), (("--small-events",), "config maps of 0.6 KB")):
        results = [run_watchers(bench, process, directory, *options) for _ in range(bench.rounds)]
        p50, p99 = (statistics.median(result[name] for result in results) for name in ("p50_ms", "p99_ms"))
        bench.row(f"{what}, {size}: p50", p50, None, "", None, " ms")
        bench.row(f"{what}, {size}: p99", p99, None, "<= 10 ms", p99 <= 10, " ms")
        if not options:
            # Later rounds find the memory of the first.
            memory = max(results[0]["idle_kb"], results[0]["busy_kb"])
            bench.row("memory per TLS watcher", memory, None, "<= 32 KB", memory <= 32, " KB")


def quiet_p99(bench, directory, connections):
    return bench.client("get", bench.port, "--path", "/api/v1/namespaces/default", "--connections", connections,
                        "--seconds", bench.seconds, directory=directory)["p99_ms"]


def measure_spin(bench):
    library = os.path.join(bench.bin, "..", "bench", "plugin", "spin.so")
    if not os.path.exists(library):
        print("spin.so is not built: no row about an isolated plugin in a loop", file=sys.stderr)
        return
    directory = os.path.join(bench.work, "spin")
    plugins = os.path.join(bench.work, "spinning")
    os.makedirs(plugins, mode=0o755)
    shutil.copy(library, plugins)
    manifest = os.path.join(plugins, "spin.yaml")
    with open(manifest, "w") as file:
        file.write("id: dev.keelson.bench-spin\nname: spin\nkind: volume\nversion: 1.0.0\n"
                   "abi: {minimum: 1, maximum: 1}\ncapabilities: [keelson.volume/0]\n")
    config = os.path.join(plugins, "keelsond.yaml")
    with open(config, "w") as file:
        file.write(f"plugins: {{entries: [{{name: spin, manifest: {manifest}}}]}}\n")
    for path in (manifest, os.path.join(plugins, "spin.so")):
        os.chmod(path, 0o644)
    # One request at a time, where it is the request that waits and not the queue before it; and some more.
    counts = (1, 16)
    spinning, alone = ({count: [] for count in counts} for _ in range(2))
    for _ in range(bench.rounds):
        for times, with_config in ((alone, None), (spinning, config)):
            process, _ = bench.start(directory, config=with_config)
            if with_config:
                hosts = [host for host in children_named("keelson-plugin-host") if directory in host[1]]
                if not hosts:
                    raise SystemExit("the spinning plugin does not run")
            for count in counts:
                quiet_p99(bench, directory, count)
                times[count].append(quiet_p99(bench, directory, count))
            bench.stop(process)
            # Hosts outlive their kernel.
            for number, _ in hosts if with_config else []:
                os.kill(number, signal.SIGKILL)
    for count in counts:
        ours, peer = statistics.median(spinning[count]), statistics.median(alone[count])
        bench.rows.append(f"| GET p99, {count} connections, while an isolated plugin loops in two threads; the peer is the "
                          f"same without it | {ours:.2f} ms | {peer:.2f} ms | {ours / peer:.2f} | <= 2 of without "
                          f"| {'yes' if ours / peer <= 2 else '**no**'} |")
        print(bench.rows[-1], file=sys.stderr, flush=True)


# Processes with that program name: their numbers and command lines.
def children_named(name):
    found = []
    for entry in os.listdir("/proc"):
        try:
            with open(f"/proc/{entry}/cmdline") as file:
                line = file.read()
        except (OSError, ValueError):
            continue
        if os.path.basename(line.split("\0")[0]) == name:
            found.append((int(entry), line))
    return found


def measure_memory(bench):
    directory = os.path.join(bench.work, "memory")
    process, _ = bench.start(directory)
    time.sleep(2)
    idle = memory_of(process) / 1e6
    bench.row("PSS idle, map pages apart", idle, None, "<= 32 MB", idle <= 32, " MB")
    make_namespace(bench, directory, "default")
    bench.client("create", bench.port, "--count", MANY_PODS, directory=directory)
    bench.body("/api/v1/pods", directory)
    full = memory_of(process) / 1e6
    bench.row(f"PSS with {MANY_PODS:,} pods, map pages apart", full, None, "<= 100 MB", full <= 100, " MB")
    bench.stop(process)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("bin")
    parser.add_argument("--work", default="/var/tmp")
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--port", type=int, default=46443, help="this one and the next are used")
    parser.add_argument("--only", default="start,memory,read,create,slow,watch,spin", help="parts, comma-separated")
    arguments = parser.parse_args()
    parts = arguments.only.split(",")
    bench = Bench(arguments)
    try:
        if "start" in parts:
            measure_starts(bench)
        if "memory" in parts:
            measure_memory(bench)
        if "spin" in parts:
            measure_spin(bench)
        directory = os.path.join(bench.work, "data")
        process, _ = bench.start(directory)
        if "read" in parts:
            measure_reads(bench, directory, bench.start_nginx(directory))
        if "create" in parts:
            measure_creates(bench, directory, 7000, "durable pod creates/s, 64 connections")
        if "watch" in parts:
            measure_watch(bench, process, directory)
        bench.stop(process)
        if "slow" in parts:
            slow = os.path.join(bench.work, "slow")
            process, _ = bench.start(slow, sync_delay_ms=5)
            measure_creates(bench, slow, 4000, "the same when every sync takes 5 ms longer")
            bench.stop(process)
        print("| what | ours | peer | ratio | budget | met |")
        print("|---|---|---|---|---|---|")
        print("\n".join(bench.rows))
    finally:
        bench.close()


if __name__ == "__main__":
    main()
