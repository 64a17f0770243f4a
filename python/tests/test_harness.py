"""The harness itself: loops are what they are called, and what it is to find is found."""

import asyncio
import time

import anyio
import pytest
import sniffio

from support import leaks, loops
from support.processes import run_python


@pytest.mark.trio
async def test_a_loop_is_what_it_is_called(loop_name):
    if loop_name == "trio":
        assert sniffio.current_async_library() == "trio"
        return
    loop = asyncio.get_running_loop()
    assert type(loop).__module__.startswith("uvloop") == (loop_name == "uvloop")
    assert loop.get_debug() == (loop_name == "debug")

    ran = []

    async def note():
        ran.append("task")

    task = asyncio.create_task(note())
    assert bool(ran) == (loop_name == "eager")
    await task


@pytest.mark.trio
@pytest.mark.paused
async def test_an_hour_of_the_paused_clock_takes_no_time():
    started, anyio_started = time.monotonic(), anyio.current_time()
    await anyio.sleep(3600)
    assert anyio.current_time() - anyio_started == pytest.approx(3600)
    assert time.monotonic() - started < 60


@pytest.mark.paused
async def test_the_paused_clock_fires_timers_in_order():
    fired = []
    loop = asyncio.get_running_loop()
    loop.call_later(2, fired.append, "later")
    loop.call_later(1, fired.append, "sooner")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1.5):
            await asyncio.Event().wait()
    assert fired == ["sooner"]
    await asyncio.sleep(1)
    assert fired == ["sooner", "later"]


@pytest.mark.parametrize("name", loops.names(paused=False, trio=False))
def test_a_task_that_is_left_running_fails_the_test(name):
    tasks = []

    async def main():
        tasks.append(asyncio.create_task(asyncio.Event().wait()))

    with pytest.raises(AssertionError, match="still running"):
        loops.run(name, main)


@pytest.mark.parametrize("name", loops.names(paused=False, trio=False))
def test_an_exception_that_nobody_handles_fails_the_test(name):
    async def fail():
        raise ValueError("unheard")

    async def main():
        task = asyncio.create_task(fail())
        await asyncio.wait([task])

    with pytest.raises(AssertionError, match="unheard"):
        loops.run(name, main)


def test_what_is_kept_is_found():
    kept = []
    with leaks.no_more_objects(than=50):
        [[] for _ in range(1000)]
    with pytest.raises(AssertionError, match=r"builtins\.list"), leaks.no_more_objects(than=50):
        kept.extend([] for _ in range(1000))
    with (
        pytest.raises(AssertionError, match="has grown"),
        leaks.no_more_memory(than=1_000_000),
    ):
        kept.extend(bytearray(4096) for _ in range(10_000))


def test_a_child_process_has_the_package_and_its_failure_is_told():
    assert run_python("import hother.cancelable, sys; print(sys.argv[1])", "hello") == "hello\n"
    with pytest.raises(AssertionError, match="exit code 1"):
        run_python("import warnings; warnings.warn('a warning')")
