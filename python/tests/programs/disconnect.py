"""An endpoint whose computation ends with its client: served by uvicorn, asked twice, and the second client leaves.

GET /process: computed
GET /process: {'answer': 42}
GET /process: cancelled, Client closed connection
"""

import asyncio
import socket

import uvicorn

from hother.cancelable import Cancelable, current_operation

# fmt: off
from fastapi import FastAPI, Depends
from hother.cancelable.integrations.fastapi import cancelable_dependency

app = FastAPI()

@app.get("/process")
async def process_data(cancel: Cancelable = Depends(cancelable_dependency)):
    async with cancel:  # Auto-cancelled on client disconnect
        return await heavy_computation()
# fmt: on


async def heavy_computation():
    operation = current_operation()
    started.set()
    try:
        await asyncio.wait_for(is_given_up.wait(), seconds.pop())
    except TimeoutError:
        print(f"{operation.context.name}: computed")
        return {"answer": 42}
    except asyncio.CancelledError:
        print(f"{operation.context.name}: cancelled, {operation.token.message}")
        ended.set()
        raise


async def ask(port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /process HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n")
    return reader, writer


async def main():
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical"))
    serving = asyncio.create_task(server.serve([listener]))

    reader, writer = await ask(port)
    body = (await reader.read()).rpartition(b"\r\n")[2].decode()
    print(f"GET /process: {eval(body)}")
    writer.close()

    started.clear()
    reader, writer = await ask(port)
    await started.wait()
    writer.close()
    await ended.wait()

    server.should_exit = True
    await serving


started, ended, is_given_up = asyncio.Event(), asyncio.Event(), asyncio.Event()
seconds = [3600, 0.01]
asyncio.run(main())
