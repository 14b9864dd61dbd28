"""Requests that are tried again when they fail in passing."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

import requests

from datagen import __version__
from datagen.errors import DatagenError

__all__ = ["BROKEN", "PassingError", "Patience", "broken", "explain", "faults", "new_session", "patiently", "send"]

Answer = TypeVar("Answer")

BROKEN = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)
"""What requests raises where a connection breaks, also in the middle of a body."""

_PASSING_STATUS = {429, 500, 502, 503, 504}


@dataclass(frozen=True)
class Patience:
    """How long to go on trying.

    Attributes
    ----------
    attempts : int
        How often a thing is tried in all.
    backoff : float
        Seconds to wait before the second attempt; the wait doubles from then on.
    longest_wait : float
        Most seconds to wait between two attempts, also where a server asks for more.
    timeout : float
        Seconds after which a server that sends nothing has failed.
    """

    attempts: int = 6
    backoff: float = 1.0
    longest_wait: float = 60.0
    timeout: float = 30.0

    def wait_before(self, attempt: int, asked: float | None = None) -> float:
        """Return the seconds to wait before attempt number `attempt` (the first again is 1)."""
        wanted = self.backoff * 2 ** (attempt - 1) if asked is None else asked
        return min(wanted, self.longest_wait)


class PassingError(DatagenError):
    """A failure that may be over at the next attempt.

    Parameters
    ----------
    problem : str
        What happened.
    wait : float, optional
        Seconds that the server asks to wait.
    """

    def __init__(self, problem: str, wait: float | None = None) -> None:
        self.wait = wait
        super().__init__(problem)


def patiently(action: Callable[[], Answer], patience: Patience) -> Answer:
    """Do something, again after every `PassingError`, and return what it returns.

    Raises
    ------
    DatagenError
        If the last attempt fails too, or anything that does not pass.
    """
    attempt = 1
    while True:
        try:
            return action()
        except PassingError as error:  # noqa: PERF203  # to try again is the point
            if attempt >= patience.attempts:
                raise DatagenError(f"{error}; gave up after {attempt} attempts, try again later") from error
            time.sleep(patience.wait_before(attempt, error.wait))
            attempt += 1


def new_session() -> requests.Session:
    """Return a session that says who asks; it takes proxies from the environment, as requests does."""
    session = requests.Session()
    session.headers["User-Agent"] = f"datagen/{__version__}"
    return session


def send(session: requests.Session, method: str, url: str, patience: Patience, **arguments: Any) -> requests.Response:
    """Send a request once.

    Parameters
    ----------
    session : Session
        What to send it with.
    method, url : str
        The request.
    patience : Patience
        Its `timeout` counts here.
    **arguments
        The rest, as `requests.request` takes it.

    Raises
    ------
    PassingError
        If the connection breaks, or the server answers 429 or 5xx.
    DatagenError
        If the request cannot be sent at all.
    """
    try:
        response = session.request(method, url, timeout=patience.timeout, **arguments)
    except BROKEN as error:
        raise broken(url, error) from None
    except requests.RequestException as error:
        raise DatagenError(f"{url}: cannot be asked ({str(error).splitlines()[0]})") from None
    if response.status_code in _PASSING_STATUS:
        problem = explain(response)
        response.close()
        raise PassingError(problem, _retry_after(response.headers.get("Retry-After")))
    return response


def broken(url: str, error: requests.RequestException) -> PassingError:
    """Say that a connection broke, without the layers that requests puts around it."""
    cause: Any = error
    while getattr(cause, "args", None) and isinstance(cause.args[0], Exception):
        cause = cause.args[0]
    reason = getattr(cause, "reason", None) or cause
    return PassingError(f"{url}: {type(error).__name__} ({str(reason).splitlines()[0]})")


def explain(response: requests.Response) -> str:
    """Say in one line what an answer that is not wanted means, with the server's own message if it has one."""
    try:
        answer = response.json()
    except ValueError:
        answer = {}
    words = [response.reason or ""]
    if isinstance(answer, dict):
        words = [str(answer.get("message") or response.reason), *faults(answer)]
    return " ".join(f"{response.url}: HTTP {response.status_code} {'; '.join(words)}".split())


def faults(answer: dict[str, Any]) -> list[str]:
    """Return the faults that a server finds with what it was sent, field by field."""
    errors = answer.get("errors") or []
    return [f"{each.get('field')}: {' '.join(map(str, each.get('messages', [])))}" for each in errors]


def _retry_after(text: str | None) -> float | None:
    """Return the seconds that a server asks to wait, which it says as a number or as a date."""
    if text is None:
        return None
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (date.replace(tzinfo=date.tzinfo or timezone.utc) - datetime.now(timezone.utc)).total_seconds())
