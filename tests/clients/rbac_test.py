#!/usr/bin/env python3
"""usage: rbac_test.py KEELSOND KUBECTL

Roles and bindings decide: with a service account's token, as somebody else, and after a restart."""
import json
import os
import sys
import unittest

import support

KEELSOND = KUBECTL = ""
ROLE = """
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader, namespace: default}
rules:
- {apiGroups: [""], resources: [pods, pods/log], verbs: [get, list]}
- {apiGroups: [""], resources: [configmaps], resourceNames: [mine], verbs: [get]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reader, namespace: default}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
subjects: [{kind: ServiceAccount, name: robot}]
"""


class RolesDecide(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.server = support.Server(KEELSOND, roles="api,control")
        self.server.start()
        self.addCleanup(self.server.__exit__)
        self.kubectl = support.Kubectl(KUBECTL, self.server)
        self.k("create", "serviceaccount", "robot")
        self.k("create", "configmap", "mine")
        self.k("create", "configmap", "other")
        self.token = self.k("create", "token", "robot").out.strip()

    def k(self, *arguments, **options):
        return self.kubectl.run(*arguments, **options)

    def as_robot(self, *arguments, **options):
        return self.k("--server", self.server.url, "--insecure-skip-tls-verify", "--token", self.token, *arguments,
                      KUBECONFIG=os.devnull, **options)

    def wait_for_rules(self, role, resource):
        """Until the role has been given rules about the resource."""
        def has():
            return resource in json.dumps(self.k("get", "clusterrole", role, "-o", "json").json()["rules"])
        support.wait_until(has, lambda: f"{role} has no rules about {resource}")

    def grant(self, text=ROLE):
        file = self.server.directory / "granted.yaml"
        file.write_text(text)
        return self.k("auth", "reconcile", "-f", str(file))

    def check_robot(self):
        """It may what its role says, and nothing else."""
        self.as_robot("get", "pods")
        self.as_robot("get", "configmap", "mine")
        for refused in (["get", "configmap", "other"], ["get", "configmaps"], ["get", "pods", "-n", "kube-system"],
                        ["delete", "pod", "any"], ["get", "secrets"], ["get", "nodes"]):
            self.assertIn("forbidden", self.as_robot(*refused, code=1).err, refused)

    def test_a_service_account_may_what_its_role_says(self):
        self.assertIn("forbidden", self.as_robot("get", "pods", code=1).err)
        self.assertIn("reader", self.grant().out)
        self.check_robot()
        self.server.stop()
        self.server.start()
        self.check_robot()
        self.k("delete", "rolebinding", "reader")
        self.assertIn("forbidden", self.as_robot("get", "pods", code=1).err)

    def test_reviews_and_lists_go_by_roles(self):
        self.grant()
        robot = "--as=system:serviceaccount:default:robot"
        self.assertEqual(self.k("auth", "can-i", "list", "pods", robot).out.strip(), "yes")
        self.k("auth", "can-i", "list", "pods", robot, "-n", "kube-system", code=1)
        listed = self.k("auth", "can-i", "--list", robot).out
        self.assertRegex(listed, r"pods/log +\[\] +\[\] +\[get list\]")
        self.assertRegex(listed, r"configmaps +\[\] +\[mine\] +\[get\]")
        self.assertNotIn("*.*", listed)
        self.assertRegex(self.k("auth", "can-i", "--list").out, r"\*\.\* +\[\] +\[\] +\[\*\]")
        review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
                  "spec": {"user": "system:serviceaccount:default:robot",
                           "resourceAttributes": {"verb": "list", "resource": "pods", "namespace": "default"}}}
        answer = self.server.request("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", review)[2]
        self.assertEqual(json.loads(answer)["status"],
                         {"allowed": True, "reason": 'RBAC: allowed by RoleBinding "reader/default" of Role "reader" to '
                                                     'ServiceAccount "robot/default"'})

    def test_only_who_may_impersonates(self):
        pods = ("get", "--raw", "/api/v1/namespaces/default/pods")
        self.assertIn("cannot impersonate", self.as_robot(*pods, "--as=ann", code=1).err)
        self.k("create", "clusterrole", "mask", "--verb=impersonate", "--resource=users", "--resource-name=ann")
        self.k("create", "clusterrolebinding", "mask", "--clusterrole=mask", "--serviceaccount=default:robot")
        self.k("create", "rolebinding", "ann", "--clusterrole=view", "--user=ann")
        self.wait_for_rules("view", "pods")
        self.as_robot("get", "pods", "--as=ann")
        self.assertIn("forbidden", self.as_robot("get", "secrets", "--as=ann", code=1).err)
        self.assertIn("cannot impersonate", self.as_robot(*pods, "--as=bob", code=1).err)

    def test_nobody_gives_away_what_he_does_not_have(self):
        self.k("create", "rolebinding", "boss", "--clusterrole=admin", "--user=ann")
        self.wait_for_rules("admin", "rolebindings")
        self.wait_for_rules("admin", "pods/log")
        ann = "--as=ann"
        self.k("create", "role", "r", "--verb=get", "--resource=pods", ann)
        self.k("create", "rolebinding", "r", "--role=r", "--user=bob", ann)
        refused = self.k("create", "role", "s", "--verb=get", "--resource=leases.coordination.k8s.io,nodes", ann, code=1)
        self.assertIn("is attempting to grant RBAC permissions not currently held:\n"
                      '{APIGroups:[""], Resources:["nodes"], Verbs:["get"]}', refused.err)
        self.assertIn("not currently held", self.k("create", "rolebinding", "s", "--clusterrole=cluster-admin", "--user=ann",
                                                   ann, code=1).err)
        self.assertIn("forbidden", self.k("create", "clusterrolebinding", "s", "--clusterrole=view", "--user=ann", ann,
                                          code=1).err)

    def test_the_defaults_need_no_administrator(self):
        """Who deletes them locks nobody out, and the next start brings them back."""
        self.k("delete", "clusterrolebindings,clusterroles", "--all")
        self.assertEqual(self.k("auth", "can-i", "create", "nodes").out.strip(), "yes")
        self.server.stop()
        self.server.start()
        self.k("get", "clusterrole", "cluster-admin", "view")
        self.k("get", "clusterrolebinding", "cluster-admin")


def main():
    global KEELSOND, KUBECTL
    KEELSOND, KUBECTL = support.programs(__doc__)
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=2)


if __name__ == "__main__":
    main()
