"""The laws of tokens, as far as Python is concerned in them; what is the core's alone is proved there."""

import asyncio
import gc
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import anyio
import pytest

from hother.cancelable.core.models import CancelationReason
from hother.cancelable.core.token import CancelationToken, LinkedCancelationToken
from support import leaks

THREADS = 8


def test_law_t1_one_of_many_cancels_wins():
    with ThreadPoolExecutor(THREADS) as pool:
        for _ in range(50):
            token, barrier = CancelationToken(), threading.Barrier(THREADS)

            def cancel(number, token=token, barrier=barrier):
                barrier.wait()
                return token.cancel_sync(f"number {number}"), token.message, token.cancelled_at

            told = list(pool.map(cancel, range(THREADS)))
            winners = [number for number, (is_first, *_) in enumerate(told) if is_first]
            assert len(winners) == 1
            # Whoever lost saw what the winner had said, and so does everybody later.
            said = {(message, when) for _, message, when in told}
            assert said == {(f"number {winners[0]}", token.cancelled_at)}


async def test_law_t2_what_was_written_before_is_seen_by_whoever_is_woken():
    for number in range(50):
        token, written = CancelationToken(), []

        def cancel(token=token, written=written, number=number):
            written.append(number)
            token.cancel_sync()

        async with anyio.create_task_group() as group:
            group.start_soon(anyio.to_thread.run_sync, cancel)
            await token.wait_for_cancel()
            assert written == [number]


async def test_law_t3_whoever_is_told_finds_all_that_is_linked_cancelled():
    source, linked, seen = CancelationToken(), [LinkedCancelationToken() for _ in range(4)], []
    last = linked[-1]
    for token, above in zip(linked, [source, *linked], strict=False):
        token.link(above)
    source.register_callback(lambda _: seen.append([it.is_cancelled for it in linked]))
    source.cancel_sync()
    assert seen == [[True] * 4]
    side = LinkedCancelationToken()
    side.link(CancelationToken())
    assert last.is_cancelled
    assert not side.is_cancelled


async def test_law_t4_of_several_that_are_cancelled_the_first_given_counts():
    first, second = CancelationToken(), CancelationToken()
    second.cancel_sync(CancelationReason.TIMEOUT, "second")
    first.cancel_sync(CancelationReason.ERROR, "first")
    token = LinkedCancelationToken()
    token.link(first, preserve_reason=True)
    token.link(second, preserve_reason=True)
    assert (token.reason, token.message) == (CancelationReason.ERROR, "first")


async def test_law_t5_late_links_callbacks_and_waits_hear_at_once():
    token, linked, heard = CancelationToken(), LinkedCancelationToken(), []
    token.cancel_sync()
    linked.link(token)
    assert linked.is_cancelled
    token.register_callback(heard.append)
    assert heard == [token]
    await token.wait_for_cancel()


def test_law_t6_what_ends_leaves_nothing_on_a_token_that_lives():
    root, hub = CancelationToken(), LinkedCancelationToken()

    def use(times):
        for number in range(times):
            linked, source = LinkedCancelationToken(), CancelationToken()
            linked.link(root, preserve_reason=number % 2 == 0)
            linked.register_callback(lambda _, number=number: number)
            hub.link(source, preserve_reason=number % 2 == 0)
            hub.link(root)

    use(2000)
    with leaks.no_more_objects(20), leaks.no_more_memory(2_000_000):
        use(20_000)
    assert not hub.is_cancelled
    root.cancel_sync()
    assert hub.is_cancelled


async def test_law_t6_a_wait_that_is_given_up_leaves_nothing():
    token = CancelationToken()

    async def give_up(times):
        for _ in range(times):
            task = asyncio.create_task(token.wait_for_cancel())
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    await give_up(10)
    with leaks.no_more_objects(20):
        await give_up(300)


@pytest.mark.parametrize("preserve_reason", [False, True])
def test_law_t6_circles_of_links_and_callbacks_are_collected(preserve_reason):
    class Owner:
        def __init__(self):
            self.tokens = [LinkedCancelationToken() for _ in range(3)]
            for token, other in zip(self.tokens, [*self.tokens[1:], self.tokens[0]], strict=True):
                token.link(other, preserve_reason)
                token.register_callback(self.hear)

        def hear(self, token):
            raise AssertionError("nobody cancelled")

    owner = Owner()
    gone = [weakref.ref(owner), *map(weakref.ref, owner.tokens)]
    del owner
    gc.collect()
    assert [it() for it in gone] == [None] * 4


def test_law_t7_a_chain_of_links_of_any_length():
    for is_cancelled in (True, False):
        first = last = LinkedCancelationToken()
        for number in range(30_000):
            linked = LinkedCancelationToken()
            linked.link(last, preserve_reason=number % 2 == 0)
            last = linked
        if is_cancelled:
            first.cancel_sync()
            assert last.is_cancelled
        del first, linked, last


async def test_law_t8_callbacks_run_once_in_order_on_the_cancelling_thread():
    token, heard = CancelationToken(), []
    for number in range(5):
        token.register_callback(
            lambda it, number=number: heard.append((number, it, threading.get_ident()))
        )

    def cancel():
        token.cancel_sync()
        return threading.get_ident()

    thread = await anyio.to_thread.run_sync(cancel)
    token.cancel_sync()
    assert heard == [(number, token, thread) for number in range(5)]


def test_law_t8_a_callback_may_do_anything_to_its_own_token():
    token, linked, heard = LinkedCancelationToken(), LinkedCancelationToken(), []

    def callback(it):
        assert not it.cancel_sync("again")
        it.register_callback(heard.append)
        it.link(linked)
        linked.link(it)
        it.message = f"{it.message}, and noted"
        heard.append(it.model_copy(deep=True))

    token.register_callback(callback)
    token.cancel_sync("once")
    assert heard == [token, token]
    assert linked.is_cancelled
    assert token.message == "once, and noted"


def test_law_t9_no_wake_up_is_lost():
    rounds = 60
    tokens = [CancelationToken() for _ in range(rounds)]
    barrier = threading.Barrier(THREADS + 1)

    async def wait_for_all():
        for token in tokens:
            await anyio.to_thread.run_sync(barrier.wait)
            async with asyncio.TaskGroup() as group:
                for _ in range(5):
                    group.create_task(token.wait_for_cancel())
                    await asyncio.sleep(0)

    def cancel_all():
        for token in tokens:
            barrier.wait()
            token.cancel_sync()

    loops = [threading.Thread(target=asyncio.run, args=(wait_for_all(),)) for _ in range(THREADS)]
    canceller = threading.Thread(target=cancel_all)
    for thread in (canceller, *loops):
        thread.start()
    for thread in (canceller, *loops):
        thread.join()
