"""`Connection`: the one reader of a request, which sees the client go away and passes on all that it reads.

# Invariants

1. **One read at a time.** Whoever reads holds `_is_reading`: the watching task, or a consumer for itself.
2. **In order.** What was read and not yet taken lies in `_held`; nobody reads for itself while anything lies there.
3. **Bounded.** The watching task reads no more once what is held weighs `READ_AHEAD`, so that the server holds the client back.
4. **A read is not broken off before the body's end**, but where the endpoint or the request is over: some middlewares lose what
   they have in hand then.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any

from hother.cancelable import _core
from hother.cancelable.utils.logging import get_logger

from ._news import News
from ._outlasting import ended

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]

_log = get_logger(__name__)

READ_AHEAD = 65536
"""How many bytes are read that nobody has asked for. The message in which the limit is reached still counts as one."""

LOOK_AFTER = 0.005
"""How many seconds pass before it is looked for the client's leaving."""

_MESSAGE_WEIGHT = 256
"""What each message weighs beside its bytes, so that a body in single bytes is bounded, too."""


class Connection:
    """What a request is received from. `on_gone` is called once, on the loop, as soon as the client is seen to be gone.

    Nothing is read ahead until `watch` is called, and before the first `receive` where the request waits for "100 Continue":
    reading is what makes a server send that, until its response has begun.
    """

    __slots__ = (
        "__weakref__",
        "_error",
        "_held",
        "_is_body_read",
        "_is_body_taken",
        "_is_broken_off",
        "_is_reading",
        "_is_watching",
        "_may_read",
        "_news",
        "_on_gone",
        "_receive",
        "_soon",
        "_task",
        "_was_cut",
        "_weight",
        "holds_back",
        "is_gone",
    )

    def __init__(
        self, receive: Receive, on_gone: Callable[[], None], *, awaits_continue: bool = False
    ):
        self.is_gone = False
        self.holds_back = False
        """Whether consumers are not told that the client is gone once they have the whole body: for work that goes on."""
        self._receive = receive
        self._on_gone = on_gone
        self._may_read = not awaits_continue
        self._held: deque[Message] = deque()
        self._weight = 0
        self._error: BaseException | None = None
        self._is_reading = False
        self._is_watching = False
        self._is_body_read = False
        self._is_body_taken = False
        self._is_broken_off = False
        self._was_cut = False
        self._soon: _core._Armed | None = None
        self._task: asyncio.Task[None] | None = None
        self._news = News()

    async def receive(self) -> Message:
        """The next message, as the server gave it; once the client is gone, that it is.

        Cancelled, it takes nothing: what comes is there for the next call.
        """
        self._may_read = True
        if self._is_watching:
            self._watch_soon()
        while True:
            if self._held:
                return self._take()
            if self._error is not None:
                error, self._error = self._error, None
                raise error
            if self.is_gone:
                if not (self.holds_back and self._is_body_taken):
                    await self._let_a_cancel_come_first()
                    return {"type": "http.disconnect"}
            elif not self._is_reading:
                message = await self._read()
                if message["type"] != "http.disconnect":
                    self._is_body_taken = self._is_body_read
                    return message
                continue
            await self._news.wait()

    async def _let_a_cancel_come_first(self) -> None:
        """What cancels the wait may be that, or who receives: `Request.is_disconnected` only looks. That is told at the next look."""
        if not self._was_cut:
            self._was_cut = True
            await asyncio.sleep(0)
        self._was_cut = False

    def watch(self) -> None:
        """Has the client's leaving be seen without anybody receiving, from `LOOK_AFTER` seconds on."""
        self._is_watching = True
        self._watch_soon()

    def response_began(self) -> None:
        """No reading makes a server say "100 Continue" from now on."""
        self._may_read = True
        if self._is_watching:
            self._watch_soon()

    def tell(self) -> None:
        """Has waiting consumers look again, since `holds_back` was changed."""
        self._news.tell()

    @property
    def is_at_work(self) -> bool:
        """Whether it watches, or is about to."""
        return self._task is not None or self._soon is not None

    @property
    def is_ending(self) -> bool:
        """Whether something is left of what was stopped, and `stopped` is to be awaited."""
        return self._task is not None and self._is_broken_off

    def stop(self) -> None:
        """Stops watching. Before the body's end a read that has begun goes on, and the next `receive` has what that gives."""
        if self._is_body_read:
            self.leave()
            return
        self._is_watching = False
        if self._soon is not None:
            self._soon.close()
            self._soon = None
        self._news.tell()

    async def stopped(self) -> None:
        """Waits until no task is left of what was stopped."""
        task = self._task
        if task is not None:
            # Mostly it is over by the next turn.
            await asyncio.sleep(0)
            await ended(task)
            self._watched(task)

    async def close(self) -> None:
        """Stops watching, and waits until it has."""
        self.stop()
        if self.is_ending:
            await self.stopped()

    async def end(self) -> None:
        """Stops watching for good: the request is over. No task is left then."""
        self.leave()
        await self.stopped()

    def leave(self) -> None:
        """Stops watching, and breaks off a read that has begun: so the next one to read is whoever asks the server itself."""
        self._is_watching = False
        if self._soon is not None:
            self._soon.close()
            self._soon = None
        if self._task is not None and not self._is_broken_off:
            self._is_broken_off = True
            self._task.cancel()

    def _watch_soon(self) -> None:
        # Not at once: most requests have been answered by then, and cost no task. Nor a timer of the loop for each, but one for all.
        if self._may_read and self._soon is None and self._task is None and not self.is_gone:
            at = asyncio.get_running_loop().time() + LOOK_AFTER
            self._soon = _core.call_at(at, self._begin)

    def _begin(self) -> None:
        self._soon = None
        loop = asyncio.get_running_loop()
        task = loop.create_task(self._read_ahead(), name="cancelable: watches a connection")
        if not task.done():
            self._task = task
            task.add_done_callback(self._watched)

    def _watched(self, task: asyncio.Task[None]) -> None:
        # A task that is cancelled before its first step runs nothing of its own, so this is called for it, or by who awaited it.
        if self._task is not task:
            return
        self._task = None
        is_by_others = task.cancelled() and not self._is_broken_off
        self._is_broken_off = False
        self._news.tell()
        if self._is_watching and self._error is None and not is_by_others:
            # Somebody has asked for it meanwhile.
            self._watch_soon()

    async def _read_ahead(self) -> None:
        try:
            while self._is_watching and not self.is_gone and self._error is None:
                if self._is_reading or self._weight >= READ_AHEAD:
                    await self._news.wait()
                    continue
                message = await self._read()
                if message["type"] != "http.disconnect":
                    self._hold(message)
        except Exception as error:  # noqa: BLE001, since it is raised where somebody receives
            self._error = error
            if not self._news.is_awaited:
                _log.warning(
                    "a connection is watched no more: reading from it failed", exc_info=error
                )
        finally:
            self._news.tell()

    async def _read(self) -> Message:
        self._is_reading = True
        try:
            message = await self._receive()
            self._note(message)
        finally:
            # After that the client is gone was told, so that a cancel reaches whoever waits before the message does.
            self._is_reading = False
            self._news.tell()
        return message

    def _note(self, message: Message) -> None:
        kind = message["type"]
        if kind == "http.disconnect":
            self._is_body_read = self.is_gone = True
            self._on_gone()
        elif kind == "http.request" and not message.get("more_body", False):
            self._is_body_read = True

    def _hold(self, message: Message) -> None:
        self._held.append(message)
        self._weight += _weight(message)

    def _take(self) -> Message:
        message = self._held.popleft()
        self._weight -= _weight(message)
        if not self._held:
            self._is_body_taken = self._is_body_read
        self._news.tell()
        return message


def _weight(message: Message) -> int:
    return len(message.get("body", b"")) + _MESSAGE_WEIGHT
