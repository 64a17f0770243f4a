"""Signals as sources: what they do to a whole process."""

import contextlib
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from support.processes import run_python

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no signals")

PROGRAM = """
import asyncio, os, signal, sys
import anyio
from hother.cancelable import Cancelable, CancelationError

async def main(number, how):
    options = {} if how == "plain" else {"grace": 60.0}
    try:
        async with Cancelable.with_signal(number, **options):
            print("ready", flush=True)
            if how == "computes":
                os.kill(os.getpid(), number)
                while True:
                    pass
            await anyio.sleep_forever()
    except CancelationError as error:
        print(error, flush=True)
    if how == "plain":
        print("after", flush=True)
        # asyncio's own handler wakes no loop that is about to go to sleep as the signal comes.
        while True:
            await anyio.sleep(0.05)

asyncio.run(main(int(sys.argv[1]), sys.argv[2]))
"""


@contextlib.contextmanager
def program(number: int, how: str) -> "Iterator[subprocess.Popen[str]]":
    """A child that listens for a signal."""
    child = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", PROGRAM, str(int(number)), how],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        yield child
    finally:
        child.kill()
        child.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_law_s4_after_the_operation_the_default_action_is_back(number: signal.Signals) -> None:
    with program(number, "plain") as child:
        child.send_signal(number)
        assert child.stdout is not None
        assert child.stdout.readline() == f"Received signal {number.name} ({number})\n"
        assert child.stdout.readline() == "after\n"
        child.send_signal(number)
        # asyncio's own handler has the interrupt end the program, with a traceback.
        assert child.wait(30) == -number


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_law_s4_a_second_signal_in_the_grace_ends_the_process(number: signal.Signals) -> None:
    with program(number, "grace") as child:
        child.send_signal(number)
        assert child.stderr is not None
        said = "stopping; a second signal ends the process at once, without finalizers\n"
        assert child.stderr.readline() == said
        assert child.poll() is None
        child.send_signal(number)
        out, err = child.communicate(timeout=30)
        assert (child.returncode, out, err) == (-number, "", "")


def test_law_s4_a_second_signal_ends_a_body_that_computes_too() -> None:
    with program(signal.SIGINT, "computes") as child:
        assert child.stderr is not None
        assert child.stderr.readline().startswith("stopping; ")
        child.send_signal(signal.SIGINT)
        assert child.wait(30) == -signal.SIGINT


def test_law_p7_a_forked_child_has_its_own_handlers_again() -> None:
    printed = run_python(
        """
import asyncio, os, signal
from hother.cancelable import Cancelable

async def main():
    async with Cancelable.with_signal(signal.SIGTERM) as operation:
        child = os.fork()
        if not child:
            signal.raise_signal(signal.SIGTERM)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print(os.WTERMSIG(status), operation.token.is_cancelled)

import warnings
warnings.simplefilter("ignore", DeprecationWarning)
asyncio.run(main())
"""
    )
    assert printed == "15 False\n"
