"""The code behind each stage's result: one file per command, on which the stages in dvc.yaml depend.

`fpgan digest-code`, the first stage of dvc.yaml, writes the files. A change of code that a command does not
reach leaves its file untouched.
"""

import hashlib
from functools import cache
from pathlib import Path

from fpgan.files.writing import replacing
from fpgan.layout import RESULTS
from fpgan.provenance.definitions import Package

CODE = RESULTS / "code"
CODE_TAG, CODE_ARTIFACT = "code", "code.txt"
"""What an MLflow run keeps of its stage's code: the version in a tag, and the file."""
BRANCHES = ("fpgan.config.vary", "fpgan.config.leave_out")
ENTRIES = {
    "render-sample": ("fpgan.stages.render_sample.render_sample",),
    "prepare-unityeyes": ("fpgan.stages.prepare.prepare_eyes", "fpgan.data.unityeyes.UNITYEYES"),
    "prepare-mpiifacegaze": ("fpgan.stages.prepare.prepare_eyes", "fpgan.data.mpiifacegaze.MPIIFACEGAZE"),
    "adapt": ("fpgan.stages.adapt.adapt_stage",),
    "train-gaze": ("fpgan.stages.train_estimators.train_gaze_stage", *BRANCHES),
    "train-landmarks": ("fpgan.stages.train_estimators.train_landmarks_stage",),
    "train-gan": ("fpgan.stages.train_gan.train_gan_stage", *BRANCHES),
    "translate": ("fpgan.stages.translate.translate_stage",),
    "evaluate": ("fpgan.stages.evaluate.evaluate_stage", "fpgan.config.adapted_to", *BRANCHES),
    "register": (
        "fpgan.stages.register.register_stage",
        "fpgan.tracking.registry",
        "fpgan.deployment.served_eyes",
    ),
    "ablation": ("fpgan.stages.ablation.ablation_stage",),
    "cross-person": ("fpgan.stages.cross_person.cross_person_stage",),
}
"""The code of each command that is a stage begins here."""
ENDS = (
    "fpgan.cli",
    "fpgan.data.datasets.DATA_SETS",
    "fpgan.errors",
    "fpgan.evaluation.evaluation_report",
    "fpgan.progress",
    "fpgan.provenance",
    "fpgan.runs",
    "fpgan.tracking",
)
"""Code that keeps records or prints text, and the table of data sets, of which each command takes one."""
NAMED = 3
"""How many changed definitions are named; the others are counted."""


@cache
def _package() -> Package:
    """The package that runs, which may be installed outside of the project."""
    return Package(Path(__file__).parents[1], ends=ENDS, schemas=("fpgan.params",))


@cache
def command_code(command: str) -> str:
    """The definitions that a command reaches: sorted lines of a name and a digest."""
    return "".join(f"{name} {digest}\n" for name, digest in _package().reached(ENTRIES[command]).items())


def stage_code(stage: str) -> str:
    """The code of a stage, given its name in MLflow, which begins with its command: 'train-gaze-real'.

    Raises LookupError if `ENTRIES` lacks the command.
    """
    for command in ENTRIES:
        if stage.replace("_", "-").startswith(command):
            return command_code(command)
    raise LookupError(f"{stage}: no command in {__name__}.ENTRIES matches the name")


def version(code: str) -> str:
    """MD5 of a code file's content, DVC's digest of the file."""
    return hashlib.md5(code.encode(), usedforsecurity=False).hexdigest()


def changed_definitions(before: str, now: str) -> str:
    """The definitions that differ between two versions of a code file; the first few by name."""
    changed = sorted({line.partition(" ")[0] for line in {*before.splitlines()} ^ {*now.splitlines()}})
    more = f" and {len(changed) - NAMED} more" if len(changed) > NAMED else ""
    return ", ".join(changed[:NAMED]) + more


def write_code_files() -> str:
    """Writes the code files that have changed; returns one line per changed file."""
    lines = []
    for command in ENTRIES:
        file, now = CODE / f"{command}.txt", command_code(command)
        before = file.read_text(encoding="utf-8") if file.is_file() else None
        if before == now:
            continue
        with replacing(file) as partial:
            partial.write_text(now, encoding="utf-8")
        if before is not None:
            lines.append(f"the code of {command} has changed: {changed_definitions(before, now)}")
    return "\n".join(lines) or f"{CODE}: no stage's code has changed"
