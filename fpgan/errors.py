"""The exceptions that the command line answers with a sentence instead of a traceback."""


class InputError(Exception):
    """Something the user gave is wrong; the message says what, where, and what to do.

    The command line prints the message and exits with code 2, without a traceback.
    """


class Interrupted(Exception):
    """A signal stopped the training after a checkpoint had been written."""

    def __init__(self, step: int, signal_number: int) -> None:
        super().__init__(f"stopped after step {step}; the same command goes on from there")
        self.signal_number = signal_number
