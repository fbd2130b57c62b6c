"""Mistakes that a person can mend, and how a failure becomes one line.

In a message a parameter stands in backticks, `model_type`; the scripts print it as the flag.

    notes: list[str] = []
    with noted(notes):                  # what was noted goes with the error, if there is one
        path = find_activation_file(path, notes.append)
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

LONGEST_LINE = 2000  # characters of a message, whatever a file or an argument holds


class UserError(Exception):
    """A mistake that the person at the shell can mend; its text is one line that says how."""


@contextmanager
def noted(notes: Iterable[str]) -> Iterator[None]:
    """Add the notes of what was done so far to an error that ends it (its `__notes__`).

    A run that ends well returns them.
    """
    try:
        yield
    except Exception as error:
        for note in notes:
            error.add_note(note)
        raise


def failure_text(error: UserError | OSError | MemoryError) -> str:
    """Return what a user is told of an error that is no fault of the program."""
    if isinstance(error, MemoryError):
        return f"this needs more memory than there is ({error or 'MemoryError'})"
    if isinstance(error, OSError):
        return f"{error.filename or 'the system'}: {error.strerror or error}"
    return str(error)


def one_line(message: str) -> str:
    """Return a message as one line that moves no cursor: control characters are escaped."""
    joined = " ".join(message.split())
    shown = "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in joined)
    return shown if len(shown) <= LONGEST_LINE else f"{shown[:LONGEST_LINE]}..."
