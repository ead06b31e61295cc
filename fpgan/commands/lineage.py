"""The lineage of a run or file: the tree of runs and files that it came from, back to the raw data."""

from __future__ import annotations

import os
import re
import textwrap
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from fpgan.errors import InputError
from fpgan.nested import flatten
from fpgan.params import Params
from fpgan.provenance.digests import OURS, digested
from fpgan.provenance.dvc_files import LockedStage, known_version, made_below, maker, md5
from fpgan.provenance.run_record import NAME, recorded_run
from fpgan.provenance.stage_code import (
    CODE,
    CODE_ARTIFACT,
    CODE_TAG,
    changed_definitions,
    stage_code,
    version,
)
from fpgan.tracking.query import LoggedRun, download, find_run, run_by_prefix
from fpgan.wording import SHORT_COMMIT, SHORT_ID

MD5 = re.compile(r"[0-9a-f]{32}(\.dir)?")
WIDTH, FACT_WIDTH = 160, 96


@dataclass
class Origin:
    """A run, a stage or a file, and its sources."""

    title: str
    facts: list[str] = field(default_factory=list)
    sources: list[Origin] = field(default_factory=list)


def lineage(given: str) -> str:
    """The tree as text, of a file or folder, or of an MLflow run by its id or first digits.

    Parameters are listed where they differ from the defaults in `fpgan.params`, and code where it has changed
    since the run. Raises InputError when neither a file nor a run has this name.
    """
    path = Path(given)
    if path.exists() or known_version(path) or made_below(path):
        if path.name == NAME and (run_id := recorded_run(path)):
            return as_text(Tracing().run(run_id))
        return as_text(Tracing().file(path))
    if run := run_by_prefix(given):
        return as_text(Tracing().run(run.id))
    raise InputError(
        f"{given}: not found; name a file or folder that a stage made, or an MLflow run by its id or "
        "at least its first 6 digits"
    )


class Tracing:
    """Follows files, runs and stages back to the raw data; repetitions refer to the first description."""

    def __init__(self) -> None:
        self._described: set[str] = set()
        self._defaults = _flat(Params().model_dump(mode="json"))

    def file(self, path: Path, version: str | None = None, run_id: str | None = None) -> Origin:
        """A file or folder, in the version and from the run that its reader recorded, if any."""
        origin = Origin(path.as_posix(), _versions(path, version))
        if self._repeated(f"{path}\0{version}"):
            return Origin(f"{path.as_posix()}  (see above)")
        run_id = run_id or recorded_run(path)
        if run_id:
            origin.sources.append(self.run(run_id, path, version))
        elif stage := maker(path):
            origin.sources.append(self.stage(stage, path, version))
        elif inside := made_below(path):
            origin.sources += [self.file(each.path, each.md5) for each in inside if each.path.name != NAME]
        else:
            origin.facts += _raw(path)
        return origin

    def run(self, run_id: str, made: Path | None = None, version: str | None = None) -> Origin:
        """An MLflow run; if the store does not hold it, the stage in dvc.lock that made the file."""
        short = run_id[:SHORT_ID]
        if self._repeated(run_id):
            return Origin(f"run {short}  (see above)")
        run = find_run(run_id)
        if run is None:
            origin = Origin(f"run {short}", ["not found in the MLflow store"])
            if made and (stage := maker(made)):
                origin.sources.append(self.stage(stage, made, version))
            return origin
        origin = Origin(f"{run.tags.get('mlflow.runName', run.stage)}  run {short}", self._facts(run))
        upstream = run.upstream
        for name, (path, version) in run.inputs.items():
            origin.sources.append(self.file(path, version, upstream.pop(name, None)))
        origin.sources += [self.run(other) for other in upstream.values()]
        return origin

    def stage(self, stage: LockedStage, made: Path, version: str | None) -> Origin:
        """A stage as dvc.lock records its last run, which may have made another version of the file."""
        if self._repeated(f"{stage.lock}\0{stage.name}"):
            return Origin(f"stage {stage.name}  (see above)")
        origin = Origin(f"stage {stage.name}", [f"{stage.lock}: {stage.command}"])
        last = next(out.md5 for out in stage.makes if out.path == Path(os.path.relpath(made)))
        if version and version != last:
            origin.facts.append(f"it has run since, and made {_in_words(last)}")
        origin.facts += self._changed(_flat(stage.params))
        for each in stage.reads:
            if each.path.parent != CODE:
                origin.sources.append(self.file(each.path, each.md5))
            else:
                origin.facts += _code_facts(each.path.stem, each.md5)
        return origin

    def _repeated(self, name: str) -> bool:
        before = name in self._described
        self._described.add(name)
        return before

    def _facts(self, run: LoggedRun) -> list[str]:
        when = f"{run.started:%Y-%m-%d %H:%M}"
        if run.status != "FINISHED":
            when += f", {run.status.lower()}"
        commit = f", commit {run.commit[:SHORT_COMMIT]}" if run.commit else ""
        if run.tags.get("git.dirty") == "true":
            commit += " with uncommitted changes (its uncommitted.diff)"
        stage = f", DVC stage {run.tags['dvc.stage']}" if "dvc.stage" in run.tags else ""
        return [
            f"{when}{stage}{commit}",
            *_code_facts(run.stage, run.tags.get(CODE_TAG), run),
            *self._changed(run.params),
        ]

    def _changed(self, params: dict[str, str]) -> list[str]:
        changed = [
            f"{name} {value}"
            for name, value in params.items()
            if name in self._defaults and _read(value) != _read(self._defaults[name])
        ]
        return [f"not by default: {', '.join(changed)}"] if changed else []


