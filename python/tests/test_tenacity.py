"""Retrying with the real Tenacity: failures are retried, a cancel never is, and a back-off ends with its operation."""

import asyncio
from typing import Any

import pytest
from tenacity import (
    AsyncRetrying,
    RetryError,
    retry_if_exception_type,
    stop_after_attempt,
    wait_fixed,
)

from hother.cancelable import Cancelable, ManualCancelation


class Server:
    """Is busy for the first attempts, and may be asked to hang in one."""

    def __init__(self, *, busy: int, hangs_in: int = 0):
        self.busy = busy
        self.hangs_in = hangs_in
        self.attempts = 0
        self.has_begun = asyncio.Event()

    async def fetch(self, page: str) -> str:
        self.attempts += 1
        self.has_begun.set()
        if self.attempts == self.hangs_in:
            await asyncio.Event().wait()
        if self.attempts <= self.busy:
            raise ConnectionError("busy")
        return page


async def fetch_data(server: Server, cancel: Cancelable, **how: Any) -> str:
    """As the documents tell it."""
    wrapped_fetch = cancel.wrap(server.fetch)
    async for attempt in AsyncRetrying(stop=stop_after_attempt(3), **how):
        with attempt:
            return await wrapped_fetch("a page")
    raise AssertionError("it gives a page, or raises")


@pytest.mark.paused
async def test_failures_are_retried() -> None:
    server = Server(busy=2)
    async with Cancelable.with_timeout(60.0, name="fetch") as cancel:
        assert await fetch_data(server, cancel) == "a page"
    assert server.attempts == 3
    with pytest.raises(RetryError):
        async with Cancelable.with_timeout(60.0) as cancel:
            await fetch_data(Server(busy=5), cancel)
    assert cancel.context.status.value == "failed"


@pytest.mark.paused
async def test_a_timeout_in_the_second_attempt_leaves_no_third() -> None:
    server = Server(busy=1, hangs_in=2)
    with pytest.raises(TimeoutError):
        async with Cancelable.with_timeout(60.0) as cancel:
            await fetch_data(server, cancel)
    assert server.attempts == 2


@pytest.mark.paused
async def test_a_back_off_is_interrupted() -> None:
    server = Server(busy=5)
    loop = asyncio.get_running_loop()
    start = loop.time()
    with pytest.raises(TimeoutError):
        async with Cancelable.with_timeout(10.0) as cancel:
            await fetch_data(server, cancel, wait=wait_fixed(3600))
    assert loop.time() - start == pytest.approx(10.0)
    assert server.attempts == 1


@pytest.mark.parametrize("retried", [Exception, ConnectionError])
async def test_a_cancel_is_not_retried_whatever_is(retried: type[Exception]) -> None:
    server = Server(busy=0, hangs_in=1)
    cancel = Cancelable()

    async def run() -> None:
        async with cancel:
            await fetch_data(server, cancel, retry=retry_if_exception_type(retried))

    task = asyncio.create_task(run())
    await server.has_begun.wait()
    await cancel.cancel(message="the user left")
    with pytest.raises(ManualCancelation, match="the user left"):
        await task
    assert server.attempts == 1


async def test_no_attempt_is_begun_after_a_cancel() -> None:
    server = Server(busy=5)
    with pytest.raises(ManualCancelation):
        async with Cancelable() as cancel:
            # It is heard of before the first await that could tell.
            cancel.token.cancel_sync()
            await fetch_data(server, cancel)
    assert server.attempts == 0


@pytest.mark.paused
async def test_what_times_out_by_itself_is_retried_and_its_operation_goes_on() -> None:
    server = Server(busy=0, hangs_in=1)

    async def fetch(page: str) -> str:
        async with Cancelable.with_timeout(1.0, name="attempt", raises="error"):
            return await server.fetch(page)
        raise AssertionError("it gives a page, or raises")

    async with Cancelable.with_timeout(60.0) as cancel:
        wrapped = cancel.wrap(fetch)
        async for attempt in AsyncRetrying(stop=stop_after_attempt(3)):
            with attempt:
                assert await wrapped("a page") == "a page"
    assert server.attempts == 2
