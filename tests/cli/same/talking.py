"""logs, exec, attach, cp, port-forward and top, as far as no pod runs."""
from line import Line

SINCE = (1, 32)

LINES = [
    Line("run web --image=x", changes=False),
    *(Line(text, changes=False) for text in (
        "logs", "logs nothing", "logs web -c x", "logs web --tail=-3", "logs web --limit-bytes=0", "logs -l a=b web",
        "logs web --since=1h --since-time=2024-01-01T00:00:00Z", "logs -l a=nothing", "logs web x -c y",
        "logs web -c x --all-containers", "logs deployment/nothing", "exec", "exec web", "exec web ls", "exec nothing -- ls",
        "attach", "attach nothing", "cp a b", "cp a:b c:d", "cp a:b", "cp :a b", "cp nothing:/a b", "cp /nothing/here web:/a",
        "port-forward", "port-forward web", "port-forward web 80", "port-forward nothing 80", "top nodes", "top pods",
        "top pods --sort-by=age")),
]
