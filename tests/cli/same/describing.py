"""describe, for each kind that has a description of its own and for one that has none."""
from line import Line

SINCE = (1, 32)

KINDS = ("pod/full svc/svc svc/ext svc/lb endpoints/svc2 endpointslice/es pvc/claim ing/ing ing/ing2 netpol/np "
         "netpol/np2 sa/sa1 role/r1 rolebinding/rb1 hpa/hpa pdb/pdb quota/rq lease/le "
         "pv/pv1 pv/pv2 sc/sc sc/sc2 ingressclass/ic clusterrole/cr1 clusterrolebinding/crb1 pc/pc1 node/described").split()
# Their pods come and go.
WORKLOADS = "sts/sts ds/ds job/job cj/cj rc/rc deploy/dep".split()
# The order of the rows of a limit range, and of the keys of a secret or config map, is any in kubectl.
LINES = [
    Line("apply -f described.yaml", output="", errors="", changes=False, why="cluster-wide objects are made once"),
    Line("create deployment dep --image=nginx --replicas=0", changes=False),
    Line("rollout status deployment/dep --timeout=30s", output="", why="how far it is when first looked at is any"),
    *(Line(f"describe {kind} --show-events=false") for kind in KINDS + WORKLOADS),
    Line("describe limitrange lr", unordered=True),
    Line("describe secret s", unordered=True),
    Line("describe configmap cm", unordered=True),
    Line("describe pod full"),
    Line("run alpha --image=x", changes=False),
    Line("run alphabet --image=x", changes=False),
    Line("describe pod alph --show-events=false"),
    Line("describe pod alph alpha --show-events=false"),
    Line("describe pods -l run=alpha --show-events=false"),
    Line("describe svc,cm --show-events=false -l a=b", unordered=True),
    Line("describe -f cm.yaml --show-events=false", errors="", unordered=True),
    Line("describe pod nothing"),
    Line("describe pods -l a=nothing"),
    Line("describe nothing"),
    Line("describe nothing x"),
    Line("describe secrets nothing"),
]
