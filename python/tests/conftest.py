"""How the tests run.

An ``async def test_…`` runs on a fresh loop of each kind: asyncio, asyncio in debug mode, asyncio with eager tasks (from
Python 3.12 on), and uvloop. It needs no mark. After it, no task may be left, and the loop must not have been told of an
exception that nobody handled.

- ``@pytest.mark.trio``: on trio as well.
- ``@pytest.mark.paused``: the clock stands still and jumps to the next timer as soon as nothing else is to be done, so an
  hour takes no time; not on uvloop, and not for tests with threads.
- A parameter ``loop_name`` tells which loop it is.
- Fixtures are plain functions. What needs a loop is made in the test.

Warnings are errors, and so are exceptions in threads and finalizers. Never sleep to wait for something: wait for the event, or
let everything run with `support.loops.settle`.
"""

import gc
import inspect
import signal
from functools import partial

import pytest

from support import loops


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each async test becomes one for each loop."""
    if inspect.iscoroutinefunction(metafunc.function):
        marked = metafunc.definition.get_closest_marker
        names = loops.names(paused=bool(marked("paused")), trio=bool(marked("trio")))
        if "loop_name" not in metafunc.fixturenames:
            metafunc.fixturenames.append("loop_name")
        metafunc.parametrize("loop_name", names)


def pytest_configure() -> None:
    """Takes an interrupt for one, in the programs that tests start as well.

    A shell has what it runs in the background ignore it, and whatever that starts inherits this.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    """Spares the collector what is there before any test: it runs after each of them."""
    _spare_what_stays()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Spares it what a file has left as well, such as the frameworks that its programs have imported."""
    if nextitem is not None and nextitem.path != item.path:
        _spare_what_stays()


def _spare_what_stays() -> None:
    # Whatever is to be collected and complains of it does so before.
    gc.collect()
    gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Runs an async test on its loop."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    wanted = inspect.signature(pyfuncitem.obj).parameters
    arguments = {name: pyfuncitem.funcargs[name] for name in wanted}
    paused = pyfuncitem.get_closest_marker("paused") is not None
    name = pyfuncitem.callspec.params["loop_name"]
    loops.run(name, partial(pyfuncitem.obj, **arguments), paused=paused)
    return True
