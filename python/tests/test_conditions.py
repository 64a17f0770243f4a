"""Conditions and the machine's resources as sources: how they are asked, and what one that blocks or fails does."""

import asyncio
import functools
import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from hother.cancelable import (
    Cancelable,
    CancelationError,
    ConditionCancelation,
    ConditionSource,
    ResourceConditionSource,
    current_operation,
)
from hother.cancelable.sources import _threads
from support.loops import settle
from support.processes import run_python


async def met(source: ConditionSource) -> ConditionCancelation:
    """What leaves an operation that this source ends."""
    with pytest.raises(ConditionCancelation) as told:
        async with Cancelable(sources=[source]):
            await anyio.sleep_forever()
    return told.value


@pytest.mark.trio
async def test_law_s3_a_condition_of_any_kind_is_asked_until_it_is_met() -> None:
    answers: list[bool] = []

    def answer() -> bool:
        return answers.pop()

    async def answer_later() -> bool:
        await anyio.lowlevel.checkpoint()
        return answer()

    class Callable_:  # noqa: N801
        async def __call__(self) -> bool:
            return answer()

    for condition in (
        answer,
        answer_later,
        lambda: answer_later(),  # noqa: PLW0108, since it is what is tested
        functools.partial(answer_later),
        Callable_(),
    ):
        answers[:] = [True, False, False]
        error = await met(ConditionSource(condition, 0.001, condition_name="ready"))
        assert error.condition_name == "ready"
        assert error.message == "Condition 'ready' met after 3 checks"


async def test_law_s3_a_condition_is_called_what_its_function_is() -> None:
    def disk_is_full() -> bool:
        return True

    with pytest.raises(
        ConditionCancelation, match=r"^Condition 'disk_is_full' met after 1 checks$"
    ):
        async with Cancelable.with_condition(disk_is_full) as operation:
            assert operation.context.name == "condition_based"
            await anyio.sleep_forever()
    assert ConditionSource(functools.partial(disk_is_full)).condition_name == "condition"


@pytest.mark.trio
async def test_law_s3_one_that_blocks_holds_up_neither_the_loop_nor_the_exit() -> None:
    blocks, go_on, ended = threading.Event(), threading.Event(), threading.Event()

    def stuck() -> bool:
        blocks.set()
        go_on.wait()
        ended.set()
        return True

    async with Cancelable.with_condition(stuck) as operation:
        while not blocks.is_set():  # noqa: ASYNC110, since a thread sets it
            await anyio.sleep(0.001)
        # Another one has a thread of its own.
        await met(ConditionSource(lambda: True))
    assert operation.is_completed
    assert not ended.is_set()
    go_on.set()
    ended.wait()


def test_law_s3_one_that_blocks_holds_up_no_end_of_the_process() -> None:
    printed = run_python(
        """
import asyncio, threading
from hother.cancelable import Cancelable

blocks = threading.Event()

def stuck():
    blocks.set()
    threading.Event().wait()

async def main():
    async with Cancelable.with_condition(stuck):
        while not blocks.is_set():
            await asyncio.sleep(0.001)

asyncio.run(main())
print("over")
"""
    )
    assert printed == "over\n"


@pytest.mark.trio
async def test_law_s3_one_that_fails_is_logged_counted_told_and_asked_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    told: list[Exception] = []

    async def tell_later(error: Exception) -> None:
        await anyio.lowlevel.checkpoint()
        told.append(error)

    def tell_and_fail(error: Exception) -> None:
        told.append(error)
        raise OSError("nobody listens")

    for on_error in (told.append, tell_later, tell_and_fail, None):
        answers: list[Any] = [True, ValueError("no idea"), False, ValueError("no idea")]

        def answer(answers: list[Any] = answers) -> bool:
            given = answers.pop()
            if isinstance(given, Exception):
                raise given
            return bool(given)

        told.clear()
        caplog.clear()
        source = ConditionSource(answer, 0.001, "ready", on_error=on_error)
        error = await met(source)
        assert error.message == "Condition 'ready' met after 4 checks"
        assert (source.checks, source.failures) == (4, 2)
        failed = [it for it in caplog.records if it.message.startswith("condition 'ready'")]
        assert len(failed) == 2
        assert len(told) == (0 if on_error is None else 2)


@pytest.mark.paused
async def test_law_s3_is_asked_at_once_and_an_interval_after_each_answer() -> None:
    asked: list[float] = []
    begin = anyio.current_time()

    async def answer() -> bool:
        asked.append(anyio.current_time() - begin)
        await anyio.sleep(1.0)
        return False

    async with Cancelable.with_condition(answer, check_interval=2.0):
        await anyio.sleep(6.5)
    await anyio.sleep(10.0)
    assert asked == pytest.approx([0.0, 3.0, 6.0])


async def test_law_s3_a_condition_knows_which_operation_asks() -> None:
    seen: list[Any] = []

    def look() -> bool:
        seen.append((current_operation(), threading.current_thread().daemon))
        return True

    source = ConditionSource(look)
    with pytest.raises(ConditionCancelation):
        async with Cancelable(sources=[source]) as operation:
            await anyio.sleep_forever()
    assert seen == [(operation, True)]


async def test_threads_are_used_again_and_end_when_they_are_idle(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_threads, "IDLE_LIMIT", 0.05)
    pool = _threads._Pool()
    monkeypatch.setattr(_threads, "_pool", pool)
    threads: set[int] = set()
    for _ in range(30):
        threads.add(await _threads.call_in_thread(threading.get_ident))
    assert len(threads) <= 3
    deadline = time.monotonic() + 20
    while any(
        it.name == "cancelable-condition" for it in threading.enumerate() if it.ident in threads
    ):
        assert time.monotonic() < deadline
        await anyio.sleep(0.01)


