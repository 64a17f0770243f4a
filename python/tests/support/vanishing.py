"""Clients that vanish at random moments, and what is left of their requests.

A command, too: `PYTHONPATH=python:python/tests python -m support.vanishing 10000` prints what became of so many in all.
"""

import argparse
import asyncio
import contextlib
import gc
import math
import random
import threading
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request
from fastapi.responses import StreamingResponse

from hother.cancelable import Cancelable, OperationRegistry, current_operation
from hother.cancelable.integrations._serving import serving
from hother.cancelable.integrations.fastapi import (
    RequestCancelationMiddleware,
    cancelable_dependency,
)
from support.serving import served
from support.web import KINDS

BODY = b"x" * 100_000
MOMENTS = ("in the head", "in the body", "after the body", "in the response", "never")


class Ends:
    """What the server has seen: by the id that the client gave, each start and each end of an operation."""

    def __init__(self) -> None:
        self.started: Counter[str] = Counter()
        self.ended: Counter[tuple[str, str]] = Counter()
        self.how: Counter[str] = Counter()

    def watch(self, whose: str, which: str, operation: Cancelable) -> None:
        """Notes the end of one that has started."""
        self.started[whose, which] += 1

        def note(how: str) -> None:
            self.ended[whose, which] += 1
            self.how[f"{which} {how}"] += 1

        operation.on_complete(lambda _: note("completed"))
        operation.on_cancel(lambda context: note(f"cancelled: {context.cancel_reason.value}"))
        operation.on_error(lambda _, error: note(f"failed: {type(error).__name__}"))


def application(ends: Ends) -> FastAPI:
    """One that reads what comes, works a little, and streams an answer."""
    app = FastAPI()

    @app.post("/{whose}")
    async def work(
        whose: str,
        request: Request,
        cancel: Annotated[Cancelable, Depends(cancelable_dependency)],
    ) -> StreamingResponse:
        around = current_operation()
        if around is not None:
            ends.watch(whose, "around", around)
        ends.watch(whose, "inside", cancel)
        async with cancel:
            async for _ in request.stream():
                pass
            await asyncio.sleep(random.uniform(0, 0.01))

        async def items() -> Any:
            for _ in range(5):
                yield b"y" * 1000
                await asyncio.sleep(0.001)

        return StreamingResponse(items())

    return app


async def vanish(port: int, whose: str, moment: str, chance: random.Random) -> None:
    """One client, which is gone at that moment."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        head = f"POST /{whose} HTTP/1.1\r\nHost: here\r\nConnection: close\r\nContent-Length: {len(BODY)}\r\n\r\n".encode()
        if moment == "in the head":
            writer.write(head[: chance.randrange(1, len(head))])
            return
        writer.write(head)
        if moment == "in the body":
            writer.write(BODY[: chance.randrange(len(BODY))])
            await asyncio.sleep(chance.uniform(0, 0.01))
            return
        writer.write(BODY)
        await writer.drain()
        if moment == "after the body":
            await asyncio.sleep(chance.uniform(0, 0.01))
        elif moment == "in the response":
            await reader.read(chance.randrange(1, 3000))
        else:
            answer = await reader.read()
            # Of what hypercorn streams to a client that says "close", it leaves out some, with or without us.
            assert answer.count(b"y") == 5000 or b"hypercorn" in answer, answer[:200]
    except ConnectionError:
        pass
    finally:
        if chance.random() < 0.5:
            writer.transport.abort()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def storm(count: int, kind: str, *, is_around: bool, seed: int, at_a_time: int = 50) -> Ends:
    """So many clients; fails unless each operation has ended once, and nothing is left."""
    ends, chance = Ends(), random.Random(seed)
    app: Any = application(ends)
    if is_around:
        app = RequestCancelationMiddleware(app)
    server, options = KINDS[kind]
    gc.collect()
    # Others, such as the tests before this one, may have left some of theirs.
    before, kept_before = descriptors(), operations()
    async with served(app, server, **options) as port:
        gate = asyncio.Semaphore(at_a_time)

        async def one(n: int) -> None:
            async with gate:
                mine = random.Random(f"{seed} {n}")
                await vanish(port, f"{n}", chance.choice(MOMENTS), mine)

        await asyncio.gather(*(one(n) for n in range(count)))
        async with asyncio.timeout(30):
            while serving().exchanges or ends.started != ends.ended:  # noqa: ASYNC110, since nothing tells of it
                await asyncio.sleep(0.01)
    assert max(ends.ended.values()) == 1
    assert not serving().exchanges
    left = asyncio.all_tasks() - {asyncio.current_task()}
    assert not left, left
    # What has just been closed may still be on its way out of the loop.
    for _ in range(100):
        gc.collect()
        if operations() <= kept_before and descriptors() <= before:
            break
        await asyncio.sleep(0.05)
    assert descriptors() <= before, f"{before} descriptors before, {descriptors()} after"
    assert operations() <= kept_before, f"{operations() - kept_before} operations are kept"
    threads = {it.name for it in threading.enumerate()}
    assert not any("cancelable" in name for name in threads - {"cancelable-timer"}), threads
    assert OperationRegistry().get_statistics_sync()["active_operations"] == 0
    return ends


def descriptors() -> int:
    """How many files and sockets are open; none, where that cannot be known."""
    known = Path("/proc/self/fd")
    return len(list(known.iterdir())) if known.exists() else 0


def operations() -> int:
    """How many of ours there are, alive or over."""
    return sum(isinstance(it, Cancelable) for it in gc.get_objects())


def main() -> None:
    """Prints what became of them."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("count", type=int, nargs="?", default=10_000)
    options.add_argument("--seed", type=int, default=1)
    chosen = options.parse_args()
    each = math.ceil(chosen.count / (2 * len(KINDS)))
    for kind in KINDS:
        for is_around in (False, True):
            ends = asyncio.run(storm(each, kind, is_around=is_around, seed=chosen.seed))
            name = f"{kind}, {'with' if is_around else 'without'} the middleware"
            print(
                f"{name}: {sum(ends.started.values())} operations, each ended once; nothing is left"
            )
            for how, times in sorted(ends.how.items()):
                print(f"    {times:6} {how}")


if __name__ == "__main__":
    main()
