"""The exceptions that the command line answers with a sentence instead of a traceback."""

from collections.abc import Iterator


class InputError(Exception):
    """Something the user gave is wrong; the message says what, where, and what to do.

    The command line prints the message and exits with code 2, without a traceback.
    """


class Unavailable(Exception):
    """What the machine has to give is not there: room on a disk, or a server that answers.

    The command line prints the message and exits with code 1, without a traceback.
    """


class Interrupted(Exception):
    """A signal stopped the training after a checkpoint had been written."""

    def __init__(self, step: int, signal_number: int) -> None:
        super().__init__(f"stopped after step {step}; the same command goes on from there")
        self.signal_number = signal_number


def causes(error: BaseException) -> Iterator[BaseException]:
    """An exception, what it was raised from or while handling, and so on to the first one."""
    seen: BaseException | None = error
    while seen:
        yield seen
        seen = seen.__cause__ or seen.__context__