def _code_facts(stage: str, recorded: str | None, run: LoggedRun | None = None) -> list[str]:
    """Whether a stage's code has changed since the recorded version, and where if a run kept it."""
    if not recorded:
        return []
    try:
        now = stage_code(stage)
    except LookupError:
        return ["the project no longer has this stage"]
    if version(now) == recorded:
        return ["its code has not changed since"]
    with TemporaryDirectory() as folder:
        kept = download(run, CODE_ARTIFACT, Path(folder)) if run else None
        changed = f": {changed_definitions(kept.read_text(encoding='utf-8'), now)}" if kept else ""
    return [f"its code has changed since{changed}"]


def _read(value: str) -> Any:
    """A parameter as YAML reads it: 960 and 960.0 are the same."""
    return yaml.safe_load(value)


def _flat(params: dict[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in flatten(params, ".").items()}


def _versions(path: Path, recorded: str | None) -> list[str]:
    """The version that was used, else the one there now or known to DVC; and whether another is there now."""
    known = known_version(path)
    now = _version_now(path)
    version = recorded or now or (known[0].md5 if known else None)
    facts = [_in_words(version)] if version else []
    if now is None:
        facts.append("not here now; `dvc checkout` restores what DVC's cache has")
    elif recorded and _kind(recorded) == _kind(now) and recorded != now:
        facts.append(f"another version lies there now: {_in_words(now)}")
    return facts


def _version_now(path: Path) -> str | None:
    if path.is_file():
        return md5(path)
    return digested(path).version if path.is_dir() else None


def _kind(version: str) -> str:
    if version.startswith(OURS):
        return "names and sizes"
    return "md5" if MD5.fullmatch(version) else "digest"


def _in_words(version: str) -> str:
    unknown = ", not known to DVC" if version.startswith(OURS) else ""
    return f"{_kind(version)} {version.removeprefix(OURS)}{unknown}"


def _raw(path: Path) -> list[str]:
    """The facts about data that no stage made."""
    known = known_version(path)
    facts = ["raw data: no run or stage made it"]
    if path.is_dir():
        facts.append(f"{digested(path).files} files")
    elif known and known[0].files:
        facts.append(f"{known[0].files} files")
    facts.append(f"known to DVC: {known[1]}" if known else f"not known to DVC; `dvc add {path}` changes that")
    return facts


def as_text(origin: Origin) -> str:
    """The tree drawn with lines."""
    console = Console(width=WIDTH, highlight=False)
    with console.capture() as captured:
        console.print(_branch(origin, Tree(_label(origin))))
    return "\n".join(line.rstrip() for line in captured.get().splitlines())


def _branch(origin: Origin, tree: Tree) -> Tree:
    for source in origin.sources:
        _branch(source, tree.add(_label(source)))
    return tree


def _label(origin: Origin) -> Text:
    lines = [
        textwrap.wrap(fact, FACT_WIDTH, initial_indent="  ", subsequent_indent="    ")
        for fact in origin.facts
    ]
    return Text("\n".join([origin.title, *(line for fact in lines for line in fact)]))
