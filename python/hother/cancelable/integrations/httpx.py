"""Transports for httpx that tell each service how much time is left of the operation that calls it.

async with httpx.AsyncClient(transport=CancelableTransport(httpx.AsyncHTTPTransport())) as client:
    async with Cancelable.with_timeout(2.0):
        await client.get(url)  # says `x-cancelable-timeout-ms: 1999`
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self, TypeVar

from hother.cancelable import _core
from hother.cancelable.core.current import checkpoint, current_operation
from hother.cancelable.core.exceptions import TimeoutCancelation

try:
    import httpx
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "hother.cancelable.integrations.httpx needs httpx: pip install 'hother-cancelable[httpx]'",
        name=error.name,
    ) from error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import TracebackType

    from hother.cancelable.core.cancelable import Cancelable

__all__ = ["CancelableTransport", "NoTimeLeft", "SyncCancelableTransport"]

OWN_HEADER = "x-cancelable-timeout-ms"


class NoTimeLeft(TimeoutCancelation, httpx.TimeoutException):
    """The operation has less time left than a request could be told of, so it is not sent.

    It is a timeout to whatever catches timeouts: a `TimeoutCancelation`, so that an operation which it leaves ends cancelled for
    the time, a `TimeoutError`, and a `TimeoutException` of httpx.
    """

    def __init__(self, request: httpx.Request, remaining: float, operation: Cancelable):
        seconds = max(remaining, 0.0)
        super().__init__(
            seconds,
            f"{seconds * 1000:.3f} ms are left of operation {operation.operation_id}, too little to ask for"
            f" {request.method} {_without_query(request.url)}",
            operation.context,
        )
        self._request = request


class CancelableTransport(httpx.AsyncBaseTransport):
    """Sends requests by another transport, `wrapped`, with what remains of the current operation in a header.

    The time is rounded down, and a header that the request has already is kept where it says less. A request in an operation
    without a deadline, or in none, is sent as it is.

    A cancel needs nothing of this: it interrupts a request wherever that is, and httpx closes the connection. Neither are httpx's
    own timeouts changed, since the operation's comes by itself, and says what it is.

    Args:
        wrapped: what sends; left out, an `httpx.AsyncHTTPTransport()`.
        header: which header it is: `x-cancelable-timeout-ms`, or `grpc-timeout`, `connect-timeout-ms` or
            `x-envoy-expected-rq-timeout-ms`, in each one's own units.

    Raises:
        CancelledError: where the current operation was asked to stop; nothing is sent.
        NoTimeLeft: where less than one unit of the header is left; nothing is sent.
    """

    def __init__(
        self, wrapped: httpx.AsyncBaseTransport | None = None, *, header: str = OWN_HEADER
    ):
        self._wrapped = _checked(wrapped, httpx.AsyncBaseTransport, httpx.AsyncHTTPTransport)
        self._deadlines = _Deadlines(header)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Sends one request."""
        operation = current_operation()
        if operation is not None:
            await operation.check_cancelation()
            request = self._deadlines.told(request, operation)
        return await self._wrapped.handle_async_request(request)

    async def __aenter__(self) -> Self:
        await self._wrapped.__aenter__()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self._wrapped.__aexit__(exc_type, exc_value, traceback)

    async def aclose(self) -> None:
        """Closes the other transport."""
        await self._wrapped.aclose()


