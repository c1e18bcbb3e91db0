#!/usr/bin/env python3
"""usage: openapi_test.py KEELSOND

The OpenAPI documents: complete, consistent, cacheable, the same in every form."""
import gzip
import json
import re
import sys
import unittest
import urllib.request
import ssl

import support

KEELSOND = ""
V2_PROTOBUF = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
V3_PROTOBUF = "application/com.github.proto-openapi.spec.v3@v1.0+protobuf"


def references(value):
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def operations(document):
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method != "parameters":
                yield path, method, operation


def messages(data):
    """The fields of a protobuf message: number and content, of those with a length."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(data):
        key = varint()
        if key & 7 == 2:
            length = varint()
            assert at + length <= len(data)
            yield key >> 3, data[at:at + length]
            at += length
        else:
            varint()


def first(data, number):
    return next(content for found, content in messages(data) if found == number)


class OpenApiTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = support.Server(KEELSOND)
        cls.server.start()
        cls.addClassCleanup(cls.server.__exit__)
        cls.v2 = cls.get("/openapi/v2")
        cls.index = cls.get("/openapi/v3")["paths"]
        cls.v3 = {name: cls.get(entry["serverRelativeURL"]) for name, entry in cls.index.items()}

    @classmethod
    def get(cls, path):
        code, _, body = cls.server.request("GET", path)
        assert code == 200, (code, body)
        return json.loads(body)

    def test_references_lead_somewhere(self):
        for reference in references(self.v2):
            self.assertIn(reference.removeprefix("#/definitions/"), self.v2["definitions"])
        for name, document in self.v3.items():
            for reference in references(document):
                self.assertIn(reference.removeprefix("#/components/schemas/"), document["components"]["schemas"], name)

    def test_operations_have_names_of_their_own(self):
        names = [operation["operationId"] for _, _, operation in operations(self.v2)]
        self.assertEqual(len(names), len(set(names)))
        later = {operation["operationId"] for document in self.v3.values()
                 for _, _, operation in operations(document)}
        self.assertEqual(set(names), later)
        for name in ("listCoreV1NamespacedPod", "readAppsV1NamespacedDeploymentStatus", "listCoreV1PodForAllNamespaces",
                     "deleteBatchV1CollectionNamespacedJob", "connectCoreV1GetNamespacedPodExec",
                     "connectCoreV1PutNamespacedServiceProxyWithPath", "createCoreV1NamespacedPodEviction",
                     "watchRbacAuthorizationV1ClusterRoleList", "patchFlowcontrolApiserverV1FlowSchema",
                     "getStorageV1APIResources", "getStorageAPIGroup", "getCodeVersion"):
            self.assertIn(name, later)

    def test_every_served_resource_has_paths(self):
        for group_version in ["/api/v1"] + ["/apis/" + version["groupVersion"]
                                            for group in self.get("/apis")["groups"] for version in group["versions"]]:
            document = self.v3[group_version[1:]]
            for resource in self.get(group_version)["resources"]:
                plural, _, sub = resource["name"].partition("/")
                place = "/namespaces/{namespace}" if resource["namespaced"] else ""
                path = f"{group_version}{place}/{plural}" + (f"/{{name}}/{sub}" if sub else "")
                listed = f"{group_version}/{plural}"
                self.assertTrue(path in document["paths"] or listed in document["paths"], path)

    def test_path_parameters_match_the_path(self):
        for document in [self.v2, *self.v3.values()]:
            for path, item in document["paths"].items():
                declared = {p["name"] for p in item.get("parameters", []) if p["in"] == "path"}
                self.assertEqual(declared, set(re.findall(r"{(\w+)}", path)), path)

    def test_schema_of_a_pod(self):
        spec = self.v2["definitions"]["io.k8s.api.core.v1.PodSpec"]
        self.assertEqual(spec["required"], ["containers"])
        containers = spec["properties"]["containers"]
        self.assertEqual(containers["x-kubernetes-patch-merge-key"], "name")
        self.assertEqual(containers["x-kubernetes-patch-strategy"], "merge")
        later = self.v3["api/v1"]["components"]["schemas"]
        self.assertEqual(later["io.k8s.api.core.v1.Pod"]["x-kubernetes-group-version-kind"],
                         [{"group": "", "kind": "Pod", "version": "v1"}])
        metadata = dict(later["io.k8s.api.core.v1.Pod"]["properties"]["metadata"])
        self.assertTrue(metadata.pop("description"))
        self.assertEqual(metadata, {"allOf": [{"$ref": "#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1."
                                                       "ObjectMeta"}], "default": {}})
        ports = later["io.k8s.api.core.v1.Container"]["properties"]["ports"]
        self.assertEqual(ports["x-kubernetes-list-map-keys"], ["containerPort", "protocol"])
        policy = dict(later["io.k8s.api.core.v1.Container"]["properties"]["imagePullPolicy"])
        self.assertIn("IfNotPresent", policy.pop("description"))
        self.assertEqual(policy, {"enum": ["Always", "IfNotPresent", "Never"], "type": "string"})
        self.assertEqual(later["io.k8s.apimachinery.pkg.util.intstr.IntOrString"],
                         {"format": "int-or-string", "oneOf": [{"type": "integer"}, {"type": "string"}]})

    def test_protobuf_tells_the_same(self):
        _, headers, data = self.server.request("GET", "/openapi/v2", accept=V2_PROTOBUF)
        self.assertEqual(headers["Content-Type"], V2_PROTOBUF.replace("@", "."))
        self.assertEqual(first(data, 1), b"2.0")
        paths = [first(item, 1).decode() for number, item in messages(first(data, 8)) if number == 2]
        self.assertEqual(paths, list(self.v2["paths"]))
        names = [first(item, 1).decode() for _, item in messages(first(data, 9))]
        self.assertEqual(names, list(self.v2["definitions"]))
        _, headers, data = self.server.request("GET", "/openapi/v3/apis/apps/v1", accept=V3_PROTOBUF)
        self.assertEqual(headers["Content-Type"], V3_PROTOBUF.replace("@", "."))
        paths = [first(item, 1).decode() for number, item in messages(first(data, 4)) if number == 1]
        self.assertEqual(paths, list(self.v3["apis/apps/v1"]["paths"]))

    def test_caching(self):
        for path in ("/openapi/v2", "/openapi/v3", "/openapi/v3/api/v1"):
            code, headers, _ = self.server.request("GET", path)
            etag = headers["Etag"]
            request = urllib.request.Request(self.server.url + path, headers={
                "Authorization": "Bearer " + self.server.token, "If-None-Match": etag})
            with self.assertRaises(urllib.error.HTTPError) as same:
                urllib.request.urlopen(request, context=ssl._create_unverified_context())
            self.assertEqual(same.exception.code, 304)
        _, headers, _ = self.server.request("GET", self.index["apis/apps/v1"]["serverRelativeURL"])
        self.assertEqual(headers.get_all("Cache-Control"), ["public, immutable"])
        self.assertIn("Expires", headers)
        # An old hash leads to the present one.
        self.assertEqual(self.get("/openapi/v3/apis/apps/v1?hash=OLD"), self.v3["apis/apps/v1"])

    def test_gzip(self):
        request = urllib.request.Request(self.server.url + "/openapi/v2", headers={
            "Authorization": "Bearer " + self.server.token, "Accept-Encoding": "gzip"})
        with urllib.request.urlopen(request, context=ssl._create_unverified_context()) as answer:
            self.assertEqual(answer.headers["Content-Encoding"], "gzip")
            self.assertEqual(json.loads(gzip.decompress(answer.read())), self.v2)

    def test_refusals(self):
        self.assertEqual(self.server.request("GET", "/openapi/v2", accept="text/html")[0], 406)
        for path in ("/openapi/v3/apis/nothing/v1", "/openapi/v3/apis/apps/v9", "/openapi/v3/apis//v1", "/openapi/v4"):
            self.assertEqual(self.server.request("GET", path)[0], 404, path)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    KEELSOND = sys.argv[1]
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]], verbosity=2)
