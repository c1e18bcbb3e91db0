#!/usr/bin/env python3
"""A Deployment that follows its load, with kubectl, on a node with real containers.

  autoscaling_test.py KEELSOND KEELCTL KUBECTL [unittest arguments]"""
import sys
import unittest

import support

KEELSOND = KEELCTL = KUBECTL = None
# Works while there is a file of the machine. Looking for it is a process each time, and must be as good as no work on any machine.
WORK = "while true; do while [ -e /load/on ]; do :; done; sleep 2; done"


def burner(directory):
    container = {"name": "c", "image": "busybox:1", "command": ["sh", "-c", WORK],
                 "resources": {"requests": {"cpu": "50m"}, "limits": {"cpu": "60m"}},
                 "volumeMounts": [{"name": "load", "mountPath": "/load"}]}
    pod = {"containers": [container], "terminationGracePeriodSeconds": 0,
           "volumes": [{"name": "load", "hostPath": {"path": directory}}]}
    labels = {"app": "burner"}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "burner"},
            "spec": {"replicas": 1, "selector": {"matchLabels": labels},
                     "template": {"metadata": {"labels": labels}, "spec": pod}}}


# What works uses more than twice what it should.
AUTOSCALER = {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "burner"},
              "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "burner"},
                       "minReplicas": 1, "maxReplicas": 2,
                       "metrics": [{"type": "Resource", "resource": {
                           "name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}}],
                       "behavior": {"scaleDown": {"stabilizationWindowSeconds": 0}}}}


class Autoscaling(support.OwnNamespace, unittest.TestCase):
    SHOWN = "all,events"

    @classmethod
    def setUpClass(cls):
        cls.node = support.Node(KEELSOND, KEELCTL)
        cls.node.__enter__()
        cls.addClassCleanup(cls.node.__exit__)
        cls.kubectl = support.Kubectl(KUBECTL, cls.node)
        cls.keelctl = support.Kubectl(KEELCTL, cls.node)

    def create(self, document):
        self.kubectl.create(document, options=("-n", self.namespace))

    def autoscaler(self):
        return self.k("get", "hpa", "burner", "-o", "json").json()

    def conditions(self):
        return {one["type"]: f"{one['status']} {one['reason']}" for one in self.autoscaler()["status"].get("conditions", [])}

    def wait_for_replicas(self, count):
        def there():
            status = self.k("get", "deployment", "burner", "-o", "json").json()["status"]
            return status.get("replicas") == status.get("readyReplicas") == count
        self.wait_for(there)

    def events(self):
        return [f"{event['reason']}: {event['message']}" for event in self.k(
            "get", "events", "-o", "json", "--field-selector", "involvedObject.kind=HorizontalPodAutoscaler").json()["items"]]

    def test_replicas_come_with_the_load_and_go_with_it(self):
        load = self.node.directory / "load"
        load.mkdir()
        (load / "on").touch()
        self.create(burner(str(load)))
        self.create(AUTOSCALER)
        # Nothing is known of a pod that starts.
        self.wait_for(lambda: self.conditions().get("ScalingActive") == "False FailedGetResourceMetric")
        self.wait_for_replicas(2)
        self.assertIn("SuccessfulRescale: New size: 2; reason: cpu resource utilization (percentage of request) above target",
                      self.events())
        self.wait_for(lambda: self.conditions() == {"AbleToScale": "True ReadyForNewScale",
                                                    "ScalingActive": "True ValidMetricFound",
                                                    "ScalingLimited": "True TooManyReplicas"})
        self.see_it_described()
        (load / "on").unlink()
        self.wait_for_replicas(1)
        self.assertIn("SuccessfulRescale: New size: 1; reason: All metrics below target", self.events())

    def see_it_described(self):
        """keelctl shows what kubectl does; the numbers may change in between."""
        def both(*arguments):
            return tuple(client.run("-n", self.namespace, *arguments).out for client in (self.kubectl, self.keelctl))
        for arguments in (("describe", "hpa", "burner"), ("get", "hpa", "burner")):
            def alike(arguments=arguments):
                theirs, ours = both(*arguments)
                return theirs == ours
            self.wait_for(alike)
        described, _ = both("describe", "hpa", "burner")
        self.assertRegex(described, r"resource cpu on pods +\(as a percentage of request\): +\d+% \(\d+m\) / 50%")
        self.assertRegex(both("get", "hpa", "burner")[0], r"Deployment/burner +cpu: \d+%/50% +1 +2 +2 ")


def main():
    global KEELSOND, KEELCTL, KUBECTL
    KEELSOND, KEELCTL, KUBECTL = support.programs_for_containers(__doc__)
    unittest.main(argv=[sys.argv[0], *sys.argv[4:]], verbosity=2)


if __name__ == "__main__":
    main()
