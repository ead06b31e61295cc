"""The one exception that stands for a user's mistake."""


class InputError(Exception):
    """Something the user gave is wrong; the message says what, where, and what to do.

    The command line prints the message and exits with code 2, without a traceback.
    """
