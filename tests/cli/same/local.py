"""--local: files are changed and no server is asked"""
from line import Line

CONTAINERS = '\'{"spec":{"template":{"spec":{"containers":[{"name":"c","image":"b"},{"name":"n","image":"d"}]}}}}\''

# Nothing listens there.
LINES = [Line(text + " --local --server=http://127.0.0.1:1", changes=False, **more) for text, more in (
    ("label -f cm.yaml a=b", {}),
    ("label -f cm.yaml a=b -o yaml", {}),
    ("label -f cm.yaml app=other", {}),
    ("label -f cm.yaml app-", {"since": (1, 23), "why": "it said labeled"}),
    ("label -f list.yaml a=b", {}),
    ("label -f gadget.yaml a=b -o json", {}),
    ("label cm cm a=b", {"code": 1, "since": (1, 21), "why": "other words"}),
    ("label -f nope.yaml a=b", {"code": 1}),
    ("annotate -f cm.yaml a=b -o name", {}),
    ("annotate -f cm.yaml a=b -o yaml", {}),
    ("annotate cm cm a=b", {"code": 1}),
    ("patch -f cm.yaml -p '{\"data\":{\"x\":\"y\"}}'", {"code": 0}),
    ("patch -f cm.yaml -p '{\"data\":{\"x\":\"y\",\"a\":null}}' -o yaml", {"code": 0}),
    ("patch -f cm.yaml -p '{}'", {}),
    ("patch -f web.yaml -p " + CONTAINERS + " -o yaml", {}),
    ("patch -f web.yaml --type=merge -p " + CONTAINERS + " -o yaml", {}),
    ("patch -f gadget.yaml -p '{\"spec\":{\"size\":4}}'", {"code": 1, "since": (1, 21), "why": "other words"}),
    ("patch -f gadget.yaml --type=merge -p '{\"spec\":{\"size\":4}}' -o yaml", {"code": 0}),
    ("patch -f cm.yaml --type=json -p '[{\"op\":\"replace\",\"path\":\"/data/a\",\"value\":\"2\"}]' -o json", {"code": 0}),
    ("patch -f cm.yaml --type=json -p '[{\"op\":\"remove\",\"path\":\"/data/nope\"}]'", {"code": 1, "errors": ""}),
    ("patch -f cm.yaml -p '{\"nope\":1}' -o yaml", {}),
    ("patch cm cm -p '{}'", {"code": 1}),
    ("patch -p '{}'", {"code": 1}),
    ("set image -f web.yaml c=x", {"errors": "", "why": "an empty line more"}),
    ("set image -f pod.json c=x -o jsonpath={.spec.containers[0].image}", {}),
    ("set image deploy web c=x", {"code": 1}),
    ("set env -f web.yaml A=b", {"code": 1}),
    ("set env -f pod.json A=b -o jsonpath={.spec.containers[0].env}", {}),
    ("set env deploy/web A=b", {"code": 1}),
    ("set resources -f web.yaml --limits=cpu=1", {"code": 1}),
    ("set resources -f pod.json --limits=cpu=1 -o jsonpath={.spec.containers[0].resources}", {}),
    ("set resources deploy/web --limits=cpu=1", {"code": 1}),
    ("set selector -f list.yaml a=b", {"code": 1}),
    ("set sa -f web.yaml bob", {"code": 1}),
    ("set sa deploy web bob", {"code": 1}),
)] + [
    Line("create -f cm.yaml -f web.yaml"),
    Line("patch cm cm -p '{\"data\":{\"x\":\"y\"}}' --dry-run=client -o jsonpath={.data.x}"),
    Line("patch cm cm -p '{\"data\":{\"a\":\"1\"}}' --dry-run=client", since=(1, 21), why="the dry run was not told of"),
    Line("patch deploy web -p " + CONTAINERS + " --dry-run=client -o jsonpath={.spec.template.spec.containers[*].image}"),
]
