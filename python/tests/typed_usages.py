"""How typed programs use the package; the type checker reads it, and nothing runs it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, timedelta
from typing import assert_type

import httpx
from fastapi import FastAPI, Request, WebSocket
from fastapi.responses import StreamingResponse

from hother.cancelable import (
    Cancelable,
    CancelationError,
    CancelationReason,
    CancelationToken,
    LinkedCancelationToken,
    OperationContext,
    OperationStatus,
    TimeoutCancelation,
    current_operation,
    ensure_cancelable,
)
from hother.cancelable.integrations.fastapi import (
    CancelableWebSocket,
    DeadlineHeaders,
    RequestCancelationMiddleware,
    cancelable_dependency,
    cancelable_streaming_response,
    get_request_token,
    shutdown,
    with_cancelation,
)
from hother.cancelable.integrations.httpx import CancelableTransport, SyncCancelableTransport


async def tokens(token: CancelationToken) -> None:
    assert_type(token.id, str)
    assert_type(token.is_cancelled, bool)
    assert_type(token.reason, CancelationReason | None)
    assert_type(token.message, str | None)
    assert_type(token.cancelled_at, datetime | None)
    assert_type(token.cancel_sync(CancelationReason.SIGNAL, "why"), bool)
    assert_type(await token.cancel(message="why"), bool)
    await token.wait_for_cancel()
    await LinkedCancelationToken().link(token, preserve_reason=True)


async def returned_from_inside(token: CancelationToken) -> int:
    """What the body returns is returned: nothing has to stand behind the `async with`."""
    async with Cancelable.with_token(token) as operation:
        async with operation.shield():
            return 1


async def operations(token: CancelationToken) -> None:
    async with Cancelable(name="work", metadata={"rows": 3}) as operation:
        assert_type(operation, Cancelable)
        assert_type(operation.operation_id, str)
        assert_type(operation.is_running, bool)
        assert_type(operation.parent, Cancelable | None)
        await operation.report_progress("half", {"done": 0.5})
        await operation.check_cancelation()
    assert_type(operation.context, OperationContext)
    limited = Cancelable.with_timeout(timedelta(seconds=1)).combine(Cancelable.with_token(token))
    assert_type(limited, Cancelable)
    assert_type(current_operation(), Cancelable | None)
    assert_type(ensure_cancelable(current_operation()), Cancelable)


def contexts(context: OperationContext) -> None:
    assert_type(context.status, OperationStatus)
    assert_type(context.cancel_reason, CancelationReason | None)
    assert_type(context.duration, timedelta | None)
    assert_type(context.is_terminal, bool)


def callbacks(operation: Cancelable) -> Cancelable:
    def plain(context: OperationContext) -> None: ...
    async def awaited(context: OperationContext) -> None: ...
    def failed(context: OperationContext, error: Exception) -> None: ...

    return operation.on_start(plain).on_complete(awaited).on_error(failed)


def wrapping(operation: Cancelable) -> None:
    async def load(name: str, *, count: int = 1) -> bytes:
        return name.encode() * count

    wrapped = operation.wrap(load)
    assert_type(wrapped("a", count=2), Awaitable[bytes])
    typed: Callable[[str], Awaitable[bytes]] = wrapped
    # What the function does not take, the wrapped one does not take either.
    wrapped(1)  # type: ignore[arg-type]
    del typed


async def calling(operation: Cancelable) -> None:
    async def load(name: str, *, count: int = 1) -> bytes:
        return name.encode() * count

    async with operation.wrapping() as wrap:
        assert_type(await wrap(load, "a", count=2), bytes)
        await wrap(load, 1)  # type: ignore[arg-type]


async def errors(operation: Cancelable) -> None:
    try:
        async with operation:
            pass
    except TimeoutCancelation as error:
        assert_type(error.timeout_seconds, float)
        as_plain: TimeoutError = error
        del as_plain
    except CancelationError as error:
        assert_type(error.reason, CancelationReason)
        assert_type(error.message, str)


async def web(operation: Cancelable, websocket: WebSocket, items: AsyncIterator[str]) -> None:
    response = await cancelable_streaming_response(
        items, operation, chunk_size=3, disconnect="detach"
    )
    assert_type(response, StreamingResponse)
    await cancelable_streaming_response([], operation)  # type: ignore[arg-type]
    await cancelable_streaming_response(items, operation, disconnect="stop")  # type: ignore[arg-type]
    socket = CancelableWebSocket(websocket, operation)
    assert_type(await socket.receive_text(), str)
    assert_type(await socket.receive_bytes(), bytes)
    async for text in socket.iter_text():
        assert_type(text, str)
    await socket.close(1000, "over")
    httpx.AsyncClient(transport=CancelableTransport(header="grpc-timeout"))
    httpx.Client(transport=CancelableTransport())  # type: ignore[arg-type]
    httpx.Client(transport=SyncCancelableTransport(httpx.HTTPTransport()))


async def requests(request: Request, websocket: WebSocket) -> None:
    assert_type(await cancelable_dependency(request, timeout=5.0), Cancelable)
    assert_type(await cancelable_dependency(websocket), Cancelable)
    dependency: Callable[[Request], Awaitable[Cancelable]] = cancelable_dependency(timeout=30.0)
    assert_type(await dependency(request), Cancelable)
    cancelable_dependency(disconnect="stop")  # type: ignore[call-overload]
    assert_type(get_request_token(request), CancelationToken)
    app = FastAPI()
    app.add_middleware(
        RequestCancelationMiddleware,
        default_timeout=30.0,
        disconnect=("grace", 5.0),
        deadlines=DeadlineHeaders(own=True, at_most=20.0),
    )
    async with shutdown(app, grace=timedelta(seconds=10)) as ending:
        report = await ending.begin()
        assert_type(report.still_running, tuple[OperationContext, ...])

    @app.get("/it")
    @with_cancelation(timeout=5.0, disconnect="detach")
    async def it(cancel: Cancelable) -> str:
        return cancel.operation_id


def graces() -> None:
    Cancelable(grace={CancelationReason.SHUTDOWN: 10, CancelationReason.TIMEOUT: timedelta(1)})
    Cancelable(grace={"shutdown": 10})  # type: ignore[dict-item]


def misuse() -> None:
    Cancelable(nam="typo")  # type: ignore[call-arg]
    Cancelable.with_timeout("1s")  # type: ignore[arg-type]
    CancelationToken().cancel_sync(3)  # type: ignore[arg-type]
