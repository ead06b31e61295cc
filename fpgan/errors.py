"""The exceptions that the command line answers with a message instead of a traceback."""

from collections.abc import Iterator


class InputError(Exception):
    """A mistake in the user's input; the message says what is wrong, where, and what to do.

    The command line prints the message and exits with code 2, without a traceback.
    """


class Unavailable(Exception):
    """A missing resource: room on a disk, or a server that answers.

    The command line prints the message and exits with code 1, without a traceback.
    """


class Interrupted(Exception):
    """A signal stopped the training, which first wrote a checkpoint."""

    def __init__(self, step: int, signal_number: int) -> None:
        super().__init__(f"stopped after step {step}; the same command resumes there")
        self.signal_number = signal_number


def causes(error: BaseException) -> Iterator[BaseException]:
    """An exception, then its cause or context, and so on back to the first exception."""
    current: BaseException | None = error
    while current:
        yield current
        current = current.__cause__ or current.__context__
