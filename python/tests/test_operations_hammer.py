"""Operations entered and left while threads and other loops cancel them."""

import asyncio
import random
import threading

import pytest

from hother.cancelable import (
    Cancelable,
    CancelationError,
    CancelationToken,
    ManualCancelation,
    current_operation,
)
from support import loops

SCOPES = pytest.mark.parametrize("scope", ["anyio", "native"])
ROUNDS = 200


class Canceller:
    """A thread that cancels whatever is put before it, at any moment."""

    def __init__(self):
        self._target = None
        self._is_over = False
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._is_over = True
        self._thread.join()

    def aim(self, token):
        self._target = token

    def _run(self):
        while not self._is_over:
            target, self._target = self._target, None
            if target is not None:
                target.cancel_sync(message="hammer")


@SCOPES
async def test_law_p2_hammer_a_cancel_from_a_thread_at_any_moment(scope):
    chance = random.Random(scope)
    outcomes = {"finished": 0, "cancelled": 0}
    with Canceller() as canceller:
        for _ in range(ROUNDS):
            token = CancelationToken()
            try:
                async with Cancelable.with_token(token, scope=scope) as cancel:
                    canceller.aim(token)
                    for _ in range(chance.randrange(4)):
                        async with Cancelable(scope=scope), cancel.shield():
                            await asyncio.sleep(0)
                        if chance.random() < 0.3:
                            await cancel.spawn(asyncio.sleep(0))
                outcomes["finished"] += 1
            except ManualCancelation:
                assert cancel.context.cancel_message == "hammer"
                outcomes["cancelled"] += 1
            assert cancel.context.is_terminal
            assert asyncio.current_task().cancelling() == 0
            assert current_operation() is None
            # Nothing of the cancel is left for what comes next.
            await asyncio.sleep(0)
    assert sum(outcomes.values()) == ROUNDS


async def test_law_p3_hammer_one_token_many_loops():
    token = CancelationToken()
    ready = threading.Barrier(5)
    outcomes = []

    def run_loop():
        async def main():
            try:
                async with Cancelable.with_token(token):
                    ready.wait()
                    await asyncio.Event().wait()
            except CancelationError as error:
                outcomes.append(error.message)

        asyncio.run(main())

    threads = [threading.Thread(target=run_loop) for _ in range(4)]
    for thread in threads:
        thread.start()
    await asyncio.to_thread(ready.wait)
    token.cancel_sync(message="all of you")
    for thread in threads:
        await asyncio.to_thread(thread.join)
    assert outcomes == ["all of you"] * 4


@SCOPES
async def test_hammer_cancel_and_end_of_many_children(scope):
    async def child(parent, turns):
        async with Cancelable(parent=parent, scope=scope):
            for _ in range(turns):
                await asyncio.sleep(0)

    with Canceller() as canceller:
        for _ in range(ROUNDS // 10):
            parent = Cancelable(scope=scope)
            try:
                async with parent:
                    canceller.aim(parent.token)
                    for turns in range(20):
                        parent.spawn(child(parent, turns))
            except ManualCancelation:
                assert parent.is_cancelled
            assert parent.context.is_terminal
            await loops.settle(3)
            assert len(asyncio.all_tasks()) == 1


@SCOPES
async def test_law_o1_of_two_loops_that_enter_at_once_one_is_refused(scope):
    async def enter(cancel, barrier, refused):
        barrier.wait()
        try:
            async with cancel:
                # Either it came before the other, which is refused, or all is over.
                await asyncio.to_thread(barrier.wait)
        except RuntimeError:
            refused.append(threading.get_ident())
            await asyncio.to_thread(barrier.wait)

    for _ in range(20):
        cancel, refused = Cancelable.with_timeout(60, scope=scope), []
        barrier = threading.Barrier(2)
        threads = [
            threading.Thread(target=asyncio.run, args=(enter(cancel, barrier, refused),))
            for _ in range(2)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            await asyncio.to_thread(thread.join)
        assert len(refused) == 1
        assert cancel.is_completed
