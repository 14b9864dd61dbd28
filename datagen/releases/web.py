"""Requests to servers that may be slow, broken or hostile.

Transient failures are retried. Whatever a server does, an answer is bounded in time and in size, and is never more
than an error of one line; a token is in none.
"""

from __future__ import annotations

import http.client
import math
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from time import monotonic
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import msgspec
import requests
import urllib3
from requests.adapters import BaseAdapter, HTTPAdapter

from datagen import __version__
from datagen.errors import DatagenError, counted

__all__ = [
    "BLOCK",
    "CONTACT",
    "Answer",
    "Client",
    "Fault",
    "Retries",
    "Stream",
    "TransientError",
    "UnreachableError",
    "plain",
    "retry",
    "untrusted",
]

T = TypeVar("T")

CONTACT = "https://github.com/datagen-natural/datagen"
"""Where whoever runs a server finds who asks; Zenodo blocks programs that do not say."""

BLOCK = 1 << 15
"""Bytes of a body that are read at a time. They must come within `Retries.timeout`, which is the least rate."""

_LARGEST_ANSWER = 1 << 24
_MOST_REDIRECTS = 10
_TRANSIENT_STATUS = {429, 500, 502, 503, 504}
_BROKEN = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)


@dataclass(frozen=True)
class Retries:
    """How often and how long to try.

    Attributes
    ----------
    attempts : int
        How often a thing is tried in all.
    backoff : float
        Seconds to wait before the second attempt; the wait doubles from then on.
    longest_wait : float
        Most seconds to wait between two attempts, also where a server asks for more.
    timeout : float
        Seconds within which a server must answer: whole, or where it sends a file, each next block of it.
    offline : float
        Seconds after which a server that was never reached is given up.
    """

    attempts: int = 6
    backoff: float = 1.0
    longest_wait: float = 60.0
    timeout: float = 30.0
    offline: float = 3.0

    def wait_before(self, attempt: int, asked: float | None = None) -> float:
        """Return the seconds to wait before attempt number `attempt` (the first again is 1)."""
        wanted = self.backoff * 2 ** (attempt - 1) if asked is None else asked
        return min(wanted, self.longest_wait)


class TransientError(DatagenError):
    """A failure that may be over at the next attempt.

    Parameters
    ----------
    problem : str
        What happened.
    wait : float, optional
        Seconds that the server asks to wait.
    attempts : int, optional
        How often to try in all, where that is less than `Retries.attempts`.
    lasting : DatagenError, optional
        The error that it is if it does not pass.
    """

    def __init__(
        self,
        problem: str,
        wait: float | None = None,
        attempts: int | None = None,
        lasting: DatagenError | None = None,
    ) -> None:
        self.wait = wait
        self.attempts = attempts
        self.lasting = lasting
        super().__init__(problem)


class UnreachableError(TransientError):
    """A server that no connection could be made to, nor before."""


def retry(action: Callable[[], T], retries: Retries) -> T:
    """Do something, again after every `TransientError`, and return what it returns.

    urllib3's ``Retry`` would not do: it reads the body of a refusal to its end however long that takes, fails at a
    Retry-After that is no whole number or date, and sees nothing of a failure in the middle of a body, which is where
    downloads break off.

    Raises
    ------
    DatagenError
        If the last attempt fails too, or anything that does not pass.
    """
    attempt = 1
    unreachable_since: float | None = None
    while True:
        begun = monotonic()
        try:
            return action()
        except TransientError as error:
            wait = retries.wait_before(attempt, error.wait)
            most = min(retries.attempts, error.attempts or retries.attempts)
            if isinstance(error, UnreachableError):
                unreachable_since = begun if unreachable_since is None else unreachable_since
                wait = min(wait, retries.offline / 6)
                if monotonic() + wait > unreachable_since + retries.offline:
                    most = attempt
            if attempt >= most:
                if error.lasting is not None:
                    raise error.lasting from None
                times = counted(attempt, "attempt")
                raise DatagenError(f"{error}; gave up after {times}, try again later") from None
            time.sleep(wait)
            attempt += 1


