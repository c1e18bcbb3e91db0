#!/usr/bin/env python3
"""Data directories of earlier versions are served as they were. One is committed for each format that was released:
data/directory-N.tar.xz, with what it holds in directory-N.json.

usage: upgrade_test.py KEELSOND"""
import json
import sys
import tarfile
import unittest

import support

KEELSOND = sys.argv[1]
DATA = support.HERE / "data"
RESOURCES = {"ServiceAccount": "api/v1/namespaces/old/serviceaccounts", "ConfigMap": "api/v1/namespaces/old/configmaps",
             "Secret": "api/v1/namespaces/old/secrets", "Service": "api/v1/namespaces/old/services",
             "Deployment": "apis/apps/v1/namespaces/old/deployments", "Pod": "api/v1/namespaces/old/pods",
             "Lease": "apis/coordination.k8s.io/v1/namespaces/old/leases",
             "HorizontalPodAutoscaler": "apis/autoscaling/v2/namespaces/old/horizontalpodautoscalers"}


class OldDirectories(unittest.TestCase):
    maxDiff = None

    def served(self, version):
        server = support.Server(KEELSOND)
        self.addCleanup(server.__exit__)
        server.data.mkdir(mode=0o700)
        with tarfile.open(DATA / f"directory-{version}.tar.xz") as archive:
            archive.extractall(server.data)
        server.start()
        return server

    def objects(self, version):
        return json.loads((DATA / f"directory-{version}.json").read_text())["items"]

    def get(self, server, path):
        status, _, body = server.request("GET", "/" + path)
        return status, json.loads(body)

    def test_objects_are_as_they_were(self):
        server = self.served(1)
        for item in self.objects(1):
            path = RESOURCES[item["kind"]] + "/" + item["metadata"]["name"]
            self.assertEqual(self.get(server, path), (200, item))
        self.assertEqual(self.get(server, RESOURCES["ConfigMap"] + "/gone")[0], 404)

    def test_changes_go_on_from_there(self):
        server = self.served(1)
        last = max(int(item["metadata"]["resourceVersion"]) for item in self.objects(1))
        path = "/" + RESOURCES["ConfigMap"] + "/settings"
        status, _, body = server.request("PATCH", path, {"data": {"colour": "red"}},
                                         content_type="application/merge-patch+json")
        self.assertEqual(status, 200, body)
        changed = json.loads(body)
        self.assertEqual(changed["data"], {"colour": "red", "empty": ""})
        self.assertGreater(int(changed["metadata"]["resourceVersion"]), last)
        # The node port that is taken stays taken.
        service = next(item for item in self.objects(1) if item["kind"] == "Service")
        taken = service["spec"]["ports"][0]["nodePort"]
        status, _, body = server.request("POST", "/" + RESOURCES["Service"], {
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": "other"},
            "spec": {"type": "NodePort", "ports": [{"port": 80, "nodePort": taken}]}})
        self.assertEqual(status, 422, body)
        self.assertIn("already allocated", body.decode())


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v"])
