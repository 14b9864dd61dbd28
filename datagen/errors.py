"""The errors a user can cause, each a single clear line."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

__all__ = [
    "BadInputError",
    "DatagenError",
    "DatagenWarning",
    "FailedCheckError",
    "OutputError",
    "UsageError",
    "choices_hint",
    "counted",
    "did_you_mean",
    "printable",
    "quote",
    "quote_for_sheet",
    "shown",
    "unknown_choice",
]

_LONGEST = 60
"""Characters of a wrong value that a message repeats."""


class DatagenWarning(UserWarning):
    """Something that a user should know of a result that was made all the same.

    The command line prints its text as one line on standard error, once the command has ended well.
    """


class DatagenError(Exception):
    """Base of every error that is the input's or the caller's fault, not the program's.

    The command line prints its text as one line, without a traceback, and exits with `exit_code`.
    """

    exit_code = 1


class UsageError(DatagenError, ValueError):
    """The call itself is wrong: an unknown option value, an output that exists, options that exclude each other."""

    exit_code = 2


class BadInputError(DatagenError, ValueError):
    """A file that cannot be used as it is.

    Parameters
    ----------
    path : str or Path
        The file or folder at fault.
    problem : str
        What is wrong and, after a semicolon, what to do about it.
    where : str, optional
        The place inside the file: ``"line 12"``, ``"frame 3"``, ``"annotation 7"``.

    Attributes
    ----------
    path, problem, where
        As given; the message joins them as ``path, where: problem``.
    """

    def __init__(self, path: str | Path, problem: str, where: str | None = None) -> None:
        self.path = str(path)
        self.problem = problem
        self.where = where
        super().__init__(f"{self.path}{', ' + where if where else ''}: {problem}")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.path, self.problem, self.where)


class OutputError(DatagenError, OSError):
    """A file or folder that cannot be written: no room, no permission, no such place.

    Parameters
    ----------
    path : str or Path
        The file or folder.
    error : Exception
        What the system, or a library, said.
    state : str
        What the failure leaves.
    """

    def __init__(self, path: str | Path, error: Exception, state: str = "nothing was left behind") -> None:
        reason = getattr(error, "strerror", None) or str(error).partition("\n")[0] or type(error).__name__
        super().__init__(f"{path}: cannot be written ({reason}); {state}")
        self.filename, self.strerror, self.errno = str(path), reason, getattr(error, "errno", None)
        self._state = state

    def __str__(self) -> str:
        return str(self.args[0])

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.filename, OSError(self.errno, self.strerror), self._state)


class FailedCheckError(DatagenError):
    """A check that was asked for ran and failed."""


def counted(number: int, one: str, many: str | None = None) -> str:
    """Return a number with its noun, in the plural where it is not 1; by default that has an s.

    Examples
    --------
    >>> counted(1, "pair"), counted(1200, "pair"), counted(0, "entry", "entries")
    ('1 pair', '1,200 pairs', '0 entries')
    """
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def printable(text: str) -> str:
    """Return a text as one line that a terminal shows as it is.

    What a file or its name holds may be a line break, a command to the terminal (move, colour, title), an override of
    the direction of writing or half a character; such characters come out as Python writes them: ``\\x1b``.

    Examples
    --------
    >>> print(printable("two\\nlines"))
    two\\nlines
    """
    if text.isprintable():  # which of a long text is known much sooner
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in text
    )


def quote(text: object, most: int = 200) -> str:
    """Return a name or text of a file as it may stand in a message: short, on one line and printable.

    Examples
    --------
    >>> quote("a" * 300, most=20)
    'aaaaaaaaaa...aaaaaaa'
    >>> quote("two\\nlines")
    'two\\\\nlines'
    """
    shown = printable(str(text)[: 10 * most])
    return shown if len(shown) <= most else f"{shown[: most // 2]}...{shown[-(most - most // 2 - 3) :]}"


def shown(value: object) -> str:
    """Return a wrong value as a message shows it: as it is written if that is short, else its type.

    Examples
    --------
    >>> shown(1.5), shown("x" * 100)
    ('1.5', '(str)')
    """
    try:
        text = repr(value)
    except Exception:  # of a foreign class, or a number of more digits than Python prints
        text = ""
    return text if text and len(text) <= _LONGEST and text.isprintable() else f"({type(value).__name__})"


def did_you_mean(value: object, choices: Iterable[str]) -> str | None:
    """Return the one of some names that a mistyped one most likely stands for; None where none is like it.

    Case, and which of dash, underscore and blank joins words, make no difference.

    Examples
    --------
    >>> did_you_mean("Kitti_mask", ["kitti-masks", "natural-sprites"])
    'kitti-masks'
    """
    from difflib import get_close_matches

    def plain(name: str) -> str:
        return name.lower().replace("_", "-").replace(" ", "-")

    names = {plain(name): name for name in choices}
    # Of what is very long only the beginning: comparing takes the product of the lengths.
    found = get_close_matches(plain(value[:_LONGEST]), names, 1) if isinstance(value, str) else []
    return names[found[0]] if found else None


def unknown_choice(what: str, value: object, choices: Iterable[str], others: Iterable[str] = ()) -> UsageError:
    """Return the error that says of a name that it is none of those there are, and which it may have been meant for.

    Parameters
    ----------
    what : str
        What the name is of: ``"metric"``.
    value : object
        What was given.
    choices : iterable of str
        The names there are.
    others : iterable of str
        More names that may be meant, but are too many, or too special, to be listed.

    Returns
    -------
    UsageError

    Examples
    --------
    >>> unknown_choice("preset", "quik", ["klindt2021", "quick"])
    UsageError("unknown preset 'quik'; did you mean 'quick'? There are klindt2021, quick")
    """
    return UsageError(f"unknown {what} {shown(value)}; {choices_hint(value, choices, others)}")


def choices_hint(value: object, choices: Iterable[str], others: Iterable[str] = ()) -> str:
    """Return which names there are, and before them which of these, or of others, a name may have been meant for.

    Examples
    --------
    >>> choices_hint("gama", ["beta", "gamma"])
    "did you mean 'gamma'? There are beta, gamma"
    """
    choices = list(choices)
    alike = did_you_mean(value, [*choices, *others])
    hint = f"did you mean {alike!r}? There are" if alike else "there are"
    return f"{hint} {', '.join(choices) or 'none'}"


def quote_for_sheet(text: object) -> str:
    """Return a name or text of a file as it may stand in a CSV, where no spreadsheet takes it for a formula.

    Examples
    --------
    >>> quote_for_sheet("=1+1")
    "'=1+1"
    """
    shown = quote(text, 2000)
    return f"'{shown}" if shown.startswith(("=", "+", "-", "@")) else shown
