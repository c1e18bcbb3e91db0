#!/usr/bin/env python3
"""Services and names on a node with real pods, with kubectl: by cluster address, node port and name, in every proxy mode.

  network_test.py KEELSOND KEELCTL KUBECTL [unittest arguments]"""
import os
import pathlib
import signal
import subprocess
import sys
import unittest

import support
from traffic import Traffic

KEELSOND = KEELCTL = KUBECTL = None
CURL_REFUSED = 7  # its exit code
LONGEST_GAP_SECONDS = 1.0  # in which new connections may be lost
IMAGE = "busybox:1"
# Says its name to whoever connects.
SERVER = "mkdir -p /w && hostname > /w/index.html && exec httpd -f -p 8080 -h /w"


def plugins():
    return pathlib.Path(KEELSOND).parent.parent / "lib/keelson/plugins"


def curl(url, seconds=support.PATIENCE_SECONDS):
    return subprocess.run(["curl", "-s", "-m", str(seconds), url], capture_output=True, text=True)


def fetch(url):
    """What is there, or nothing."""
    done = curl(url, 2)
    return done.stdout.strip() if done.returncode == 0 else ""


class NetworkStory(support.OneNode, unittest.TestCase):
    mode = None

    @classmethod
    def setUpClass(cls):
        if not (plugins() / f"{cls.mode}.yaml").exists():
            raise unittest.SkipTest(f"the plugin {cls.mode} is not built")
        cls.node = support.Node(KEELSOND, KEELCTL, f"network: {{proxy: {cls.mode}}}\n")
        cls.node.__enter__()
        cls.addClassCleanup(cls.node.__exit__)
        cls.kubectl = support.Kubectl(KUBECTL, cls.node)
        cls.addClassCleanup(cls.k, "delete", "deployment", "--all", code=None)
        cls.start_pods()

    @classmethod
    def start_pods(cls):
        cls.wait_for_service_account()
        cls.kubectl.create({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
            "spec": {"replicas": 3, "selector": {"matchLabels": {"app": "web"}},
                     "template": {"metadata": {"labels": {"app": "web"}},
                                  "spec": {"terminationGracePeriodSeconds": 0, "containers": [{
                                      "name": "c", "image": IMAGE, "command": ["sh", "-c", SERVER], "readinessProbe": {
                                          "tcpSocket": {"port": 8080}, "periodSeconds": 1, "timeoutSeconds": 10}}]}}}})
        cls.k("expose", "deployment", "web", "--port=80", "--target-port=8080", "--type=NodePort")
        cls.kubectl.create({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "client"},
            "spec": {"terminationGracePeriodSeconds": 0,
                     "containers": [{"name": "c", "image": IMAGE, "command": ["sleep", "100000"]}]}})
        cls.k("rollout", "status", "deployment/web", support.PATIENT)
        cls.k("wait", "--for=condition=Ready", "pod/client", support.PATIENT)
        service = cls.k("get", "service", "web", "-o", "json").json()["spec"]
        cls.address, cls.node_port = service["clusterIP"], service["ports"][0]["nodePort"]

    def pods(self):
        return {pod["metadata"]["name"] for pod in self.k("get", "pods", "-l", "app=web", "-o", "json").json()["items"]}

    def in_pod(self, *command):
        return self.k("exec", "client", "--", *command, code=None).out.strip()

    def fetch_in_pod(self, address):
        """Without wget: with a time limit that of Debian's static busybox ends by a fault."""
        ask = f"printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 2 {address} 80 | tail -n 1"
        return self.in_pod("sh", "-c", ask)

    def spread(self, ask, tries=60):
        """All pods answer, and nobody else."""
        pods, seen = self.pods(), set()
        for _ in range(tries):
            answer = ask()
            if answer:
                self.assertIn(answer, pods)
                seen.add(answer)
            if seen == pods:
                return
        self.fail(f"of {pods} only {seen} answered\n" + self.node.log()[-2000:])

    # In the order of their names.
    def test_1_the_node_and_pods_reach_a_service_and_every_pod_gets_a_share(self):
        self.wait(lambda: fetch(f"http://{self.address}/") in self.pods())
        self.spread(lambda: fetch(f"http://{self.address}/"))
        self.spread(lambda: self.fetch_in_pod(self.address))

    def test_2_a_node_port_is_served(self):
        self.wait(lambda: fetch(f"http://192.0.2.1:{self.node_port}/") in self.pods())
        self.spread(lambda: fetch(f"http://192.0.2.1:{self.node_port}/"))

    def test_3_names_are_answered_in_pods(self):
        self.wait(lambda: self.k("-n", "kube-system", "get", "service", "kube-dns", code=None).code == 0)
        self.wait(lambda: self.address in self.in_pod("nslookup", "web.default.svc.cluster.local"))
        self.assertIn("nameserver 10.96.0.10", self.in_pod("cat", "/etc/resolv.conf"))
        self.assertIn(self.address, self.in_pod("nslookup", "web.default.svc.cluster.local."))
        self.k("expose", "deployment", "web", "--name=headless", "--port=8080", "--cluster-ip=None")
        self.wait(lambda: all(address in self.in_pod("nslookup", "headless.default.svc.cluster.local") for address in
                              (pod["status"]["podIP"] for pod in
                               self.k("get", "pods", "-l", "app=web", "-o", "json").json()["items"])))
        self.assertNotEqual(self.k("exec", "client", "--", "nslookup", "nothing.default.svc.cluster.local", code=None).code, 0)

    def test_4_a_client_keeps_its_backend_when_asked(self):
        self.k("expose", "deployment", "web", "--name=sticky", "--port=80", "--target-port=8080", "--session-affinity=ClientIP")
        address = self.k("get", "service", "sticky", "-o", "json").json()["spec"]["clusterIP"]
        self.wait(lambda: fetch(f"http://{address}/") in self.pods())
        self.assertEqual(len({fetch(f"http://{address}/") for _ in range(20)}), 1)

    def test_5_what_scales_and_dies_is_followed(self):
        self.k("scale", "deployment", "web", "--replicas=1")
        self.wait(lambda: len(self.pods()) == 1)
        self.wait(lambda: len({fetch(f"http://{self.address}/") for _ in range(10)} - {""}) == 1)
        self.k("scale", "deployment", "web", "--replicas=0")
        self.wait(lambda: not self.pods())
        self.wait(lambda: not fetch(f"http://{self.address}/"))
        # Told at once, and not found out by waiting.
        self.assertEqual(curl(f"http://{self.address}/").returncode, CURL_REFUSED)
        self.k("scale", "deployment", "web", "--replicas=3")
        self.k("rollout", "status", "deployment/web", support.PATIENT)
        self.wait(lambda: fetch(f"http://{self.address}/") in self.pods())

    def test_6_traffic_goes_on_while_keelsond_is_killed_and_starts_again(self):
        self.wait(lambda: fetch(f"http://{self.address}/") in self.pods())
        ready_since = self.ready_since()
        with Traffic(self.address) as traffic:
            traffic.wait_for_answers(20)
            self.node.kill()
            traffic.wait_for_answers(50)
            self.node.start()
            traffic.wait_for_answers(200)
        self.check(traffic, "killed and started")
        self.assertEqual(self.ready_since(), ready_since, "they have been ready all the time")

    def ready_since(self):
        return {pod["metadata"]["name"]: condition["lastTransitionTime"]
                for pod in self.k("get", "pods", "-l", "app=web", "-o", "json").json()["items"]
                for condition in pod["status"]["conditions"] if condition["type"] == "Ready"}

    def check(self, traffic, what):
        print(f"{self.mode}, {what}: {traffic}", file=sys.stderr, flush=True)
        self.assertLess(traffic.longest_gap, LONGEST_GAP_SECONDS, self.tell())


