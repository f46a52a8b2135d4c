"""What can go wrong, by exit code. The message is the product: one sentence, and how to mend it."""


class HarnessError(Exception):
    """Base of every error that reaches the user as one sentence, without a traceback."""

    exit_code = 3


class BadInput(HarnessError):
    """The user's input cannot be used: a file, a key, an argument, a script that does not import."""

    exit_code = 2


class MissingRuntime(BadInput):
    """A runtime's interpreter or httpd is not on this machine; in pytest this is a skip."""


class InfrastructureError(HarnessError):
    """Apache, Locust or the machine failed: nothing is known about the site."""

    exit_code = 3


class Inconclusive(HarnessError):
    """A case ran but proves nothing: no cold start, no overlap, a slow machine."""

    exit_code = 3
