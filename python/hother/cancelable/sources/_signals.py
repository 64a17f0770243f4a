"""The process's handlers of signals: one for each signal, however many listen, and only for as long as anybody does.

# Invariants

1. While anybody listens for a signal its handler is ours, unless the program has installed one since; what was there before
   is called by ours if it is the program's, and is put back with the last listener.
2. All of this is the main thread's alone: there handlers are installed, and there they run.
"""

from __future__ import annotations

import asyncio
import functools
import os
import signal
import threading
import weakref
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType


class Listener(Protocol):
    """Who wants to hear of a signal."""

    has_heard: bool
    """Whether it has heard one."""

    def is_listening(self) -> bool:
        """Whether a signal would be news to it."""

    def arrived(self, number: int) -> bool:
        """A signal has come; whether what it ends goes on for a while."""


class _Held:
    """A signal that is listened for."""

    def __init__(self) -> None:
        self.before: Any = None
        """The handler that was there."""
        self.loop: Callable[[], asyncio.AbstractEventLoop | None] = _no_loop
        """The loop that was told to wake up for it."""
        self.listeners: list[weakref.ref[Listener]] = []

    def alive(self) -> list[Listener]:
        """Those who have not been dropped without an end."""
        return [it for ref in self.listeners if (it := ref()) is not None]


_held: dict[int, _Held] = {}


def check(number: object) -> None:
    """Goes on if a program may listen for this signal."""
    if not isinstance(number, int) or isinstance(number, bool):
        raise TypeError(f"Signal must be an integer, got {type(number)}")
    if number not in signal.valid_signals():
        raise ValueError(
            f"Signal must be one that this system has, such as signal.SIGTERM, got {int(number)}"
        )
    if number in _UNCATCHABLE:
        raise ValueError(
            f"Signal must be one that a process can catch, such as signal.SIGTERM, got {name_of(number)}"
        )


def name_of(number: int) -> str:
    """Its name; those for programs to use have none but the first and the last."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIGRTMIN+{number - signal.SIGRTMIN}"


def listen(number: int, listener: Listener) -> None:
    """Has the listener hear of this signal, from now on."""
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError(
            f"{name_of(number)} cannot be listened for in {threading.current_thread().name}, since handlers of signals run in the "
            "main thread: listen in a loop that runs there, and cancel what runs elsewhere by its token"
        )
    with _blocked(number):
        held = _held.setdefault(number, _Held())
        held.listeners.append(weakref.ref(listener))
        try:
            if signal.getsignal(number) is not _handle:
                _install(number, held)
        finally:
            _sweep(number, held)


def leave(number: int, listener: Listener) -> None:
    """Tells it no more. With the last listener what was there before is back."""
    held = _held.get(number)
    if held is not None:
        with _blocked(number):
            held.listeners = [ref for ref in held.listeners if ref() is not listener]
            _sweep(number, held)


def _install(number: int, held: _Held) -> None:
    before = signal.getsignal(number)
    if before is None:
        held.listeners.clear()
        raise RuntimeError(
            f"{name_of(number)} has a handler that was not installed from Python, and which would be lost: listen for another signal"
        )
    held.before = before
    held.loop = _have_loop_wake(number, before)
    signal.signal(number, _handle)


def _sweep(number: int, held: _Held) -> None:
    """Forgets those that were dropped without an end. Where nobody is left, what was there before is back."""
    held.listeners = [ref for ref in held.listeners if ref() is not None]
    if held.listeners:
        return
    del _held[number]
    if signal.getsignal(number) is not _handle:
        # The program has installed another since.
        return
    loop = held.loop()
    if loop is not None and not loop.is_closed():
        loop.remove_signal_handler(number)
    signal.signal(number, held.before)


def _handle(number: int, frame: FrameType | None) -> None:
    """What the interpreter calls when the signal has come."""
    held = _held.get(number)
    if held is None:
        return
    alive = held.alive()
    if not alive:
        _sweep(number, held)
        signal.raise_signal(number)
        return
    is_second = any(it.has_heard for it in alive)
    is_heard = is_stopping = False
    for listener in alive:
        if listener.is_listening():
            is_heard = True
            is_stopping |= listener.arrived(number)
    if callable(held.before) and not _is_default(held.before):
        held.before(number, frame)
    elif held.before is signal.SIG_IGN:
        pass
    elif is_stopping:
        _say_what_the_next_one_does()
    elif not is_heard and callable(held.before) and not is_second:
        # What listened is ending for another reason: nobody has taken this one.
        held.before(number, frame)
    elif not is_heard:
        _take_default(number)


def _is_default(handler: Any) -> bool:
    """Whether it stands for what happens to a program that does not care: the interpreter's, asyncio's and trio's own."""
    bound = getattr(getattr(handler, "func", None), "__self__", None)
    return (
        handler is signal.default_int_handler
        or isinstance(bound, asyncio.Runner)
        or getattr(handler, "__module__", None) == "trio._core._ki"
    )


def _take_default(number: int) -> None:
    """Does what the system does, which for most signals is the end of the process."""
    signal.signal(number, signal.SIG_DFL)
    signal.raise_signal(number)
    signal.signal(number, _handle)


@functools.cache
def _say_what_the_next_one_does() -> None:
    # Once; and there may be nobody to read it, which must not stop the stopping.
    with suppress(OSError):
        os.write(2, b"stopping; a second signal ends the process at once, without finalizers\n")


def _have_loop_wake(number: int, before: Any) -> Callable[[], asyncio.AbstractEventLoop | None]:
    """Has an asyncio loop wake up for the signal; trio sees to that by itself.

    The interpreter calls the handler in the main thread only once that runs code of its own. Where the signal came to another
    thread, or just before the loop went to sleep, that would be at whatever happens next.
    """
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return _no_loop
    is_of_loop = getattr(before, "__self__", None) is loop
    if is_of_loop or getattr(before, "__name__", None) == "_sighandler_noop":
        # The program has told the loop itself, which wakes up then.
        return _no_loop
    try:
        loop.add_signal_handler(number, _nothing)
    except NotImplementedError:
        return _no_loop
    return weakref.ref(loop)


def _no_loop() -> None:
    return None


def _nothing() -> None:
    return None


@contextmanager
def _blocked(number: int) -> Iterator[None]:
    """Has the signal wait until this is over, so that none finds half of a handler."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {number})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _forget() -> None:
    """A forked child has none of those who listen: what was there before is back."""
    for number, held in list(_held.items()):
        held.loop = _no_loop
        held.listeners.clear()
        _sweep(number, held)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)

_UNCATCHABLE = {getattr(signal, name) for name in ("SIGKILL", "SIGSTOP") if hasattr(signal, name)}
