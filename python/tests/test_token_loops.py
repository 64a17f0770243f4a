"""A cancel and the loops that hear of it: from threads, signal handlers and other loops, closed loops, forks."""

import asyncio
import contextvars
import gc
import os
import signal
import sys
import threading
import warnings
import weakref
from datetime import datetime

import anyio
import pytest

from hother.cancelable import _core
from hother.cancelable.core.token import CancelationToken, LinkedCancelationToken
from support.loops import settle
from support.processes import run_python


async def test_law_p2_a_cancel_that_was_caught_leaves_the_task_as_it_was():
    task, token = asyncio.current_task(), CancelationToken()
    token.cancel_sync()
    with pytest.raises(asyncio.CancelledError):
        await token.check_async()
    assert task.cancelling() == 0
    await asyncio.sleep(0)


@pytest.mark.trio
async def test_law_p3_a_thread_wakes_an_idle_loop():
    token = CancelationToken()
    idle = threading.Event()
    threads = [threading.Thread(target=lambda: idle.wait() and token.cancel_sync())]
    threads[0].start()
    async with anyio.create_task_group() as group:
        group.start_soon(token.wait_for_cancel)
        await settle()
        idle.set()
    threads[0].join()


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")
async def test_law_p3_a_signal_handler_wakes_an_idle_loop():
    token, me = CancelationToken(), threading.main_thread().ident
    before = signal.signal(signal.SIGUSR1, lambda *_: token.cancel_sync("by the handler"))
    try:
        # Another thread sends it once the loop has nothing to do but wait for what comes.
        threading.Timer(0.05, signal.pthread_kill, (me, signal.SIGUSR1)).start()
        await token.wait_for_cancel()
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert token.message == "by the handler"


async def test_law_p3_another_loop_wakes_an_idle_loop():
    token = CancelationToken()
    waiting = threading.Event()

    async def cancel():
        await anyio.to_thread.run_sync(waiting.wait)
        assert await token.cancel()

    thread = threading.Thread(target=lambda: asyncio.run(cancel()))
    thread.start()
    async with anyio.create_task_group() as group:
        group.start_soon(token.wait_for_cancel)
        await settle()
        waiting.set()
    await anyio.to_thread.run_sync(thread.join)


def test_law_p3_a_closed_loop_is_skipped_and_the_others_hear():
    token, heard = CancelationToken(), []

    async def register(name):
        async def callback(_):
            heard.append(name)

        token.register_callback(callback)

    closed, first, last = (asyncio.new_event_loop() for _ in range(3))
    for name, loop in (("first", first), ("closed", closed), ("last", last)):
        loop.run_until_complete(register(name))
        waiting = loop.create_task(token.wait_for_cancel())
        loop.run_until_complete(settle())
        if name == "closed":
            waiting.cancel()
            loop.run_until_complete(settle())
            loop.run_until_complete(register(name))
            loop.close()
    assert token.cancel_sync()
    for loop in (first, last):
        loop.run_until_complete(settle())
        assert not asyncio.all_tasks(loop)
        loop.close()
    assert heard == ["first", "last"]


def test_law_p3_a_loop_that_closes_with_word_left_for_it_keeps_nothing():
    async def home():
        return _core.Home.current()

    class Letter:
        def __call__(self):
            raise AssertionError("the loop is closed")

    loop = asyncio.new_event_loop()
    where = loop.run_until_complete(home())
    letters = [Letter(), Letter()]
    gone = [weakref.ref(it) for it in letters]
    assert where.post(letters[0])
    loop.close()
    assert not where.post(letters[1])
    assert not where.post(letters[1])
    letters.clear()
    assert [it() for it in gone] == [None, None]
    del loop
    gc.collect()
    assert not where.post(Letter())


def test_what_a_callback_wants_awaited_is_closed_with_the_loop_that_it_was_left_for():
    begun = []

    async def told(_token):
        begun.append("begun")

    async def listen(token):
        token.on_cancel(told)

    token = CancelationToken()
    loop = asyncio.new_event_loop()
    loop.run_until_complete(listen(token))
    thread = threading.Thread(target=token.cancel_sync)
    thread.start()
    thread.join()
    # Word lies in its mailbox, and it never turns again.
    with warnings.catch_warnings(record=True, action="always") as warned:
        loop.close()
        del loop, token
        gc.collect()
    assert not begun
    assert not [it.message for it in warned]


async def test_law_p3_many_letters_wake_the_loop_once(monkeypatch):
    home, calls, heard = _core.Home.current(), [], []
    loop = asyncio.get_running_loop()

    if not isinstance(loop, asyncio.BaseEventLoop):
        # What it calls cannot be seen on uvloop's loop, but the order can.
        for number in range(100):
            home.post(lambda number=number: heard.append(number))
        await settle()
        assert heard == list(range(100))
        return
    wake = loop.call_soon_threadsafe
    monkeypatch.setattr(
        loop, "call_soon_threadsafe", lambda *a, **k: calls.append(a) or wake(*a, **k)
    )

    def post():
        for number in range(100):
            assert home.post(lambda number=number: heard.append(number))

    thread = threading.Thread(target=post)
    thread.start()
    thread.join()
    await settle()
    assert heard == list(range(100))
    assert len(calls) == 1


