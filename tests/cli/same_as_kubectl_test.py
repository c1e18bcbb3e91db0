#!/usr/bin/env python3
"""The same command lines through kubectl and keelctl: same output, same exit code, same effect.

usage: same_as_kubectl_test.py KEELCTL KEELSOND KUBECTL [SECTION...]

Each program has a namespace of its own, both begin alike, and each line is run in both. The lines are in same/*.py:
SECTION = [Line("get pods"), ...]. Ages, uids, versions, times and the names of the programs and namespaces are made
equal before anything is compared. A line that only newer kubectls answer so names the version it follows and why, and a
file of which this is so for most lines has SINCE."""
import difflib
import importlib
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "clients"), str(HERE / "same")]
import support  # noqa: E402
from line import Line  # noqa: E402

KEELCTL, KEELSOND, KUBECTL = os.path.abspath(sys.argv[1]), sys.argv[2], sys.argv[3]
SECTIONS = sys.argv[4:] or sorted(path.stem for path in (HERE / "same").glob("*.py") if path.stem != "line")
EFFECTS = ("pods", "services", "configmaps", "secrets", "deployments.apps", "daemonsets.apps", "statefulsets.apps",
           "jobs.batch", "cronjobs.batch", "serviceaccounts", "roles.rbac.authorization.k8s.io",
           "rolebindings.rbac.authorization.k8s.io", "ingresses.networking.k8s.io", "resourcequotas",
           "horizontalpodautoscalers.autoscaling", "poddisruptionbudgets.policy", "persistentvolumeclaims")
# What an object is, apart from who wrote it and when.
PASSING = ("uid", "resourceVersion", "creationTimestamp", "managedFields", "generation", "selfLink")


