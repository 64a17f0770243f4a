"""A stream of tokens from a model behind: stopped by a client that leaves, and by its id; the model is closed, and the text is kept.

    $ python examples/python/13_llm_proxy.py
    a client reads: Once upon a time
    … and leaves
    model: nobody listens any more, … ms later
    kept of it: Once upon a time (disconnected: Client closed connection)
    another client reads: Once upon a time
    DELETE /generations/…: 202
    model: nobody listens any more, … ms later
    … and it is told: event: cancelled
    kept of it: Once upon a time (manual: stopped by the user)
    DELETE /generations/…: 404

Look at `generate`: it says nothing of disconnects. The response is an operation, so it ends with its client, and with it the request to the
model, which is told how much time there is at most.
"""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI, HTTPException
from fastapi.responses import StreamingResponse

from hother.cancelable import Cancelable, CancelationReason, OperationRegistry
from hother.cancelable.integrations.fastapi import cancelable_streaming_response
from hother.cancelable.integrations.httpx import CancelableTransport

STORY = ("Once", "upon", "a", "time", "…")

proxy = FastAPI()
registry = OperationRegistry.get_instance()
model_url: str
model_is_left = asyncio.Event()
asked_to_stop = 0.0


@proxy.post("/generations")
async def generate() -> StreamingResponse:
    """Passes on what the model writes, word by word."""
    generation = Cancelable.with_timeout(60.0, name="generation", register_globally=True)
    response = await cancelable_streaming_response(words(), generation, "text/event-stream")
    response.headers["x-generation-id"] = generation.operation_id
    return response


async def words() -> AsyncIterator[str]:
    """What the model writes, as events."""
    transport = CancelableTransport(httpx.AsyncHTTPTransport())
    async with (
        httpx.AsyncClient(transport=transport) as http,
        http.stream("POST", model_url, timeout=None) as answer,
    ):
        async for line in answer.aiter_lines():
            yield f"data: {line}\n\n"


@proxy.delete("/generations/{generation_id}", status_code=202)
async def stop(generation_id: str) -> None:
    """Stops one, whoever reads it."""
    message = "stopped by the user"
    if not await registry.cancel_operation(generation_id, CancelationReason.MANUAL, message):
        raise HTTPException(404)


async def model(scope: Any, receive: Any, send: Any) -> None:
    """Stands for a model: an ASGI application that writes four words, and thinks about the fifth for as long as somebody listens."""
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for word in STORY[:4]:
        await send({"type": "http.response.body", "body": f"{word}\n".encode(), "more_body": True})
    while (await receive())["type"] != "http.disconnect":
        pass
    print(
        f"model: nobody listens any more, {(time.monotonic() - asked_to_stop) * 1000:.0f} ms later"
    )
    model_is_left.set()


async def main() -> None:
    """Starts both, and two clients one after the other."""
    global model_url
    async with serving(model) as model_url, serving(proxy) as url:
        async with httpx.AsyncClient(base_url=url, timeout=30) as http:
            async with http.stream("POST", "/generations") as answer:
                print("a client reads:", await read_words(answer.aiter_lines()))
                leaves()
                print("… and leaves")
            await model_is_left.wait()
            await print_kept(answer)

            async with http.stream("POST", "/generations") as answer:
                lines = answer.aiter_lines()
                print("another client reads:", await read_words(lines))
                leaves()
                path = f"/generations/{answer.headers['x-generation-id']}"
                print(f"DELETE {path}:", (await http.delete(path)).status_code)
                await model_is_left.wait()
                print("… and it is told:", [line async for line in lines if line][0])
            await print_kept(answer)
            print(f"DELETE {path}:", (await http.delete(path)).status_code)


async def read_words(lines: AsyncIterator[str]) -> str:
    """The first four of them."""
    found: list[str] = []
    while len(found) < 4:
        found.append((await anext(lines)).removeprefix("data: "))
        await anext(lines)
    return " ".join(found)


def leaves() -> None:
    """Notes when the client is about to go."""
    global asked_to_stop
    asked_to_stop = time.monotonic()
    model_is_left.clear()


async def print_kept(answer: httpx.Response) -> None:
    """What the registry knows of a generation, once it has ended."""
    generation_id = answer.headers["x-generation-id"]
    while not (found := [it for it in await registry.get_history() if it.id == generation_id]):
        await asyncio.sleep(0)
    (ended,) = found
    text = " ".join(it.removeprefix("data: ").strip() for it in ended.partial_result["buffer"])
    print(f"kept of it: {text} ({ended.cancel_reason.value}: {ended.cancel_message})")


@asynccontextmanager
async def serving(app: Any) -> AsyncIterator[str]:
    """A server on a port that nobody else has."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off"))
    task = asyncio.create_task(server.serve([listener]))
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task


asyncio.run(main())
