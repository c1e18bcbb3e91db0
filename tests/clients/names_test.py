#!/usr/bin/env python3
"""The cluster's names as programs in pods see them, by the resolvers of glibc and of musl; and what a swap of the DNS
plugin means to them.

  names_test.py KEELSOND KEELCTL KUBECTL [unittest arguments]"""
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

import questions
import support
from namespaces import NetworkNamespace, process_of_pod

KEELSOND = KEELCTL = KUBECTL = None
DNS = "10.96.0.10"
UPSTREAM = "192.0.2.53"
ZONE = "cluster.local"
LARGE = 200  # so many addresses do not fit into a datagram
SLOWEST_MS = 2000  # a datagram that is lost costs glibc five seconds, musl two and a half
RESOLVE = pathlib.Path(__file__).with_name("resolve.c")


def plugins():
    return pathlib.Path(KEELSOND).parent.parent / "lib/keelson/plugins"


def compiled(compiler, *options):
    with tempfile.TemporaryDirectory(prefix="keelson-resolve-") as directory:
        program = pathlib.Path(directory) / "resolve"
        subprocess.run([compiler, "-O1", "-o", program, *options, RESOLVE], check=True)
        return program.read_bytes()


def libraries(program):
    """What the loader takes for it, by path."""
    with tempfile.NamedTemporaryFile(prefix="keelson-resolve-") as file:
        file.write(program)
        file.flush()
        listed = subprocess.run(["ldd", file.name], check=True, capture_output=True, text=True).stdout
    paths = [word for word in listed.split() if word.startswith("/")]
    return {path.lstrip("/"): pathlib.Path(path).read_bytes() for path in paths}


def image_files():
    glibc = compiled("cc")
    return {"etc/nsswitch.conf": b"hosts: files dns\n", **libraries(glibc), "bin/resolve-glibc": glibc,
            "bin/resolve-musl": compiled("musl-gcc", "-static")}


def headless(name, **spec):
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
            "spec": {"clusterIP": "None", "ports": [{"name": "http", "port": 80}], **spec}}


def slice_of(service, kind, endpoints):
    return {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": kind,
            "metadata": {"name": f"{service}-{kind.lower()}", "labels": {"kubernetes.io/service-name": service}},
            "endpoints": endpoints, "ports": [{"name": "http", "port": 80}]}


def external(name, target):
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
            "spec": {"type": "ExternalName", "externalName": target}}


def large_addresses():
    return [f"10.240.{number // 100}.{number % 100 + 1}" for number in range(LARGE)]


OBJECTS = [
    {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": {"ports": [{"port": 80}]}},
    external("alias", f"web.default.svc.{ZONE}"), external("away", "www.example.test"), external("astray", "no.example.test"),
    headless("both"), slice_of("both", "IPv4", [{"addresses": ["10.240.9.1"], "hostname": "first"}]),
    slice_of("both", "IPv6", [{"addresses": ["fd00:240::1"], "hostname": "first"}]),
    headless("six"), slice_of("six", "IPv6", [{"addresses": ["fd00:240::6"]}]),
    headless("nobody"),
    headless("large"), slice_of("large", "IPv4", [{"addresses": [address]} for address in large_addresses()]),
    {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "client"}, "spec": {
        "terminationGracePeriodSeconds": 0,
        "containers": [{"name": "c", "image": "resolvers:1", "command": ["sleep", "100000"]}]}},
]