class Fault(msgspec.Struct):
    """A fault that a server finds with what it was sent."""

    field: str | None = None
    messages: list[str] = msgspec.field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.field}: {' '.join(self.messages)}"


class _Refusal(msgspec.Struct):
    """What a server says where it refuses."""

    message: str | None = None
    errors: list[Fault] = msgspec.field(default_factory=list)


@dataclass(frozen=True)
class Answer:
    """A whole answer.

    Attributes
    ----------
    url : str
        What was asked.
    status : int
        The status.
    body : bytes
        The body, as it came.
    words : str
        The status in one line, with the server's own message if it has one.
    """

    url: str
    status: int
    body: bytes
    words: str

    def read(self, kind: type[T], what: str) -> T:
        """Return the body as JSON of one kind; here an answer becomes trusted.

        Parameters
        ----------
        kind : type
            A type that `msgspec` can check.
        what : str
            What it should be, for the error, e.g. ``"a draft"``.

        Raises
        ------
        DatagenError
            If it is none.
        """
        return untrusted(self.body, kind, lambda why: DatagenError(f"{plain(self.url)}: the answer is no {what}{why}"))


def untrusted(data: Any, kind: type[T], error: Callable[[str], DatagenError]) -> T:
    """Return what somebody else wrote as a value of one kind, checked; here it becomes trusted.

    Parameters
    ----------
    data : bytes or object
        JSON as bytes, or what was read from such.
    kind : type
        A type that `msgspec` can check.
    error : callable
        Makes the error to raise of the reason, which begins with ``"; "`` or is empty.
    """
    try:
        return msgspec.json.decode(data, type=kind) if isinstance(data, bytes) else msgspec.convert(data, kind)
    except msgspec.ValidationError as why:
        raise error(f"; {plain(why)}") from None
    except (ValueError, RecursionError):  # JSON that is none, not UTF-8, or nested without end
        raise error("; it is not JSON" if isinstance(data, bytes) else "") from None


