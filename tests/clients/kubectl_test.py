#!/usr/bin/env python3
"""usage: kubectl_test.py KEELSOND KUBECTL

Runs one kubectl through its commands on objects of many kinds, the way a person would."""
import json
import os
import pathlib
import select
import sys
import unittest

import support

KINDS = str(support.HERE / "kinds.yaml")
# Kubernetes 1.20 describes these from beta versions that are gone since 1.25.
ASKS_FOR_BETA = {"CronJob", "PodDisruptionBudget", "EndpointSlice"}
KEELSOND = KUBECTL = ""


class KubectlTest(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.server = support.Server(KEELSOND)
        cls.server.start()
        cls.addClassCleanup(cls.server.__exit__)
        cls.kubectl = support.Kubectl(KUBECTL, cls.server)
        cls.kubectl.run("create", "namespace", "zoo")
        cls.kubectl.run("-n", "zoo", "create", "serviceaccount", "default")
        cls.kubectl.run("create", "serviceaccount", "default")

    def k(self, *arguments, **options):
        return self.kubectl.run(*arguments, **options)

    def items(self, *arguments):
        return self.k("get", *arguments, "-o", "json").json()["items"]


class EveryKind(KubectlTest):
    """Each command once on one object of every kind. The order of the names is the order of the steps."""

    def changed(self, path, value):
        """Every object has `value` there."""
        for item in self.items("-f", KINDS):
            at = item
            for name in path:
                at = at.get(name, {})
            self.assertEqual(at, value, item["kind"])

    def test_01_dry_run_stores_nothing(self):
        count = len(self.k("create", "--dry-run=client", "-o", "name", "-f", KINDS).out.splitlines())
        self.assertGreaterEqual(count, 25)
        self.k("create", "--dry-run=server", "-f", KINDS)
        self.k("get", "configmap", "sample", "-n", "zoo", code=1)

    def test_02_create(self):
        out = self.k("create", "-f", KINDS).out
        self.assertNotIn("unchanged", out)
        again = self.k("create", "-f", KINDS, code=1)
        self.assertGreaterEqual(again.err.count("AlreadyExists"), 25)

    def test_03_get_forms(self):
        names = self.k("get", "-f", KINDS, "-o", "name").out.split()
        items = self.items("-f", KINDS)
        self.assertEqual(len(names), len(items))
        for form in ("wide", "yaml"):
            self.assertIn("sample", self.k("get", "-f", KINDS, "-o", form).out)
        lines = self.k("get", "-f", KINDS, "-o", "jsonpath={range .items[*]}{.kind}{'\\n'}{end}").out.split()
        self.assertEqual(lines, [item["kind"] for item in items])
        columns = self.k("get", "-f", KINDS, "--no-headers", "-o", "custom-columns=K:.kind,N:.metadata.name").out
        self.assertEqual([line.split() for line in columns.splitlines()],
                         [[item["kind"], "sample"] for item in items])
        plain = self.k("get", "-f", KINDS).out
        self.assertGreaterEqual(plain.count("NAME "), 25)

    def test_04_describe(self):
        for item in self.items("-f", KINDS):
            place = ["-n", item["metadata"]["namespace"]] if "namespace" in item["metadata"] else []
            group = item["apiVersion"].rpartition("/")[0]
            resource = item["kind"] + ("." + item["apiVersion"].split("/")[1] + "." + group if group else "")
            answer = self.k("describe", resource, "sample", *place, code=None)
            if self.kubectl.version < (1, 21) and item["kind"] in ASKS_FOR_BETA:
                self.assertIn("could not find the requested resource", answer.err, item["kind"])
                continue
            self.assertEqual(answer.code, 0, answer.err)
            self.assertRegex(answer.out, r"Name:\s+sample", item["kind"])

    def test_05_apply_client_side(self):
        first = self.k("apply", "-f", KINDS)
        self.assertNotIn("error", first.err.lower())
        second = self.k("apply", "-f", KINDS)
        for line in second.out.splitlines():
            # Lists of a type that it does not know are replaced by Kubernetes 1.20, defaults and all.
            if self.kubectl.version < (1, 21) and line.startswith("cronjob"):
                continue
            self.assertTrue(line.endswith("unchanged"), line)

    def test_06_diff(self):
        same = self.k("diff", "-f", KINDS)
        self.assertEqual(same.out, "")
        changed = (pathlib.Path(KINDS).read_text()).replace("color: green", "color: blue")
        differs = self.k("diff", "-f", "-", input=changed, code=1)
        self.assertIn("+  color: blue", differs.out)

    def test_07_apply_server_side(self):
        out = self.k("apply", "--server-side", "--force-conflicts", "--field-manager=tests", "-f", KINDS).out
        self.assertGreaterEqual(out.count("serverside-applied"), 25)
        managers = {entry["manager"] for item in self.items("-f", KINDS, *self.show_managed())
                    for entry in item["metadata"].get("managedFields", []) if entry["operation"] == "Apply"}
        self.assertIn("tests", managers)

    def show_managed(self):
        return ["--show-managed-fields"] if self.kubectl.version >= (1, 21) else []

    def test_08_label_and_annotate(self):
        self.k("label", "-f", KINDS, "tests/label=one")
        self.k("label", "-f", KINDS, "tests/label=two", code=1)
        self.k("label", "-f", KINDS, "tests/label=two", "--overwrite")
        self.k("annotate", "-f", KINDS, "tests/note=kept")
        self.changed(["metadata", "annotations", "tests/note"], "kept")
        self.changed(["metadata", "labels", "tests/label"], "two")
        self.k("label", "-f", KINDS, "tests/label-")

    def test_09_patch(self):
        merge = '{"metadata":{"labels":{"tests/patch":"%s"}}}'
        self.k("patch", "-f", KINDS, "--type=strategic", "-p", merge % "strategic")
        self.changed(["metadata", "labels", "tests/patch"], "strategic")
        self.k("patch", "-f", KINDS, "--type=merge", "-p", merge % "merge")
        self.changed(["metadata", "labels", "tests/patch"], "merge")
        self.k("patch", "-f", KINDS, "--type=json", "-p",
               '[{"op":"replace","path":"/metadata/labels/tests~1patch","value":"json"}]')
        self.changed(["metadata", "labels", "tests/patch"], "json")

    def test_10_replace(self):
        items = self.k("get", "-f", KINDS, "-o", "json").json()
        for item in items["items"]:
            item["metadata"]["labels"]["tests/replaced"] = "yes"
        self.k("replace", "-f", "-", input=json.dumps(items))
        self.changed(["metadata", "labels", "tests/replaced"], "yes")
        stale = self.k("replace", "-f", "-", input=json.dumps(items), code=1)
        self.assertIn("Conflict", stale.err)

    def test_11_edit(self):
        script = self.server.directory / "editor"
        script.write_text("#!/bin/sh\nsed -i 's|tests/note: kept|tests/note: edited|' \"$1\"\n")
        script.chmod(0o755)
        self.k("edit", "-n", "zoo", "-f", KINDS, EDITOR=str(script))
        self.changed(["metadata", "annotations", "tests/note"], "edited")

    def test_12_explain(self):
        for item in self.items("-f", KINDS):
            out = self.k("explain", item["kind"].lower(), "--api-version=" + item["apiVersion"]).out
            self.assertRegex(out, r"metadata\s+<(Object|ObjectMeta)>", item["kind"])
        self.assertRegex(self.k("explain", "pod.spec.containers.ports").out, r"containerPort\s+<integer> -required-")
        self.assertIn("hostPort", self.k("explain", "pod.spec.containers", "--recursive").out)

    def test_13_delete(self):
        before = self.items("-f", KINDS)
        self.k("delete", "-f", KINDS, "--wait=false")
        left = self.items("-f", KINDS, "--ignore-not-found") if self.k(
            "get", "-f", KINDS, "--ignore-not-found", "-o", "name").out else []
        for item in left:
            self.assertIn("deletionTimestamp", item["metadata"], item["kind"])
            self.assertTrue(item["metadata"].get("finalizers"), item["kind"])
        self.assertLess(len(left), len(before) / 4)


class Workloads(KubectlTest):
    def setUp(self):
        self.k("create", "deployment", "web", "--image=nginx:1.25")

    def tearDown(self):
        self.k("delete", "deployment,configmap,pod", "--all", "--wait=false")

    def web(self):
        return self.k("get", "deployment", "web", "-o", "json").json()

    def test_apply_merges_lists_by_key(self):
        manifest = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: merged}
