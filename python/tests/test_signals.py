"""Signals as sources: who hears of them, whose handlers are called, and what is there afterwards."""

import asyncio
import contextlib
import functools
import gc
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import anyio
import pytest

from hother.cancelable import (
    AllOfSource,
    AnyOfSource,
    Cancelable,
    CancelationError,
    CancelationReason,
    CancelationToken,
    SignalCancelation,
    SignalSource,
)
from support.loops import settle

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no signals")


@contextlib.contextmanager
def handled(number: int, handler: Any) -> Iterator[None]:
    """As in a program that has installed this one."""
    before = signal.signal(number, handler)
    try:
        yield
    finally:
        signal.signal(number, before)


@pytest.mark.trio
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_law_s4_a_signal_ends_an_operation_and_what_was_there_is_back(
    number: signal.Signals,
) -> None:
    before = signal.getsignal(number)
    with pytest.raises(SignalCancelation) as told:
        async with Cancelable.with_signal(number) as operation:
            assert signal.getsignal(number) is not before
            os.kill(os.getpid(), number)
            await anyio.sleep_forever()
    error = told.value
    assert (error.signal_number, error.reason) == (number, CancelationReason.SIGNAL)
    assert error.message == f"Received signal {number.name} ({number})"
    assert operation.context.name == "signal_based"
    assert signal.getsignal(number) == before


async def test_law_s4_no_signals_given_means_interrupt_and_terminate() -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        with pytest.raises(SignalCancelation) as told:
            async with Cancelable.with_signal():
                signal.raise_signal(number)
                await anyio.sleep_forever()
        assert told.value.signal_number == number


@pytest.mark.trio
async def test_law_s4_two_operations_on_one_signal_both_see_it() -> None:
    seen: list[str] = []
    before = signal.getsignal(signal.SIGINT)

    async def work(name: str) -> None:
        with pytest.raises(SignalCancelation):
            async with Cancelable.with_signal(signal.SIGINT):
                waiting.append(name)
                await anyio.sleep_forever()
        seen.append(name)

    waiting: list[str] = []
    async with anyio.create_task_group() as tasks:
        for name in "ab":
            tasks.start_soon(work, name)
        await settle()
        assert len(waiting) == 2
        signal.raise_signal(signal.SIGINT)
    assert sorted(seen) == ["a", "b"]
    assert signal.getsignal(signal.SIGINT) == before


@pytest.mark.trio
async def test_law_s4_a_handler_of_the_programs_own_is_called_as_before() -> None:
    heard: list[int] = []

    def own(number: int, _frame: Any) -> None:
        heard.append(number)

    with handled(signal.SIGTERM, own):
        async with Cancelable.with_signal(signal.SIGTERM) as first:
            with pytest.raises(SignalCancelation):
                async with Cancelable(detached=True, sources=[SignalSource(signal.SIGTERM)]):
                    signal.raise_signal(signal.SIGTERM)
                    with anyio.CancelScope(shield=True):
                        await settle()
                    # It stands for no default action: a second one is the program's, too.
                    signal.raise_signal(signal.SIGTERM)
                    await first.cancel()
                    raise SignalCancelation(signal.SIGTERM)
        assert heard == [signal.SIGTERM] * 2
        assert signal.getsignal(signal.SIGTERM) is own


async def test_law_s4_a_handler_of_the_loops_own_is_called_as_before(loop_name: str) -> None:
    heard = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGUSR1, heard.set)
    for _ in range(2):
        with pytest.raises(SignalCancelation):
            async with Cancelable.with_signal(signal.SIGUSR1):
                os.kill(os.getpid(), signal.SIGUSR1)
                await anyio.sleep_forever()
        await heard.wait()
        heard.clear()
    os.kill(os.getpid(), signal.SIGUSR1)
    await heard.wait()
    assert loop.remove_signal_handler(signal.SIGUSR1)


async def test_law_s4_a_handler_that_is_installed_meanwhile_stays() -> None:
    heard: list[int] = []

    def own(number: int, _frame: Any) -> None:
        heard.append(number)

    with handled(signal.SIGUSR1, signal.SIG_IGN):
        async with Cancelable.with_signal(signal.SIGUSR1):
            signal.signal(signal.SIGUSR1, own)
            with pytest.raises(SignalCancelation):
                async with Cancelable.with_signal(signal.SIGUSR1, detached=True):
                    signal.raise_signal(signal.SIGUSR1)
                    with anyio.CancelScope(shield=True):
                        await settle()
                    raise SignalCancelation(signal.SIGUSR1)
        assert signal.getsignal(signal.SIGUSR1) is own
        assert heard == [signal.SIGUSR1]
        async with Cancelable.with_signal(signal.SIGUSR1):
            signal.signal(signal.SIGUSR1, signal.SIG_DFL)
        assert signal.getsignal(signal.SIGUSR1) == signal.SIG_DFL


@pytest.mark.trio
async def test_law_s4_a_signal_before_the_first_await_is_not_lost() -> None:
    with pytest.raises(SignalCancelation):
        async with Cancelable.with_signal(signal.SIGTERM) as operation:
            signal.raise_signal(signal.SIGTERM)
            # It is known at once, to a body that computes.
            assert operation._is_asked()
            assert operation.token.is_cancelled
            await anyio.sleep_forever()


async def test_law_s4_a_signal_that_is_ignored_is_heard_and_stays_ignored() -> None:
    with handled(signal.SIGTERM, signal.SIG_IGN):
        with pytest.raises(SignalCancelation):
            async with Cancelable.with_signal(signal.SIGTERM):
                signal.raise_signal(signal.SIGTERM)
                signal.raise_signal(signal.SIGTERM)
                await anyio.sleep_forever()
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN


