"""cordon, taint and drain, each program on a node that is called as its namespace."""
from line import Line

SINCE = (1, 32)

NODE = '{"apiVersion":"v1","kind":"Node","metadata":{"name":"{ns}"}}'
POD = ('{"apiVersion":"v1","kind":"Pod","metadata":{"name":"%s"},"spec":{"nodeName":"{ns}","terminationGracePeriodSeconds":0,'
       '"containers":[{"name":"c","image":"x"}]%s}}')
LINES = [
    Line("create -f -", input=NODE, changes=False),
    Line("get node {ns} -o jsonpath={.spec.unschedulable}"),
    *(Line(f"{text}", changes=False) for text in (
        "cordon {ns} --dry-run=client", "cordon {ns}", "cordon {ns}", "uncordon {ns}", "uncordon {ns}", "cordon", "cordon nothing",
        "taint nodes {ns} a=b:NoSchedule", "taint node {ns} a=c:NoSchedule", "taint node {ns} a=c:NoSchedule --overwrite",
        "taint node {ns} x:NoExecute y:NoSchedule", "taint node {ns} a- z:NoSchedule", "taint node {ns} x:NoExecute- y-",
        "taint node {ns} nothing-", "taint node {ns} a=b:Never", "taint node {ns}", "taint pod x a=b:NoSchedule",
        "taint node {ns} z- --dry-run=client -o name")),
    Line("get node {ns} -o jsonpath={.spec.unschedulable}"),
    Line("create -f -", input=POD % ("bare", ""), changes=False),
    Line("create -f -", input=POD % ("data", ',"volumes":[{"name":"v","emptyDir":{}}]'), changes=False),
    Line("drain {ns}", changes=False, errors="", why="kubectl says that it cannot delete cannot delete pods"),
    Line("drain {ns} --force --dry-run=client", changes=False),
    Line("drain {ns} --force --delete-emptydir-data --dry-run=client", changes=False, unordered=True),
    Line("drain {ns} --force --delete-emptydir-data --timeout=30s", unordered=True),
    Line("drain {ns}", changes=False),
    Line("drain nothing", changes=False),
    Line("drain", changes=False),
    Line("delete node {ns}", changes=False),
]