class Names(support.OneNode, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        subprocess.run(["ip", "addr", "add", UPSTREAM + "/32", "dev", "lo"], check=True)
        cls.enterClassContext(questions.Upstream(UPSTREAM, {"www.example.test": "203.0.113.80"}))
        cls.directory = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory(prefix="keelson-names-")))
        (cls.directory / "resolv.conf").write_text(f"nameserver {UPSTREAM}\n")
        cls.other = cls.directory / "other"  # where another version of the plugin lies
        cls.other.mkdir(mode=0o755)
        cls.node = support.Node(KEELSOND, KEELCTL, f"plugins: {{allowedDirectories: ['{cls.other}']}}\n",
                                settings=f"resolvConf: {cls.directory}/resolv.conf")
        cls.enterClassContext(cls.node)
        cls.kubectl = support.Kubectl(KUBECTL, cls.node)
        cls.add_image()
        cls.wait_for_service_account()
        cls.kubectl.create(*OBJECTS)
        cls.k("wait", "--for=condition=Ready", "pod/client", support.PATIENT)
        cls.address = cls.k("get", "service", "web", "-o", "jsonpath={.spec.clusterIP}").out
        cls.wait(lambda: cls.one("glibc", "any", "web") == [cls.address] and
                 len(cls.one("glibc", "any", "large")) == LARGE)

    @classmethod
    def add_image(cls):
        archive = cls.directory / "resolvers.tar"
        support.busybox_image(archive, "docker.io/library/resolvers:1", image_files())
        imported = cls.node.keelctl("image", "import", str(archive))
        if imported.returncode != 0:
            raise RuntimeError(imported.stderr)

    @classmethod
    def resolve(cls, library, family, *names):
        """What each name leads to in a pod: by name, sorted addresses or one word."""
        lines = cls.k("exec", "client", "--", f"resolve-{library}", family, *names).out.splitlines()
        result = {}
        for line in lines:
            name, took_ms, *found = line.split(" ")
            if int(took_ms) > SLOWEST_MS:
                raise AssertionError(f"{library}: {line}")
            result[name] = found
        return result

    @classmethod
    def one(cls, library, family, name):
        return cls.resolve(library, family, name)[name]

    # --- in the order of their names ---

    def each(self, family, expected):
        for library in ("glibc", "musl"):
            with self.subTest(library=library):
                self.assertEqual(self.resolve(library, family, *expected), expected)

    def test_1_short_names_are_found_by_the_search_path(self):
        names = ("web", "web.default", "web.default.svc", f"web.default.svc.{ZONE}", f"web.default.svc.{ZONE}.", "WEB.Default")
        self.each("any", {name: [self.address] for name in names})
        kubernetes = self.k("get", "service", "kubernetes", "-o", "jsonpath={.spec.clusterIP}").out
        self.each("4", {"kubernetes": [kubernetes], "kube-dns.kube-system": [DNS]})

    def test_2_aliases_lead_into_the_cluster_and_out_of_it(self):
        self.each("any", {"alias": [self.address], f"alias.default.svc.{ZONE}.": [self.address],
                          "away": ["203.0.113.80"], "www.example.test": ["203.0.113.80"]})

    def test_3_headless_names_give_the_addresses_of_both_families(self):
        both = ["10.240.9.1", "fd00:240::1"]
        self.each("any", {"both": both, "first.both": both, f"first.both.default.svc.{ZONE}": both, "six": ["fd00:240::6"]})
        self.each("4", {"both": both[:1], "first.both": both[:1]})
        self.each("6", {"both": both[1:], "first.both": both[1:], "six": ["fd00:240::6"]})

    def test_4_what_is_absent_is_said_to_be(self):
        self.each("any", {name: ["absent"] for name in
                          ("nothing", f"nothing.default.svc.{ZONE}.", "second.both", "no.example.test", "astray", "web.elsewhere")})
        # A name that is there without addresses: the libraries have different words for it.
        words = {"glibc": (["no-address"], ["absent"]), "musl": (["no-address"], ["absent"])}
        for library, possible in words.items():
            for family, name in (("6", "web"), ("4", "six"), ("any", "nobody")):
                self.assertIn(self.one(library, family, name), possible, f"{library}, {name} of family {family}")

    def test_5_many_addresses_come_by_tcp_or_as_many_as_a_datagram_has(self):
        all_of_them = sorted(large_addresses())
        self.assertEqual(self.one("glibc", "any", "large"), all_of_them)
        found = self.one("musl", "any", "large")
        # Before version 1.2.4 musl does not ask by TCP: it takes what the datagram holds.
        self.assertGreater(len(found), 20, found)
        self.assertLessEqual(set(found), set(all_of_them))

    def test_6_no_answer_is_lost_among_many(self):
        for library in ("glibc", "musl"):
            names = [f"web.default.svc.{ZONE}.", "web", "alias", "both"] * 100
            begun = time.monotonic()
            found = self.resolve(library, "any", *names)
            print(f"{library}: {len(names)} names in {time.monotonic() - begun:.2f} s", file=sys.stderr, flush=True)
            self.assertEqual(found["web"], [self.address])

    def test_7_questions_are_answered_while_the_plugin_is_loaded_again_or_replaced(self):
        pod = self.k("get", "pod", "client", "-o", "jsonpath={.metadata.uid}").out
        space = NetworkNamespace(process_of_pod(pod))
        self.addCleanup(space.close)
        for name in ("dns.yaml", "dns.so"):
            shutil.copy(plugins() / name, self.other / name)
        for words in (("reload", "dns"), ("replace", "dns", str(self.other / "dns.yaml")), ("reload", "dns")):
            with questions.Questions(space, DNS, f"web.default.svc.{ZONE}", self.address) as asked:
                asked.wait_for_answers(100)
                done = self.node.keelctl("plugin", *words)
                self.assertEqual(done.returncode, 0, done.stderr)
                asked.wait_for_answers(200)
            print(f"plugin {' '.join(words[:2])}: {asked}", file=sys.stderr, flush=True)
            self.assertEqual(asked.wrong, [], "of code and number of answers")
            self.assertEqual(asked.lost, 0, "what comes meanwhile waits")


def why_not():
    if not (plugins() / "dns.yaml").exists():
        return "the plugin dns is not built"
    return "" if shutil.which("musl-gcc") else "there is no musl-gcc: install musl-tools"


def main():
    global KEELSOND, KEELCTL, KUBECTL
    KEELSOND, KEELCTL, KUBECTL = support.programs_for_containers(__doc__)
    support.skip(why_not())
    unittest.main(argv=[sys.argv[0], *sys.argv[4:]], verbosity=2)


if __name__ == "__main__":
    main()
