#!/usr/bin/env python3
"""Workloads as people run them, with kubectl, on simulated nodes.

  workloads_test.py KEELSOND KUBECTL [unittest arguments]"""
import json
import sys
import unittest

import support

KEELSOND = KUBECTL = None


def manifest(kind, name, spec, api_version="apps/v1"):
    return json.dumps({"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, "spec": spec})


def template(labels, image="app:1", **pod_spec):
    return {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": image}], **pod_spec}}


class Workloads(support.OwnNamespace, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.node = support.Server(KEELSOND, roles="api,control,scheduler")
        cls.addClassCleanup(cls.node.__exit__)
        cls.node.start()
        cls.nodes = support.SimulatedNodes(cls.node)
        cls.nodes.__enter__()
        cls.addClassCleanup(cls.nodes.__exit__)
        cls.kubectl = support.Kubectl(KUBECTL, cls.node)

    def names(self, kind, *more):
        return self.k("get", kind, "-o", "name", *more).out.split()

    def images(self):
        pods = self.k("get", "pods", "-o", "json").json()["items"]
        return sorted({pod["spec"]["containers"][0]["image"] for pod in pods if "deletionTimestamp" not in pod["metadata"]})

    def web(self, replicas=3):
        self.k("create", "deployment", "web", "--image=app:1", f"--replicas={replicas}")
        self.k("rollout", "status", "deployment/web", support.PATIENT)

    def test_a_deployment_is_rolled_out_and_back(self):
        self.web()
        self.k("set", "image", "deployment/web", "app=app:2")
        self.assertIn("successfully rolled out", self.k("rollout", "status", "deployment/web").out)
        self.assertEqual(self.images(), ["app:2"])
        history = self.k("rollout", "history", "deployment/web").out
        self.assertEqual([line.split()[0] for line in history.splitlines()[2:] if line], ["1", "2"])
        self.k("rollout", "undo", "deployment/web")
        self.k("rollout", "status", "deployment/web")
        self.assertEqual(self.images(), ["app:1"])
        self.assertIn("app:1", self.k("rollout", "history", "deployment/web", "--revision=3").out)

    def test_a_deployment_is_paused_resumed_and_restarted(self):
        self.web(2)
        self.k("rollout", "pause", "deployment/web")
        self.k("set", "image", "deployment/web", "app=app:2")
        self.k("set", "resources", "deployment/web", "--requests=cpu=10m")
        self.assertEqual(len(self.names("replicasets")), 1)
        self.k("rollout", "resume", "deployment/web")
        self.k("rollout", "status", "deployment/web")
        self.assertEqual(self.images(), ["app:2"])
        self.assertEqual(len(self.names("replicasets")), 2)
        before = self.names("pods")
        self.k("rollout", "restart", "deployment/web")
        self.k("rollout", "status", "deployment/web")
        self.wait_for(lambda: len(self.names("pods")) == 2)
        self.assertFalse(set(before) & set(self.names("pods")))

    def test_a_deployment_is_scaled_and_described(self):
        self.web(1)
        self.k("scale", "deployment/web", "--replicas=4")
        self.k("wait", "--for=jsonpath={.status.readyReplicas}=4", "deployment/web", support.PATIENT)
        text = self.k("describe", "deployment", "web").out
        self.assertIn("4 desired | 4 updated | 4 total | 4 available | 0 unavailable", text)
        self.assertIn("ScalingReplicaSet", text)
        self.assertIn("MinimumReplicasAvailable", text)
        self.k("scale", "deployment/web", "--replicas=0")
        self.wait_for(lambda: not self.names("pods"))

    def test_an_image_that_does_not_start_leaves_the_old_pods_alone(self):
        self.web(3)
        self.k("set", "image", "deployment/web", "app=bad:1")
        self.wait_for(lambda: self.images() == ["app:1", "bad:1"])
        self.k("rollout", "status", "deployment/web", "--timeout=1s", code=1)
        ready = self.k("get", "deployment", "web", "-o", "jsonpath={.status.readyReplicas}").out
        self.assertEqual(ready, "3")
        self.k("rollout", "undo", "deployment/web")
        self.k("rollout", "status", "deployment/web")
        self.assertEqual(self.images(), ["app:1"])

    def test_deleting_with_each_cascade(self):
        self.web(2)
        self.k("delete", "deployment", "web", "--cascade=orphan")
        self.assertEqual(len(self.names("replicasets")), 1)
        self.assertEqual(len(self.names("pods")), 2)
        # A new one takes over what fits.
        self.web(2)
        self.assertEqual(len(self.names("replicasets")), 1)
        self.k("delete", "deployment", "web", "--cascade=foreground", support.PATIENT)
        self.assertEqual(self.names("replicasets"), [])
        self.assertEqual(self.names("pods"), [])
        self.web(2)
        self.k("delete", "deployment", "web", "--cascade=background")
        self.wait_for(lambda: not self.names("pods") and not self.names("replicasets"))

    def test_a_namespace_goes_with_everything_in_it(self):
        self.web(2)
        self.k("create", "configmap", "c")
        self.kubectl.run("delete", "namespace", self.namespace, support.PATIENT)
        self.assertIn("not found", self.kubectl.run("get", "namespace", self.namespace, code=1).err)

    def test_endpoints_follow_the_pods(self):
        self.web(2)
        self.k("expose", "deployment", "web", "--port=80", "--target-port=8080")
        slices = lambda: self.k("get", "endpointslices", "-l", "kubernetes.io/service-name=web", "-o", "json").json()["items"]
        self.wait_for(lambda: len(slices()) == 1)
        self.k("delete", "service", "web")
        self.wait_for(lambda: not slices())

    def test_drained_nodes_are_left_and_cordoned_ones_not_taken(self):
        self.web(3)
        self.kubectl.run("cordon", "n1")
        try:
            self.wait_for(lambda: "unschedulable" in self.kubectl.run(
                "get", "node", "n1", "-o", "jsonpath={.spec.taints[*].key}").out)
            self.assertIn("SchedulingDisabled", self.kubectl.run("get", "node", "n1").out)
            self.kubectl.run("drain", "n1", "--ignore-daemonsets", "--force", support.PATIENT)
            self.k("rollout", "status", "deployment/web")
            on = self.k("get", "pods", "-o", "jsonpath={.items[*].spec.nodeName}").out.split()
            self.assertNotIn("n1", on)
        finally:
            self.kubectl.run("uncordon", "n1")

    def test_taints_make_pods_leave_and_keep_them_away(self):
        self.web(3)
        self.kubectl.run("taint", "node", "n2", "test/out=yes:NoExecute")
        try:
            self.wait_for(lambda: "n2" not in self.k("get", "pods", "-o", "jsonpath={.items[*].spec.nodeName}").out.split())
            self.k("rollout", "status", "deployment/web")
        finally:
            self.kubectl.run("taint", "node", "n2", "test/out-")

    def test_a_pod_that_fits_nowhere_says_why(self):
        pod = {"containers": [{"name": "c", "image": "app:1", "resources": {"requests": {"cpu": "64"}}}]}
        self.k("create", "-f", "-", input=manifest("Pod", "big", pod, "v1"))
        self.wait_for(lambda: "3 Insufficient cpu" in self.k("describe", "pod", "big").out)
        self.assertIn("0/3 nodes are available", self.k("describe", "pod", "big").out)

    def test_a_stateful_set_comes_and_goes_in_order(self):
        spec = {"serviceName": "db", "replicas": 3, "selector": {"matchLabels": {"app": "db"}},
                "template": template({"app": "db"})}
        self.k("create", "-f", "-", input=manifest("StatefulSet", "db", spec))
        self.k("rollout", "status", "statefulset/db", support.PATIENT)
        pods = sorted(self.k("get", "pods", "-o", "json").json()["items"], key=lambda pod: pod["metadata"]["name"])
        self.assertEqual([pod["metadata"]["name"] for pod in pods], ["db-0", "db-1", "db-2"])
        self.k("set", "image", "statefulset/db", "c=app:2")
        self.k("rollout", "status", "statefulset/db", support.PATIENT)
        self.assertEqual(self.images(), ["app:2"])
        self.k("rollout", "undo", "statefulset/db")
        self.k("rollout", "status", "statefulset/db", support.PATIENT)
        self.assertEqual(self.images(), ["app:1"])
        self.k("scale", "statefulset/db", "--replicas=1")
        self.wait_for(lambda: self.names("pods") == ["pod/db-0"])

    def test_a_daemon_set_has_a_pod_on_each_node(self):
        spec = {"selector": {"matchLabels": {"app": "agent"}}, "template": template({"app": "agent"})}
        self.k("create", "-f", "-", input=manifest("DaemonSet", "agent", spec))
        self.k("rollout", "status", "daemonset/agent", support.PATIENT)
        on = self.k("get", "pods", "-o", "jsonpath={.items[*].spec.nodeName}").out.split()
        self.assertEqual(sorted(on), ["n1", "n2", "n3"])
        self.k("set", "image", "daemonset/agent", "c=app:2")
        self.k("rollout", "status", "daemonset/agent", support.PATIENT)
        self.assertEqual(self.images(), ["app:2"])

    def job(self, name, exit_code, **spec):
        pod = template({}, restartPolicy="Never")
        pod["metadata"]["annotations"] = {"test/exit": str(exit_code)}
        self.k("create", "-f", "-", input=manifest("Job", name, {"template": pod, **spec}, "batch/v1"))

    def test_a_job_completes(self):
        self.job("sum", 0, completions=3, parallelism=2)
        self.k("wait", "--for=condition=complete", "job/sum", support.PATIENT)
        self.assertEqual(self.k("get", "job", "sum", "-o", "jsonpath={.status.succeeded}").out, "3")
        self.assertIn("3/3", self.k("get", "job", "sum").out)
        self.k("delete", "job", "sum")
        self.wait_for(lambda: not self.names("pods"))

    def test_a_job_that_fails_says_so(self):
        self.job("sum", 3, backoffLimit=0)
        self.k("wait", "--for=condition=failed", "job/sum", support.PATIENT)
        self.assertIn("BackoffLimitExceeded", self.k("describe", "job", "sum").out)

    def test_a_cron_job_is_run_by_hand_and_suspended(self):
        self.k("create", "cronjob", "tick", "--image=app:1", "--schedule=0 0 1 1 *")
        self.k("create", "job", "now", "--from=cronjob/tick")
        self.wait_for(lambda: self.names("pods"))
        self.k("patch", "cronjob", "tick", "-p", '{"spec":{"suspend":true}}')
        self.assertIn("True", self.k("get", "cronjob", "tick").out)


def main():
    global KEELSOND, KUBECTL
    KEELSOND, KUBECTL = support.programs(__doc__)
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=2)


if __name__ == "__main__":
    main()