class SyncCancelableTransport(httpx.BaseTransport):
    """The same for plain functions, such as those that `Cancelable.run_in_thread` calls.

    A thread that waits for a socket hears of no cancel before it has an answer. So that it is not left behind when the time is
    up, httpx's timeouts are shortened to what remains, and one that fires then is raised as the operation's own.

    Raises:
        CancelationError: where the current operation was asked to stop; in a task of asyncio a plain `CancelledError`.
        NoTimeLeft: where less than one unit of the header is left, or the time is up while it waits.
    """

    def __init__(self, wrapped: httpx.BaseTransport | None = None, *, header: str = OWN_HEADER):
        self._wrapped = _checked(wrapped, httpx.BaseTransport, httpx.HTTPTransport)
        self._deadlines = _Deadlines(header)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Sends one request."""
        operation = current_operation()
        if operation is None:
            return self._wrapped.handle_request(request)
        checkpoint()
        told = self._deadlines.told(request, operation)
        remaining = operation.remaining()
        if remaining is None:
            return self._wrapped.handle_request(told)
        told = _limited(told, remaining)
        try:
            response = self._wrapped.handle_request(told)
        except httpx.TimeoutException as error:
            _raise_if_up(operation, request, error)
            raise
        assert isinstance(response.stream, httpx.SyncByteStream), "a transport for plain functions"
        response.stream = _Body(response.stream, operation, request)
        return response

    def __enter__(self) -> Self:
        self._wrapped.__enter__()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        self._wrapped.__exit__(exc_type, exc_value, traceback)

    def close(self) -> None:
        """Closes the other transport."""
        self._wrapped.close()


class _Deadlines:
    """Writes one of the headers, and reads it."""

    def __init__(self, header: str):
        # Says which ones there are, where this is none of them.
        _core.write_remaining(1.0, header)
        self._header = header
        self._reader = _core.DeadlineHeaders(own=True, grpc=True, connect=True, envoy=True)

    def told(self, request: httpx.Request, operation: Cancelable) -> httpx.Request:
        """The request with what remains of the operation; the caller's own, which may be sent again, stays as it is."""
        remaining = operation.remaining()
        if remaining is None:
            return request
        value = _core.write_remaining(remaining, self._header)
        if value is None:
            raise NoTimeLeft(request, remaining, operation)
        name = self._header.encode()
        there = [it for it in request.headers.raw if it[0].lower() == name.lower()]
        at_most = self._reader.read(there)
        written = self._reader.read([(name, value)])
        if at_most is not None and written is not None and at_most <= written:
            return request
        headers = request.headers.copy()
        headers[self._header] = value.decode()
        return _with(request, headers, request.extensions)


class _Body(httpx.SyncByteStream):
    """What comes in, until the operation is asked to stop."""

    def __init__(
        self, wrapped: httpx.SyncByteStream, operation: Cancelable, request: httpx.Request
    ):
        self._wrapped = wrapped
        self._operation = operation
        self._request = request

    def __iter__(self) -> Iterator[bytes]:
        try:
            for part in self._wrapped:
                yield part
                checkpoint()
        except httpx.TimeoutException as error:
            _raise_if_up(self._operation, self._request, error)
            raise

    def close(self) -> None:
        self._wrapped.close()


def _limited(request: httpx.Request, remaining: float) -> httpx.Request:
    """The request with timeouts that are not longer than what remains."""
    given = request.extensions.get("timeout", {})
    limits = {
        kind: remaining if given.get(kind) is None else min(given[kind], remaining)
        for kind in ("connect", "read", "write", "pool")
    }
    return _with(request, request.headers, {**request.extensions, "timeout": limits})


def _with(
    request: httpx.Request, headers: httpx.Headers, extensions: Mapping[str, Any]
) -> httpx.Request:
    return httpx.Request(
        request.method,
        request.url,
        headers=headers,
        stream=request.stream,
        extensions=dict(extensions),
    )


def _raise_if_up(
    operation: Cancelable, request: httpx.Request, error: httpx.TimeoutException
) -> None:
    """Raises what the operation says, where it was its time that was up, or it was asked to stop meanwhile."""
    try:
        checkpoint()
    except BaseException as asked:
        raise asked from error
    remaining = operation.remaining()
    if remaining is not None and remaining <= 0:
        raise NoTimeLeft(request, remaining, operation) from error


def _without_query(url: httpx.URL) -> str:
    """Of an address what may stand in logs."""
    return str(url.copy_with(query=None, fragment=None, userinfo=b""))


T = TypeVar("T")


def _checked(wrapped: T | None, kind: type[T], otherwise: Callable[[], T]) -> T:
    if wrapped is None:
        return otherwise()
    if not isinstance(wrapped, kind):
        raise TypeError(
            f"wrapped must be an httpx.{kind.__name__}, got {type(wrapped).__name__}; there are"
            " CancelableTransport for an AsyncClient and SyncCancelableTransport for a Client"
        )
    return wrapped
