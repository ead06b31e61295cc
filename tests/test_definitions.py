"""Which definitions a function reaches, and what changes their digests, in packages of a few lines."""

from pathlib import Path

import pytest

from fpgan.errors import InputError
from fpgan.provenance.definitions import Package

LIBRARY = {
    "nets/__init__.py": "",
    "nets/losses.py": '''
        """Losses."""
        import math

        SCALE = 2.0
        """Of the loss."""
        OTHER = 3.0

        def loss(x):
            """The loss."""
            return SCALE * math.sqrt(x)  # a root

        def unused(x):
            return loss(x) + OTHER
        ''',
    "nets/training.py": """
        from nets.losses import loss

        def train(x):
            return loss(x)
        """,
}


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        lines = text.splitlines()
        indent = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
        file.write_text("\n".join(line[indent:] for line in lines) + "\n")


def reached(
    folder: Path, *entries: str, ends: tuple[str, ...] = (), schemas: tuple[str, ...] = ()
) -> dict[str, str]:
    return Package(folder / "nets", ends=ends, schemas=schemas).reached(entries)


def names(folder: Path, files: dict[str, str], entry: str, ends: tuple[str, ...] = ()) -> set[str]:
    write(folder, {"nets/__init__.py": "", **files})
    return set(reached(folder, entry, ends=ends))


def changed(folder: Path, file: str, old: str, new: str) -> set[str]:
    """The definitions that `train` reaches of which a change of a file changes the digest."""
    write(folder, LIBRARY)
    before = reached(folder, "nets.training.train")
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new))
    after = reached(folder, "nets.training.train")
    return {name for name in before | after if before.get(name) != after.get(name)}


def test_a_function_reaches_what_it_mentions(tmp_path: Path) -> None:
    write(tmp_path, LIBRARY)
    found = reached(tmp_path, "nets.training.train")
    assert list(found) == ["nets.losses.SCALE", "nets.losses.loss", "nets.training.train"]
    assert all(len(digest) == 12 for digest in found.values())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("  # a root", "  # another remark"),
        ('"""The loss."""', '"""What is made small."""'),
        ('"""Of the loss."""\n', ""),
        ('"""Losses."""\n', ""),
        ("return SCALE * math.sqrt(x)", "return (\n        SCALE\n        * math.sqrt(x)\n    )"),
        ("OTHER = 3.0", "OTHER = 4.0"),
        ("loss(x) + OTHER", "loss(x) - OTHER"),
        ("import math", "import math\nimport statistics"),
        (
            "import math\n",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import ast\nimport math\n",
        ),
        ("SCALE = 2.0", "SCALE = 2.00"),
    ],
)
def test_remarks_formatting_and_unreached_code_change_nothing(tmp_path: Path, old: str, new: str) -> None:
    assert changed(tmp_path, "nets/losses.py", old, new) == set()


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("SCALE = 2.0", "SCALE = 2.5", {"nets.losses.SCALE"}),
        ("math.sqrt(x)", "math.exp(x)", {"nets.losses.loss"}),
        ("import math", "import cmath as math", {"nets.losses.loss"}),
        ("SCALE = 2.0", "SCALE: float = 2.0", {"nets.losses.SCALE"}),
        ("OTHER = 3.0", "math.pi = 3", {"nets.losses"}),
        ("OTHER = 3.0", "SCALE += 1", {"nets.losses.SCALE"}),
        ("OTHER = 3.0", "if math.pi:\n    SCALE = 1", {"nets.losses", "nets.losses.SCALE"}),
        ("def unused(x)", "@loss\ndef SCALE(x)", {"nets.losses.SCALE", "nets.losses.OTHER"}),
    ],
)
def test_reached_code_and_where_its_names_come_from_count(
    tmp_path: Path, old: str, new: str, expected: set[str]
) -> None:
    assert changed(tmp_path, "nets/losses.py", old, new) == expected


def test_a_class_is_reached_with_all_its_methods_and_decorators(tmp_path: Path) -> None:
    files = {
        "nets/a.py": """
            def kept(function): return function
            def helper(): pass
            class Base: pass
            class Net(Base):
                @kept
                def forward(self): return helper()
            """,
        "nets/b.py": "from nets import a\ndef train(): return a.Net()",
    }
    assert names(tmp_path, files, "nets.b.train") == {
        *("nets.a.kept", "nets.a.helper", "nets.a.Base", "nets.a.Net", "nets.b.train"),
    }


