"""`CancelableWebSocket`: a client that leaves cancels the operation, and a cancel closes the socket."""

import asyncio

import pytest
import websockets
from starlette.websockets import WebSocket

from hother.cancelable import Cancelable, CancelationError, CancelationReason, OperationStatus
from hother.cancelable.integrations.starlette import CancelableWebSocket, shutdown
from support.loops import settle
from support.serving import LIMIT, served, wait_for
from support.sockets import Seen, app, both, url


@both
@pytest.mark.parametrize("how", ["close", "abort"])
async def test_law_w2_a_client_that_leaves_cancels_though_nobody_receives(server: str, how: str):
    seen = Seen()

    async def handler(websocket: WebSocket) -> None:
        async def body(_: CancelableWebSocket) -> None:
            await asyncio.Event().wait()

        await seen.run(websocket, body)

    async with served(app(handler), server) as port:
        client = await websockets.connect(url(port))
        await wait_for(seen.is_in)
        if how == "close":
            await client.close()
        else:
            client.transport.abort()
        await wait_for(seen.is_over)
    plain, typed = seen.errors
    assert type(plain) is asyncio.CancelledError
    assert isinstance(typed, CancelationError)
    assert typed.reason is CancelationReason.DISCONNECTED
    assert str(typed) == "Client closed connection"
    assert seen.operation.context.status is OperationStatus.CANCELLED


@both
@pytest.mark.parametrize(
    ("reason", "code"),
    [
        (CancelationReason.SHUTDOWN, 1001),
        (CancelationReason.SIGNAL, 1001),
        (CancelationReason.TIMEOUT, 1011),
        (CancelationReason.ERROR, 1011),
        (CancelationReason.DROPPED, 1011),
        (CancelationReason.MANUAL, 1008),
    ],
)
async def test_a_cancel_closes_with_a_code_that_fits(
    server: str, reason: CancelationReason, code: int
):
    seen = Seen()

    async def handler(websocket: WebSocket) -> None:
        async def body(socket: CancelableWebSocket) -> None:
            await socket.receive_text()

        await seen.run(websocket, body)

    async with served(app(handler), server) as port:
        async with websockets.connect(url(port)) as client:
            await wait_for(seen.is_in)
            await seen.operation.cancel(reason, "é" * 100)
            with pytest.raises(websockets.ConnectionClosed) as closed:
                await client.recv()
        await wait_for(seen.is_over)
    assert closed.value.rcvd.code == code
    is_of_error = reason in (CancelationReason.ERROR, CancelationReason.DROPPED)
    assert closed.value.rcvd.reason == ("internal error" if is_of_error else "é" * 61)
    assert seen.errors[-1].reason is reason


async def test_a_parents_cancel_closes_by_what_started_it():
    seen = Seen()

    async def handler(websocket: WebSocket) -> None:
        async def body(socket: CancelableWebSocket) -> None:
            await socket.receive_text()

        await seen.run(websocket, body, Cancelable(parent=server_operation))

    server_operation = Cancelable(name="server")
    async with served(app(handler)) as port:
        async with websockets.connect(url(port)) as client:
            await wait_for(seen.is_in)
            await server_operation.cancel(CancelationReason.SHUTDOWN, "over for today")
            with pytest.raises(websockets.ConnectionClosed) as closed:
                await client.recv()
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1001, "over for today")


@both
async def test_a_body_may_say_goodbye_and_close_by_itself(server: str):
    seen = Seen()

    async def handler(websocket: WebSocket) -> None:
        async def body(socket: CancelableWebSocket) -> None:
            try:
                await socket.receive_text()
            finally:
                async with socket.cancelable.shield():
                    await socket.send_text("goodbye")
                    await socket.close(4000, "by hand")

        await seen.run(websocket, body)

    async with served(app(handler), server) as port:
        async with websockets.connect(url(port)) as client:
            await wait_for(seen.is_in)
            await seen.operation.cancel("enough")
            assert await client.recv() == "goodbye"
            with pytest.raises(websockets.ConnectionClosed) as closed:
                await client.recv()
        await wait_for(seen.is_over)
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4000, "by hand")


