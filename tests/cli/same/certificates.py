"""certificate approve and deny"""
from line import Line

# Of an elliptic curve, for CN=bob.
REQUEST = (
    "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KTUlIbU1JR05BZ0VBTUNzeEd6QVpCZ05WQkFvTUVuTjVjM1JsYlRwdFlYTjBaWE"
    "p6TFc1dmRERU1NQW9HQTFVRQpBd3dEWW05aU1Ga3dFd1lIS29aSXpqMENBUVlJS29aSXpqMERBUWNEUWdBRUc1NXlLT1lsRkZnUnhuZDloOTh1"
    "Ckh2SWN1M2pTcG9BR0NqY0wzSW5FWlN0YmJLQkdidlhVek1ZOWh3MWpFOXV0ZENMYWJhZG1nZE5ReVpKbXN6bWUKdUtBQU1Bb0dDQ3FHU000OU"
    "JBTUNBMGdBTUVVQ0lGam8yQlhocEkydUVaTkZUeVAxZnB5R0xMY0w3MUY3cVZXcwpGTDkwUVZMN0FpRUFwR05GQUcyeVhZNmVxTnlNTkd0K3Bj"
    "RDlaY3E1c0ZpbnczaVBMeVZ6VzhVPQotLS0tLUVORCBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0K")


def request(name):
    return ("apiVersion: certificates.k8s.io/v1\nkind: CertificateSigningRequest\nmetadata: {name: '{ns}-" + name + "'}\n"
            "spec: {signerName: example.com/same, usages: [client auth], request: " + REQUEST + "}\n---\n")


CONDITIONS = "get csr {ns}-%s -o jsonpath='{.status.conditions[*].type} {.status.conditions[*].reason} {.status.conditions[*].status} {.status.conditions[*].message}'"

LINES = [
    Line("create -f -", input="".join(request(name) for name in ("a", "b", "c", "d"))),
    Line("certificate approve {ns}-a", code=0),
    Line(CONDITIONS % "a"),
    Line("certificate approve {ns}-a", code=0),
    Line("certificate approve {ns}-a --force"),
    Line("certificate deny {ns}-a", code=1),
    Line("certificate deny {ns}-b", code=0),
    Line(CONDITIONS % "b"),
    Line("certificate approve {ns}-b", code=1),
    Line("certificate approve {ns}-c {ns}-nothing", code=1),
    Line("certificate approve csr/{ns}-d -o name"),
    Line("certificate approve nothing", code=1),
    Line("certificate deny -f -", input=request("c")),
    Line("certificate approve -f cm.yaml", code=1, errors="", why="what is looked at first"),
    Line("certificate deny -f nope.yaml", code=1),
    Line("certificate deny {ns}-d -o jsonpath='{.status.conditions[0].reason}'", code=1),
    Line("certificate approve", code=1),
    Line("certificate", code=0, output=""),
    Line("delete csr {ns}-a {ns}-b {ns}-c {ns}-d"),
]