@pytest.mark.parametrize(
    "header",
    [
        "if TYPE_CHECKING:\n    from nets.a import Net",
        "from nets.a import Net",
        "import nets.a as module\nNet = module.Net",
        "from .a import Net",
        "from . import a\nNet = a.Net",
        "import nets.a\nNet = nets.a.Net",
        "try:\n    from nets.a import Net\nexcept ImportError:\n    Net = None",
        "from nets.a import *",
    ],
)
@pytest.mark.parametrize("annotation", ["Net", "list[Net]", "'Net'", "'list[Net] | None'"])
def test_an_annotation_reaches_the_class_however_it_is_imported(
    tmp_path: Path, header: str, annotation: str
) -> None:
    files = {
        "nets/a.py": "class Net: pass",
        "nets/b.py": f"{header}\ndef train(net: {annotation}) -> None: net.forward()",
    }
    assert {"nets.a.Net", "nets.b.train"} <= names(tmp_path, files, "nets.b.train")


def test_imports_inside_functions_and_through_other_modules_are_followed(tmp_path: Path) -> None:
    files = {
        "nets/parts/__init__.py": "from nets.parts.deep import net as build, Unused",
        "nets/parts/deep.py": "def net(): pass\nclass Unused: pass",
        "nets/b.py": "def train():\n    from nets.parts import build\n    return build()",
    }
    assert names(tmp_path, files, "nets.b.train") == {"nets.parts.deep.net", "nets.b.train"}


def test_a_module_that_is_handed_on_is_reached_whole(tmp_path: Path) -> None:
    files = {
        "nets/a.py": "def one(): pass\nTWO = 2",
        "nets/b.py": "from nets import a\ndef train(): print(a)",
    }
    assert names(tmp_path, files, "nets.b.train") == {"nets.a.one", "nets.a.TWO", "nets.b.train"}
    assert names(tmp_path, files, "nets.a") == {"nets.a.one", "nets.a.TWO"}


def test_what_runs_at_import_counts_with_all_packages_above(tmp_path: Path) -> None:
    files = {
        "nets/__init__.py": "import os\nos.environ.setdefault('A', '1')",
        "nets/parts/__init__.py": "from nets.settings import set_up\nset_up()",
        "nets/parts/a.py": "def net(): pass",
        "nets/settings.py": "def set_up(): pass",
        "nets/other.py": "print('never imported')",
        "nets/b.py": "from nets.parts.a import net\nfrom nets import other\ndef train(): return net()",
    }
    assert names(tmp_path, files, "nets.b.train") == {
        *("nets", "nets.parts", "nets.settings.set_up", "nets.parts.a.net", "nets.b.train"),
    }


def test_the_walk_stops_at_its_ends_but_may_begin_there(tmp_path: Path) -> None:
    files = {
        "nets/books/log.py": "from nets.a import used\ndef log(): used()\ndef other(): log()",
        "nets/a.py": "def used(): pass\ndef left_out(): pass",
        "nets/b.py": "from nets.books.log import log\nfrom nets.a import left_out\n"
        "def train():\n    log()\n    left_out()",
    }
    ends = ("nets.books", "nets.a.left_out")
    assert names(tmp_path, files, "nets.b.train", ends) == {"nets.b.train"}
    found = reached(tmp_path, "nets.b.train", "nets.books.log", ends=ends)
    assert set(found) == {"nets.b.train", "nets.books.log.log", "nets.books.log.other", "nets.a.used"}
    # Where an end is imported from does not count, either.
    before = reached(tmp_path, "nets.b.train", ends=ends)
    write(tmp_path, {"nets/b.py": files["nets/b.py"].replace("nets.books.log", "nets.books.journal")})
    assert reached(tmp_path, "nets.b.train", ends=ends) == before


def test_declared_parameters_count_by_their_methods_alone(tmp_path: Path) -> None:
    schema = """
        from pydantic import Field
        Share = float
        class Training:
            steps: int = Field({steps}, ge=1)
            def epochs(self, eyes): return eyes / {divisor}
        class New:
            share: Share = 0.5
        class Params:
            training: Training = Training()
            {more}
        """
    schemas = ("nets.params",)

    def digests(**values: object) -> dict[str, str]:
        write(tmp_path, {"nets/params.py": schema.format(**{"steps": 1, "divisor": 8, "more": ""} | values)})
        return reached(tmp_path, "nets.b.train", schemas=schemas)

    write(
        tmp_path,
        {"nets/__init__.py": "", "nets/b.py": "from nets.params import Params\ndef train(p: Params): p"},
    )
    before = digests()
    assert set(before) == {"nets.params.Training", "nets.b.train"}
    assert digests(steps=2, more="new: New = New()") == before
    assert digests(divisor=9)["nets.params.Training"] != before["nets.params.Training"]


def test_a_file_that_is_not_python_is_named(tmp_path: Path) -> None:
    write(tmp_path, LIBRARY | {"nets/losses.py": "SCALE = 1\ndef loss(:\n"})
    with pytest.raises(InputError, match=r"losses\.py:2: not valid Python"):
        reached(tmp_path, "nets.training.train")


def test_an_entry_that_is_not_there_is_named(tmp_path: Path) -> None:
    write(tmp_path, LIBRARY)
    for entry in ("nets.training.fit", "nets.absent", "other.train"):
        with pytest.raises(LookupError, match=entry):
            reached(tmp_path, entry)
