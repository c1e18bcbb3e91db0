"""api-resources, api-versions, auth, version, cluster-info, events, explain, and wrong lines"""
from line import Line

# A namespace, as kubectl takes none from the context here.
ROLE = """apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reconciled, namespace: '{ns}', labels: {a: b, LABEL: c}}
rules:
- {apiGroups: [""], resources: [pods, RESOURCE], verbs: [get, VERB]}
- {apiGroups: [apps], resources: ["*"], verbs: [get], resourceNames: [one, two]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reconciled, namespace: '{ns}'}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: REFERENCE}
subjects:
- {kind: User, name: USER, apiGroup: rbac.authorization.k8s.io}
- {kind: ServiceAccount, name: default, namespace: default}
"""


def role(label, resource, verb, reference, user):
    text = ROLE
    for name, by in (("LABEL", label), ("RESOURCE", resource), ("VERB", verb), ("REFERENCE", reference), ("USER", user)):
        text = text.replace(name, by)
    return text


FIRST, SECOND, THIRD = (role("c", "services", "list", "reconciled", "bob"), role("d", "secrets", "watch", "reconciled", "joe"),
                        role("d", "secrets", "watch", "other", "joe"))

LINES = [
    Line("create -f crd.yaml --dry-run=server"),
    Line("api-versions"),
    Line("api-resources", since=(1, 21), why="the column APIVERSION was APIGROUP"),
    Line("api-resources --api-group=apps -o wide", since=(1, 26), why="the column CATEGORIES is new"),
    Line("api-resources -o name", unordered=True),
    Line("api-resources --namespaced=false --no-headers", since=(1, 21), why="the column APIVERSION was APIGROUP"),
    Line("api-resources --verbs=list,nope", since=(1, 21), why="the column APIVERSION was APIGROUP"),
    Line("api-resources --sort-by=kind -o name"),
    Line("api-resources -o nope", code=1),
    Line("auth can-i get pods", code=0),
    Line("auth can-i get pods --as bob --as-group system:authenticated", code=1),
    Line("auth can-i get deployments.apps/web"),
    Line("auth can-i get /healthz"),
    Line("auth can-i get /metrics --as bob --as-group system:monitoring", code=0),
    Line("auth can-i get things", code=0, since=(1, 21), why="an empty line more after the warning"),
    Line("auth can-i get nodes", code=0, since=(1, 21), why="an empty line more after the warning"),
    Line("auth can-i get pods --subresource=log -q"),
    Line("auth can-i create pods -A"),
    Line("auth can-i '*' '*'"),
    Line("auth can-i", code=1, since=(1, 21), why="other words"),
    Line("auth can-i --list --as bob --as-group system:authenticated", since=(1, 21), why="a small letter in the warning"),
    Line("auth whoami", since=(1, 28), why="new"),
    Line("auth whoami --as bob --as-group a --as-group system:authenticated", since=(1, 28), why="new"),
    Line("get pods --as bob", code=1),
    Line("cluster-info", since=(1, 21), why="the control plane had another name"),
    Line("cluster-info dump -o nope", code=1, errors="", why="other formats"),
    Line("cluster-info dump --namespaces=nothing --output-directory=dumped", code=0),
    Line("options", code=0, output=""),
    Line("auth reconcile", code=1),
    Line("auth reconcile -f cm.yaml", code=0),
    Line("auth reconcile -f - --dry-run=client", input=FIRST, code=0),
    Line("auth reconcile -f - --dry-run=server", input=FIRST, code=1, since=(1, 27), why="older ones print a stack"),
    Line("auth reconcile -f -", input=FIRST, code=0, changes=True),
    Line("auth reconcile -f -", input=FIRST, code=0, changes=True),
    Line("auth reconcile -f -", input=SECOND, code=0, changes=True),
    Line("auth reconcile -f - --remove-extra-permissions --remove-extra-subjects", input=FIRST, code=0, changes=True),
    Line("auth reconcile -f - --remove-extra-permissions --remove-extra-subjects -o name", input=SECOND, code=0, changes=True),
    Line("auth reconcile -f -", input=THIRD, code=0, changes=True),
    Line("auth reconcile -f nope.yaml", code=1),
    Line("version --client -o nope", code=1),
    Line("version --nope", code=1),
    Line("events", since=(1, 26), why="new"),
    Line("events --types=Nope", code=1, since=(1, 26), why="new"),
    Line("create -f web.yaml"),
    Line("wait deploy/web --for=condition=Progressing"),
    Line("explain pods", since=(1, 27), why="of OpenAPI v3"),
    Line("explain pod.spec.containers", since=(1, 27), why="of OpenAPI v3"),
    Line("explain deploy.spec.replicas", since=(1, 27), why="of OpenAPI v3"),
    Line("explain deploy.spec.strategy", since=(1, 27), why="of OpenAPI v3"),
    Line("explain svc --recursive", since=(1, 27), why="of OpenAPI v3"),
    Line("explain pod.spec.restartPolicy", since=(1, 32), why="values in lines of their own"),
    Line("explain pod.spec.volumes.hostPath.type", since=(1, 32), why="values in lines of their own"),
    Line("explain hpa.spec.metrics", since=(1, 27), why="of OpenAPI v3"),
    Line("explain pod.spec.containers.resources.limits", since=(1, 27), why="of OpenAPI v3"),
    Line("explain pod.spec.nope", code=1, since=(1, 27), why="of OpenAPI v3"),
    Line("explain nope", code=1, since=(1, 27), why="of OpenAPI v3"),
    Line("explain", code=1),
    Line("nope", code=1, errors="", why="what is near"),
    Line("get pods --nope", code=1),
    Line("get pods -Z", code=1),
    Line("get pods --context nope", code=1),
    Line("get pods --server http://127.0.0.1:1", code=1, since=(1, 21), why="other noise"),
    Line("get pods --request-timeout=nope", code=1, errors="", why="other words"),
    Line("get pods -n=default -o=name"),
    Line("-n default get svc -oname"),
    Line("get pods --kubeconfig nope", code=1, since=(1, 21), why="other words"),
]
