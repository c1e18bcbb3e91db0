#!/usr/bin/env python3
"""Services whose pods are on two nodes, each with a network of its own, on one machine: from pods and nodes of either
side and from outside, with the traffic policies, in the proxy modes that share the machine's kernel.

  two_nodes_test.py KEELSOND KEELCTL KUBECTL [unittest arguments]"""
import contextlib
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import unittest

import joining
import support
from namespaces import NetworkNamespace, process_of_pod
from traffic import Traffic, ask

KEELSOND = KEELCTL = KUBECTL = None
LONGEST_GAP_SECONDS = 1.0
OUTSIDE = "198.51.100.254"
NODES = {"n1": "198.51.100.1", "n2": "198.51.100.2"}
DNS = "10.96.0.10"


def plugins():
    return pathlib.Path(KEELSOND).parent.parent / "lib/keelson/plugins"


def ip(*words):
    subprocess.run(["ip", *words], check=True)


def join_wire(name, address):
    """A namespace with that address on the bridge that this one is on too, which is its outside."""
    space = NetworkNamespace()
    ip("link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", space.path)
    ip("link", "set", name, "master", "wire", "up")
    for command in (f"addr add {address}/24 dev eth0", "link set eth0 up", f"route add default via {OUTSIDE}"):
        space.command("ip", *command.split())
    return space


def make_wire():
    ip("link", "add", "wire", "type", "bridge")
    ip("addr", "add", OUTSIDE + "/24", "dev", "wire")
    ip("link", "set", "wire", "up")


class Stream(Traffic):
    """For each question a pod starts a shell, of which a virtual machine without help of the processor starts few."""
    if "KEELSON_VM" in os.environ:
        INTERVAL_SECONDS, MOST_UNDER_WAY = 0.2, 2
    # Of which a quarter would be its own, or lost, if one of four backends were still in the tables.
    ENOUGH_ANSWERS = 40

    def has_left(self, name, deleted_at):
        """The last answers are not that backend's, nor was any connection lost since."""
        since = max([deleted_at, self.last_answer_of(name), *(begun for begun, _ in self.losses)])
        return len(self.said_since(since)) >= self.ENOUGH_ANSWERS


WHAT_A_NODE_HAS = """{ ip -br addr; ip route; ip route show table local; iptables-legacy-save; ipvsadm -Ln; ipvsadm -Lnc; } 2>&1"""


class TwoNodes:
    """A node with the control plane and one that has joined it. Use it as a context; nothing is left of them."""

    def __init__(self, mode):
        self.mode = mode
        self.spaces = {name: join_wire(name, address) for name, address in NODES.items()}
        self.first = self.second = None

    def __enter__(self):
        with tempfile.TemporaryDirectory(prefix="keelson-image-") as directory:
            self.registry = joining.Registry(pathlib.Path(directory), OUTSIDE).__enter__()
        common = f"network: {{proxy: {self.mode}}}\nplugins: {{entries: [{self.registry.config}]}}\n"
        try:
            self.first = support.Node(KEELSOND, KEELCTL, common, prefix=self.spaces["n1"].prefix,
                                      address=NODES["n1"]).__enter__()
            self.kubectl = support.Kubectl(KUBECTL, self.first)
            joining.add_token(self)
            config = "node: {name: n2}\nlog: {level: info}\n" + common
            self.second = joining.JoiningNode(self.first, config, self.spaces["n2"].prefix)
            self.second.start("--token", ".".join(joining.TOKEN), "--ca-hash", joining.ca_hash(self.first))
            self.wait(lambda: self.is_ready("n1") and self.is_ready("n2"))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        try:
            if self.second is not None:
                self.run("delete", "deployments", "--all", code=None)
                deadline = time.monotonic() + support.PATIENCE_SECONDS
                while (self.first.sandboxes() or self.second.sandboxes()) and time.monotonic() < deadline:
                    self.run("delete", "pods", "--all", "--now", "--wait=false", code=None)
                    time.sleep(0.2)
                self.second.__exit__()
            if self.first is not None:
                self.first.__exit__()
        finally:
            self.registry.__exit__()
            for name, space in self.spaces.items():
                ip("link", "delete", name)
                space.close()

    def run(self, *arguments, **options):
        """kubectl, from outside."""
        return self.kubectl.run("--server", self.first.url, *arguments, **options)

    def create(self, *objects):
        self.kubectl.create(*objects, options=("--server", self.first.url))

    def is_ready(self, node):
        found = self.run("get", "node", node, "-o", "json", code=None)
        return found.code == 0 and any(condition["type"] == "Ready" and condition["status"] == "True"
                                       for condition in found.json()["status"].get("conditions", []))

    def wait(self, condition):
        return support.wait_until(condition, self.tell)

    def tell(self):
        return (self.run("get", "nodes,pods,services,endpointslices,events", "-o", "wide", code=None).out[-6000:] +
                "".join(f"\n--- {name}\n{node.log()[-2500:]}" for name, node in
                        (("n1", self.first), ("n2", self.second)) if node is not None) +
                "".join(f"\n--- {name}\n{space.command('sh', '-c', WHAT_A_NODE_HAS)}" for name, space in self.spaces.items()))