def test_law_p3_a_thread_that_has_just_woken_a_loop_survives_the_end_of_the_interpreter() -> None:
    # The loop goes on, and the program ends, before the thread has the interpreter back.
    code = """
import asyncio
from hother.cancelable import Cancelable, CancelationError

async def main():
    try:
        async with Cancelable.with_condition(lambda: True):
            await asyncio.sleep(60)
    except CancelationError as error:
        print("cancelled")

asyncio.run(main())
"""
    for _ in range(10):
        assert run_python(code) == "cancelled\n"


# --- the machine


def scripted(source: ResourceConditionSource, *readings: tuple[float | None, ...]) -> None:
    """Has the machine read so, one after the other, and then the last for ever."""

    class Machine:
        def __init__(self) -> None:
            self.left = list(readings)

        def read(self) -> tuple[float | None, ...]:
            return self.left.pop(0) if len(self.left) > 1 else self.left[0]

    source._machine = Machine()  # type: ignore[assignment]


async def test_law_s5_resources_say_which_and_how_much() -> None:
    source = ResourceConditionSource(80, 90.5, 95, check_interval=0.001)
    assert source.name == "resource_monitor"
    scripted(source, (80.0, None, 1.0), (10.0, 91.25, 1.0))
    error = await met(source)
    name = "resource_check(memory>80%, cpu>90.5%, disk>95%)"
    assert error.condition_name == name
    assert error.message == f"Condition '{name}' met after 2 checks: cpu is at 91.2%"


async def test_law_s3_resources_are_too_full_only_if_they_stay_so() -> None:
    source = ResourceConditionSource(
        memory_percent_threshold=50, check_interval=0.01, sustained_seconds=0.05
    )
    scripted(source, *[(60.0,) * 3, (60.0,) * 3, (40.0,) * 3] * 8, (70.0,) * 3)
    error = await met(source)
    assert source.checks > 24
    assert str(error).endswith("memory is at 70.0%")


async def test_the_machine_has_memory_and_a_disk_and_processors() -> None:
    tiny = 1e-9
    for source in (
        ResourceConditionSource(memory_threshold=tiny),
        ResourceConditionSource(disk_threshold=tiny, disk_path="/"),
    ):
        error = await met(source)
        assert "after 1 checks" in str(error)
    source = ResourceConditionSource(cpu_threshold=tiny, check_interval=0.001)
    with pytest.raises(ConditionCancelation):
        async with Cancelable(sources=[source]):
            while True:
                await anyio.lowlevel.checkpoint()
    assert source.checks > 1


async def test_a_machine_without_thresholds_never_fires() -> None:
    source = ResourceConditionSource(check_interval=0.001)
    assert source.condition_name == "resource_check()"
    async with Cancelable(sources=[source]):
        while source.checks < 3:  # noqa: ASYNC110, since nobody tells
            await anyio.sleep(0.001)


# --- bad values


def test_bad_values_are_refused_by_the_argument(caplog: pytest.LogCaptureFixture) -> None:
    def check(kind: type[Exception], said: str, make: Callable[[], object]) -> None:
        with pytest.raises(kind) as told:
            make()
        assert str(told.value) == said

    anything: Any = "often"

    def never() -> bool:
        return False

    said = "Check interval must be positive, got "
    check(ValueError, said + "0", lambda: ConditionSource(never, 0))
    check(ValueError, said + "-1", lambda: ResourceConditionSource(1.0, check_interval=-1))
    check(ValueError, said + "0", lambda: Cancelable.with_condition(never, check_interval=0))
    said = "Check interval must be a number of seconds or a timedelta, got str"
    check(TypeError, said, lambda: ConditionSource(never, anything))
    said = "condition must be a function without arguments, got str"
    check(TypeError, said, lambda: ConditionSource(anything))
    said = "memory_threshold must be a percentage from 0 to 100, got 100.5"
    check(ValueError, said, lambda: ResourceConditionSource(100.5))
    said = "cpu_threshold must be a percentage from 0 to 100, got nan"
    check(ValueError, said, lambda: ResourceConditionSource(cpu_threshold=float("nan")))
    said = "disk_threshold must be a number, got str"
    check(TypeError, said, lambda: ResourceConditionSource(disk_threshold=anything))
    said = "cpu_threshold and cpu_percent_threshold are the same: give one of them"
    check(
        TypeError,
        said,
        lambda: ResourceConditionSource(cpu_threshold=1, cpu_percent_threshold=1),
    )
    said = "sustained_seconds must be a number of seconds, zero or more, got -1"
    check(ValueError, said, lambda: ResourceConditionSource(1, sustained_seconds=-1))
    with pytest.raises(
        ValueError, match=r"disk_path /nowhere/at/all cannot be read: .*; give a path"
    ):
        ResourceConditionSource(disk_threshold=5, disk_path="/nowhere/at/all")
    assert not caplog.records


async def test_no_logger_of_ours_says_anything_unasked() -> None:
    logger = logging.getLogger("hother.cancelable")
    assert any(isinstance(it, logging.NullHandler) for it in logger.handlers)
    with pytest.raises(CancelationError):
        async with Cancelable.with_condition(lambda: True):
            await asyncio.Event().wait()
    await settle()
