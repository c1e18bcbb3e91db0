#!/usr/bin/env python3
"""Pods that really run, with kubectl, on a node with the oci runtime.

  node_test.py KEELSOND KEELCTL KUBECTL [unittest arguments]"""
import contextlib
import glob
import json
import os
import pathlib
import random
import re
import signal
import sys
import time
import unittest
import urllib.request

import support

KEELSOND = KEELCTL = KUBECTL = None
IMAGE = "busybox:1"


def pod(name, script=None, **spec):
    """One container `c` that runs a shell script; container settings in `container`."""
    container = {"name": "c", "image": IMAGE, **spec.pop("container", {})}
    if script is not None:
        container["command"] = ["sh", "-c", script]
    spec.setdefault("terminationGracePeriodSeconds", 1)
    return json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
                       "spec": {"containers": [container], **spec}})


class NodeStory(support.OwnNamespace, unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.node = support.Node(KEELSOND, KEELCTL)
        cls.node.__enter__()
        cls.addClassCleanup(cls.node.__exit__)
        cls.kubectl = support.Kubectl(KUBECTL, cls.node)

    def apply(self, text):
        self.k("create", "-f", "-", input=text)

    def get(self, name):
        return self.k("get", "pod", name, "-o", "json").json()

    def status(self, name, container="c"):
        status = self.get(name)["status"]
        for one in status.get("containerStatuses", []) + status.get("initContainerStatuses", []):
            if one["name"] == container:
                return one
        return {}

    def waiting(self, name, container="c"):
        return self.status(name, container).get("state", {}).get("waiting", {}).get("reason")

    def phase_is(self, name, phase):
        self.wait_for(lambda: self.get(name)["status"].get("phase") == phase)

    def ready(self, name):
        self.k("wait", "--for=condition=Ready", "pod/" + name, support.PATIENT)

    def log(self, name, container="c", attempt=0):
        """The text of a container's log, without the marks of each line."""
        uid = self.get(name)["metadata"]["uid"]
        path = self.node.data / "node/logs" / f"{self.namespace}_{name}_{uid}" / container / f"{attempt}.log"
        return "".join(line.split(" ", 3)[3] for line in path.read_text().splitlines(True))

    def events(self, name):
        return [event["reason"] for event in
                self.k("get", "events", "-o", "json", "--field-selector", "involvedObject.name=" + name).json()["items"]]


class Life(NodeStory):
    def test_a_deployment_is_rolled_out_and_back(self):
        self.k("create", "deployment", "web", "--image=" + IMAGE, "--replicas=3", "--", "sleep", "1000")
        self.k("rollout", "status", "deployment/web", support.PATIENT)
        self.k("set", "env", "deployment/web", "A=1")
        self.k("rollout", "status", "deployment/web", support.PATIENT)
        self.k("rollout", "undo", "deployment/web")
        self.k("rollout", "status", "deployment/web", support.PATIENT)

    def test_a_job_completes_and_a_failing_one_fails(self):
        self.k("create", "job", "good", "--image=" + IMAGE, "--", "sh", "-c", "echo done")
        self.k("wait", "--for=condition=complete", "job/good", support.PATIENT)
        self.k("create", "job", "bad", "--image=" + IMAGE, "--", "sh", "-c", "exit 3")
        self.k("patch", "job", "bad", "-p", '{"spec":{"backoffLimit":0}}')
        self.k("wait", "--for=condition=failed", "job/bad", support.PATIENT)

    def test_init_containers_and_sidecars_run_in_order(self):
        text = json.loads(pod("a", "cat /w/order; echo main >> /w/order; sleep 1", restartPolicy="Never",
                              volumes=[{"name": "w", "emptyDir": {}}],
                              container={"volumeMounts": [{"name": "w", "mountPath": "/w"}]}))
        mount = {"image": IMAGE, "volumeMounts": [{"name": "w", "mountPath": "/w"}]}
        text["spec"]["initContainers"] = [
            {"name": "one", "command": ["sh", "-c", "echo one >> /w/order"], **mount},
            {"name": "side", "restartPolicy": "Always", "command": ["sh", "-c", "echo side >> /w/order; sleep 1000"], **mount},
            {"name": "two", "command": ["sh", "-c", "sleep 0.2; echo two >> /w/order"], **mount}]
        self.apply(json.dumps(text))
        self.phase_is("a", "Succeeded")
        self.assertEqual(self.log("a").split(), ["one", "side", "two"])

    def test_a_crashing_container_is_held_back(self):
        self.apply(pod("a", "echo try; exit 3"))
        self.wait_for(lambda: self.waiting("a") == "CrashLoopBackOff")
        status = self.status("a")
        self.assertEqual(status["lastState"]["terminated"]["exitCode"], 3)
        self.assertGreaterEqual(status["restartCount"], 1)
        self.assertIn("BackOff", self.events("a"))

    def test_a_container_gets_its_grace_and_its_hook(self):
        directory = str(self.node.directory / "hook")
        os.mkdir(directory)
        self.apply(pod("a", "trap 'echo term >> /h/said; exit 0' TERM; echo up > /h/up; while true; do sleep 0.05; done",
                       terminationGracePeriodSeconds=10, volumes=[{"name": "h", "hostPath": {"path": directory}}],
                       container={"volumeMounts": [{"name": "h", "mountPath": "/h"}],
                                  "lifecycle": {"preStop": {"exec": {"command": ["sh", "-c", "echo hook >> /h/said"]}}}}))
        self.ready("a")
        self.wait_for(lambda: os.path.exists(directory + "/up"))
        self.k("delete", "pod", "a")
        self.assertEqual(pathlib.Path(directory, "said").read_text().split(), ["hook", "term"])

    def test_a_container_that_ignores_the_end_is_killed_after_its_grace(self):
        self.apply(pod("a", "trap '' TERM; while true; do sleep 1; done", terminationGracePeriodSeconds=2))
        self.ready("a")
        begin = time.monotonic()
        self.k("delete", "pod", "a")
        self.assertGreaterEqual(time.monotonic() - begin, 1.5)

    def test_probes_make_ready_and_restart(self):
        self.apply(pod("a", "sleep 0.5; touch /tmp/ok; sleep 2; rm /tmp/ok; sleep 1000",
                       container={"readinessProbe": {"exec": {"command": ["cat", "/tmp/ok"]}, "periodSeconds": 1},
                                  "livenessProbe": {"exec": {"command": ["sh", "-c", "[ $(ls /tmp | wc -l) = 1 ] || [ ! -e /tmp/never ]"]},
                                                    "periodSeconds": 1}}))
        self.ready("a")
        self.apply(pod("b", "sleep 1000", container={
            "livenessProbe": {"exec": {"command": ["false"]}, "periodSeconds": 1, "failureThreshold": 1}}))
        self.wait_for(lambda: self.status("b").get("restartCount", 0) >= 1)
        self.assertIn("Unhealthy", self.events("b"))

    def test_what_pods_use_is_told(self):
        self.apply(pod("a", "while true; do :; done", container={"resources": {"limits": {"cpu": "100m"}}}))
        self.ready("a")
        self.wait_for(lambda: "a " in self.k("top", "pods", code=None).out)
        used = self.k("get", "--raw", f"/apis/metrics.k8s.io/v1beta1/namespaces/{self.namespace}/pods/a").json()
        nano_cores = int(used["containers"][0]["usage"]["cpu"].rstrip("n"))
        self.assertTrue(10_000_000 < nano_cores < 200_000_000, nano_cores)
        self.assertRegex(self.kubectl.run("top", "nodes").out, r"n1 +\d+m +\d+% +\d+Mi +\d+%")

    def test_a_deadline_ends_a_pod(self):
        self.apply(pod("a", "sleep 1000", activeDeadlineSeconds=1))
        self.phase_is("a", "Failed")
        self.assertEqual(self.get("a")["status"]["reason"], "DeadlineExceeded")


class Settings(NodeStory):
    def test_the_environment_and_the_downward_api_are_there(self):
        self.k("create", "configmap", "conf", "--from-literal=key=from-map")
        self.k("create", "secret", "generic", "sec", "--from-literal=key=from-secret")
        self.apply(pod("a", "echo $NAME $MAP $SECRET $BOTH $CPU; cat /d/labels /c/key /s/key; "
                            "stat -L -c %a /s/key; hostname; cat /var/run/secrets/kubernetes.io/serviceaccount/namespace",
                       restartPolicy="Never",
                       container={"env": [{"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
                                          {"name": "MAP", "valueFrom": {"configMapKeyRef": {"name": "conf", "key": "key"}}},
                                          {"name": "SECRET", "valueFrom": {"secretKeyRef": {"name": "sec", "key": "key"}}},
                                          {"name": "BOTH", "value": "$(NAME)-$(MAP)"},
                                          {"name": "CPU", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu", "divisor": "1m"}}}],
                                  "resources": {"limits": {"cpu": "250m", "memory": "64Mi"}},
                                  "volumeMounts": [{"name": name, "mountPath": "/" + name} for name in "dcs"]},
                       volumes=[{"name": "d", "downwardAPI": {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.name"}}]}},
                                {"name": "c", "configMap": {"name": "conf"}},
                                {"name": "s", "secret": {"secretName": "sec", "defaultMode": 0o400}}]))
        self.phase_is("a", "Succeeded")
        self.assertEqual(self.log("a"), "a from-map from-secret a-from-map 250\n" "afrom-mapfrom-secret400\na\n" + self.namespace + "\n")

    def test_a_changed_config_map_reaches_the_files(self):
        self.k("create", "configmap", "conf", "--from-literal=key=old")
        self.apply(pod("a", "cat /c/key; echo; until grep -q new /c/key; do sleep 0.05; done; cat /c/key", restartPolicy="Never",
                       container={"volumeMounts": [{"name": "c", "mountPath": "/c"}]},
                       volumes=[{"name": "c", "configMap": {"name": "conf"}}]))
        self.ready("a")
        self.wait_for(lambda: "old" in self.log("a"))
        self.k("patch", "configmap", "conf", "-p", '{"data":{"key":"new"}}')
        self.phase_is("a", "Succeeded")
        self.assertEqual(self.log("a").split(), ["old", "new"])

    def test_the_security_context_holds(self):
        self.apply(pod("a", "id -u; id -g; id -G; touch /x; echo $?; grep CapEff /proc/self/status; grep NoNewPrivs /proc/self/status; grep Seccomp: /proc/self/status",
                       restartPolicy="Never",
                       securityContext={"runAsUser": 1000, "runAsGroup": 1001, "fsGroup": 1002,
                                        "seccompProfile": {"type": "RuntimeDefault"}},
                       container={"securityContext": {"readOnlyRootFilesystem": True, "allowPrivilegeEscalation": False,
                                                      "capabilities": {"drop": ["ALL"]}}}))
        self.phase_is("a", "Succeeded")
        lines = self.log("a").split("\n")
        self.assertEqual(lines[0:2], ["1000", "1001"])
        self.assertEqual(sorted(lines[2].split()), ["1001", "1002"])
        self.assertIn("Read-only file system", " ".join(lines))
        self.assertIn("CapEff:\t0000000000000000", lines)
        self.assertIn("NoNewPrivs:\t1", lines)
        self.assertIn("Seccomp:\t2", lines)

    def test_processes_are_shared_when_asked(self):
        for name, shared in (("alone", False), ("shared", True)):
            self.apply(pod(name, "cat /proc/1/comm", restartPolicy="Never", shareProcessNamespace=shared))
            self.phase_is(name, "Succeeded")
        self.assertEqual(self.log("alone").strip(), "cat")
        self.assertNotEqual(self.log("shared").strip(), "cat")


class Network(NodeStory):
    SERVER = "mkdir /w; echo hi from $HOSTNAME > /w/index.html; httpd -f -p 80 -h /w"

    def address(self, name):
        return self.get(name)["status"]["podIP"]

    def test_pods_reach_each_other_and_are_probed_over_http(self):
        self.apply(pod("server", self.SERVER, container={
            "readinessProbe": {"httpGet": {"port": 80, "path": "/index.html"}, "periodSeconds": 1},
            "livenessProbe": {"tcpSocket": {"port": 80}, "periodSeconds": 1}}))
        self.ready("server")
        self.apply(pod("client", f"wget -q -O - http://{self.address('server')}/index.html", restartPolicy="Never"))
        self.phase_is("client", "Succeeded")
        self.assertEqual(self.log("client").strip(), "hi from server")

    def test_a_host_port_leads_to_its_pod(self):
        self.apply(pod("server", self.SERVER, container={
            "ports": [{"containerPort": 80, "hostPort": 18080}],
            "readinessProbe": {"httpGet": {"port": 80, "path": "/index.html"}, "periodSeconds": 1}}))
        self.ready("server")
        with urllib.request.urlopen("http://192.0.2.1:18080/index.html", timeout=support.PATIENCE_SECONDS) as answer:
            self.assertEqual(answer.read().decode().strip(), "hi from server")

    def test_a_failing_http_probe_says_why(self):
        self.apply(pod("server", self.SERVER, container={
            "readinessProbe": {"httpGet": {"port": 80, "path": "/none"}, "periodSeconds": 1}}))
        self.wait_for(lambda: "HTTP probe failed with statuscode: 404" in
                      self.k("get", "events", "--field-selector", "involvedObject.name=server").out)

    def test_a_pod_keeps_its_address_while_keelsond_restarts(self):
        self.apply(pod("server", self.SERVER))
        self.ready("server")
        before = self.address("server")
        self.node.stop()
        self.node.start()
        self.apply(pod("client", f"until wget -q -O - http://{before}/index.html; do sleep 0.1; done", restartPolicy="Never"))
        self.phase_is("client", "Succeeded")
        self.assertEqual(self.address("server"), before)
        self.assertNotEqual(self.get("client")["status"].get("podIP", ""), before)

    def test_the_host_network_is_the_nodes(self):
        self.apply(pod("a", "hostname; ip addr show up0", restartPolicy="Never", hostNetwork=True))
        self.phase_is("a", "Succeeded")
        self.assertIn("192.0.2.1/24", self.log("a"))
        self.assertEqual(self.get("a")["status"]["podIP"], "192.0.2.1")


class BadInput(NodeStory):
    def test_what_is_wrong_with_an_image_is_said(self):
        for name, image, reason in (("missing", "127.0.0.1:1/none:1", "ErrImagePull"), ("name", "Not:A:Name", "InvalidImageName")):
            text = json.loads(pod(name, "true"))
            text["spec"]["containers"][0]["image"] = image
            self.apply(json.dumps(text))
            self.wait_for(lambda: self.waiting(name) == reason)
        self.wait_for(lambda: self.waiting("missing") == "ImagePullBackOff")
        text = json.loads(pod("never", "true", container={"imagePullPolicy": "Never"}))
        text["spec"]["containers"][0]["image"] = "none:1"
        self.apply(json.dumps(text))
        self.wait_for(lambda: self.waiting("never") == "ErrImageNeverPull")

    def test_a_missing_command_is_said(self):
        self.apply(pod("a", restartPolicy="Never", container={"command": ["/no/such/program"]}))
        self.phase_is("a", "Failed")
        ended = self.status("a")["state"]["terminated"]
        self.assertIn(ended["exitCode"], (127, 128))
        self.assertEqual(ended["reason"], "StartError")
        self.assertIn("/no/such/program", ended["message"])

    def test_a_container_that_takes_too_much_memory_is_killed(self):
        self.apply(pod("a", "head -c 200m /dev/zero | tail", restartPolicy="Never",
                       container={"resources": {"limits": {"memory": "16Mi"}}}))
        self.phase_is("a", "Failed")
        self.assertEqual(self.status("a")["state"]["terminated"]["reason"], "OOMKilled")

    def test_a_missing_config_map_holds_the_pod(self):
        self.apply(pod("a", "true", container={"envFrom": [{"configMapRef": {"name": "none"}}]}))
        self.wait_for(lambda: self.waiting("a") == "CreateContainerConfigError")
        self.assertIn('configmap "none" not found', self.status("a")["state"]["waiting"]["message"])

    def test_a_pod_that_does_not_fit_stays_pending(self):
        self.apply(pod("a", "true", container={"resources": {"requests": {"cpu": "1000"}}}))
        self.wait_for(lambda: "FailedScheduling" in self.events("a"))

    def test_changed_limits_reach_a_running_container(self):
        self.apply(pod("a", "sleep 1000", container={"resources": {"limits": {"memory": "32Mi"}, "requests": {"memory": "32Mi"}}}))
        self.ready("a")
        self.k("patch", "pod", "a", "--subresource=resize", "-p", json.dumps({"spec": {"containers": [
            {"name": "c", "resources": {"limits": {"memory": "48Mi"}, "requests": {"memory": "48Mi"}}}]}}))
        uid = self.get("a")["metadata"]["uid"]

        def limits():
            found = glob.glob(f"/sys/fs/cgroup/memory/keelson/pods/**/*{uid}*/**/memory.limit_in_bytes", recursive=True)
            found += glob.glob(f"/sys/fs/cgroup/keelson/pods/**/*{uid}*/**/memory.max", recursive=True)
            return {pathlib.Path(path).read_text().strip() for path in found}
        self.wait_for(lambda: str(48 << 20) in limits())
        self.assertEqual(self.status("a")["restartCount"], 0)

    def test_what_a_container_says_last_is_kept(self):
        self.apply(pod("a", "echo last words > /dev/termination-log; exit 1", restartPolicy="Never"))
        self.phase_is("a", "Failed")
        self.assertEqual(self.status("a")["state"]["terminated"]["message"], "last words\n")


class Restarts(NodeStory):
    def running_ids(self):
        pods = self.k("get", "pods", "-o", "json").json()["items"]
        return {one["metadata"]["name"]: one["status"]["containerStatuses"][0].get("containerID") for one in pods
                if one["status"].get("containerStatuses")}

    def test_containers_survive_an_orderly_stop(self):
        for name in "ab":
            self.apply(pod(name, "sleep 1000"))
            self.ready(name)
        before = self.running_ids()
        self.node.stop()
        self.node.start()
        self.apply(pod("c", "sleep 1000"))
        self.ready("c")
        after = self.running_ids()
        self.assertEqual({name: after[name] for name in before}, before)
        self.assertEqual(self.status("a")["restartCount"], 0)

    def test_containers_survive_a_killed_keelsond_and_a_killed_plugin(self):
        self.apply(pod("a", "sleep 1000"))
        self.apply(pod("b", "sleep 1; exit 4", restartPolicy="Never"))
        self.ready("a")
        before = self.running_ids()["a"]
        os.kill(self.node.plugin_host(), signal.SIGKILL)
        self.node.kill()
        time.sleep(1.2)  # for as long as nobody looks: b ends meanwhile
        self.node.start()
        self.phase_is("b", "Failed")
        self.assertEqual(self.status("b")["state"]["terminated"]["exitCode"], 4)
        self.assertEqual(self.running_ids()["a"], before)

    def test_kills_at_random_points_lose_and_leave_nothing(self):
        dice, count = random.Random(7), 50
        others = self.groups_of_pods()
        self.k("create", "deployment", "web", "--image=" + IMAGE, f"--replicas={count}", "--", "sleep", "1000")
        self.k("patch", "deployment", "web", "-p", '{"spec":{"template":{"spec":{"terminationGracePeriodSeconds":1}}}}')
        for _ in range(8):
            time.sleep(dice.random())
            if dice.random() < 0.4:
                os.kill(self.node.plugin_host(), signal.SIGKILL)
            self.node.kill()
            self.node.start()
            self.k("set", "env", "deployment/web", f"A={dice.random()}")
        self.k("rollout", "status", "deployment/web", support.PATIENT)
        try:
            self.wait_for(lambda: len(self.k("get", "pods", "-o", "name").out.split()) == count)
        except AssertionError as error:
            left = [item for item in self.k("get", "pods", "-o", "json").json()["items"] if "deletionTimestamp" in item["metadata"]]
            raise AssertionError(f"pods that should be gone: {json.dumps(left, indent=1)}") from error
        self.wait_for(lambda: len(os.listdir(self.node.data / "plugin-state/state/oci/sandboxes")) == count)
        self.assertEqual(len(os.listdir(self.node.data / "node/pods")), count)
        self.assertEqual(self.processes_of_pods(others).count("sleep"), count, "each container runs, and runs once")
        self.k("delete", "deployment", "web")
        self.k("delete", "pods", "--all", "--grace-period=0", "--force")
        self.wait_for(lambda: not self.node.sandboxes())
        self.wait_for(lambda: not self.processes_of_pods(others) and not self.groups_of_pods() - others)

    @staticmethod
    def groups_of_pods():
        """The names of the pods' control groups on this machine, those of other clusters, too."""
        return {pathlib.Path(path).name
                for pattern in ("/sys/fs/cgroup/*/keelson/pods/**/pod*", "/sys/fs/cgroup/keelson/pods/**/pod*")
                for path in glob.glob(pattern, recursive=True)}

    @staticmethod
    def processes_of_pods(others):
        """The names of the processes in the control groups of all pods but the others."""
        names = []
        for path in glob.glob("/proc/[0-9]*"):
            with contextlib.suppress(OSError):
                group = re.search("/keelson/pods/.*?(pod[0-9a-f-]+)", pathlib.Path(path, "cgroup").read_text())
                if group and group[1] not in others:
                    names.append(pathlib.Path(path, "comm").read_text().strip())
        return names


def main():
    global KEELSOND, KEELCTL, KUBECTL
    KEELSOND, KEELCTL, KUBECTL = support.programs_for_containers(__doc__)
    unittest.main(argv=[sys.argv[0], *sys.argv[4:]], verbosity=2)


if __name__ == "__main__":
    main()
