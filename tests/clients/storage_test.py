#!/usr/bin/env python3
"""Claims, and the data of pods, on a node with the plugin `local`.

  storage_test.py KEELSOND KEELCTL KUBECTL [unittest arguments]"""
import json
import os
import pathlib
import sys
import unittest

import support

KEELSOND = KEELCTL = KUBECTL = None
CLASS = {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {
    "name": "local", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
    "provisioner": "keelson.dev/local", "volumeBindingMode": "WaitForFirstConsumer"}
SCRIPT = "echo $HOSTNAME start >> /data/log; exec sleep 1000"


def stateful_set(replicas):
    return {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "db"}, "spec": {
        "serviceName": "db", "replicas": replicas, "selector": {"matchLabels": {"app": "db"}},
        "template": {"metadata": {"labels": {"app": "db"}}, "spec": {
            "terminationGracePeriodSeconds": 0, "containers": [{
                "name": "c", "image": "busybox:1", "command": ["sh", "-c", SCRIPT],
                "securityContext": {"runAsUser": 1000},
                "volumeMounts": [{"name": "data", "mountPath": "/data"}]}]}},
        "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {
            "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}}]}}


class Storage(support.OwnNamespace, unittest.TestCase):
    SHOWN = "all,pvc,pv,events"

    @classmethod
    def setUpClass(cls):
        cls.node = support.Node(KEELSOND, KEELCTL)
        cls.root = cls.node.directory / "volumes"
        cls.node.config += f"plugins: {{entries: [{{name: local, config: {{root: {cls.root}}}}}]}}\n"
        cls.node.__enter__()
        cls.addClassCleanup(cls.node.__exit__)
        cls.kubectl = support.Kubectl(KUBECTL, cls.node)
        cls.kubectl.create(CLASS)

    def apply(self, document):
        self.k("apply", "-f", "-", input=json.dumps(document))

    def directory_of(self, claim):
        return self.root / self.k("get", "pvc", claim, "-o", "jsonpath={.spec.volumeName}").out.strip()

    def starts(self, ordinal):
        """How often the pod has found its data and added to it."""
        return (self.directory_of(f"data-db-{ordinal}") / "log").read_text().splitlines().count(f"db-{ordinal} start")

    def rolled_out(self):
        self.k("rollout", "status", "statefulset/db", support.PATIENT)

    def test_a_stateful_set_keeps_its_data(self):
        self.apply(stateful_set(2))
        self.rolled_out()
        self.wait_for(lambda: self.starts(0) == 1 and self.starts(1) == 1)
        self.assertNotEqual(self.directory_of("data-db-0"), self.directory_of("data-db-1"))
        self.k("delete", "pod", "db-0")
        self.rolled_out()
        self.wait_for(lambda: self.starts(0) == 2)
        kept = self.directory_of("data-db-1")
        self.k("scale", "statefulset/db", "--replicas=1")
        self.wait_for(lambda: self.k("get", "pod", "db-1", code=None).code != 0)
        self.assertEqual((kept / "log").read_text(), "db-1 start\n")
        self.node.stop()
        self.node.start()
        self.k("scale", "statefulset/db", "--replicas=2")
        self.rolled_out()
        self.wait_for(lambda: self.starts(1) == 2)
        self.assertEqual(self.directory_of("data-db-1"), kept)
        self.assertEqual(self.starts(0), 2, "a restart of keelsond is none of a pod")
        # The one that runs keeps its claim.
        self.k("delete", "pvc", "data-db-0", "--wait=false")
        self.node.kill()
        self.node.start()
        self.assertIn("Terminating", self.k("get", "pvc", "data-db-0").out)
        self.k("exec", "db-0", "--", "test", "-s", "/data/log")
        self.k("delete", "statefulset", "db")
        self.k("delete", "pvc", "--all")
        self.wait_for(lambda: os.listdir(self.root) == [])
        self.wait_for(lambda: not [one for one in self.kubectl.run("get", "pv", "-o", "json").json()["items"]])

    def test_kills_while_volumes_are_made_leave_none_over(self):
        for count in range(6):
            self.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": f"p{count}"}, "spec": {
                "terminationGracePeriodSeconds": 0, "containers": [{
                    "name": "c", "image": "busybox:1", "command": ["sh", "-c", SCRIPT],
                    "volumeMounts": [{"name": "e", "mountPath": "/data"}]}],
                "volumes": [{"name": "e", "ephemeral": {"volumeClaimTemplate": {"spec": {
                    "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}}}}]}})
            if count % 2:
                self.node.kill()
                self.node.start()
        self.k("wait", "--for=condition=Ready", "pods", "--all", support.PATIENT)
        self.assertEqual(len(os.listdir(self.root)), 6)
        self.k("delete", "pods", "--all")
        self.wait_for(lambda: os.listdir(self.root) == [])

    def test_a_hostile_tree_is_removed_and_nothing_else(self):
        outside = self.node.directory / "outside"
        outside.mkdir()
        (outside / "kept").write_text("x")
        self.apply({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "c"}, "spec": {
            "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}})
        script = (f"ln -s {outside} /data/link; ln -s / /data/root; mkdir -p /data/a/b/c; chmod 0 /data/a/b; "
                  "mkfifo /data/pipe; cd /data; for i in $(seq 200); do mkdir d; cd d; done")
        self.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {
            "restartPolicy": "Never", "containers": [{
                "name": "c", "image": "busybox:1", "command": ["sh", "-c", script],
                "volumeMounts": [{"name": "d", "mountPath": "/data"}]}],
            "volumes": [{"name": "d", "persistentVolumeClaim": {"claimName": "c"}}]}})
        self.wait_for(lambda: self.k("get", "pod", "p", "-o", "jsonpath={.status.phase}").out == "Succeeded")
        self.assertTrue((self.directory_of("c") / "link").is_symlink())
        self.k("delete", "pod", "p")
        self.k("delete", "pvc", "c")
        self.wait_for(lambda: os.listdir(self.root) == [])
        self.assertEqual(pathlib.Path(outside, "kept").read_text(), "x")


def main():
    global KEELSOND, KEELCTL, KUBECTL
    KEELSOND, KEELCTL, KUBECTL = support.programs_for_containers(__doc__)
    unittest.main(argv=[sys.argv[0], *sys.argv[4:]], verbosity=2)


if __name__ == "__main__":
    main()
