#!/usr/bin/python3
"""usage: python_client_test.py KEELSOND CLIENTS_DIRECTORY

Drives the server with the Python client of Kubernetes: typed and dynamic, lists, pages, watches, patches."""
import json
import pathlib
import sys
import threading
import unittest

import support

try:
    import kubernetes
except ImportError:
    sys.path.append(str(pathlib.Path(sys.argv[2]) / "debian/usr/lib/python3/dist-packages") if len(sys.argv) > 2 else "")
    try:
        import kubernetes
    except ImportError as missing:
        support.skip(f"the Python client cannot be loaded: {missing}")
from kubernetes import client, config, dynamic, watch
from kubernetes.client.exceptions import ApiException

KEELSOND = ""


class PythonClient(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = support.Server(KEELSOND)
        cls.server.start()
        cls.addClassCleanup(cls.server.__exit__)
        cls.api = config.new_client_from_config(cls.server.kubeconfig)
        cls.core = client.CoreV1Api(cls.api)
        cls.apps = client.AppsV1Api(cls.api)
        cls.core.create_namespaced_service_account("default", {"metadata": {"name": "default"}})

    def config_map(self, name, **data):
        body = client.V1ConfigMap(metadata=client.V1ObjectMeta(name=name, labels={"test": self._testMethodName}),
                                  data=data)
        return self.core.create_namespaced_config_map("default", body)

    @property
    def mine(self):
        return {"label_selector": "test=" + self._testMethodName}

    def test_life_of_an_object(self):
        made = self.config_map("life", color="green")
        self.assertTrue(made.metadata.uid)
        self.assertEqual(made.metadata.creation_timestamp.tzinfo.utcoffset(None).total_seconds(), 0)
        made.data["color"] = "blue"
        changed = self.core.replace_namespaced_config_map("life", "default", made)
        self.assertEqual(changed.data, {"color": "blue"})
        with self.assertRaises(ApiException) as stale:
            self.core.replace_namespaced_config_map("life", "default", made)
        self.assertEqual(stale.exception.status, 409)
        self.core.delete_namespaced_config_map("life", "default", propagation_policy="Background")
        with self.assertRaises(ApiException) as gone:
            self.core.read_namespaced_config_map("life", "default")
        self.assertEqual(gone.exception.status, 404)

    def test_pages(self):
        names = {f"page-{number}" for number in range(7)}
        for name in names:
            self.config_map(name)
        seen, token, pages = [], None, 0
        while True:
            page = self.core.list_namespaced_config_map("default", limit=3, _continue=token, **self.mine)
            seen += [item.metadata.name for item in page.items]
            pages, token = pages + 1, page.metadata._continue
            if not token:
                break
        self.assertEqual(pages, 3)
        self.assertEqual(set(seen), names)
        self.assertEqual(len(self.core.list_config_map_for_all_namespaces(**self.mine).items), 7)

    def test_watch(self):
        start = self.core.list_namespaced_config_map("default", **self.mine).metadata.resource_version

        def write():
            self.config_map("watched", step="1")
            self.core.patch_namespaced_config_map("watched", "default", {"data": {"step": "2"}})
            self.core.delete_namespaced_config_map("watched", "default")

        writer = threading.Thread(target=write)
        writer.start()
        seen, watching = [], watch.Watch()
        for event in watching.stream(self.core.list_namespaced_config_map, "default", resource_version=start,
                                     timeout_seconds=20, **self.mine):
            seen.append((event["type"], event["object"].data["step"]))
            if event["type"] == "DELETED":
                watching.stop()
        writer.join()
        self.assertEqual(seen, [("ADDED", "1"), ("MODIFIED", "2"), ("DELETED", "2")])

    def test_patches(self):
        self.config_map("patched", a="1", b="2")
        one = self.core.patch_namespaced_config_map("patched", "default", {"data": {"a": None}})
        self.assertEqual(one.data, {"b": "2"})
        two = self.core.patch_namespaced_config_map(
            "patched", "default", [{"op": "add", "path": "/data/c", "value": "3"}])
        self.assertEqual(two.data, {"b": "2", "c": "3"})
        with self.assertRaises(ApiException) as wrong:
            self.core.patch_namespaced_config_map("patched", "default",
                                                  [{"op": "test", "path": "/data/c", "value": "4"}])
        self.assertEqual(wrong.exception.status, 422)

    def test_deployment(self):
        body = {"metadata": {"name": "web"}, "spec": {
            "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}},
                         "spec": {"containers": [{"name": "main", "image": "nginx"}]}}}}
        made = self.apps.create_namespaced_deployment("default", body)
        self.assertEqual(made.spec.replicas, 1)
        self.assertEqual(made.spec.strategy.rolling_update.max_surge, "25%")
        scale = self.apps.patch_namespaced_deployment_scale("web", "default", {"spec": {"replicas": 3}})
        self.assertEqual(scale.spec.replicas, 3)
        self.assertEqual(self.apps.read_namespaced_deployment("web", "default").spec.replicas, 3)
        with self.assertRaises(ApiException) as invalid:
            self.apps.patch_namespaced_deployment("web", "default", {"spec": {"replicas": -1}})
        self.assertEqual(invalid.exception.status, 422)
        self.assertIn("spec.replicas", invalid.exception.body)

    def test_pod_and_eviction(self):
        body = {"metadata": {"name": "pod"}, "spec": {"containers": [{"name": "main", "image": "busybox"}]}}
        self.assertEqual(self.core.create_namespaced_pod("default", body).status.phase, "Pending")
        binding = client.V1Binding(metadata=client.V1ObjectMeta(name="pod"),
                                   target=client.V1ObjectReference(kind="Node", name="somewhere", api_version="v1"))
        self.core.create_namespaced_pod_binding("pod", "default", binding, _preload_content=False)
        self.assertEqual(self.core.read_namespaced_pod("pod", "default").spec.node_name, "somewhere")
        self.core.delete_namespaced_pod("pod", "default", grace_period_seconds=0)

    def test_reviews(self):
        review = client.AuthorizationV1Api(self.api).create_self_subject_access_review(
            {"spec": {"resourceAttributes": {"verb": "create", "resource": "pods", "namespace": "default"}}})
        self.assertTrue(review.status.allowed)

    def test_versions(self):
        self.assertEqual(client.VersionApi(self.api).get_code().minor, "36")
        groups = [group.name for group in client.ApisApi(self.api).get_api_versions().groups]
        self.assertIn("apps", groups)

    def test_dynamic(self):
        everything = dynamic.DynamicClient(self.api)
        maps = everything.resources.get(api_version="v1", kind="ConfigMap")
        made = maps.create(namespace="default", body={"apiVersion": "v1", "kind": "ConfigMap",
                                                      "metadata": {"name": "dynamic"}, "data": {"a": "1"}})
        self.assertEqual(made.data.a, "1")
        # This version of the client passes apply patches on only as text.
        text = json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "dynamic"}, "data": {"a": "2"}})
        applied = maps.server_side_apply(namespace="default", name="dynamic", body=text, field_manager="tests",
                                         force_conflicts=True)
        self.assertEqual(applied.data.a, "2")
        patched = maps.patch(namespace="default", name="dynamic", body={"data": {"b": "3"}},
                             content_type="application/merge-patch+json")
        self.assertEqual(patched.data.b, "3")
        kinds = {resource.kind for resource in everything.resources.search(api_version="apps/v1")}
        self.assertLessEqual({"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"}, kinds)
        listed = maps.get(namespace="default", field_selector="metadata.name=dynamic")
        self.assertEqual([item.metadata.name for item in listed.items], ["dynamic"])
        for event in maps.watch(namespace="default", field_selector="metadata.name=dynamic", timeout=support.PATIENCE_SECONDS):
            self.assertEqual(event["type"], "ADDED")
            break
        maps.delete(namespace="default", name="dynamic")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    KEELSOND = sys.argv[1]
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=2)
