"""The git state of the code that runs: its commit and the uncommitted changes."""

import subprocess
from pathlib import Path

LONGEST_DIFF = 1 << 20
"""Bytes; the rest is left out."""
OF_THE_PIPELINE = (":(exclude,glob)**/dvc.lock", ":(exclude,glob)**/.gitignore", ":(exclude)results")
"""Files that DVC and the stages themselves change as they run."""


def commit_here(root: Path) -> str | None:
    """The commit that is checked out; None outside of a git repository."""
    found = _git(root, "rev-parse", "HEAD")
    return found.decode().strip() if found is not None else None


def uncommitted_changes(root: Path) -> str | None:
    """Changes of tracked files against the commit, for `git apply`, and the names of untracked files.

    '' without changes, None outside of a git repository. Ignored files, the content of untracked files and
    the changes within binary files are left out.
    """
    changes = _git(
        root,
        "-c",
        "core.quotePath=false",
        *("diff", "HEAD", "--no-ext-diff", "--no-textconv", "--no-color", "--", ".", *OF_THE_PIPELINE),
    )
    names = _git(root, "ls-files", "-z", "--others", "--exclude-standard", "--", ".", *OF_THE_PIPELINE)
    if changes is None or names is None:
        return None
    untracked = [name for name in names.decode(errors="replace").split("\0") if name]
    text = "".join(f"untracked: {name}\n" for name in untracked)
    text += changes[:LONGEST_DIFF].decode(errors="replace")
    if len(changes) > LONGEST_DIFF:
        text += f"\n{len(changes) - LONGEST_DIFF} more bytes of changes are left out\n"
    return text


def _git(root: Path, *arguments: str) -> bytes | None:
    try:
        ended = subprocess.run(["git", *arguments], cwd=root, capture_output=True, check=False)
    except FileNotFoundError:  # no git on this machine
        return None
    return ended.stdout if ended.returncode == 0 else None