class Client:
    """Asks servers.

    Parameters
    ----------
    retries : Retries
        How long to wait for an answer.
    token : str
        Sent with every request, if not empty. Redirects are not followed then, and it is in no error.
    adapter : requests.adapters.BaseAdapter, optional
        What carries the requests, instead of the network.
    """

    def __init__(self, retries: Retries, token: str = "", adapter: BaseAdapter | None = None) -> None:
        self.retries = retries
        self._token = token
        self._reached: set[str] = set()
        self._session = _Session()
        self._session.headers["User-Agent"] = f"datagen/{__version__} (+{CONTACT})"
        # Bytes are counted, hashed and bounded as they come, so nobody may pack them on the way.
        self._session.headers["Accept-Encoding"] = "identity"
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, adapter or _Adapter())
        if token:
            self._session.auth = _Bearer(token)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def ask(self, method: str, url: str, **arguments: Any) -> Answer:
        """Send a request once, and return the whole answer.

        Parameters
        ----------
        method, url : str
            The request.
        **arguments
            The rest, as `requests.request` takes it.

        Raises
        ------
        TransientError
            If the connection breaks, the answer does not come in time, or its status is 429 or 5xx.
        DatagenError
            If the request cannot be sent at all, or the answer is too long.
        """
        response = self._open(method, url, **arguments)
        try:
            answer = self._whole(response, url)
        finally:
            response.close()
        if answer.status in _TRANSIENT_STATUS:
            raise TransientError(answer.words, _retry_after(response.headers.get("Retry-After")))
        return answer

    @contextmanager
    def fetch(self, url: str, headers: dict[str, str]) -> Iterator[Stream]:
        """Ask for a file, and give the answer with its body yet to come.

        Raises
        ------
        TransientError, DatagenError
            As `ask`.
        """
        response = self._open("GET", url, headers=headers)
        try:
            if response.status_code in _TRANSIENT_STATUS:
                wait = _retry_after(response.headers.get("Retry-After"))
                raise TransientError(self._whole(response, url).words, wait)
            yield Stream(
                response.status_code,
                response.headers.get("Content-Range") or "",
                response.headers.get("Content-Length") or "",
                self._blocks(response, url),
                lambda: self._whole(response, url),
            )
        finally:
            response.close()

    def hide(self, text: str) -> str:
        """Return a text without the token, which a server may repeat."""
        for secret in {self._token, quote(self._token, safe="")} - {""}:
            text = text.replace(secret, "***")
        return text

    def _open(self, method: str, url: str, **arguments: Any) -> requests.Response:
        """Return an answer whose body has yet to be read, following redirects from one server of the web to another."""
        place = url
        timeout = (min(10.0, self.retries.timeout), self.retries.timeout)
        for _ in range(_MOST_REDIRECTS):
            with self._one_line_errors(place):
                if urlsplit(place).scheme not in ("http", "https"):
                    raise ValueError("the address must begin with https:// or http://")
                response = self._session.request(
                    method, place, stream=True, allow_redirects=False, timeout=timeout, **arguments
                )
            self._reached.add(urlsplit(place).netloc)
            with self._one_line_errors(place):
                target = None if self._token else self._session.target_of(response)
                if not target:
                    return response
                response.close()
                before = urlsplit(place).scheme
                place = requests.compat.urljoin(place, requests.utils.requote_uri(target))
                if before == "https" and urlsplit(place).scheme == "http":
                    raise ValueError("it leads from https to http")
        raise DatagenError(f"{plain(url)}: leads from one address to the next without end")

    def _blocks(self, response: requests.Response, url: str) -> Iterator[bytes]:
        block = bytes(BLOCK)
        while len(block) == BLOCK:
            block = b""
            with self._one_line_errors(url), _in_time(self.retries.timeout, response.raw.shutdown):
                while data := response.raw.read(BLOCK - len(block), decode_content=False):
                    block += data
            if block:
                yield block

    def _whole(self, response: requests.Response, url: str) -> Answer:
        body = bytearray()
        with self._one_line_errors(url), _in_time(self.retries.timeout, response.raw.shutdown):
            while block := response.raw.read(BLOCK, decode_content=False):
                body += block
                if len(body) > _LARGEST_ANSWER:
                    raise DatagenError(f"{plain(url)}: answers with more than {_LARGEST_ANSWER >> 20} MB; not read")
        return Answer(url, response.status_code, bytes(body), self._words(response, url, bytes(body)))

    def _words(self, response: requests.Response, url: str, body: bytes) -> str:
        """Say in one line what an answer that is not wanted means, with the server's own message if it has one."""
        try:
            refusal = untrusted(body, _Refusal, DatagenError)
        except DatagenError:
            refusal = _Refusal()
        words = "; ".join([refusal.message or response.reason or "", *map(str, refusal.errors[:10])])
        return f"{plain(url)}: HTTP {response.status_code} {plain(self.hide(words))}".rstrip()

    @contextmanager
    def _one_line_errors(self, url: str) -> Iterator[None]:
        """Turn whatever the libraries raise at odd addresses and answers into an error of one line."""
        try:
            yield
        except (DatagenError, MemoryError):
            raise
        except _BROKEN as error:
            raise self._broken(url, error) from None
        except (requests.RequestException, urllib3.exceptions.LocationValueError) as error:
            raise DatagenError(f"{plain(url)}: cannot be asked ({plain(self.hide(str(error)))})") from None
        except (urllib3.exceptions.HTTPError, http.client.HTTPException, OSError) as error:
            raise self._broken(url, error) from None
        except Exception as error:  # they let through what the parsers of addresses, numbers and dates raise
            raise DatagenError(f"{plain(url)}: cannot be asked ({plain(self.hide(str(error)))})") from None

    def _broken(self, url: str, error: Exception) -> TransientError:
        """Say that a connection broke, without the layers that the libraries put around it."""
        causes: list[Any] = [error]
        while len(causes) < 10:
            inner = [*causes[-1].args, getattr(causes[-1], "reason", None), causes[-1].__cause__]
            found = [each for each in inner if isinstance(each, Exception) and each not in causes]
            if not found:
                break
            causes.append(found[0])
        reason = plain(self.hide(str(causes[-1]) or type(causes[-1]).__name__))
        if urlsplit(url).netloc not in self._reached and any(
            isinstance(
                each,
                urllib3.exceptions.NewConnectionError
                | urllib3.exceptions.ConnectTimeoutError
                | requests.exceptions.ProxyError
                | requests.exceptions.SSLError,
            )
            for each in causes
        ):
            return UnreachableError(f"{plain(url)}: cannot be reached ({reason})")
        return TransientError(f"{plain(url)}: {type(error).__name__} ({reason})")


