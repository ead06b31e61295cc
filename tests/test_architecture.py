"""The house as docs/architecture.md describes it: floors, names, and files that are there."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "fpgan"
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if not path.name.startswith("__"))
MAP = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
FLOORS = re.findall(r"^\| `(\w+)`", MAP.partition("## Floors")[2].partition("\n## ")[0], re.MULTILINE)
"""Packages and modules directly in fpgan/, from the ground floor up."""
SERVED = PACKAGE / "deployment" / "served_eyes.py"
"""Travels with a registered model and runs without this project."""


def floor(path: Path) -> str:
    """The package, or module of fpgan/ itself, that a file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path: Path) -> Iterator[str]:
    """Dotted names of all modules that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: imports by a relative name"
            assert node.module
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_every_package_has_its_floor() -> None:
    assert sorted(FLOORS) == sorted({floor(path) for path in MODULES})


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_nothing_imports_upwards(path: Path) -> None:
    own = FLOORS.index(floor(path))
    used = {name.split(".")[1] for name in imported(path) if name.startswith("fpgan.")}
    above = {name for name in used if name in FLOORS and FLOORS.index(name) > own}
    assert not above, f"{path} is on the floor '{floor(path)}', below {', '.join(sorted(above))}"


def test_each_file_and_each_class_has_a_name_of_its_own() -> None:
    files = Counter(path.stem for path in MODULES)
    files.update({path.name for path in PACKAGE.iterdir() if path.is_dir()})
    classes = Counter(
        node.name
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef)
    )
    assert [name for name, count in (files + classes).items() if count > 1] == []


@pytest.mark.parametrize(
    ("library", "room"), [("mlflow", "tracking"), ("dvc", "provenance"), ("typer", "cli")]
)
def test_one_room_imports_a_framework(library: str, room: str) -> None:
    users = {
        path
        for path in MODULES
        if path != SERVED and any(name.split(".")[0] == library for name in imported(path))
    }
    assert {floor(path) for path in users} == {room}


def test_the_map_names_only_what_is_there() -> None:
    named = re.findall(r"`([\w./-]+(?:/|\.py|\.yaml|\.md))`", MAP)
    assert named
    missing = [name for name in named if not any((ROOT / start / name).exists() for start in ("", "fpgan"))]
    assert not missing, f"docs/architecture.md names files that are not there: {missing}"