async def test_letters_see_no_context_of_the_poster():
    variable = contextvars.ContextVar("variable", default="none")
    seen, home = [], _core.Home.current()
    variable.set("the poster's")
    home.post(lambda: seen.append(variable.get()))
    await settle()
    assert seen == ["none"]


async def test_a_letter_that_fails_stops_no_other(caplog):
    home, heard = _core.Home.current(), []

    def bad():
        raise RuntimeError("the letter is broken")

    home.post(bad)
    home.post(lambda: heard.append(1))
    await settle()
    assert heard == [1]
    assert "the letter is broken" in caplog.text


def test_nowhere_is_no_home():
    assert _core.Home.current() is None


@pytest.mark.trio
async def test_a_home_knows_its_tasks():
    home, seen = _core.Home.current(), []
    assert home.is_here()
    home.post(lambda: seen.append(home.is_here()))
    await settle()
    assert not await anyio.to_thread.run_sync(home.is_here)
    # Trio runs what is posted as a task of its own.
    assert len(seen) == 1


def test_law_p4_objects_may_use_the_token_while_they_are_dropped():
    token, dropped = LinkedCancelationToken(), []

    class Callback:
        def __init__(self, token):
            self.token = weakref.ref(token)

        def __call__(self, _):
            raise AssertionError("it is not called")

        def __del__(self):
            dropped.append(self.token() and self.token().id)
            if self.token() is not None:
                self.token().register_callback(print)

    async def give_up(token):
        waiting = token._wait(Callback(token))
        assert waiting.deregister()

    asyncio.run(give_up(token))
    assert dropped == [token.id]
    token.register_callback(Callback(token))
    del token
    assert len(dropped) == 2

    class When(datetime):
        def __del__(self):
            dropped.append(other.cancelled_at)

    other = CancelationToken()
    other.cancelled_at = When(2020, 1, 1)
    other.cancelled_at = None
    assert dropped[2:] == [None]


FORK = """
import asyncio, os, threading, sys, warnings
warnings.simplefilter("ignore", DeprecationWarning)
from hother.cancelable.core.token import CancelationToken, LinkedCancelationToken
from hother.cancelable import _core

stop, root = False, CancelationToken()
def hammer():
    while not stop:
        linked = LinkedCancelationToken()
        linked.link(root)
        linked.register_callback(lambda _: None)
        linked.cancel_sync()
threads = [threading.Thread(target=hammer) for _ in range(4)]
for thread in threads: thread.start()

async def main():
    inherited, heard = CancelationToken(), []
    async def callback(_): heard.append(os.getpid())
    inherited.register_callback(callback)
    waiting = asyncio.create_task(inherited.wait_for_cancel())
    await asyncio.sleep(0)
    home = _core.Home.current()
    for _ in range(20):
        if (child := os.fork()) == 0:
            try:
                assert not home.post(lambda: None)
                assert inherited.cancel_sync() and root.cancel_sync()
                def in_child():
                    async def main():
                        token = CancelationToken()
                        threading.Timer(0.01, token.cancel_sync).start()
                        await token.wait_for_cancel()
                    asyncio.run(main())
                thread = threading.Thread(target=in_child)
                thread.start()
                thread.join()
                os._exit(0)
            except BaseException:
                import traceback; traceback.print_exc()
                os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert not waiting.done() and not inherited.is_cancelled
    await inherited.cancel()
    await waiting
    print(heard == [os.getpid()])
try:
    asyncio.run(main())
finally:
    stop = True
    for thread in threads: thread.join()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_law_p7_after_a_fork_nothing_inherited_is_waited_for():
    assert run_python(FORK) == "True\n"


# A thread is about to find what is looked up once, as another forks.
FORK_IN_A_LOOK = """
import os, threading
from hother.cancelable import CancelationToken
from hother.cancelable.utils import logging

found = logging.get_logger
looks, may_go_on = threading.Event(), threading.Event()

def get_logger(name):
    looks.set()
    assert may_go_on.wait(30)
    return found(name)

def fails(token):
    raise ValueError("on purpose, so that it is logged")

def cancel():
    token = CancelationToken()
    token.on_cancel(fails)
    return token.cancel_sync()

logging.get_logger = get_logger
thread = threading.Thread(target=cancel)
thread.start()
assert looks.wait(30)

import warnings
warnings.simplefilter("ignore", DeprecationWarning)
child = os.fork()
if not child:
    logging.get_logger = found
    os._exit(0 if cancel() else 1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
may_go_on.set()
thread.join()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_law_p7_what_a_thread_was_about_to_find_is_found_by_the_child():
    assert run_python(FORK_IN_A_LOOK) == "0\n"
