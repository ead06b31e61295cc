"""Files as they were at a DVC revision: a git tag, branch or commit, or a DVC experiment."""

from pathlib import Path

from dvc.api import DVCFileSystem
from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.repo.brancher import switch
from dvc.scm import NoSCM, resolve_rev

from fpgan.errors import InputError


def commit_of(revision: str) -> str | None:
    """The git commit of a revision; None without such a revision or a repository."""
    try:
        scm = Repo().scm
        return None if isinstance(scm, NoSCM) else str(resolve_rev(scm, revision))
    except DvcException:
        return None


def read_at_revision(path: Path, revision: str, folder: Path) -> Path | None:
    """Copies a file (relative to the project's root) as it was at a revision into a folder.

    The file comes from git, or from DVC's cache or remote. None if it did not exist then; raises InputError
    if it did but is in none of these.
    """
    repository = Repo()
    with switch(repository, revision):
        files = DVCFileSystem(repo=repository)
        if not files.exists(path.as_posix()):
            return None
        try:
            files.get_file(path.as_posix(), str(folder / path.name))
        except (OSError, DvcException) as error:
            raise InputError(
                f"{revision}: {path} of this revision is not in DVC's cache ({error}); get it with "
                f"`git checkout {revision}` and `dvc pull`, or make it again there with `dvc repro`"
            ) from None
    return folder / path.name
