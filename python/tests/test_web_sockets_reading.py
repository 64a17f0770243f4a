"""`CancelableWebSocket` reads ahead: no message is lost, and each comes in its turn."""

import asyncio
from typing import Any

import pytest
import websockets
from starlette.websockets import WebSocket, WebSocketDisconnect

from hother.cancelable import Cancelable, CancelationReason
from hother.cancelable.integrations._reading import LIMIT, ReadAhead
from hother.cancelable.integrations.starlette import CancelableWebSocket
from support.loops import settle
from support.serving import LIMIT as LONG
from support.serving import served, wait_for
from support.sockets import Seen, app, both, url

GOODBYE = {"type": "websocket.disconnect", "code": 1000}


@both
async def test_law_w1_messages_come_whole_and_in_order_while_it_reads_ahead(server: str):
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
async def test_law_w1_reading_ahead_holds_the_client_up_after_64_kib(server: str):
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
async def test_law_w2_where_all_that_was_read_ahead_was_taken_a_client_that_leaves_is_seen(
    server: str,
):
    """There is room again, and whoever waited for that hears of it, though nobody reads beside."""
    seen = Seen()
    may_go_on = asyncio.Event()
    messages = LIMIT // 16_384

    async def handler(websocket: WebSocket) -> None:
        async def body(socket: CancelableWebSocket) -> None:
            await may_go_on.wait()
            for _ in range(messages):
                await socket.receive_bytes()
            await socket.send_text("that is all")
            await asyncio.Event().wait()

        seen.told.append(websocket)
        await seen.run(websocket, body)

    async with served(app(handler), server) as port:
        async with websockets.connect(url(port), compression=None) as client:
            await wait_for(seen.is_in)
            reading = seen.told.pop()._receive.__self__
            for _ in range(messages):
                await client.send(b"x" * 16_384)
            while reading._weight < LIMIT:
                await settle(1)
            may_go_on.set()
            assert await client.recv() == "that is all"
        await wait_for(seen.is_over)
    assert seen.errors[-1].reason is CancelationReason.DISCONNECTED


async def test_law_w1_one_reader_for_any_number_that_want_to_know():
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
        receiving = asyncio.create_task(reading.receive()) if n % 2 else None
        # So that it waits beside those who watch, now and then.
        await settle(n % 5 // 2)
        inner.put_nowait({"type": "websocket.receive", "text": str(n)})
        if n % 3 == 0:
            watching[n % 2].cancel()
            watching[n % 2] = asyncio.create_task(reading.until_gone())
        if receiving is not None:
            got.append((await receiving)["text"])
    inner.put_nowait({"type": "websocket.disconnect", "code": 1000})
    while (message := await reading.receive())["type"] == "websocket.receive":
        got.append(message["text"])
    await asyncio.gather(*watching)
    assert got == [str(n) for n in range(100)]
    assert await reading.receive() is message
    assert reading.has_ended


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
