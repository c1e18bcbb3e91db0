"""create KIND, run, expose and autoscale: what they make, and what they say of mistakes."""
from line import Line

SINCE = (1, 32)

DRY = "--dry-run=client -o yaml"
LINES = [
    *(Line(f"create {text.format(dry=DRY)}") for text in (
        "deployment web --image=nginx:1 --replicas=2 --port=80 {dry}", "deployment web --image=nginx:1 --image=busybox {dry}",
        "deployment web --image=a/b/c@sha256:0 {dry} -- sleep 5", "deployment web --image=a --image=b {dry} -- sleep 5",
        "job j --image=busybox {dry} -- date -u", "job j {dry}",
        "cronjob c --image=busybox --schedule='*/1 * * * *' {dry} -- date",
        "configmap c --from-literal=a=b --from-literal=x='y z' {dry}", "configmap c --from-file=dir {dry}",
        "configmap c --from-file=key=cm.yaml --from-file=cm2.yaml {dry}", "configmap c --from-env-file=env {dry}",
        "configmap c --from-literal=a {dry}", "configmap c --from-literal=a=1 --from-literal=a=2 {dry}",
        "secret generic s --from-literal=a=b --type=x/y {dry}",
        "secret docker-registry s --docker-username=u --docker-password=p --docker-email=e {dry}",
        "service clusterip s --tcp=80:8080 --tcp=81 {dry}", "service clusterip s --clusterip=None {dry}",
        "service nodeport s --tcp=80:http --node-port=30000 {dry}", "service loadbalancer s --tcp=80 {dry}",
        "service externalname s --external-name=x.y {dry}", "service clusterip s {dry}", "serviceaccount s {dry}",
        "role r --verb=get,list,get --resource=pods,deployments.apps,pods/log --resource-name=x {dry}", "role r {dry}",
        "role r --verb=get {dry}", "clusterrole r --verb=get --non-resource-url=/x {dry}",
        "clusterrole r --verb=list --non-resource-url=/x {dry}", "clusterrole r --aggregation-rule=a=b {dry}",
        "rolebinding r --clusterrole=admin --user=u --group=g --serviceaccount=ns:sa {dry}", "rolebinding r {dry}",
        "rolebinding r --role=x --serviceaccount=sa {dry}", "clusterrolebinding r --clusterrole=admin --user=u {dry}",
        "ingress i --rule='foo.com/bar=svc:80,tls=sec' --class=c --default-backend=d:http --annotation a=b {dry}",
        "ingress i --rule='foo.com/bar*=svc:80,tls' --rule='foo.com/x=svc:http' --rule=/y=z:1 {dry}", "ingress i {dry}",
        "quota q --hard=cpu=1,pods=2 --scopes=BestEffort {dry}", "poddisruptionbudget p --selector=app=x --min-available=50% {dry}",
        "pdb p --selector=app=x --max-unavailable=1 {dry}", "pdb p --selector=app=x {dry}",
        "priorityclass p --value=5 --global-default=true --description=d --preemption-policy=Never {dry}", "namespace n {dry}",
        "deployment web --image=nginx -n elsewhere {dry}")),
    Line("create deployment web --dry-run=client", errors="", why="kubectl words it as a line of its log"),
    Line("create cronjob c --image=busybox", errors=""),
    Line("create ns a b"),
    Line("create deployment web --image=nginx --replicas=2"),
    Line("create deployment web --image=nginx"),
    Line("create deployment other --image=nginx -o name"),
    Line("create deployment third --image=nginx --dry-run=server"),
    Line("create job once --image=busybox -- date"),
    Line("create cronjob tick --image=busybox --schedule='0 0 1 1 *' -- date"),
    Line("create job from-tick --from=cronjob/tick"),
    Line("create configmap settings --from-literal=a=b --from-file=cm.yaml"),
    Line("create secret generic hidden --from-literal=a=b"),
    Line("create service clusterip front --tcp=80:8080"),
    Line("create serviceaccount robot"),
    Line("create role reader --verb=get --resource=pods"),
    Line("create rolebinding readers --role=reader --serviceaccount={ns}:robot"),
    Line("create ingress ing --rule='a.b/*=front:80'"),
    Line("create quota q --hard=pods=100"),
    Line("create poddisruptionbudget p --selector=app=web --min-available=1"),
    Line("create token robot", output="", changes=False, why="each is another"),
    Line("create token nobody"),
    *(Line(f"run {text}") for text in (
        "web --image=nginx " + DRY, "web --image=nginx --port=80 --env=A=b --env=C= --labels=a=b,c=d --restart=Never " + DRY +
        " --command -- sh -c x", "web --image=nginx " + DRY + " -- a b", "web --image=nginx --image-pull-policy=Never --privileged "
        "--annotations=x=y " + DRY, "alone --image=nginx", "seen --image=nginx --port=80 --expose", "web --image=nginx --expose", "web --image=nginx --rm", "web --image=nginx -t", "web --image=nginx --restart=Maybe",
        "alone --image=nginx")),
    *(Line(f"expose {text}") for text in (
        "deployment web --port=80 " + DRY, "deployment web --port=80,81 --target-port=http --name=x --type=NodePort " + DRY,
        "deployment web", "deployment web --port=80 --protocol=UDP", "pod seen --name=again", "service front --name=back --port=1 " + DRY,
        "configmap settings --port=80", "deployment nothing --port=80")),
    Line("run web", errors="", why="kubectl words it as a line of its log"),
    Line("autoscale deployment web", errors=""),
    *(Line(f"autoscale {text}") for text in (
        "deployment web --max=3 " + DRY, "deployment web --max=3 --min=2 --cpu-percent=50", "deployment web --max=1 --min=2",
        "deployment other --max=5 --name=named")),
]
