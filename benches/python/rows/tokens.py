"""Tokens: made, cancelled, and heard of from another thread."""

import asyncio
import threading
import time
from statistics import median
from time import perf_counter_ns, process_time_ns

from rows.row import Row, Sample, timed

ROUNDS = 500


async def made() -> Sample:
    from hother.cancelable import CancelationToken

    assert len({CancelationToken().id for _ in range(100)}) == 100
    assert not CancelationToken().is_cancelled

    async def run(rounds: int) -> None:
        for _ in range(rounds):
            CancelationToken()

    return timed(run, ROUNDS)


async def cancelled() -> Sample:
    from hother.cancelable import CancelationReason, CancelationToken

    token = CancelationToken()
    assert token.cancel_sync(CancelationReason.SIGNAL, "enough")
    assert (token.is_cancelled, token.reason, token.message) == (True, "signal", "enough")
    assert not token.cancel_sync()

    async def sample() -> float:
        tokens = [CancelationToken() for _ in range(ROUNDS)]
        start = process_time_ns()
        for token in tokens:
            token.cancel_sync()
        return (process_time_ns() - start) / ROUNDS

    return sample


async def heard_from_thread() -> Sample:
    """From the call in a thread to the exception in the body, on a loop that has nothing to do."""
    if await _heard_once() is None:
        return _never

    async def sample() -> float | None:
        times = [await _heard_once() for _ in range(20)]
        return None if None in times else median(time for time in times if time is not None)

    return sample


async def _never() -> None:
    """What never happens takes no time."""


async def _heard_once() -> float | None:
    from hother.cancelable import Cancelable, CancelationToken

    token = CancelationToken()
    heard = threading.Event()
    task = asyncio.current_task()
    loop = asyncio.get_running_loop()
    assert task is not None
    cancelled_at = 0
    gave_up = False

    def cancel() -> None:
        nonlocal cancelled_at, gave_up
        # Long enough for the loop to have gone to sleep.
        time.sleep(0.002)
        cancelled_at = perf_counter_ns()
        token.cancel_sync()
        if not heard.wait(2):
            gave_up = True
            loop.call_soon_threadsafe(task.cancel)

    thread = threading.Thread(target=cancel)
    heard_at = 0
    try:
        async with Cancelable.with_token(token):
            thread.start()
            try:
                await asyncio.Event().wait()
            finally:
                heard_at = perf_counter_ns()
                heard.set()
    except BaseException:  # noqa: BLE001 - which error leaves it is not what is measured
        pass
    thread.join()
    while task.cancelling():
        task.uncancel()
    return None if gave_up else heard_at - cancelled_at


ROWS = [
    Row("token made", made),
    Row("token cancelled", cancelled),
    Row("cancel in a thread, heard by an idle loop", heard_from_thread),
]
