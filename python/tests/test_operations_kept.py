"""What is kept of operations: nothing once they have ended, little while they run, and no more where they were abandoned."""

import asyncio
import gc
import tracemalloc
import weakref

import anyio
import pytest

from hother.cancelable import Cancelable, CancelationError, CancelationToken
from support import leaks
from support.processes import run_python

SCOPES = pytest.mark.parametrize("scope", ["anyio", "native"])
MANY = 20_000


@SCOPES
@pytest.mark.parametrize("below", ["parent", "token", "enclosing", "timeout"])
def test_law_t6_of_many_operations_that_ended_nothing_is_kept(scope, below):
    parent, token = Cancelable(), CancelationToken()
    make = {
        "parent": lambda: Cancelable(parent=parent, scope=scope),
        "token": lambda: Cancelable.with_token(token, scope=scope),
        "enclosing": lambda: Cancelable(scope=scope),
        "timeout": lambda: Cancelable.with_timeout(3600, scope=scope),
    }[below]

    async def some(count):
        async with Cancelable():
            for _ in range(count):
                async with make():
                    pass

    async def main():
        await some(2_000)
        with leaks.no_more_objects(than=20), leaks.no_more_memory(than=1_000_000):
            await some(MANY)
        tracemalloc.start()
        await some(1)
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        await some(1_000)
        gc.collect()
        after = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        assert after - before < 10_000

    asyncio.run(main())


@SCOPES
def test_a_live_operation_is_small(scope):
    live = 2_000

    async def main():
        async def enter():
            operation = Cancelable(scope=scope)
            await operation.__aenter__()
            operations.append(operation)
            await go_on.wait()
            await operation.__aexit__(None, None, None)

        async def bare():
            await go_on.wait()

        async def size(of):
            tasks = [asyncio.create_task(of()) for _ in range(live)]
            await asyncio.sleep(0)
            gc.collect()
            taken = leaks._resident()
            go_on.set()
            await asyncio.gather(*tasks)
            go_on.clear()
            operations.clear()
            return taken

        operations, go_on = [], asyncio.Event()
        await size(bare)
        await size(enter)
        return (await size(enter) - await size(bare)) / live

    # Loosely: the figure itself is a benchmark's.
    assert asyncio.run(main()) < 3_000


def test_law_t6_one_that_was_abandoned_with_its_loop_is_collected():
    # Not with a scope of anyio's, which keeps whatever task is in one until that leaves it.
    refs = []

    class Held(Cancelable):
        pass

    async def abandoned():
        async with Held.with_timeout(3600, scope="native") as cancel:
            refs.append(weakref.ref(cancel))
            await asyncio.Event().wait()

    def abandon():
        loop = asyncio.new_event_loop()
        told = []
        loop.set_exception_handler(lambda _loop, context: told.append(context["message"]))
        task = loop.create_task(abandoned())
        loop.call_soon(loop.stop)
        loop.run_forever()
        loop.call_soon(loop.stop)
        loop.run_forever()
        task._log_destroy_pending = False
        loop.close()

    abandon()
    # The loop that this thread ran last is remembered until it runs another.
    asyncio.run(asyncio.sleep(0))
    gc.collect()
    assert [ref() for ref in refs] == [None]


async def test_one_that_nothing_but_its_limit_reaches_stays_alive():
    over = asyncio.Event()

    async def forgotten():
        try:
            # With a scope of anyio's it would be kept in any case.
            async with Cancelable.with_timeout(0.05, scope="native"):
                await asyncio.Event().wait()
        except CancelationError:
            over.set()

    task = weakref.ref(asyncio.create_task(forgotten()))
    await asyncio.sleep(0)
    gc.collect()
    assert task() is not None
    await over.wait()


EXIT = """
import asyncio, threading
from hother.cancelable import Cancelable, CancelationToken

token = CancelationToken()
loop = asyncio.new_event_loop()

async def main(scope):
    async with Cancelable.with_timeout(3600, scope=scope, grace=5) as cancel:
        cancel.finalizer(print)
        async with Cancelable.with_token(token, scope=scope):
            async with cancel.shield(timeout=60):
                started.set()
                await asyncio.Event().wait()

for scope in ("anyio", "native"):
    started = asyncio.Event()
    task = loop.create_task(main(scope))
    task._log_destroy_pending = False
    loop.run_until_complete(started.wait())

def sleep():
    token.wait()

threading.Thread(target=sleep, daemon=True).start()
kept = [task, loop, token]
print("over")
"""


def test_the_interpreter_ends_with_operations_live_and_timers_armed():
    output = run_python(EXIT, is_quiet=True)
    assert output == "over\n"


CTRL_C = """
import asyncio, os, signal
from hother.cancelable import Cancelable

log = []
# Whoever starts a process in the background may have it ignore the signal.
signal.signal(signal.SIGINT, signal.default_int_handler)

async def main(scope):
    async with Cancelable.with_timeout(60, scope=scope) as cancel:
        cancel.finalizer(lambda: log.append("finalizer"))
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.Event().wait()

for scope in ("anyio", "native"):
    try:
        asyncio.run(main(scope))
    except KeyboardInterrupt:
        log.append("interrupted")
print(*log)
"""


def test_law_p6_a_ctrl_c_ends_the_run_of_asyncio_with_its_finalizers():
    assert run_python(CTRL_C, is_quiet=True) == "finalizer interrupted finalizer interrupted\n"


CANCELLED_AT_THE_END = """
import asyncio
from hother.cancelable import Cancelable

log = []

async def left_running(scope):
    async with Cancelable(scope=scope).finalizer(lambda: log.append("finalizer")) as cancel:
        cancel.spawn(asyncio.sleep(3600))
        await asyncio.Event().wait()

async def main():
    tasks = [asyncio.create_task(left_running(scope)) for scope in ("anyio", "native")]
    await asyncio.sleep(0)
    await asyncio.sleep(0)

asyncio.run(main())
print(*log)
"""


def test_law_p6_the_end_of_asyncio_run_ends_operations_that_were_left_running():
    assert run_python(CANCELLED_AT_THE_END, is_quiet=True) == "finalizer finalizer\n"


@pytest.mark.trio
async def test_on_any_loop_timers_are_gone_with_their_operations():
    async def many():
        for _ in range(200):
            async with Cancelable.with_timeout(3600):
                await anyio.lowlevel.checkpoint()

    await many()
    with leaks.no_more_objects(than=50):
        await many()
