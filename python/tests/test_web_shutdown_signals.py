"""The end of a server by a signal, in a process of its own: its handlers are called as ever, once the requests have ended."""

import signal

import pytest

from support.processes import run_python

SERVER = """
import asyncio, os, signal, socket, sys, warnings
from contextlib import asynccontextmanager
from typing import Annotated
from fastapi import Depends, FastAPI
from fastapi.responses import StreamingResponse
import hypercorn, hypercorn.asyncio, uvicorn
from hother.cancelable import Cancelable, current_operation
from hother.cancelable.integrations.fastapi import (
    RequestCancelationMiddleware, cancelable_dependency, shutdown, with_cancelation,
)

kind, number = sys.argv[1], int(sys.argv[2])
say = lambda *said: print(*said, flush=True)

@asynccontextmanager
async def lifespan(app):
    async with shutdown(app, grace=1.0) as ending:
        serving.set()
        yield
    say("left:", *(it.name for it in ending.report.still_running))

app = FastAPI(lifespan=lifespan)
app.add_middleware(RequestCancelationMiddleware)
serving, started = asyncio.Event(), []

@app.get("/finishes")
async def finishes(cancel: Annotated[Cancelable, Depends(cancelable_dependency)]):
    async with cancel:
        started.append("/finishes")
        await cancel.token.wait_for_cancel()
        await asyncio.sleep(0.1)
    return "finished"

@app.get("/streams")
async def streams():
    operation = current_operation()
    async def items():
        yield "one"
        started.append("/streams")
        while not operation._is_asked():
            await asyncio.sleep(0.01)
        yield "two"
    return StreamingResponse(items())

@app.get("/stays")
@with_cancelation
async def stays():
    started.append("/stays")
    await asyncio.sleep(3600)

async def ask(port, path):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\\r\\nHost: here\\r\\nConnection: close\\r\\n\\r\\n".encode())
    answer = (await reader.read()).split(b"\\r\\n")
    writer.close()
    await writer.wait_closed()
    say(path, answer[0].split()[1].decode(), "two" if b"two" in answer else answer[-1].decode())

async def main():
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    if kind == "uvicorn":
        server = uvicorn.Server(uvicorn.Config(app, log_level="critical"))
        running = asyncio.create_task(server.serve([listener]))
    else:
        config = hypercorn.Config()
        config.bind = [f"fd://{listener.detach()}"]
        config.loglevel = "CRITICAL"
        config.graceful_timeout = 5
        # As its own command does.
        running = asyncio.create_task(hypercorn.asyncio.serve(app, config))
    await serving.wait()
    asking = [asyncio.create_task(ask(port, path)) for path in ("/finishes", "/streams", "/stays")]
    while len(started) < 3:
        await asyncio.sleep(0.01)
    os.kill(os.getpid(), number)
    await asyncio.wait(asking)
    for it in asking:
        it.result()
    try:
        await running
    finally:
        say("the server is done")

try:
    asyncio.run(main())
except KeyboardInterrupt:
    say("interrupted")
"""


@pytest.mark.parametrize("server", ["uvicorn", "hypercorn"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_law_w6_signal_a_server_ends_by_its_own_handlers_once_the_requests_have(server, number):
    # uvicorn takes the default action once it is done.
    is_uvicorn = server == "uvicorn"
    expect = -number if is_uvicorn and number is signal.SIGTERM else 0
    said = run_python(SERVER, server, str(int(number)), expect=expect).splitlines()
    assert sorted(said[:3]) == [
        '/finishes 200 "finished"',
        '/stays 503 {"detail":"Request cancelled: the server is shutting down"}',
        "/streams 200 two",
    ]
    assert said[0].startswith(("/finishes", "/streams"))
    assert said[2].startswith("/stays")
    assert said[3] == "left: GET /stays"