spec:
  selector: {matchLabels: {app: merged}}
  template:
    metadata: {labels: {app: merged}}
    spec:
      containers:
        - {name: one, image: "one:1", env: [{name: A, value: "1"}, {name: B, value: "2"}]}
        - {name: two, image: "two:1"}
"""
        self.k("apply", "-f", "-", input=manifest)
        self.k("set", "env", "deployment/merged", "-c", "one", "C=3")
        self.k("apply", "-f", "-", input=manifest.replace("one:1", "one:2").replace(', {name: B, value: "2"}', ""))
        one, two = self.k("get", "deployment", "merged", "-o", "json").json()["spec"]["template"]["spec"]["containers"]
        self.assertEqual(one["image"], "one:2")
        self.assertEqual({e["name"]: e["value"] for e in one["env"]}, {"A": "1", "C": "3"})
        self.assertEqual(two["image"], "two:1")

    def test_validation_names_the_field(self):
        wrong = self.web()
        wrong["metadata"] = {"name": "wrong"}
        wrong["spec"]["replicaz"] = 3
        answer = self.k("apply", "-f", "-", input=json.dumps(wrong), code=1)
        self.assertIn("replicaz", answer.err)
        wrong["spec"].pop("replicaz")
        wrong["spec"]["replicas"] = "three"
        answer = self.k("apply", "-f", "-", input=json.dumps(wrong), code=1)
        self.assertIn("replicas", answer.err)

    def test_scale_set_and_expose(self):
        self.k("scale", "deployment", "web", "--replicas=4")
        self.assertEqual(self.web()["spec"]["replicas"], 4)
        self.k("scale", "deployment", "web", "--current-replicas=3", "--replicas=5", code=1)
        self.k("set", "image", "deployment/web", "nginx=nginx:1.26")
        self.assertEqual(self.web()["spec"]["template"]["spec"]["containers"][0]["image"], "nginx:1.26")
        self.k("set", "resources", "deployment/web", "--limits=memory=64Mi")
        self.k("expose", "deployment", "web", "--port=80")
        self.k("autoscale", "deployment", "web", "--max=3", "--min=1")
        self.k("rollout", "restart", "deployment/web")
        self.k("rollout", "pause", "deployment/web")
        self.assertIs(self.web()["spec"]["paused"], True)
        self.assertEqual(self.k("get", "service", "web", "-o", "jsonpath={.spec.selector.app}").out, "web")
        self.k("delete", "service/web", "hpa/web")

    def test_cascades(self):
        background = "--cascade=background" if self.kubectl.version >= (1, 20) else "--cascade=true"
        self.k("create", "deployment", "kept", "--image=nginx")
        self.k("delete", "deployment", "kept", "--cascade=foreground", "--wait=false")
        kept = self.k("get", "deployment", "kept", "-o", "json").json()["metadata"]
        self.assertEqual(kept["finalizers"], ["foregroundDeletion"])
        self.assertIn("deletionTimestamp", kept)
        self.k("create", "deployment", "orphaned", "--image=nginx")
        self.k("delete", "deployment", "orphaned", "--cascade=orphan", "--wait=false")
        orphaned = self.k("get", "deployment", "orphaned", "-o", "json").json()["metadata"]
        self.assertEqual(orphaned["finalizers"], ["orphan"])
        for name in ("kept", "orphaned"):
            self.k("patch", "deployment", name, "--type=merge", "-p", '{"metadata":{"finalizers":null}}')
            self.k("get", "deployment", name, code=1)
        self.k("delete", "deployment", "web", background)
        self.k("get", "deployment", "web", code=1)

    def test_selectors(self):
        for name, tier in (("a", "front"), ("b", "back"), ("c", "back")):
            self.k("create", "configmap", name)
            self.k("label", "configmap", name, "tier=" + tier)
        names = lambda *arguments: sorted(self.k("get", "configmap", "-o", "name", *arguments).out.split())
        self.assertEqual(names("-l", "tier=back"), ["configmap/b", "configmap/c"])
        self.assertEqual(names("-l", "tier in (front)"), ["configmap/a"])
        self.assertEqual(names("--field-selector", "metadata.name=b"), ["configmap/b"])
        self.k("get", "configmap", "--field-selector", "data.x=1", code=1)
        self.assertEqual(names("-l", "tier", "--chunk-size=1"), ["configmap/a", "configmap/b", "configmap/c"])
        self.k("delete", "configmap", "-l", "tier=back")
        self.assertEqual(names("-l", "tier"), ["configmap/a"])
        self.k("delete", "configmap", "--field-selector", "metadata.name=a")
        self.assertEqual(names("-l", "tier"), [])

    def test_wait(self):
        self.k("patch", "deployment", "web", "--type=merge", "-p", '{"metadata":{"labels":{"x":"y"}}}')
        waiting = self.kubectl.start("wait", "--for=condition=Available", "deployment/web", support.PATIENT)
        self.server_patch_status({"status": {"conditions": [{"type": "Available", "status": "True"}]}})
        out, err = waiting.communicate(timeout=support.PATIENCE_SECONDS)
        self.assertEqual(waiting.returncode, 0, err)
        self.assertIn("condition met", out)
        self.k("wait", "--for=condition=Progressing", "deployment/web", "--timeout=1s", code=1)
        # Deleted, but held back until kubectl is known to watch.
        self.k("patch", "deployment", "web", "--type=merge", "-p", '{"metadata":{"finalizers":["tests/held"]}}')
        self.k("delete", "deployment", "web", "--wait=false")
        gone = self.kubectl.start("wait", "-v=6", "--for=delete", "deployment/web", support.PATIENT)
        while "watch=true" not in (line := gone.stderr.readline()):
            self.assertTrue(line, "kubectl wait ended early")
        self.k("patch", "deployment", "web", "--type=merge", "-p", '{"metadata":{"finalizers":null}}')
        out, err = gone.communicate(timeout=support.PATIENCE_SECONDS)
        self.assertEqual(gone.returncode, 0, err)
        self.assertIn("condition met", out)

    def server_patch_status(self, patch):
        code, _, body = self.server.request("PATCH", "/apis/apps/v1/namespaces/default/deployments/web/status", patch,
                                            "application/strategic-merge-patch+json")
        self.assertEqual(code, 200, body)

    def test_watch(self):
        watching = self.kubectl.start("get", "configmap", "-w", "-o", "name", "--request-timeout=30s")
        missing = {f"configmap/seen-{number}" for number in range(5)}
        for name in sorted(missing):
            self.k("create", "configmap", name.removeprefix("configmap/"))
        while missing:
            line = watching.stdout.readline()
            self.assertTrue(line, f"the watch ended without {missing}")
            missing.discard(line.strip())
        watching.terminate()
        watching.communicate(timeout=support.PATIENCE_SECONDS)
        only = self.kubectl.start("get", "configmap", "-w", "--watch-only", "--output-watch-events",
                                  "--request-timeout=30s")
        for number in range(200):
            self.k("annotate", "configmap", "seen-1", f"step={number}", "--overwrite")
            if select.select([only.stdout], [], [], 0)[0]:
                break
        only.terminate()
        out, _ = only.communicate(timeout=support.PATIENCE_SECONDS)
        self.assertIn("MODIFIED", out)

    def test_secrets_and_files(self):
        self.k("create", "secret", "generic", "word", "--from-literal=password=fish")
        self.assertEqual(self.k("get", "secret", "word", "-o", "jsonpath={.data.password}").out, "ZmlzaA==")
        self.k("delete", "secret", "word")
        self.k("run", "alone", "--image=busybox", "--restart=Never", "--", "true")
        self.assertEqual(self.k("get", "pod", "alone", "-o", "jsonpath={.status.phase}").out, "Pending")
        self.assertEqual(self.k("logs", "alone").out, "")
        refused = self.k("exec", "alone", "--", "true", code=1)
        self.assertIn("does not have a host assigned", refused.err)
        self.k("delete", "pod", "alone")


class Server(KubectlTest):
    """What concerns the server rather than objects."""

    def test_discovery(self):
        kinds = self.k("api-resources", "-o", "wide").out
        for word in ("deployments", "flowschemas", "po ", "hpa", "create"):
            self.assertIn(word, kinds)
        self.assertGreater(len(self.k("api-resources", "--namespaced=true", "-o", "name").out.split()), 30)
        versions = self.k("api-versions").out.split()
        self.assertEqual(versions, sorted(versions))
        for version in ("v1", "apps/v1", "batch/v1", "autoscaling/v2", "rbac.authorization.k8s.io/v1"):
            self.assertIn(version, versions)
        self.assertIn("deployments.apps", self.k("api-resources", "--api-group=apps", "-o", "name").out)
        self.assertEqual(self.k("version", "-o", "json").json()["serverVersion"]["minor"], "36")
        self.assertIn("is running at", self.k("cluster-info").out)
        self.assertEqual(self.k("get", "--raw", "/readyz").out, "ok")
        self.assertIn("/apis/apps/v1", json.loads(self.k("get", "--raw", "/").out)["paths"])

    def test_who_may(self):
        self.assertEqual(self.k("auth", "can-i", "create", "pods").out.strip(), "yes")
        self.k("auth", "can-i", "create", "pods", "--as=somebody", code=1)
        self.assertIn("*.*", self.k("auth", "can-i", "--list").out)
        refused = self.k("get", "pods", "--as=somebody", code=1)
        self.assertIn('User "somebody" cannot list resource "pods"', refused.err)
        if self.kubectl.version >= (1, 27):
            self.assertIn("system:masters", self.k("auth", "whoami").out)

    def test_token_of_a_service_account(self):
        if self.kubectl.version < (1, 24):
            self.skipTest("create token came with 1.24")
        token = self.k("create", "token", "default", "--duration=20m").out.strip()
        self.assertEqual(token.count("."), 2)
        refused = self.as_bearer(token, "get", "pods", "-n", "default", code=1)
        self.assertIn('User "system:serviceaccount:default:default" cannot list resource "pods"', refused.err)
        self.assertIn('"ES256"', self.as_bearer(token, "get", "--raw", "/openid/v1/jwks").out)
        self.assertIn("not found", self.k("create", "token", "nobody", code=1).err)
        # The account is part of the token: another of the same name is another one.
        self.k("create", "serviceaccount", "passing")
        token = self.k("create", "token", "passing").out.strip()
        self.k("delete", "serviceaccount", "passing")
        self.k("create", "serviceaccount", "passing")
        self.assertIn("nauthorized", self.as_bearer(token, "get", "--raw", "/openid/v1/jwks", code=1).err)

    def as_bearer(self, token, *arguments, **options):
        """With the token alone: a client certificate would win."""
        return self.k("--server", self.server.url, "--insecure-skip-tls-verify", "--token", token, *arguments,
                      KUBECONFIG=os.devnull, **options)

    def test_errors_are_clear(self):
        self.assertIn('pods "none" not found', self.k("get", "pod", "none", code=1).err)
        self.assertIn("doesn't have a resource type", self.k("get", "unicorns", code=1).err)
        self.assertIn("Invalid value", self.k("create", "configmap", "Bad_Name", code=1).err)
        self.assertIn("not found", self.k("create", "configmap", "x", "-n", "nowhere", code=1).err)


def main():
    global KEELSOND, KUBECTL
    KEELSOND, KUBECTL = support.programs(__doc__)
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=2)


if __name__ == "__main__":
    main()