class Switching:
    """The mode's own proxy gives way to another one and comes back."""
    other = None
    trace_of_other = None  # in the rules of the packet filter

    def test_7_another_proxy_takes_over_while_traffic_runs(self):
        if not (plugins() / f"{self.other}.yaml").exists():
            self.skipTest(f"the plugin {self.other} is not built")
        for mode in (self.other, self.mode):
            with Traffic(self.address) as traffic:
                traffic.wait_for_answers(20)
                self.switch(mode)
                traffic.wait_for_answers(100)
            self.check(traffic, f"{mode} takes over")
        rules = subprocess.run(["iptables-legacy-save"], capture_output=True, text=True).stdout
        self.assertNotIn(self.trace_of_other, rules, "the former proxy has left nothing")

    def switch(self, mode):
        path = self.node.directory / "keelsond.yaml"
        before = path.read_text()
        path.write_text("\n".join(f"network: {{proxy: {mode}}}" if line.startswith("network:") else line
                                  for line in before.splitlines()) + "\n")
        os.kill(self.node.process.pid, signal.SIGHUP)
        self.wait(lambda: (self.node.data / "node/proxies").read_text() == mode + "\n")


class Iptables(Switching, NetworkStory):
    mode, other, trace_of_other = "iptables", "userspace", "REDIRECT"


class Userspace(NetworkStory):
    mode = "userspace"


@unittest.skipUnless(pathlib.Path("/proc/net/ip_vs").exists(), "this kernel has no IPVS, or its module is not loaded")
class Ipvs(Switching, NetworkStory):
    mode, other, trace_of_other = "ipvs", "iptables", "KEELSON-VIP"


del NetworkStory


def main():
    global KEELSOND, KEELCTL, KUBECTL
    KEELSOND, KEELCTL, KUBECTL = support.programs_for_containers(__doc__)
    unittest.main(argv=[sys.argv[0], *sys.argv[4:]], verbosity=2)


if __name__ == "__main__":
    main()