def container(image, script):
    return {"name": "c", "image": image, "command": ["sh", "-c", script]}


def servers(node, image):
    """Two pods on that node that say who they are. They do not end before their grace has passed, which is longer than what
    is looked at takes."""
    labels = {"app": "web", "on": node}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web-" + node},
            "spec": {"replicas": 2, "selector": {"matchLabels": labels}, "template": {
                "metadata": {"labels": labels},
                "spec": {"nodeSelector": {"kubernetes.io/hostname": node}, "terminationGracePeriodSeconds": 600,
                         "containers": [{**container(image, support.WHO_SERVER), "readinessProbe": {
                             "tcpSocket": {"port": 8080}, "periodSeconds": 1, "timeoutSeconds": 10}}]}}}}


def client(node, image):
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "client-" + node}, "spec": {
        "nodeName": node, "terminationGracePeriodSeconds": 0, "containers": [container(image, "exec sleep 100000")]}}


def service(name, selector=None, **spec):
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": {
        "selector": selector or {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}], **spec}}


class ServicesOfTwoNodes(unittest.TestCase):
    mode = None

    @classmethod
    def setUpClass(cls):
        if not (plugins() / f"{cls.mode}.yaml").exists():
            raise unittest.SkipTest(f"the plugin {cls.mode} is not built")
        cls.nodes = cls.enterClassContext(TwoNodes(cls.mode))
        cls.k, cls.wait = cls.nodes.run, cls.nodes.wait
        image = cls.nodes.registry.host + "/busybox:1"
        cls.wait(lambda: cls.k("get", "serviceaccount", "default", code=None).code == 0)
        cls.nodes.create(*[servers(node, image) for node in NODES], *[client(node, image) for node in NODES],
                         service("web", type="NodePort"))
        for node in NODES:
            cls.k("rollout", "status", f"deployment/web-{node}", support.PATIENT)
            cls.k("wait", "--for=condition=Ready", f"pod/client-{node}", support.PATIENT)
        cls.places = {node: space.run for node, space in cls.nodes.spaces.items()}
        cls.client_addresses = {}
        for node in NODES:
            pod = cls.k("get", "pod", "client-" + node, "-o", "json").json()
            space = NetworkNamespace(process_of_pod(pod["metadata"]["uid"]))
            cls.addClassCleanup(space.close)
            cls.places["client-" + node] = space.run
            cls.client_addresses["client-" + node] = pod["status"]["podIP"]
        cls.addresses = {**NODES, **cls.client_addresses}  # of the places

    # --- what is asked ---

    def pods(self, node=None):
        found = self.k("get", "pods", "-l", f"on={node}" if node else "app=web", "-o", "json").json()["items"]
        return {pod["metadata"]["name"] for pod in found if "deletionTimestamp" not in pod["metadata"]}

    def spec(self, name):
        return self.k("get", "service", name, "-o", "json").json()["spec"]

    def cluster_address(self, name):
        return self.spec(name)["clusterIP"]

    def node_port(self, name):
        return self.spec(name)["ports"][0]["nodePort"]

    def from_place(self, place, address, port=80, seconds=10):
        run = self.places.get(place, lambda work: work())
        return run(lambda: ask(address, port, seconds))

    def hears(self, place, address, port):
        try:
            return self.from_place(place, address, port, 0.5)
        except OSError:
            return None

    def spread(self, place, address, port, pods, source=None):
        """All of those pods answer and nobody else, once one does; and they see that address as the client's."""
        self.wait(lambda: self.hears(place, address, port))
        seen = set()
        for _ in range(100):
            begun = time.monotonic()
            try:
                heard = self.from_place(place, address, port)
            except OSError as error:
                self.fail(f"{place} asks {address}:{port}: {error} after {time.monotonic() - begun:.3f} s, "
                          f"when {sorted(seen)} of {sorted(pods)} had answered\n" + self.nodes.tell())
            self.assertIn(heard.name, pods, f"{place} asks {address}:{port}")
            if source is not None:
                self.assertEqual(heard.source, source, f"{place} asks {address}:{port}")
            seen.add(heard.name)
            if seen == pods:
                return
        self.fail(f"{place} asks {address}:{port}: of {pods} only {seen} have answered")

    def stays_silent(self, place, address, port):
        self.assertIsNone(self.hears(place, address, port), f"{place} is answered by {address}:{port}")

    # --- in the order of their names ---

    def test_1_by_cluster_address_every_place_reaches_the_pods_of_both_nodes(self):
        address = self.cluster_address("web")
        for place in self.places:
            is_kept = self.mode != "userspace" and place in self.client_addresses
            self.spread(place, address, 80, self.pods(), self.client_addresses[place] if is_kept else None)

    def test_2_the_node_port_of_either_node_leads_to_the_pods_of_both(self):
        port = self.node_port("web")
        for place in (*self.places, "outside"):
            for address in NODES.values():
                self.spread(place, address, port, self.pods())

    def test_3_a_name_is_answered_on_either_node(self):
        self.wait(lambda: self.k("-n", "kube-system", "get", "service", "kube-dns", code=None).code == 0)
        pods, address = self.pods(), self.cluster_address("web")
        for node, space in self.nodes.spaces.items():
            in_pod = lambda *words: self.k("exec", "client-" + node, "--", *words, code=None).out
            self.wait(lambda: address in in_pod("nslookup", "web.default.svc.cluster.local"))
            for name in ("web", "web.default", "web.default.svc", "web.default.svc.cluster.local."):
                heard = in_pod("wget", "-q", "-O", "-", f"http://{name}/cgi-bin/who").split()
                self.assertIn((heard or [None])[0], pods, f"{name} in a pod of {node}")
            self.assertIn(address, space.command("busybox", "nslookup", "web.default.svc.cluster.local", DNS))

    def test_4_with_the_external_policy_local_a_node_port_leads_to_the_nodes_own_pods(self):
        self.nodes.create(service("near", type="NodePort", externalTrafficPolicy="Local"),
                          service("near-n1", {"on": "n1"}, type="NodePort", externalTrafficPolicy="Local"))
        port, port_n1 = self.node_port("near"), self.node_port("near-n1")
        for node, address in NODES.items():
            self.spread("outside", address, port, self.pods(node), OUTSIDE)
            # Another node is a client from outside; pods of the cluster and the node itself are none.
            other = next(one for one in NODES if one != node)
            self.spread(other, address, port, self.pods(node), NODES[other])
            self.spread(node, address, port, self.pods())
            self.spread("client-" + node, address, port, self.pods())
        self.spread("outside", NODES["n1"], port_n1, self.pods("n1"), OUTSIDE)
        self.spread("n2", NODES["n2"], port_n1, self.pods("n1"))
        self.stays_silent("outside", NODES["n2"], port_n1)
        for place in self.places:
            self.spread(place, self.cluster_address("near"), 80, self.pods())

    def test_5_with_the_internal_policy_local_a_cluster_address_leads_to_the_nodes_own_pods(self):
        self.nodes.create(service("inner", internalTrafficPolicy="Local", type="NodePort"),
                          service("inner-n1", {"on": "n1"}, internalTrafficPolicy="Local"))
        for node in NODES:
            for place in (node, "client-" + node):
                self.spread(place, self.cluster_address("inner"), 80, self.pods(node))
        for place in ("n1", "client-n1"):
            self.spread(place, self.cluster_address("inner-n1"), 80, self.pods("n1"))
        for place in ("n2", "client-n2"):
            self.stays_silent(place, self.cluster_address("inner-n1"), 80)
        for address in NODES.values():
            self.spread("outside", address, self.node_port("inner"), self.pods())

    def test_6_a_client_keeps_its_backend_when_asked(self):
        self.nodes.create(service("sticky", type="NodePort", sessionAffinity="ClientIP"))
        asked = [(place, self.cluster_address("sticky"), 80) for place in self.places]
        asked += [("outside", address, self.node_port("sticky")) for address in NODES.values()]
        for place, address, port in asked:
            self.wait(lambda: self.hears(place, address, port))
            heard = [self.from_place(place, address, port) for _ in range(15)]
            self.assertEqual(len({one.name for one in heard}), 1, f"{place} asks {address}:{port}")

    def test_7_a_backend_that_is_deleted_gracefully_serves_until_nobody_is_sent_to_it(self):
        gone = sorted(self.pods("n1"))[0]
        address = self.k("get", "pod", gone, "-o", "jsonpath={.status.podIP}").out
        for stream in self.delete_under_load(gone):
            self.assertEqual(stream.losses, [])
        self.assertEqual(self.from_place("n1", address, 8080).name, gone, "its grace has not passed")

    def test_8_a_backend_that_is_killed_soon_is_left_by_all(self):
        for stream in self.delete_under_load(sorted(self.pods("n1"))[0], "--now"):
            # As if it had stayed in the tables for a second, of a virtual machine for ten: it is one of four.
            seconds = 10 if "KEELSON_VM" in os.environ else 1
            self.assertLessEqual(len(stream.losses), seconds / stream.INTERVAL_SECONDS / 4)
        for place in self.places:
            self.spread(place, self.cluster_address("web"), 80, self.pods())

    def delete_under_load(self, gone, *options):
        """The streams of questions from three sides, which have ended."""
        web, port, before = self.cluster_address("web"), self.node_port("web"), self.pods("n1")
        with contextlib.ExitStack() as asking:
            streams = [asking.enter_context(Stream(*stream, path="/cgi-bin/who")) for stream in (
                (NODES["n2"], port), (web, 80, self.nodes.spaces["n2"]), (web, 80, self.nodes.spaces["n1"]))]
            for stream in streams:
                stream.wait_for_answers(Stream.ENOUGH_ANSWERS)
            self.k("delete", "pod", gone, "--wait=false", *options)
            deleted_at = time.monotonic()
            self.wait(lambda: all(stream.has_left(gone, deleted_at) for stream in streams))
            self.k("rollout", "status", "deployment/web-n1", support.PATIENT)
            self.wait(lambda: any([name] in (said for _, said in stream.names) for stream in streams
                                  for name in self.pods("n1") - before))
        for stream in streams:
            print(f"{self.mode}, {' '.join(options) or 'with grace'}, {stream.host}:{stream.port}: {stream}; "
                  f"its last answer after {stream.last_answer_of(gone) - deleted_at:.2f} s", file=sys.stderr, flush=True)
            self.assertLess(stream.longest_gap, LONGEST_GAP_SECONDS)
        return streams


class Iptables(ServicesOfTwoNodes):
    mode = "iptables"


class Userspace(ServicesOfTwoNodes):
    mode = "userspace"


@unittest.skipUnless(pathlib.Path("/proc/net/ip_vs").exists(), "this kernel has no IPVS, or its module is not loaded")
class Ipvs(ServicesOfTwoNodes):
    mode = "ipvs"


del ServicesOfTwoNodes


def main():
    global KEELSOND, KEELCTL, KUBECTL
    KEELSOND, KEELCTL, KUBECTL = support.programs_for_containers(__doc__)
    make_wire()
    unittest.main(argv=[sys.argv[0], *sys.argv[4:]], verbosity=2)


if __name__ == "__main__":
    main()
