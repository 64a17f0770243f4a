"""Threads that work for an operation: they are told of a cancel, and left behind where they do not listen."""

import asyncio
import contextvars
import threading

import anyio
import anyio.to_thread
import pytest

from hother.cancelable import (
    Cancelable,
    CancelationError,
    CancelationReason,
    ManualCancelation,
    OperationStatus,
    TimeoutCancelation,
    checkpoint,
    current_operation,
)
from hother.cancelable.core.token import CancelationToken
from support import leaks

SCOPES = pytest.mark.parametrize("scope", ["anyio", "native"])

variable = contextvars.ContextVar("variable", default="unset")


@pytest.mark.trio
async def test_row_10_run_in_thread_shows_the_thread_current_operation():
    def work(first, *, second):
        assert threading.current_thread() is not threading.main_thread()
        checkpoint()
        return current_operation(), first, second, variable.get()

    variable.set("copied")
    async with Cancelable() as cancel:
        assert await cancel.run_in_thread(work, 1, second=2) == (cancel, 1, 2, "copied")
        with pytest.raises(ZeroDivisionError):
            await cancel.run_in_thread(lambda: 1 / 0)
    assert cancel.is_completed


async def test_row_10_it_leaks_no_context_into_the_pool():
    def work():
        variable.set("leaked")
        return threading.get_ident()

    async with Cancelable() as cancel:
        ident = await cancel.run_in_thread(work)
    found = set()
    for _ in range(3):
        given = await anyio.to_thread.run_sync(
            lambda: (threading.get_ident(), variable.get(), current_operation())
        )
        found.add(given)
    assert found == {(ident, "unset", None)}


def ask_by_checkpoint():
    while True:
        checkpoint()
        threading.Event().wait(0.001)


def ask_by_token():
    token = current_operation().token
    while True:
        token.check()
        assert token.wait(0.001) == token.is_cancelled


def sleep_to_the_cancel():
    assert current_operation().token.wait()
    checkpoint()


@SCOPES
@pytest.mark.parametrize("work", [ask_by_checkpoint, ask_by_token, sleep_to_the_cancel])
async def test_row_10_the_thread_sees_the_cancel_of_its_operation(scope, work):
    started = asyncio.Event()
    loop = asyncio.get_running_loop()

    def call():
        loop.call_soon_threadsafe(started.set)
        work()

    async def strike():
        await started.wait()
        await cancel.cancel(message="stop")

    striking = asyncio.create_task(strike())
    with pytest.raises(ManualCancelation, match="stop") as caught:
        async with Cancelable(scope=scope) as cancel:
            await cancel.run_in_thread(call)
    await striking
    assert isinstance(caught.value, asyncio.CancelledError)
    assert cancel.context.status is OperationStatus.CANCELLED


@pytest.mark.parametrize("work", [ask_by_checkpoint, sleep_to_the_cancel])
async def test_law_o3_in_a_grace_a_thread_that_stops_leaves_a_plain_cancel(work):
    started = asyncio.Event()
    loop = asyncio.get_running_loop()

    def call():
        loop.call_soon_threadsafe(started.set)
        work()

    async with Cancelable(grace=60) as cancel:

        async def strike():
            await started.wait()
            await cancel.cancel(message="stop")

        striking = asyncio.create_task(strike())
        with pytest.raises(asyncio.CancelledError, match="stop") as caught:
            await cancel.run_in_thread(call)
        assert not isinstance(caught.value, CancelationError)
        await striking
    assert cancel.is_completed


@SCOPES
@pytest.mark.parametrize("left_in", ["body", "task"])
async def test_law_o3_a_thread_that_does_not_listen_is_left_and_stays_on_record(scope, left_in):
    started, go_on, told = asyncio.Event(), threading.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def deaf():
        loop.call_soon_threadsafe(started.set)
        go_on.wait()

    cancel = Cancelable(scope=scope, grace=0.05)
    statuses = []

    async def on_cancel(context):
        await asyncio.sleep(0)
        statuses.append(context.status)
        told.set()

    cancel.on_cancel(on_cancel)
    try:
        with pytest.raises(ManualCancelation):
            async with cancel:
                task = asyncio.create_task(strike_when(started, cancel))
                if left_in == "body":
                    await cancel.run_in_thread(deaf)
                else:
                    cancel.spawn(cancel.run_in_thread(deaf))
                    await asyncio.sleep(3600)
        await task
        assert cancel.context.status is OperationStatus.CANCELLING
        assert cancel.context.end_time is None
        assert statuses == []
        with pytest.raises(RuntimeError, match="left a thread behind"):
            await cancel.__aenter__()
    finally:
        go_on.set()
    await told.wait()
    assert statuses == [OperationStatus.CANCELLED]
    assert cancel.context.cancel_reason is CancelationReason.MANUAL
    async with Cancelable():
        pass


