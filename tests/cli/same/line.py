"""One command line that both programs run."""
import dataclasses

CHANGING = ("create", "apply", "delete", "replace", "patch", "edit", "label", "annotate", "config", "run", "expose", "set",
            "scale", "autoscale", "rollout", "cordon", "uncordon", "drain", "taint", "cp", "debug")


@dataclasses.dataclass
class Line:
    text: str                     # without the program; {ns} is its namespace
    code: int | None = None       # that the exit code must be; else only the same
    input: str = ""
    environment: dict = dataclasses.field(default_factory=dict)
    since: tuple = (1, 0)         # the kubectl that answers so first
    why: str = ""                 # what older ones do, or why something is not compared
    errors: str | None = None     # "": standard error is not compared
    output: str | None = None     # "": standard output is not compared
    unordered: bool = False       # lines may come in any order
    is_json: bool = False         # the order of members does not matter
    changes: bool | None = None   # whether the effect is compared; None: by the verb

    def __post_init__(self):
        if self.changes is None:
            self.changes = next((word for word in self.text.split() if not word.startswith("-")), "") in CHANGING