@dataclass(frozen=True)
class Stream:
    """An answer whose body has yet to come.

    Attributes
    ----------
    status : int
        The status.
    content_range : str
        What part of the file it says to be; empty if it does not say.
    content_length : str
        How long it says to be; empty if it does not say.
    blocks : iterator of bytes
        The body.
    whole : callable
        Returns all of it, where it is an answer in words.
    """

    status: int
    content_range: str
    content_length: str
    blocks: Iterator[bytes]
    whole: Callable[[], Answer]


def plain(text: object, most: int = 300) -> str:
    """Return a text of others as one line that can be printed: no control characters, and not too long."""
    shown = "".join(each if each.isprintable() else " " for each in str(text)[: 10 * most])
    shown = " ".join(shown.split())
    return shown if len(shown) <= most else shown[:most] + "..."


@contextmanager
def _in_time(seconds: float, stop: Callable[[], Any]) -> Iterator[None]:
    """Bound the time of a block that reads from a socket, however small the pieces that come; `stop` ends reading."""
    late = threading.Event()

    def expire() -> None:
        late.set()
        with suppress(Exception):  # it may have ended this moment
            stop()

    timer = threading.Timer(seconds, expire)
    timer.daemon = True
    timer.start()
    try:
        yield
    except Exception:
        if not late.is_set():
            raise
    finally:
        timer.cancel()
    if late.is_set():
        raise TimeoutError(f"too slow, not whole within {seconds:g} s")


class _Session(requests.Session):
    """Follows no redirect by itself, nor reads its body."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        return None

    def target_of(self, response: requests.Response) -> str | None:
        return super().get_redirect_target(response)


class _InTime:
    """A connection whose answers must begin in time; a socket's own timeout begins anew with every byte."""

    sock: Any
    timeout: Any

    def getresponse(self) -> Any:
        seconds = self.timeout if isinstance(self.timeout, int | float) else Retries.timeout
        with _in_time(seconds, partial(self.sock.shutdown, socket.SHUT_RDWR)):
            return super().getresponse()  # type: ignore[misc]


class _Adapter(HTTPAdapter):
    """Makes connections that are `_InTime`, also through proxies."""

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
        if not issubclass(pool.ConnectionCls, _InTime):
            pool.ConnectionCls = type("Connection", (_InTime, pool.ConnectionCls), {})
        return pool


class _Bearer(requests.auth.AuthBase):
    """Authorization by a token; a header of the session would give way to a password in ~/.netrc."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def _retry_after(text: str | None) -> float | None:
    """Return the seconds that a server asks to wait, which it says as a number or as a date."""
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        try:
            date = parsedate_to_datetime(text)
            seconds = (date.replace(tzinfo=date.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError, IndexError, OverflowError):
            return None
    return None if math.isnan(seconds) else max(0.0, seconds)
