"""`CancelableWebSocket`: what it passes on, and when it goes on or is none."""

import asyncio

import pytest
import websockets
from starlette.websockets import WebSocket, WebSocketDisconnect

from hother.cancelable import Cancelable, CancelationError, CancelationReason
from hother.cancelable.integrations.starlette import CancelableWebSocket
from support.serving import served, wait_for
from support.sockets import Seen, app, both, url


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
async def test_law_w2_a_socket_that_we_close_is_not_a_client_that_left(server: str):
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