def test_law_o3_a_thread_that_outlives_its_loop_still_ends_its_operation():
    go_on, threads = threading.Event(), []
    cancel = Cancelable(grace=0.01)

    def deaf():
        threads.append(threading.current_thread())
        go_on.wait()

    async def work():
        started = asyncio.Event()
        loop = asyncio.get_running_loop()
        async with cancel:
            striking = asyncio.create_task(strike_when(started, cancel))
            await cancel.run_in_thread(lambda: (loop.call_soon_threadsafe(started.set), deaf()))
        await striking

    async def on_cancel(_context):
        pytest.fail("there is no loop left to await it")

    cancel.on_cancel(on_cancel)
    try:
        with pytest.raises(ManualCancelation):
            asyncio.run(work())
        assert cancel.context.status is OperationStatus.CANCELLING
    finally:
        go_on.set()
    threads[0].join()
    assert cancel.context.status is OperationStatus.CANCELLED


async def strike_when(started, cancel):
    await started.wait()
    await cancel.cancel()


@pytest.mark.trio
async def test_law_o3_a_call_that_is_given_up_tells_its_thread_alone():
    started, over = anyio.Event(), CancelationToken()
    errors = []

    def work():
        anyio.from_thread.run_sync(started.set)
        try:
            ask_by_checkpoint()
        except CancelationError as error:
            errors.append(error)
            over.cancel_sync()

    async with Cancelable() as cancel:
        async with anyio.create_task_group() as group:
            group.start_soon(cancel.run_in_thread, work)
            await started.wait()
            group.cancel_scope.cancel()
        await over.wait_for_cancel()
        assert [error.reason for error in errors] == [CancelationReason.DROPPED]
        assert not cancel.token.is_cancelled
    assert cancel.is_completed


@pytest.mark.paused
async def test_law_o3_a_thread_that_never_began_is_not_waited_for(monkeypatch):
    async def never(*_args, **_kwargs):
        await asyncio.Event().wait()

    # A pool without a thread to spare.
    monkeypatch.setattr(anyio.to_thread, "run_sync", never)
    before = anyio.current_time()
    with pytest.raises(TimeoutCancelation):
        async with Cancelable.with_timeout(1) as cancel:
            await cancel.run_in_thread(print)
    assert anyio.current_time() - before == pytest.approx(1, abs=0.1)
    assert cancel.is_cancelled


async def test_a_shielded_thread_does_not_hear_of_the_cancel():
    def work():
        checkpoint()
        return "ran"

    with pytest.raises(ManualCancelation):
        async with Cancelable() as cancel:
            async with cancel.shield() as handle:
                await cancel.cancel()
                assert await handle.run_in_thread(work) == "ran"


async def test_law_p3_wait_of_a_token_is_for_threads():
    token = CancelationToken()
    with pytest.raises(RuntimeError, match="would block the event loop"):
        token.wait(1)


def test_wait_of_a_token_sleeps_no_longer_than_asked():
    token = CancelationToken()
    assert token.wait(0.001) is False
    assert token.wait(0) is False
    token.cancel_sync()
    assert token.wait() is True


def test_checkpoint_without_an_operation_goes_on():
    checkpoint()


async def test_law_t6_calls_of_threads_leave_nothing():
    async def many(cancel):
        for _ in range(200):
            await cancel.run_in_thread(int)

    async with Cancelable() as cancel:
        await many(cancel)
        with leaks.no_more_objects(than=50):
            await many(cancel)


@pytest.mark.paused
async def test_a_timeout_while_a_thread_works():
    def work():
        assert current_operation().token.wait(30)
        checkpoint()

    with pytest.raises(TimeoutCancelation):
        async with Cancelable.with_timeout(0.01) as cancel:
            await cancel.run_in_thread(work)
