"""`CancelableWebSocket`: a client that leaves cancels the operation, no message is lost, and a cancel closes the socket."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import websockets
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from hother.cancelable import Cancelable, CancelationError, CancelationReason, OperationStatus
from hother.cancelable.integrations._reading import LIMIT, ReadAhead
from hother.cancelable.integrations.starlette import CancelableWebSocket, shutdown
from support.loops import settle
from support.serving import LIMIT as LONG
from support.serving import SERVERS, served, wait_for

GOODBYE = {"type": "websocket.disconnect", "code": 1000}
both = pytest.mark.parametrize("server", SERVERS)
Handler = Callable[[WebSocket], Awaitable[None]]


def app(handler: Handler) -> Starlette:
    return Starlette(routes=[WebSocketRoute("/", handler)])


class Seen:
    """What a handler went through."""

    def __init__(self) -> None:
        self.operation: Cancelable | None = None
        self.errors: list[BaseException] = []
        self.is_in = asyncio.Event()
        self.is_over = asyncio.Event()
        self.told: list[Any] = []

    async def run(self, websocket: WebSocket, body: Callable[..., Awaitable[None]], cancel=None):
        cancel = cancel or Cancelable(name="socket")
        self.operation = cancel
        socket = CancelableWebSocket(websocket, cancel)
        await socket.accept()
        try:
            async with cancel:
                self.is_in.set()
                try:
                    await body(socket)
                except BaseException as error:
                    self.errors.append(error)
                    raise
        except CancelationError as error:
            self.errors.append(error)
        finally:
            self.is_over.set()


def url(port: int) -> str:
    return f"ws://127.0.0.1:{port}/"


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
async def test_messages_come_whole_and_in_order_while_it_reads_ahead(server: str):
    seen = Seen()
    sent = [f"{n} " + "x" * (n * 37 % 3000) for n in range(300)]

    async def handler(websocket: WebSocket) -> None:
        async def body(socket: CancelableWebSocket) -> None:
            # Some are there already, for others it waits; some waits are given up.
            async for text in socket.iter_text():
                seen.told.append(text)
                if len(seen.told) == len(sent):
                    break
                if len(seen.told) % 7 == 0:
                    waits = asyncio.ensure_future(socket.receive_text())
                    await asyncio.sleep(0)
                    if not waits.cancel():
                        seen.told.append(await waits)
                    else:
                        await asyncio.wait({waits})
                        if not waits.cancelled():
                            seen.told.append(waits.result())
            await socket.send_json({"n": len(seen.told)})

        await seen.run(websocket, body)

    async with served(app(handler), server) as port:
        async with websockets.connect(url(port)) as client:
            for text in sent:
                await client.send(text)
            assert await client.recv() == f'{{"n":{len(sent)}}}'
        await wait_for(seen.is_over)
    assert seen.told == sent
    assert seen.operation.is_completed


@both
async def test_what_was_read_ahead_is_received_after_the_operation(server: str):
    """A client that leaves takes nothing with it that it had sent."""
    seen = Seen()

    async def handler(websocket: WebSocket) -> None:
        async def body(_: CancelableWebSocket) -> None:
            await asyncio.Event().wait()

        await seen.run(websocket, body)
        seen.is_over.clear()
        try:
            while True:
                seen.told.append(await websocket.receive_text())
        except WebSocketDisconnect as error:
            seen.told.append(error.code)
        with pytest.raises(RuntimeError, match="disconnect"):
            await websocket.receive_text()
        seen.is_over.set()
        seen.is_in.set()

    async with served(app(handler), server) as port:
        async with websockets.connect(url(port)) as client:
            await wait_for(seen.is_in)
            seen.is_in.clear()
            for text in ("one", "two", "three"):
                await client.send(text)
        await wait_for(seen.is_in)
    assert seen.told[:3] == ["one", "two", "three"]
    assert seen.told[3] in (1000, 1005, 1006)


@both
async def test_an_operation_that_is_over_lets_the_socket_go_on(server: str):
    """Short operations one after the other, on one socket; in between it is as any."""
    told: list[str] = []

    async def handler(websocket: WebSocket) -> None:
        await websocket.accept()
        for n in range(5):
            async with Cancelable() as cancel:
                told.append(await CancelableWebSocket(websocket, cancel).receive_text())
                # Others come while nobody receives.
                await websocket.send_text(f"{n}")
            told.append(await websocket.receive_text())
            await websocket.send_text(f"{n} plain")
        await websocket.close()

    async with served(app(handler), server) as port, websockets.connect(url(port)) as client:
        for n in range(10):
            await client.send(f"message {n}")
        answers = [await client.recv() for _ in range(10)]
        with pytest.raises(websockets.ConnectionClosedOK):
            await client.recv()
    assert told == [f"message {n}" for n in range(10)]
    assert answers == [f"{n}{word}" for n in range(5) for word in ("", " plain")]


@both
async def test_reading_ahead_holds_the_client_up_after_64_kib(server: str):
    seen = Seen()
    may_go_on = asyncio.Event()

    async def handler(websocket: WebSocket) -> None:
        async def body(socket: CancelableWebSocket) -> None:
            await may_go_on.wait()
            while True:
                seen.told.append(len(await socket.receive_bytes()))
                if seen.told[-1] == 1:
                    return

        seen.told.append(websocket)
        await seen.run(websocket, body)

    async with served(app(handler), server) as port:
        async with websockets.connect(url(port), compression=None) as client:
            await wait_for(seen.is_in)
            reading = seen.told.pop()._receive.__self__

            async def send() -> None:
                for _ in range(2000):
                    await client.send(b"x" * 16_384)
                await client.send(b"1")

            sending = asyncio.create_task(send())
            while reading._weight < LIMIT:
                await settle(1)
            # It goes no further, and neither does the client.
            await settle(500)
            assert not sending.done()
            assert LIMIT <= reading._weight <= LIMIT + 17_000
            may_go_on.set()
            await sending
            await wait_for(seen.is_over)
    assert seen.told == [16_384] * 2000 + [1]


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
async def test_a_socket_that_we_close_is_not_a_client_that_left(server: str):
    seen = Seen()
    client_is_gone = asyncio.Event()

    async def handler(websocket: WebSocket) -> None:
        async def body(socket: CancelableWebSocket) -> None:
            await socket.close()
            await socket.close()
            await wait_for(client_is_gone)
            await asyncio.sleep(0)

        await seen.run(websocket, body)

    async with served(app(handler), server) as port:
        async with websockets.connect(url(port)) as client:
            with pytest.raises(websockets.ConnectionClosedOK):
                await client.recv()
        client_is_gone.set()
        await wait_for(seen.is_over)
    assert not seen.errors
    assert seen.operation.is_completed


@both
async def test_json_and_bytes(server: str):
    seen = Seen()

    async def handler(websocket: WebSocket) -> None:
        async def body(socket: CancelableWebSocket) -> None:
            seen.told.append(await socket.receive_json())
            seen.told.append(await socket.receive_bytes())
            await socket.send_bytes(b"\x00\xff")
            await socket.send_text("text")
            async for it in socket.iter_json():
                seen.told.append(it)
                break
            async for it in socket.iter_bytes():
                seen.told.append(it)
                break

        await seen.run(websocket, body)

    async with served(app(handler), server) as port:
        async with websockets.connect(url(port)) as client:
            for sent in ('{"a": [1]}', b"abc", "null", b""):
                await client.send(sent)
            assert [await client.recv(), await client.recv()] == [b"\x00\xff", "text"]
            await wait_for(seen.is_over)
    assert seen.told == [{"a": [1]}, b"abc", None, b""]


async def test_what_is_no_websocket_is_used_as_it_is():
    """A stand-in of a test has the methods that it has, and is not watched."""

    class StandIn:
        def __init__(self) -> None:
            self.sent: list[object] = []

        async def accept(self, **options: object) -> None:
            self.sent.append(options)

        async def send_text(self, data: str) -> None:
            self.sent.append(data)

        async def receive_text(self) -> str:
            raise WebSocketDisconnect

    stand_in = StandIn()
    socket = CancelableWebSocket(stand_in, Cancelable())
    await socket.accept(subprotocol="x")
    with pytest.raises(CancelationError) as left:
        async with socket.cancelable:
            await socket.send_text("hello")
            await socket.receive_text()
    assert left.value.reason is CancelationReason.DISCONNECTED
    assert stand_in.sent == [{"subprotocol": "x"}, "hello"]
    with pytest.raises(WebSocketDisconnect):
        await socket.receive_text()


def test_the_operation_comes_second():
    with pytest.raises(TypeError, match="cancelable must be a Cancelable, got object"):
        CancelableWebSocket(Cancelable(), object())


async def test_one_reader_for_any_number_that_want_to_know():
    """Two operations watch, one receives, and the server is asked by one at a time."""
    inner: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    asking = 0

    async def receive() -> dict[str, Any]:
        nonlocal asking
        asking += 1
        assert asking == 1
        try:
            return await inner.get()
        finally:
            asking -= 1

    reading = ReadAhead(receive)
    watching = [asyncio.create_task(reading.until_gone()) for _ in range(3)]
    got: list[Any] = []
    for n in range(100):
        inner.put_nowait({"type": "websocket.receive", "text": str(n)})
        if n % 3 == 0:
            watching[n % 2].cancel()
            watching[n % 2] = asyncio.create_task(reading.until_gone())
        if n % 2:
            got.append((await reading.receive())["text"])
    inner.put_nowait({"type": "websocket.disconnect", "code": 1000})
    while (message := await reading.receive())["type"] == "websocket.receive":
        got.append(message["text"])
    await asyncio.gather(*watching)
    assert got == [str(n) for n in range(100)]
    assert await reading.receive() is message
    assert reading.has_ended


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
        async with asyncio.timeout(LONG):
            assert (await report)[:2] == (1, ())
        # One that comes meanwhile is told as it begins.
        async with websockets.connect(url(port)) as client:
            with pytest.raises(websockets.ConnectionClosed) as closed_late:
                while True:
                    assert await client.recv() == "goodbye"
    for it, told in ((closed, seen), (closed_late, late)):
        assert (it.value.rcvd.code, it.value.rcvd.reason) == (1001, "the server is shutting down")
        assert told.errors[-1].reason is CancelationReason.SHUTDOWN


async def test_a_socket_that_stays_is_named_and_cut_when_the_grace_is_over(caplog):
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


@both
@pytest.mark.parametrize("how", ["close", "abort"])
async def test_law_w2_who_receives_hears_of_it_after_what_came_before(server: str, how: str):
    """A handler that waits for a message has all that were sent, and the cancel after the last."""
    seen = Seen()

    async def body(socket: CancelableWebSocket) -> None:
        async for text in socket.iter_text():
            seen.told.append(text)

    async with served(app(lambda it: seen.run(it, body)), server) as port:
        client = await websockets.connect(url(port))
        await wait_for(seen.is_in)
        await settle()
        # All of it is there at once, when the server looks.
        texts = (f"{n}".encode() for n in range(20))
        frames = [bytes((0x81, 0x80 | len(text))) + b"\0" * 4 + text for text in texts]
        if how == "close":
            frames.append(b"\x88\x80" + b"\0" * 4)
        client.transport.write(b"".join(frames))
        if how == "abort":
            client.transport.write_eof()
        await wait_for(seen.is_over)
        client.transport.abort()
    assert seen.told == [f"{n}" for n in range(20)]
    assert type(seen.errors[0]) is asyncio.CancelledError
    assert seen.errors[-1].reason is CancelationReason.DISCONNECTED


@both
@pytest.mark.parametrize("way", ["grace", "cancelled"])
async def test_law_w2_who_was_busy_has_what_came_before_as_well(server: str, way: str):
    """In its grace, or once it was told where it awaited something else."""
    seen = Seen()
    is_asked = asyncio.Event()

    async def body(socket: CancelableWebSocket) -> None:
        seen.told.append(await socket.receive_text())
        socket.cancelable.token.on_cancel(lambda _: is_asked.set())
        try:
            await (is_asked if way == "grace" else asyncio.Event()).wait()
        finally:
            async for text in socket.iter_text():
                seen.told.append(text)

    cancel = Cancelable(grace=60) if way == "grace" else Cancelable()
    async with served(app(lambda it: seen.run(it, body, cancel)), server) as port:
        async with websockets.connect(url(port)) as client:
            for text in ("first", "last", "final"):
                await client.send(text)
        await wait_for(seen.is_over)
    assert seen.told == ["first", "last", "final"]
    assert type(seen.errors[0]) is asyncio.CancelledError
    assert seen.errors[-1].reason is CancelationReason.DISCONNECTED


async def test_another_cancel_lets_nothing_be_received_that_lies_there():
    """Only what a client had sent that has left is given to the end of it."""
    seen = Seen()

    async def body(socket: CancelableWebSocket) -> None:
        seen.told.append(await socket.receive_text())
        while not socket._reading.has_kept:  # noqa: ASYNC110, since nothing tells of it
            await asyncio.sleep(0)
        await seen.operation.cancel("enough")
        async for text in socket.iter_text():
            seen.told.append(text)

    async with served(app(lambda it: seen.run(it, body, Cancelable(grace=60)))) as port:
        async with websockets.connect(url(port)) as client:
            await client.send("first")
            await client.send("last")
            await wait_for(seen.is_over)
    assert seen.told == ["first"]


@pytest.mark.parametrize("scope", ["anyio", "native"])
async def test_law_w2_what_comes_at_once_with_the_end_is_received_before_it(scope: str):
    """From a server that has all of it ready as soon as there is any."""
    seen = Seen()
    messages = [{"type": "websocket.receive", "text": f"{n}"} for n in range(20)]
    messages = [{"type": "websocket.connect"}, *messages, GOODBYE]
    may_come = asyncio.Event()

    async def receive() -> dict[str, Any]:
        if len(messages) == 21:
            await may_come.wait()
        return messages.pop(0)

    async def send(_: Any) -> None:
        pass

    async def body(socket: CancelableWebSocket) -> None:
        async for text in socket.iter_text():
            seen.told.append(text)

    websocket = WebSocket({"type": "websocket", "path": "/", "headers": []}, receive, send)
    run = asyncio.create_task(seen.run(websocket, body, Cancelable(scope=scope)))
    await wait_for(seen.is_in)
    await settle()
    may_come.set()
    await run
    assert seen.told == [f"{n}" for n in range(20)]
    assert type(seen.errors[0]) is asyncio.CancelledError
    assert seen.errors[-1].reason is CancelationReason.DISCONNECTED


async def test_a_wait_that_is_given_up_holds_off_no_cancel():
    messages = [
        {"type": "websocket.receive", "text": "last"},
        GOODBYE,
    ]
    may_come = asyncio.Event()

    async def receive() -> dict[str, Any]:
        await may_come.wait()
        if len(messages) == 1:
            # The last one was read, and who waits for it has not run yet.
            waits.cancel()
        return messages.pop(0)

    reading = ReadAhead(receive)
    gone = asyncio.create_task(reading.until_gone())
    await settle()
    waits = asyncio.create_task(reading.receive())
    await settle()
    may_come.set()
    async with asyncio.timeout(LONG):
        await gone
    await asyncio.wait({waits})
    assert waits.cancelled()
    assert (await reading.receive())["text"] == "last"
    assert (await reading.receive())["code"] == 1000
