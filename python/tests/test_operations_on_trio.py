"""Operations on trio: what is not the same there."""

import asyncio
import threading

import anyio
import pytest

from hother.cancelable import (
    Cancelable,
    CancelationToken,
    ManualCancelation,
    TimeoutCancelation,
    checkpoint,
)
from hother.cancelable.utils.decorators import cancelable
from support import loops


def run(main):
    loops.run("trio", main)


def test_a_cancel_from_a_thread_wakes_the_run():
    async def main():
        token = CancelationToken()
        thread = threading.Thread(target=token.cancel_sync, kwargs={"message": "from a thread"})
        with pytest.raises(ManualCancelation, match="from a thread"):
            async with Cancelable.with_token(token):
                thread.start()
                await anyio.sleep_forever()
        thread.join()

    run(main)


def test_the_plain_class_leaves():
    async def main():
        with pytest.raises(ManualCancelation) as caught:
            async with Cancelable() as cancel:
                await cancel.cancel()
                await anyio.lowlevel.checkpoint()
        assert type(caught.value) is ManualCancelation
        assert isinstance(caught.value.__cause__, anyio.get_cancelled_exc_class())
        with pytest.raises(TimeoutCancelation):
            async with Cancelable.with_timeout(0.01):
                await anyio.sleep_forever()

    run(main)


def test_checkpoint_raises_the_plain_class_too():
    async def main():
        with pytest.raises(ManualCancelation, match="stop") as caught:
            async with Cancelable(grace=60) as cancel:
                await cancel.cancel(message="stop")
                checkpoint()
        assert type(caught.value) is ManualCancelation
        assert cancel.is_cancelled

    run(main)


def test_a_native_scope_is_refused_with_a_remedy():
    async def main():
        cancel = Cancelable(scope="native")
        with pytest.raises(RuntimeError, match='use scope="anyio" on trio'):
            async with cancel:
                pass
        assert not cancel.is_running

    run(main)


def test_inside_a_nursery_of_its_own():
    async def main():
        import trio

        with pytest.raises(ManualCancelation):
            async with Cancelable() as cancel, trio.open_nursery() as nursery:
                nursery.start_soon(trio.sleep_forever)
                await cancel.cancel()

    run(main)


def test_the_plain_class_leaves_a_decorated_generator():
    @cancelable
    async def waits(cancel=None):
        yield cancel
        await cancel.cancel()
        await anyio.sleep_forever()

    async def main():
        with pytest.raises(ManualCancelation) as caught:
            async for _ in waits():
                pass
        assert not isinstance(caught.value, asyncio.CancelledError)

    run(main)
