"""The MLflow store: where it is, whether it exists, and its errors as exceptions of the project."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import unquote, urlsplit

import mlflow
from mlflow.exceptions import MlflowException
from mlflow.tracking.registry import UnsupportedModelRegistryStoreURIException
from sqlalchemy.exc import OperationalError

from fpgan.errors import InputError, Unavailable, causes
from fpgan.layout import project_root

logging.getLogger("mlflow").setLevel(logging.WARNING)
for reported_by_us in ("mlflow.store", "urllib3"):
    logging.getLogger(reported_by_us).setLevel(logging.CRITICAL)

UNAUTHORIZED, LATER = (401, 403), (408, 429)  # HTTP


def use_store() -> bool:
    """Sets the store that MLflow uses; returns whether it is the project's own.

    The project's own store is `mlflow.db` and `mlartifacts/` in its root; MLFLOW_TRACKING_URI names another
    one. Credentials in a server's address move to environment variables, which nothing prints. Raises
    InputError when the address is malformed.
    """
    own = f"sqlite:///{project_root() / 'mlflow.db'}"
    uri = os.environ.get("MLFLOW_TRACKING_URI") or own
    if uri.startswith(("http:", "https:")):
        uri = _without_credentials(uri)
    mlflow.set_tracking_uri(uri)
    return uri == own


def store_exists() -> bool:
    """Whether there is a store to read: MLflow would create the project's own only to find nothing in it."""
    return not use_store() or (project_root() / "mlflow.db").exists()


def store_name() -> str:
    """The store in use, for messages: its address without credentials."""
    return "mlflow.db" if use_store() else redacted(mlflow.get_tracking_uri())


class StoreLost(Exception):
    """The store did not take something that it may take later; the message is the reason."""

    def __init__(self, error: Exception) -> None:
        super().__init__(in_words(error))
        self.unauthorized = status_of(error) in UNAUTHORIZED

    def explained(self) -> InputError | Unavailable:
        """The exception to raise where the store is needed now."""
        if self.unauthorized:
            return InputError(
                f"the MLflow store {store_name()} refuses the credentials ({self}); give them in "
                "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or in MLFLOW_TRACKING_TOKEN"
            )
        return Unavailable(f"the MLflow store {store_name()} does not answer: {self}")


@contextmanager
def answering() -> Iterator[None]:
    """Makes MLflow use the store in the block.

    Raises StoreLost when the store does not answer, and InputError when it refuses a request or when
    MLFLOW_TRACKING_URI is not the address of a store.
    """
    use_store()
    try:
        yield
    except UnsupportedModelRegistryStoreURIException:
        raise InputError(
            f"MLFLOW_TRACKING_URI: {store_name()} is not an address of a store that MLflow knows; expected "
            "one such as http://127.0.0.1:5000 or sqlite:///mlflow.db"
        ) from None
    except (MlflowException, OperationalError, OSError) as error:
        status = status_of(error)
        if status >= 500 or status in (*UNAUTHORIZED, *LATER):
            raise StoreLost(error) from error
        raise InputError(f"the MLflow store {store_name()} refuses: {in_words(error)}") from error


@contextmanager
def reachable() -> Iterator[None]:
    """Like `answering`, for a block that needs the store now: raises Unavailable when it does not answer."""
    try:
        with answering():
            yield
    except StoreLost as error:
        raise error.explained() from error


def status_of(error: Exception) -> int:
    """The HTTP status of an MLflow error; 503 for errors of a database, a disk or the network."""
    return error.get_http_status_code() if isinstance(error, MlflowException) else 503


def in_words(error: Exception) -> str:
    """The first cause of an error, on one line, without credentials."""
    *_, first = causes(error)
    return redacted(re.sub(r"^\[Errno -?\d+\] ", "", str(first).strip().split("\n")[0]))


def redacted(text: str) -> str:
    """The text without passwords, tokens, and the user part of addresses."""
    for name in ("MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN"):
        if secret := os.environ.get(name):
            text = text.replace(secret, "***")
    return re.sub(r"://[^/\s]*@", "://***@", text)


def _without_credentials(uri: str) -> str:
    try:
        parts = urlsplit(uri)
        parts.port  # noqa: B018  raises when it is not a number
    except ValueError:
        raise InputError(
            "MLFLOW_TRACKING_URI: not the address of a server; write / and @ in a password as %2F and %40"
        ) from None
    for name, value in {"USERNAME": parts.username, "PASSWORD": parts.password}.items():
        if value is not None:
            os.environ[f"MLFLOW_TRACKING_{name}"] = unquote(value)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