def equalised(text, namespace):
    for pattern, by in ((r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", "UID"),
                        (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?( \+0000|Z)?", "TIME"),
                        (r"(resourceVersion\"?: )\"\d+\"", r"\1VERSION"),
                        (r"(LIVE|MERGED)-\w+", r"\1"),
                        (r"(-[0-9a-f]{8,10}-)[a-z0-9]{5}\b", r"\1xxxxx"),
                        (r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4}", "TIME"),
                        (r"(Resource Version: +)\d+", r"\1VERSION"),
                        # Endings of names that the server makes, and ports that it chooses.
                        (r"-[bcdfghjklmnpqrstvwxz2456789]{5}(?![a-z0-9])", "-xxxxx"),
                        (r"(HealthCheck NodePort: +|healthCheckNodePort\"?: |nodePort\"?: |NodePort: .* )3[0-2]\d{3}", r"\g<1>30000"),
                        (r"\b10\.96\.\d+\.\d+ *", "ADDRESS "),
                        (r"kube-api-access-\w{5}", "kube-api-access-xxxxx"),
                        (r"\bmade-\w{5}\b", "made-xxxxx"),
                        (r"(?m)\b(\d+(s|m|h|d))+( |$)+", "AGE "),
                        (r"(?m)^[IWE]\d{4} .*\n", "")):
        text = re.sub(pattern, by, text)
    text = re.sub(r"(?m) +$", "", text)
    return text.replace(namespace, "NAMESPACE").replace("keelctl", "PROGRAM").replace("kubectl", "PROGRAM")


class Program:
    def __init__(self, binary, server, namespace, files):
        self.binary, self.server, self.namespace = binary, server, namespace
        self.home = server.directory / namespace
        self.files = self.home / "files"
        self.home.mkdir()
        shutil.copytree(files, self.files)
        self.kubeconfig = self.home / "kubeconfig"
        text = pathlib.Path(server.kubeconfig).read_text()
        self.kubeconfig.write_text(text.replace("    user: admin\n", f"    user: admin\n    namespace: {namespace}\n"))

    def run(self, line, binary=None):
        keep = {name: os.environ[name] for name in ("PATH", "LANG", "ASAN_OPTIONS") if name in os.environ}
        environment = {**keep, "HOME": str(self.home), "KUBECONFIG": str(self.kubeconfig), **line.environment}
        words = shlex.split(line.text.replace("{ns}", self.namespace))
        done = subprocess.run([binary or self.binary, *words], input=line.input.replace("{ns}", self.namespace), capture_output=True, text=True, timeout=60,
                              env=environment, cwd=self.files)
        return done

    def effect(self):
        """All objects of the namespace, and what the line may have written."""
        everything = {}
        for kind in EFFECTS:
            name, _, group = kind.partition(".")
            version = {"autoscaling": "v2"}.get(group, "v1")
            root = f"/apis/{group}/{version}" if group else "/api/v1"
            listed = json.loads(self.server.request("GET", f"{root}/namespaces/{self.namespace}/{name}")[2])
            for item in listed.get("items", []):
                # When controllers have made their pods, and which stay, is chance.
                if name == "pods" and "ownerReferences" in item["metadata"]:
                    continue
                everything[equalised(f"{kind}/{item['metadata']['name']}", self.namespace)] = self.lasting(item)
        written = "".join(path.read_text() for path in (self.kubeconfig, *sorted(self.files.glob("written*"))))
        return json.dumps(everything, indent=1, sort_keys=True) + written

    def lasting(self, item):
        metadata = item["metadata"]
        for name in PASSING:
            metadata.pop(name, None)
        annotations = metadata.get("annotations", {})
        annotations.pop("kubectl.kubernetes.io/last-applied-configuration", None)
        annotations.pop("deployment.kubernetes.io/revision", None)
        if not annotations:
            metadata.pop("annotations", None)
        item.pop("status", None)
        return json.loads(equalised(json.dumps(item), self.namespace))


class Same(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.server = support.Server(KEELSOND, roles="api,control")
        cls.addClassCleanup(cls.server.__exit__)
        cls.server.start()
        nodes = support.SimulatedNodes(cls.server, 2)
        nodes.__enter__()
        cls.addClassCleanup(nodes.__exit__)
        version = json.loads(subprocess.run([KUBECTL, "version", "--client", "-o", "json"], capture_output=True, text=True,
                                            check=True).stdout)["clientVersion"]
        cls.version = (int(version["major"]), int(re.match(r"\d+", version["minor"]).group()))

    def programs(self, section):
        made = []
        for binary, letter in ((KUBECTL, "a"), (KEELCTL, "b")):
            namespace = f"{section.lower().replace('_', '-')}-{letter}"
            self.server.request("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
            made.append(Program(binary, self.server, namespace, HERE / "same/files"))
        return made

    def run_section(self, section):
        module = importlib.import_module(section)
        if getattr(module, "SINCE", (1, 0)) > self.version:
            self.skipTest("this kubectl answers otherwise: it is older than %d.%d" % module.SINCE)
        programs = self.programs(section)
        self.last_difference = ""
        for line in module.LINES:
            with self.subTest(line=line.text):
                self.compare(line, programs)

    def compare(self, line, programs):
        if line.since > self.version:
            # Not compared, but what comes after it finds the same state.
            if line.changes:
                for program in programs:
                    program.run(line, binary=programs[1].binary)
            return
        theirs, ours = (program.run(line) for program in programs)
        expected, got = (self.shown(line, done, program) for done, program in zip((theirs, ours), programs))
        self.assertTrue(got == expected, self.difference(expected, got))
        if line.code is not None:
            self.assertEqual(ours.returncode, line.code, ours.stdout + ours.stderr)
        if line.changes:
            expected, got = (equalised(program.effect(), program.namespace) for program in programs)
            difference = self.difference(expected, got)
            before, self.last_difference = self.last_difference, difference
            # What a line before has left different is told once.
            self.assertTrue(difference in ("", before), "the effect differs:\n" + difference)

    @staticmethod
    def shown(line, done, program):
        errors = line.errors if line.errors is not None else equalised(done.stderr, program.namespace)
        output = equalised(done.stdout, program.namespace)
        if line.is_json:
            output = json.dumps(json.loads(output), indent=1, sort_keys=True)
        if line.unordered:
            output = "\n".join(sorted(output.splitlines()))
        if line.output is not None:
            output = line.output
        return f"exit code {done.returncode}\n{output}--- errors\n{errors}"

    @staticmethod
    def difference(expected, got):
        return "\n".join(difflib.unified_diff(expected.splitlines(), got.splitlines(), "kubectl", "keelctl", lineterm=""))


def add_test(section):
    setattr(Same, f"test_{section}", lambda self: self.run_section(section))


for name in SECTIONS:
    add_test(name)

if __name__ == "__main__":
    if not pathlib.Path(KUBECTL).exists():
        print(f"there is no {KUBECTL}")
        sys.exit(support.SKIPPED)
    unittest.main(argv=[sys.argv[0], "-v"])
