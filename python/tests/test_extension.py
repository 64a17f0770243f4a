"""One token for both languages: the example's loops in Rust stop when Python cancels, and Python hears of Rust's cancels."""

import asyncio
import gc
import sys
import threading

import anyio
import pytest

from hother.cancelable.core.models import CancelationReason
from hother.cancelable.core.token import CancelationToken
from support import extension, leaks
from support.loops import settle
from support.processes import run_python


def test_it_counts():
    primes = extension.load()
    assert primes.count(CancelationToken(), 100) == 25
    with pytest.raises(AttributeError, match="on_cancel"):
        primes.count("no token")


async def test_a_rust_loop_in_a_thread_stops_when_python_cancels():
    primes, token = extension.load(), CancelationToken()
    counting = asyncio.create_task(anyio.to_thread.run_sync(primes.count, token))
    await settle()
    assert not counting.done()
    await token.cancel("enough")
    assert await counting >= 0


def test_a_rust_loop_on_the_main_thread_stops_when_another_cancels():
    primes, token = extension.load(), CancelationToken()
    canceller = threading.Thread(target=token.cancel_sync)
    canceller.start()
    assert primes.count(token) >= 0
    canceller.join()


def test_a_rust_loop_with_a_cancelled_token_does_not_start():
    token = CancelationToken(is_cancelled=True)
    assert extension.load().count(token) == 0


CTRL_C = """
import sys, threading, importlib.machinery, importlib.util
from hother.cancelable.core.token import CancelationToken
loader = importlib.machinery.ExtensionFileLoader("primes", sys.argv[1])
primes = importlib.util.module_from_spec(importlib.util.spec_from_loader("primes", loader))
loader.exec_module(primes)
"""

ON_THE_MAIN_THREAD = f"""{CTRL_C}
import os, signal
# It is handled as soon as there is an interpreter to handle it: before the loop, or while that runs.
threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
try:
    primes.count(CancelationToken())
except KeyboardInterrupt:
    print("interrupted")
"""

IN_A_THREAD = f"""{CTRL_C}
import asyncio, os, signal
token = CancelationToken()
signal.signal(signal.SIGINT, lambda *_: token.cancel_sync("Ctrl-C"))
async def main():
    threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
    assert await asyncio.to_thread(primes.count, token) >= 0
    print(token.message)
asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="a signal cannot be sent to oneself there")
def test_a_rust_loop_stops_at_ctrl_c():
    path = str(extension.path())
    assert run_python(ON_THE_MAIN_THREAD, path) == "interrupted\n"
    assert run_python(IN_A_THREAD, path) == "Ctrl-C\n"


@pytest.mark.trio
async def test_law_p3_a_pure_rust_thread_wakes_an_idle_loop():
    token = CancelationToken()
    extension.load().find(token, 6)
    await token.wait_for_cancel()
    assert token.reason is CancelationReason.MANUAL
    assert token.message == "found 100003"


def test_rust_hears_of_pythons_cancel_with_its_reason_and_back_again():
    primes, token, other = extension.load(), CancelationToken(), CancelationToken()
    # A search without an end, which ends as it hears of the cancel.
    primes.find(token, 19)
    primes.find(other, 19)
    token.cancel_sync(CancelationReason.SHUTDOWN, "closing time")
    assert (token.reason, token.message) == (CancelationReason.SHUTDOWN, "closing time")
    assert not other.is_cancelled
    other.cancel_sync()


def test_law_t6_calls_into_rust_leave_nothing_on_a_token_that_lives():
    primes, token = extension.load(), CancelationToken()

    def call(times):
        for _ in range(times):
            primes.count(token, 3)

    in_thread(lambda: call(100))
    with leaks.no_more_objects(20):
        in_thread(lambda: call(2000))
    gc.collect()


def in_thread(function):
    thread = threading.Thread(target=function)
    thread.start()
    thread.join()
