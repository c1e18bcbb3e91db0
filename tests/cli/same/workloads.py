"""set, rollout and scale, and what they change."""
from line import Line

SINCE = (1, 32)

LINES = [
    Line("create deployment web --image=nginx:1 --replicas=0"),
    Line("create deployment two --image=a --image=b --replicas=0"),
    Line("run pod --image=x"),
    Line("create service clusterip front --tcp=80"),
    *(Line(f"set {text}") for text in (
        "image deployment/web nginx=nginx:2", "image deployment/web nginx=nginx:2", "image deployment/two '*=c:1'",
        "image deployment/web none=x", "image deployment/web", "image", "image deployment web nginx=nginx:3 --dry-run=client -o name",
        "image -f web.yaml '*=x' --local -o name",
        "env deployment/web A=b C=d", "env deployment/web --list", "env deployment/web A- C=e", "env deployment/web A=b A-",
        "env deployment/web", "env deployment/web C=x --overwrite=false", "env deployment/web C=z --dry-run=client -o name",
        "resources deployment web --limits=cpu=200m,memory=512Mi --requests=cpu=100m", "resources deployment web",
        "resources deployment web --limits=cpu=0", "serviceaccount deployment web robot", "sa deployment/two robot",
        "selector service front app=x,tier=y", "selector deployment web app=x")),
    Line("rollout history deployment/web"),
    Line("rollout history deployment/nothing"),
    Line("rollout history deployment/web --revision=99"),
    Line("rollout history pod/pod"),
    Line("rollout status deployment/web --watch=false", output="", why="how far it is is any"),
    Line("rollout status deployment/web --timeout=30s", output="", why="how far it is when first looked at is any"),
    Line("rollout status deployment/web --timeout=30s"),
    Line("rollout status deployment/web --revision=77"),
    Line("rollout status pod/pod"),
    Line("rollout pause deployment/web"),
    Line("rollout pause deployment/web"),
    Line("rollout restart deployment/web"),
    Line("rollout undo deployment/web"),
    Line("rollout resume deployment/web"),
    Line("rollout resume deployment/web"),
    Line("rollout undo deployment/web --dry-run=client"),
    Line("rollout undo deployment/web --to-revision=99"),
    Line("rollout undo deployment/web --to-revision=1"),
    Line("rollout status deployment/web --timeout=30s", output="", why="how far it is when first looked at is any"),
    Line("rollout restart pod/pod"),
    Line("rollout pause pod/pod"),
    Line("scale deployment web", errors="", why="kubectl words it as a line of its log"),
    *(Line(f"scale {text}") for text in (
        "deployment/web --replicas=2", "deployment web two --replicas=1", "deployment/web --replicas=4 --current-replicas=9",
        "deployment/web --replicas=3 --current-replicas=1", "deployment web --replicas=1 --dry-run=client",
        "deployment web --replicas=0 --dry-run=server", "deployment web --replicas=-1", "deployment nothing --replicas=1",
        "pod/pod --replicas=1", "deployment --all --replicas=0", "deployment/web --replicas=1 -o name")),
]
