"""The entry point: it sets the process up, runs a command, and turns errors into one line.

It loads nothing before `main` runs, so that a Ctrl-C during the start finds its handler.
"""

from __future__ import annotations

import os
import signal
import sys

TYPE_CHECKING = False  # that of `typing`, which takes longer to import than the rest of this module
if TYPE_CHECKING:
    from typing import Any, NoReturn

    from cli._group import COMMANDS, datagen

__all__ = ["COMMANDS", "datagen", "main"]

_STOPPED, _HUNG_UP, _TERMINATED = 130, 129, 143
_SIGNALS = {
    number: code
    for name, code in (("SIGINT", _STOPPED), ("SIGTERM", _TERMINATED), ("SIGHUP", _HUNG_UP))
    if (number := getattr(signal, name, None)) is not None
}
"""Signals that ask the program to end, and the exit codes that say so."""


def __getattr__(name: str) -> Any:
    if name not in ("COMMANDS", "datagen"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from cli import _group

    return getattr(_group, name)


def main(args: list[str] | None = None) -> NoReturn:
    """Run the command line and leave with its exit code: 0 well, 1 bad data or failed check, 2 usage.

    Parameters
    ----------
    args : list of str, optional
        Its arguments; by default those the process was called with.
    """
    before = _handle_signals()
    try:
        _open_streams()
        code = _flush(_run(args))
    except KeyboardInterrupt:
        code = _fail("stopped", _STOPPED)
    except SystemExit as stop:  # of a signal
        code = stop.code if isinstance(stop.code, int) else 1
        if code == _HUNG_UP:
            from datagen.files import remove_unfinished

            remove_unfinished()
            signal.signal(signal.SIGHUP, signal.SIG_DFL)
            signal.raise_signal(signal.SIGHUP)  # what started this asks how it ended
    # There is nothing left to stop where the process ends now; a caller gets its handlers back.
    for number, handler in before.items():
        signal.signal(number, signal.SIG_IGN if args is None else handler)
    sys.exit(code)


def _handle_signals() -> dict[int, Any]:
    """Have signals end the program by an exception, so that temporary files are removed on the way out.

    Returns
    -------
    dict
        The handlers there were. Those of signals that are ignored, as by nohup, stay.
    """

    def stop(number: int, _: object) -> None:
        for each in before:  # a second one must not break off what the first one has begun
            signal.signal(each, signal.SIG_IGN)
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        sys.exit(_SIGNALS[number])

    before: dict[int, Any] = {}
    for number in _SIGNALS:
        handler = signal.getsignal(number)
        if handler not in (None, signal.SIG_IGN):
            before[number] = handler
            signal.signal(number, stop)
    return before


def _open_streams() -> None:
    """Have standard input, output and error open, and take any character."""
    # Else the next file opened would get the number of one that is closed, and what a library prints end up in it.
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(number)
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115  # open for good, and nothing is loaded yet
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _run(args: list[str] | None) -> int:
    """Run a command and return its exit code, having reported any error, or else warnings."""
    import warnings

    with warnings.catch_warnings(record=True) as caught:
        from datagen.errors import DatagenWarning

        warnings.simplefilter("ignore")  # those of libraries are for programmers
        warnings.simplefilter("always", DatagenWarning)
        _check_environment()
        code = _run_command(args)
    quiet = "--quiet" in (sys.argv[1:] if args is None else args)
    for message in dict.fromkeys(str(warning.message) for warning in caught):
        if not quiet and code == 0:  # not before: where it ends in an error, that is the one line to read
            _fail(f"warning: {message}", 0)
    return code


def _run_command(args: list[str] | None) -> int:
    """Run a command and return its exit code, having reported any error."""
    import click

    from cli._group import datagen
    from datagen.errors import DatagenError

    try:
        result = datagen.main(args=args, prog_name="datagen", standalone_mode=False)
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        hint = f" (see {context.command_path} --help)" if context else ""
        return _fail(error.format_message().replace("\n\t", " ") + hint, error.exit_code)
    except (click.Abort, KeyboardInterrupt) as stop:
        return _fail(f"stopped; {stop}" if str(stop) else "stopped", _STOPPED)
    except DatagenError as error:
        return _fail(str(error), error.exit_code)
    except (MemoryError, RuntimeError) as error:
        # torch has no class of its own for memory of the CPU that ran out.
        if isinstance(error, RuntimeError) and "can't allocate memory" not in str(error):
            raise
        return _fail("out of memory; use fewer workers, smaller batches or a machine with more", 1)
    except ImportError as error:
        return _fail(f"a library cannot be loaded ({error}); is it installed, and is there memory for it?", 1)
    except BrokenPipeError:
        return 1
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        return _fail(f"{place}{error.strerror or error}", 1) if _flush(0) == 0 else 1
    return result if isinstance(result, int) else 0


def _fail(problem: str, code: int) -> int:
    """Say what is wrong, in one line, and return the exit code."""
    from datagen.errors import printable

    try:
        print(f"datagen: {printable(problem)}", file=sys.stderr, flush=True)
    except (OSError, ValueError):  # there is nowhere to say it
        _discard(sys.stderr, 2)
    return code


def _flush(code: int) -> int:
    """Write out what was printed, and return `code`, or 1 if that fails."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:  # as under `head`, which has read enough
        _discard(sys.stdout, 1)
        return 1
    except (OSError, ValueError) as error:
        _discard(sys.stdout, 1)
        return _fail(f"standard output: {getattr(error, 'strerror', None) or error}", 1)
    return code


def _discard(stream: Any, number: int) -> None:
    """Send what a stream still holds to nowhere, or Python would try again at exit, and print a traceback."""
    try:
        if stream.fileno() == number:
            os.dup2(os.open(os.devnull, os.O_WRONLY), number)
    except (OSError, ValueError):
        pass


def _check_environment() -> None:
    """Leave out what the environment says that libraries would stumble over, and say so."""
    for name in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "COLUMNS", "LINES", "SOURCE_DATE_EPOCH"):
        value = os.environ.get(name)
        least = 0 if name == "SOURCE_DATE_EPOCH" else 1
        first = (value or "").partition(",")[0] if name == "OMP_NUM_THREADS" else value or ""  # one for each level
        if value is not None and not (first.isascii() and first.isdigit() and least <= int(first[:20]) < 2**32):
            del os.environ[name]
            if name not in ("COLUMNS", "LINES"):  # a terminal that does not know its size is no news
                _fail(f"{name}={value} is no whole number of at least {least}; it is left out", 0)
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")  # its errors come as exceptions


if __name__ == "__main__":
    main()
