"""The package as it lies in the tree, and what importing it brings along."""

import pytest

import hother.cancelable
from hother.cancelable import _core
from support.processes import run_python


def test_a_new_token_is_not_cancelled():
    assert hother.cancelable.__doc__
    assert not _core.Token().is_cancelled


@pytest.mark.parametrize(
    "name", ["Cancelable", "CancelationToken", "TimeoutCancelation", "current_operation"]
)
def test_naming_what_programs_use_imports_nothing_that_takes_long(name):
    said = run_python(
        f"""
import sys
from hother.cancelable import {name}
print([it for it in ("anyio", "asyncio", "inspect", "json", "logging") if it in sys.modules])
"""
    )
    assert said.strip() == "[]"


def test_where_asyncio_is_there_all_that_an_operation_needs_is_too():
    """Else a fork that comes while a thread imports it leaves the child with a lock that nobody gives back."""
    said = run_python(
        """
import asyncio, sys
from hother.cancelable import Cancelable
names = ("closing", "extras", "leaving", "raised", "callbacks", "streams")
print([it for it in names if f"hother.cancelable.core.{it}" not in sys.modules])
"""
    )
    assert said == "[]\n"


def test_each_name_is_there_is_listed_and_is_kept():
    said = run_python(
        """
import hother.cancelable
from hother.cancelable import sources

for package in (hother.cancelable, sources):
    for name in package.__all__:
        assert name in dir(package), name
        assert getattr(package, name) is vars(package)[name], name
from hother.cancelable import *
assert Cancelable is hother.cancelable.Cancelable
assert CancellationToken is CancelationToken
assert hother.cancelable.core.models.CancelationReason is CancelationReason
assert hother.cancelable.utils.decorators.cancelable is cancelable
assert hother.cancelable.sources.timeout.TimeoutSource is TimeoutSource
print("all there")
"""
    )
    assert said == "all there\n"


def test_what_is_not_there_is_said_not_to_be():
    with pytest.raises(AttributeError, match=r"'hother\.cancelable' has no attribute 'never'"):
        _ = hother.cancelable.never
    with pytest.raises(ImportError, match="never"):
        from hother.cancelable.sources import never  # noqa: F401


def test_threads_that_ask_first_at_once_wait_for_each_other():
    for _ in range(5):
        said = run_python(_ASKING_AT_ONCE)
        assert said == "[]\n"


_ASKING_AT_ONCE = """
import random, sys, threading
import hother.cancelable

sys.setswitchinterval(1e-6)

def make():
    from hother.cancelable import Cancelable
    Cancelable.with_condition(lambda: False).combine(Cancelable.with_signal(2))

def deep_in_sources():
    import hother.cancelable.sources.signal

def deep_in_core():
    from hother.cancelable.core.extras import Extras
    import hother.cancelable.sources._hearers

asking = [make, deep_in_sources, deep_in_core]
asking += [lambda name=name: getattr(hother.cancelable, name) for name in hother.cancelable.__all__]
random.shuffle(asking)
start = threading.Barrier(len(asking))
wrong = []

def ask(this):
    start.wait()
    try:
        this()
    except BaseException as error:
        wrong.append(repr(error))

threads = [threading.Thread(target=ask, args=(this,)) for this in asking]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(wrong)
"""


def test_an_operation_that_ends_with_the_interpreter_imports_nothing_then():
    """At that point nothing can be imported any more."""
    run_python(
        """
import asyncio
from hother.cancelable import Cancelable

async def body():
    async with Cancelable():
        await asyncio.get_running_loop().create_future()

steps = body()
loop = asyncio.new_event_loop()

async def begin():
    # As a part of a task, as an operation has to be begun; it is left with the interpreter.
    task = asyncio.current_task()
    steps.send(None)

loop.run_until_complete(begin())
loop.close()
kept = steps
""",
        is_quiet=True,
    )