@both
async def test_in_its_grace_it_hears_no_more_and_may_say_goodbye(server: str):
    seen = Seen()

    async def handler(websocket: WebSocket) -> None:
        async def body(socket: CancelableWebSocket) -> None:
            with pytest.raises(asyncio.CancelledError, match="enough"):
                await socket.receive_text()
            await socket.send_text("goodbye")
            await asyncio.sleep(0)
            await socket.send_text("and good luck")

        await seen.run(websocket, body, Cancelable(grace=60))

    async with served(app(handler), server) as port, websockets.connect(url(port)) as client:
        await wait_for(seen.is_in)
        await settle()
        await seen.operation.cancel("enough")
        assert [await client.recv(), await client.recv()] == ["goodbye", "and good luck"]
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await client.recv()
        await wait_for(seen.is_over)
    assert closed.value.rcvd.code == 1008
    assert seen.operation.is_completed


async def test_a_loop_that_only_sends_is_stopped():
    """Where a send waits for nothing, no cancel of the task would ever come."""
    seen = Seen()

    async def handler(websocket: WebSocket) -> None:
        async def body(socket: CancelableWebSocket) -> None:
            seen.operation.token.cancel_sync("enough")
            while True:
                await socket.send_text("x")

        await seen.run(websocket, body)

    async with served(app(handler)) as port, websockets.connect(url(port)):
        await wait_for(seen.is_over)
    assert seen.errors[-1].message == "enough"


@both
async def test_law_w6_a_shutdown_asks_sockets_at_once_and_lets_them_say_goodbye(server: str):
    seen, late = Seen(), Seen()

    async def handler(websocket: WebSocket) -> None:
        async def body(socket: CancelableWebSocket) -> None:
            try:
                await socket.receive_text()
            except asyncio.CancelledError:
                await socket.send_text("goodbye")
                await asyncio.sleep(0)
                raise

        await (late if seen.is_in.is_set() else seen).run(websocket, body)

    async with shutdown(grace=60, signals=()) as ending, served(app(handler), server) as port:
        async with websockets.connect(url(port)) as client:
            await wait_for(seen.is_in)
            await settle()
            report = asyncio.create_task(ending.begin())
            assert await client.recv() == "goodbye"
            with pytest.raises(websockets.ConnectionClosed) as closed:
                await client.recv()
        async with asyncio.timeout(LIMIT):
            assert (await report)[:2] == (1, ())
        # One that comes meanwhile is told as it begins.
        async with websockets.connect(url(port)) as client:
            with pytest.raises(websockets.ConnectionClosed) as closed_late:
                while True:
                    assert await client.recv() == "goodbye"
    for it, told in ((closed, seen), (closed_late, late)):
        assert (it.value.rcvd.code, it.value.rcvd.reason) == (1001, "the server is shutting down")
        assert told.errors[-1].reason is CancelationReason.SHUTDOWN


async def test_law_w6_a_socket_that_stays_is_named_and_cut_when_the_grace_is_over(caplog):
    seen = Seen()

    async def handler(websocket: WebSocket) -> None:
        async def body(_: CancelableWebSocket) -> None:
            await asyncio.Event().wait()

        await seen.run(websocket, body)

    async with shutdown(grace=0.2, signals=()) as ending, served(app(handler)) as port:
        async with websockets.connect(url(port)):
            await wait_for(seen.is_in)
            await settle()
            report = await ending.begin()
            assert [it.name for it in report.still_running] == ["socket"]
            await wait_for(seen.is_over)
    assert "still running" in caplog.text
    assert seen.operation.context.ask_to_end_seconds >= 0.2


@both
async def test_one_that_is_cancelled_before_it_is_accepted_is_refused(server: str):
    async def handler(websocket: WebSocket) -> None:
        operation = Cancelable()
        operation.token.cancel_sync("enough")
        socket = CancelableWebSocket(websocket, operation)
        with pytest.raises(CancelationError):
            async with operation:
                await socket.accept()

    async with served(app(handler), server) as port:
        with pytest.raises(websockets.InvalidStatus) as refused:
            await websockets.connect(url(port))
    assert refused.value.response.status_code == 403


@both
async def test_one_that_sends_without_end_lets_the_client_be_seen_to_leave(server):
    """What a server takes at once does not wait for anything, and so nobody else would run."""
    seen = Seen()

    async def body(socket):
        while True:
            await socket.send_text("x")

    async with served(app(lambda it: seen.run(it, body)), server) as port:
        async with websockets.connect(url(port)) as client:
            assert await client.recv() == "x"
            client.transport.abort()
        await wait_for(seen.is_over)
    assert seen.errors[-1].reason is CancelationReason.DISCONNECTED