async def test_law_s4_a_signal_is_heard_inside_composites() -> None:
    token = CancelationToken()
    both = AllOfSource([SignalSource(signal.SIGTERM), token], name="both")
    source = AnyOfSource([both, SignalSource(signal.SIGUSR1, name="user")])
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SignalCancelation, match=r"both fired by token_.*, SignalSource: Received"):
        async with Cancelable(sources=[source]):
            token.cancel_sync()
            os.kill(os.getpid(), signal.SIGTERM)
            await anyio.sleep_forever()
    with pytest.raises(SignalCancelation, match="composite fired by user: Received signal SIGUSR1"):
        async with Cancelable(sources=[AnyOfSource([SignalSource(signal.SIGUSR1, name="user")])]):
            os.kill(os.getpid(), signal.SIGUSR1)
            await anyio.sleep_forever()
    assert signal.getsignal(signal.SIGTERM) == before
    assert signal.getsignal(signal.SIGUSR1) == signal.SIG_DFL


@pytest.mark.trio
async def test_law_s4_by_hand_a_signal_cancels_the_scope_and_tells_the_callback() -> None:
    heard: list[Any] = []
    source = SignalSource(signal.SIGTERM)
    source.set_cancel_callback(lambda *it: heard.append(it))
    with anyio.CancelScope() as scope:
        await source.start_monitoring(scope)
        os.kill(os.getpid(), signal.SIGTERM)
        await anyio.sleep_forever()
    await source.stop_monitoring()
    assert heard == [(CancelationReason.SIGNAL, "Received signal SIGTERM (15)")]
    assert source.triggered
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


async def test_law_s4_a_loop_outside_the_main_thread_gets_a_clear_error() -> None:
    async def work() -> None:
        async with Cancelable.with_signal(signal.SIGTERM):
            pytest.fail("the body runs")

    def run() -> None:
        try:
            asyncio.run(work())
        except RuntimeError as error:
            raised.append(str(error))

    raised: list[str] = []
    thread = threading.Thread(target=run, name="worker-7")
    thread.start()
    await asyncio.to_thread(thread.join)
    assert raised == [
        "SIGTERM cannot be listened for in worker-7, since handlers of signals run in the main thread: "
        "listen in a loop that runs there, and cancel what runs elsewhere by its token"
    ]


async def test_law_s4_a_signal_that_another_thread_received_wakes_the_loop() -> None:
    ready = threading.Event()

    def receive() -> None:
        ready.wait()
        # Sent to this very thread.
        signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)

    thread = threading.Thread(target=receive)
    thread.start()
    with pytest.raises(SignalCancelation):
        async with Cancelable.with_signal(signal.SIGUSR1):
            asyncio.get_running_loop().call_later(0.02, ready.set)
            await anyio.sleep_forever()
    thread.join()


async def test_law_s4_a_source_that_was_dropped_without_an_end_holds_nothing_back() -> None:
    heard: list[int] = []

    def own(number: int, _frame: Any) -> None:
        heard.append(number)

    async def start_and_forget() -> None:
        await SignalSource(signal.SIGTERM).start_monitoring(anyio.CancelScope())

    with handled(signal.SIGTERM, own):
        await start_and_forget()
        gc.collect()
        signal.raise_signal(signal.SIGTERM)
        assert signal.getsignal(signal.SIGTERM) is own
    assert heard == [signal.SIGTERM]


def test_law_s4_bad_signals_are_refused_by_the_argument() -> None:
    def check(kind: type[Exception], said: str, given: Any) -> None:
        for make in (SignalSource, Cancelable.with_signal):
            with pytest.raises(kind) as told:
                make(given)
            assert str(told.value) == said

    check(TypeError, "Signal must be an integer, got <class 'str'>", "SIGTERM")
    check(TypeError, "Signal must be an integer, got <class 'bool'>", True)
    known = "Signal must be one that this system has, such as signal.SIGTERM, got "
    check(ValueError, known + "0", 0)
    check(ValueError, known + "-1", -1)
    check(ValueError, known + "4096", 4096)
    caught = "Signal must be one that a process can catch, such as signal.SIGTERM, got "
    check(ValueError, caught + "SIGKILL", signal.SIGKILL)
    check(ValueError, caught + "SIGSTOP", signal.SIGSTOP)
    assert SignalSource().signals == (signal.SIGINT, signal.SIGTERM)
    assert SignalSource(signal.SIGRTMIN + 1).signals == (signal.SIGRTMIN + 1,)


async def test_law_s4_one_without_a_name_of_its_own_is_told_by_its_number() -> None:
    number = signal.SIGRTMIN + 2
    with pytest.raises(SignalCancelation) as told:
        async with Cancelable.with_signal(number):
            signal.raise_signal(number)
            await anyio.sleep_forever()
    assert told.value.message == f"Received signal SIGRTMIN+2 ({number})"


async def test_law_o3_no_handler_is_left_by_many_operations() -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    fd = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(fd)

    async def work(then: Callable[[], object]) -> None:
        with contextlib.suppress(CancelationError):
            async with Cancelable.with_signal():
                then()
                await settle(3)

    async with anyio.create_task_group() as tasks:
        for _ in range(50):
            tasks.start_soon(work, lambda: None)
        tasks.start_soon(work, functools.partial(signal.raise_signal, signal.SIGINT))
    assert {number: signal.getsignal(number) for number in before} == before
    left = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(left)
    assert left == fd
