"""kustomize and -k: keelctl has kustomizations built by the programs that are installed, here by kubectl."""
from line import Line

SINCE = (1, 32)  # what builds them has changed since, and with it what comes out
LINES = [
    Line("kustomize kustomized", code=0),
    Line("kustomize", code=1, errors="", why="kubectl logs it"),
    Line("kustomize nowhere", code=1, errors="", why="kubectl logs it"),
    Line("apply -k kustomized", code=0, changes=True),
    Line("apply -k kustomized", code=0, changes=True),
    Line("diff -k kustomized", code=0),
    Line("get -k kustomized -o name", code=0),
    Line("get -k kustomized", code=0),
    Line("label -k kustomized more=labels", code=0),
    Line("annotate -k kustomized a=b", code=0),
    Line("patch -k kustomized -p '{\"data\":{\"y\":\"2\"}}'", code=0),
    Line("describe -k kustomized", code=0, output="", why="ages and order"),
    Line("apply -k kustomized -f cm.yaml", code=1),
    Line("get -k kustomized -f cm.yaml", code=1),
    Line("delete -k kustomized", code=0),
    Line("delete -k kustomized", code=1),
    Line("create -k kustomized", code=0, changes=True),
    Line("replace -k kustomized", code=0, changes=True),
    Line("delete -k kustomized --ignore-not-found", code=0),
]
