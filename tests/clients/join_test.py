#!/usr/bin/env python3
"""A second keelsond joins a cluster and runs its pods, on one machine.

  join_test.py KEELSOND KUBECTL [unittest arguments]"""
import base64
import json
import pathlib
import ssl
import subprocess
import sys
import time
import unittest
import urllib.error
import urllib.request

import joining
import support
from joining import TOKEN, JoiningNode, Registry

KEELSOND = KUBECTL = None


class JoinStory(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(support.Server(KEELSOND, roles="api,control,scheduler"))
        cls.kubectl = support.Kubectl(KUBECTL, cls.server)
        cls.registry = cls.enterClassContext(Registry(cls.server.directory))
        cls.image = cls.registry.host + "/busybox:1"
        joining.add_token(cls.kubectl)
        cls.hash = joining.ca_hash(cls.server)
        cls.node = cls.enterClassContext(cls.joining_node())
        cls.addClassCleanup(cls.remove_pods)

    @classmethod
    def joining_node(cls):
        # Pods share the host's network: there is no need of a plugin that connects them.
        return JoiningNode(cls.server, "node: {name: joined, podNetwork: '', port: 0}\nlog: {level: info}\n"
                                       f"plugins: {{entries: [{cls.registry.config}]}}\n")

    @classmethod
    def remove_pods(cls):
        cls.kubectl.run("delete", "pods", "--all", "--grace-period=0", "--force", code=None)
        deadline = time.monotonic() + support.PATIENCE_SECONDS
        while cls.node.sandboxes() and time.monotonic() < deadline:
            time.sleep(0.05)

    def wait_for(self, condition):
        support.wait_until(condition, lambda: self.kubectl.run("get", "pods,nodes,csr,events", code=None).out +
                           self.node.log()[-4000:])

    def is_ready(self, what, name):
        found = self.kubectl.run("get", what, name, "-o", "json", code=None)
        if found.code != 0:
            return False
        return any(condition["type"] == "Ready" and condition["status"] == "True"
                   for condition in found.json()["status"].get("conditions", []))

    def as_node(self, method, path, body=None, content_type="application/merge-patch+json"):
        """What the node's own certificate is answered: the status code and the document."""
        context = ssl._create_unverified_context()
        context.load_cert_chain(self.node.data / "pki/node-client.crt", self.node.data / "pki/node-client.key")
        request = urllib.request.Request(self.server.url + path, method=method,
                                         data=json.dumps(body).encode() if body is not None else None,
                                         headers={"Content-Type": content_type})
        try:
            with urllib.request.urlopen(request, context=context, timeout=support.PATIENCE_SECONDS) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def run_pod(self, name, **spec):
        container = {"name": "c", "image": self.image, "command": ["sleep", "1000"], **spec.pop("container", {})}
        self.kubectl.create({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
            "spec": {"nodeName": "joined", "hostNetwork": True, "terminationGracePeriodSeconds": 1,
                     "containers": [container], **spec}})
        self.wait_for(lambda: self.is_ready("pod", name))

    # In the order of their names.
    def test_1_who_says_the_wrong_thing_is_refused(self):
        token = ".".join(TOKEN)
        wrong = "sha256:" + "0" * 64
        text = self.node.refused("--token", token, "--ca-hash", wrong)
        self.assertIn(f"the server's CA has the hash {self.hash}, not {wrong}: check --ca-hash", text)
        text = self.node.refused("--token", "abcdef.aaaaaaaaaaaaaaaa", "--ca-hash", self.hash)
        self.assertIn("refuses the token", text)
        joining.add_token(self.kubectl, "fedcba", TOKEN[1], expiration="2020-01-01T00:00:00Z")
        text = self.node.refused("--token", "fedcba." + TOKEN[1], "--ca-hash", self.hash)
        self.assertIn("refuses the token", text)
        self.assertIn("join with --token", self.node.refused())
        unreachable = self.joining_node()
        with unreachable:
            command = [part.replace(str(self.server.port), str(support.free_port())) for part in
                       unreachable.command("--token", token, "--ca-hash", self.hash)]
            done = subprocess.run(command, capture_output=True, text=True, timeout=support.PATIENCE_SECONDS)
            self.assertEqual(done.returncode, 1)
            self.assertIn("joining https://127.0.0.1", done.stderr)
        # The expired one has been cleaned away.
        self.wait_for(lambda: self.kubectl.run("-n", "kube-system", "get", "secret", "bootstrap-token-fedcba",
                                               code=None).code != 0)

    def test_2_the_node_becomes_ready(self):
        self.node.start("--token", ".".join(TOKEN), "--ca-hash", self.hash)
        self.wait_for(lambda: self.is_ready("node", "joined"))
        self.assertEqual((self.node.data / "pki/node-client.key").stat().st_mode & 0o777, 0o600)
        requests = self.kubectl.run("get", "csr", "-o", "json").json()["items"]
        self.assertEqual({request["spec"]["username"] for request in requests if "client" in request["spec"]["signerName"]},
                         {"system:bootstrap:abcdef"})

    def test_3_a_pod_runs_on_it(self):
        self.kubectl.run("create", "secret", "generic", "used", "--from-literal=word=hello")
        self.kubectl.run("create", "secret", "generic", "unused", "--from-literal=word=hush")
        out = self.node.directory / "out"
        out.mkdir()
        self.run_pod("reader", volumes=[{"name": "o", "hostPath": {"path": str(out)}},
                                        {"name": "s", "secret": {"secretName": "used"}}],
                     container={"command": ["sh", "-c", "cat /s/word > /o/word; sleep 1000"],
                                "volumeMounts": [{"name": "o", "mountPath": "/o"}, {"name": "s", "mountPath": "/s"}]})
        self.wait_for(lambda: (out / "word").exists() and (out / "word").read_text() == "hello")

    def test_3a_logs_commands_and_usage_come_from_there(self):
        self.run_pod("talker", container={"command": ["sh", "-c", "echo from afar; while true; do sleep 1; done"]})
        port = self.kubectl.run("get", "node", "joined", "-o", "jsonpath={.status.daemonEndpoints.kubeletEndpoint.Port}").out
        self.assertGreater(int(port), 0)
        self.wait_for(lambda: self.kubectl.run("logs", "talker", code=None).out == "from afar\n")
        done = self.kubectl.run("exec", "-i", "talker", "--", "cat", input="there and back")
        self.assertEqual(done.out, "there and back")
        self.assertEqual(self.kubectl.run("exec", "talker", "--", "sh", "-c", "exit 3", code=None).code, 3)
        self.kubectl.run("cp", "/etc/hostname", "talker:/tmp/name")
        self.assertEqual(self.kubectl.run("exec", "talker", "--", "cat", "/tmp/name").out, pathlib.Path("/etc/hostname").read_text())
        self.wait_for(lambda: "talker" in self.kubectl.run("top", "pods", code=None).out)
        self.assertRegex(self.kubectl.run("top", "nodes").out, r"joined +\d+m +\d+% +\d+Mi +\d+%")
        self.assertRegex(self.kubectl.run("top", "pod", "talker", "--containers").out, r"talker +c +\d+m +\d+Mi")
        summary = self.kubectl.run("get", "--raw", "/api/v1/nodes/joined/proxy/stats/summary").json()
        self.assertEqual(summary["node"]["nodeName"], "joined")
        metrics = self.kubectl.run("get", "--raw", "/api/v1/nodes/joined/proxy/metrics/resource").out
        self.assertIn('container_memory_working_set_bytes{container="c",namespace="default",pod="talker"}', metrics)
        context = ssl._create_unverified_context()
        context.load_cert_chain(self.node.data / "pki/node-client.crt", self.node.data / "pki/node-client.key")
        with self.assertRaises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"https://127.0.0.1:{port}/pods", context=context, timeout=support.PATIENCE_SECONDS)
        self.assertEqual(refused.exception.code, 401, "nodes do not ask each other")

    def test_3b_attached_and_forwarded_streams_go_there(self):
        port = support.free_port()  # of the pod, which is on the node's own network
        self.run_pod("listener", container={"stdin": True, "stdinOnce": True, "command": [
            "sh", "-c", f"mkdir -p /tmp/w; hostname > /tmp/w/index.html; httpd -p {port} -h /tmp/w; "
                        "while read line; do echo got $line; done; sleep 1000"]})
        near = support.free_port()
        forward = self.kubectl.start("port-forward", "pod/listener", f"{near}:{port}")
        try:
            self.assertIn("Forwarding from", forward.stdout.readline())
            with urllib.request.urlopen(f"http://127.0.0.1:{near}/", timeout=support.PATIENCE_SECONDS) as answer:
                self.assertTrue(answer.read())
        finally:
            forward.kill()
            forward.communicate()
        attached = subprocess.Popen([self.kubectl.binary, "attach", "-i", "listener"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                    stderr=subprocess.PIPE, text=True, env=self.kubectl.environment())
        try:
            attached.stdin.write("one\n")
            attached.stdin.flush()
            self.assertEqual(attached.stdout.readline(), "got one\n")
        finally:
            attached.kill()
            attached.communicate()

    def test_4_the_node_touches_only_what_is_its_own(self):
        secrets = "/api/v1/namespaces/default/secrets/"
        code, secret = self.as_node("GET", secrets + "used")
        self.assertEqual((code, base64.b64decode(secret["data"]["word"])), (200, b"hello"))
        code, status = self.as_node("GET", secrets + "unused")
        self.assertEqual(code, 403)
        self.assertIn("no relationship found between node 'joined' and this object", status["message"])
        for path in ("/api/v1/secrets", "/api/v1/namespaces/default/secrets", "/api/v1/pods",
                     "/api/v1/pods?fieldSelector=spec.nodeName%3Dother", "/api/v1/configmaps"):
            self.assertEqual(self.as_node("GET", path)[0], 403, path)
        code, pods = self.as_node("GET", "/api/v1/pods?fieldSelector=spec.nodeName%3Djoined")
        self.assertEqual((code, {pod["metadata"]["name"] for pod in pods["items"]}), (200, {"reader", "talker", "listener"}))
        self.kubectl.run("create", "-f", "-", input='{"apiVersion":"v1","kind":"Node","metadata":{"name":"other"}}')
        label = {"metadata": {"labels": {"a": "b"}}}
        self.assertEqual(self.as_node("PATCH", "/api/v1/nodes/other", label)[0], 403)
        self.assertEqual(self.as_node("PATCH", "/api/v1/nodes/joined", label)[0], 200)
        guarded = {"metadata": {"labels": {"node-restriction.kubernetes.io/a": "b"}}}
        code, status = self.as_node("PATCH", "/api/v1/nodes/joined", guarded)
        self.assertEqual(code, 403)
        self.assertIn("not allowed to modify labels", status["message"])
        self.assertEqual(self.as_node("PATCH", "/api/v1/nodes/joined", {"spec": {"taints": []}})[0], 200)
        self.assertEqual(self.as_node("PATCH", "/api/v1/nodes/joined", {"spec": {"taints": [
            {"key": "mine", "effect": "NoSchedule"}]}})[0], 403)
        self.assertEqual(self.as_node("DELETE", "/api/v1/nodes/other")[0], 403)
        token = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        code, status = self.as_node("POST", "/api/v1/namespaces/default/serviceaccounts/default/token", token,
                                    "application/json")
        self.assertEqual(code, 403)
        self.assertIn("not bound to a pod", status["message"])

    def test_5_containers_outlive_the_process(self):
        before = self.kubectl.run("get", "pod", "reader", "-o", "json").json()["status"]["containerStatuses"][0]
        self.node.kill()
        self.kubectl.run("label", "pod", "reader", "seen=no")
        # Token and hash are not needed any more.
        self.node.start()
        self.wait_for(lambda: self.node.log().count("ready ") >= 2)
        self.run_pod("second")
        after = self.kubectl.run("get", "pod", "reader", "-o", "json").json()["status"]["containerStatuses"][0]
        self.assertEqual((after["containerID"], after["restartCount"]), (before["containerID"], before["restartCount"]))

    def test_6_requests_are_approved_and_denied_by_hand(self):
        for name, verb, condition in (("good", "approve", "Approved"), ("bad", "deny", "Denied")):
            key = subprocess.run(["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                                  "-nodes", "-keyout", self.server.directory / "key", "-subj", "/O=people/CN=jane"],
                                 capture_output=True, check=True).stdout
            self.kubectl.create({
                "apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest", "metadata": {"name": name},
                "spec": {"request": base64.b64encode(key).decode(), "usages": ["client auth"], "expirationSeconds": 3600,
                         "signerName": "kubernetes.io/kube-apiserver-client"}})
            self.kubectl.run("certificate", verb, name)
            status = self.kubectl.run("get", "csr", name, "-o", "json").json()["status"]
            self.assertEqual([one["type"] for one in status["conditions"]], [condition])
        issued = lambda: self.kubectl.run("get", "csr", "good", "-o", "json").json()["status"].get("certificate")
        self.wait_for(issued)
        text = subprocess.run(["openssl", "x509", "-noout", "-subject", "-ext", "extendedKeyUsage"],
                              input=base64.b64decode(issued()), capture_output=True, check=True).stdout.decode()
        self.assertIn("jane", text)
        self.assertIn("Client Authentication", text)


if __name__ == "__main__":
    KEELSOND, KUBECTL = support.programs_for_containers(__doc__, 2)
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=2)
