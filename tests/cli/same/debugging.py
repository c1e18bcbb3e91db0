"""debug, as far as no pod runs"""
from line import Line

SINCE = (1, 32)
PROFILES = ("legacy", "general", "baseline", "restricted", "netadmin", "sysadmin")
POD = """
apiVersion: v1
kind: Pod
metadata: {name: p, labels: {a: b}, annotations: {c: d}}
spec:
  initContainers: [{name: first, image: x}]
  containers:
  - name: web
    image: x
    args: [a]
    livenessProbe: {tcpSocket: {port: 1}}
    readinessProbe: {tcpSocket: {port: 1}}
    startupProbe: {tcpSocket: {port: 1}}
    securityContext: {runAsUser: 5, capabilities: {add: [SYS_TIME]}}
  - {name: more, image: x}
"""
ON_NODE = "{.items[*].spec.hostPID} {.items[*].spec.volumes[?(@.name==\"host-root\")]} {.items[*].spec.containers[*].securityContext} {.items[*].spec.containers[*].name}"

LINES = [
    Line("create -f -", input=POD),
    *(Line(f"debug p --image=busybox -c e-{profile} --profile={profile} -- sleep 5", code=0) for profile in PROFILES),
    *(Line(f"debug p --image=busybox -c more --copy-to=in-{profile} --profile={profile} -- sleep 5", code=0) for profile in PROFILES),
    *(Line(f"debug p --image=busybox -c web --copy-to=web-{profile} --profile={profile}", code=0) for profile in PROFILES),
    *(Line(f"debug p --image=busybox -c new --copy-to=new-{profile} --profile={profile} --env=A=b", code=0) for profile in PROFILES),
    Line("debug p --profile=general --copy-to=kept-1 --image=x -c q --keep-labels --keep-liveness --same-node"),
    Line("debug p --profile=general --copy-to=kept-2 --image=x -c q --keep-annotations --keep-readiness --keep-init-containers=false"),
    Line("debug p --profile=general --copy-to=kept-3 --image=x -c q --keep-startup --share-processes=false"),
    Line("debug p --profile=general --copy-to=images-1 --set-image=*=y"),
    Line("debug p --profile=general --copy-to=images-2 --set-image=*=y,web=z --keep-labels"),
    Line("debug p --profile=general --copy-to=images-3 --set-image=web=z -c web --arguments-only -- b c"),
    Line("debug p --profile=general --copy-to=p --set-image=*=y", code=1),
    Line("debug p --profile=general --copy-to=args -c nothing -- ls", code=1),
    Line("debug p --profile=general --copy-to=replaced --set-image=*=y --replace -i --attach=false"),
    Line("create -f -", input=POD),
    Line("debug p --profile=general --image=x -it --attach=false -c talks --image-pull-policy=Never"),
    Line("debug p --profile=general --image=x --arguments-only -c args -q -- a b"),
    Line("debug p --profile=general --image=x --target=web -c targets"),
    Line("debug p --profile=general --image=x --target=nothing -c misses", code=1),
    Line("debug p --profile=general --image=x -c web", code=1),
    Line("debug p --profile=general --image=x -c Wrong_Name", code=1),
    # The name of its container is made up, so it goes last.
    Line("debug p --profile=general --image=x --custom=custom.yaml"),
    Line("debug p --profile=general --image=x --custom=cm.yaml -c q", changes=False, errors=""),
    Line("debug p --profile=general --image=x --env=A", code=1),
    *(Line(f"debug {text}", changes=False, code=1) for text in (
        "--profile=general", "p --profile=general", "--profile=general --image=x", "p --profile=general --image=x --replace", "p --profile=general --image=x --same-node",
        "p --profile=general --image=x --set-image=a=b", "p --profile=general --copy-to=c", "p --profile=general --copy-to=c -- ls",
        "p --profile=general --image=x -t", "p --profile=general --image=::", "p --profile=general --image=a/B", "p --profile=general --image=x --image-pull-policy=q",
        "p --image=x --profile=q", "p --profile=general --image=x --target=p1 --copy-to=z", "p --profile=general --attach",
        "p --profile=general --copy-to=z --set-image=a=@@", "nothing --profile=general --image=x", "svc/nothing --profile=general --image=x",
        "ns/{ns} --profile=general --image=x", "node/nothing --profile=general --image=x", "nothings/a --profile=general --image=x")),
    Line("delete pods --all --force", errors="", unordered=True),
    *(line for profile in PROFILES for line in (
        # The label of such a pod is newer than many kubectls.
        Line(f"debug node/n1 --image=busybox --profile={profile} -- sleep 5", code=0, changes=False),
        Line(f"get pods -o jsonpath='{ON_NODE}'"),
        Line("delete pods --all --force", errors="", changes=False))),
]
