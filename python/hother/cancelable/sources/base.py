"""What a source of cancels is: how it is watched, how it fires, and what one of the program's own has to say."""

from __future__ import annotations

import inspect
from abc import ABC
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from anyio.lowlevel import cancel_shielded_checkpoint

from hother.cancelable import _core
from hother.cancelable.core.models import CancelationReason
from hother.cancelable.utils.logging import get_logger

from ._hearers import Hearer, OfScope
from ._jobs import Ending, ended
from ._watches import ByHand, InTask, Watch, driven

if TYPE_CHECKING:
    from anyio import CancelScope

    from hother.cancelable._core import Why

CancelCallback = Callable[[CancelationReason, str], Awaitable[None] | None]

_log = get_logger(__name__)


class CancelationSource(ABC):
    """Something that may cancel an operation from outside, for `reason`.

    A source of one's own has a coroutine function `monitor`, which runs in a task for as long as an operation listens. The
    source fires when that returns; a string that it returns is the message:

        class FileGone(CancelationSource):
            def __init__(self, path):
                super().__init__(CancelationReason.CONDITION, name="file_gone")
                self.path = path

            async def monitor(self):
                while self.path.exists():
                    await anyio.sleep(0.5)
                return f"{self.path} is gone"

    Or it has `start_monitoring(scope)` and `stop_monitoring()`, which are called in one task, and calls `trigger_cancelation`
    when it is to fire. Either way it may be driven by hand, on a scope that the program holds.
    """

    scope: CancelScope | None
    """What it was started for last."""
    triggered: bool
    """Whether it has fired."""

    def __init__(self, reason: CancelationReason, name: str | None = None):
        kind = type(self)
        if not (_has_work(kind) or _is_by_hand(kind)):
            raise TypeError(
                f"{kind.__name__} watches nothing: implement monitor(), or start_monitoring(scope) and stop_monitoring()"
            )
        self.reason = reason
        self.name = name or kind.__name__
        self.scope = None
        self.triggered = False
        self._cancel_callback: CancelCallback | None = None
        self._watches: list[Watch] = []
        self._driven: list[Watch] = []

    async def monitor(self) -> str | None:
        """Returns when the source is to fire. What it raises is logged, and then the source never fires."""
        raise NotImplementedError(f"{type(self).__name__} has no monitor()")

    async def start_monitoring(self, scope: CancelScope) -> None:
        """Begins to watch: from now on `scope` is cancelled when the source fires."""
        self.scope = scope
        if not _has_work(type(self)):
            return
        self._driven.append(self._watch(self._driver() or OfScope(scope)))
        # What a task watches may have fired already.
        await cancel_shielded_checkpoint()

    async def stop_monitoring(self) -> None:
        """Ends what `start_monitoring` began, and waits for what is left of it."""
        jobs: list[Ending] = []
        for watch in self._driven_for(self._driver()):
            watch.stop()
            jobs.extend(watch.jobs())
        await ended(jobs)

    def set_cancel_callback(self, callback: CancelCallback) -> None:
        """Has `callback(reason, message)` called when the source fires, before anything is cancelled."""
        self._cancel_callback = callback

    async def trigger_cancelation(self, message: str | None = None) -> None:
        """Fires: what it was started for is cancelled, unless it is already."""
        why = _core.Why(self.reason, f"{self.name} fired" if message is None else message)
        watches = [watch for watch in self._watches if not watch.is_deaf()]
        scope = None if self._watches else self.scope
        if not watches and (scope is None or scope.cancel_called):
            return
        given = self._note(why)
        if given is not None:
            await given
        for watch in watches:
            watch.pass_on(why)
        if scope is not None:
            scope.cancel()

    def __str__(self) -> str:
        return f"{self.name}(reason={self.reason.value})"

    def _begin(self, hearer: Hearer) -> Watch:
        """Begins to watch for one that hears of it."""
        if not _is_by_hand(type(self)):
            return self._watch(hearer)
        if self._watches and not _has_work(type(self)):
            # What it began for the other would be lost, and ended in the other's place.
            raise RuntimeError(
                f"source {self.name} is at work for another operation already: give each a source of its own,"
                " or implement monitor(), which may run for any number of them"
            )
        return ByHand(self, hearer)

    def _watch(self, hearer: Hearer) -> Watch:
        """The same for one without methods of its own. What needs no task has another kind of watch."""
        return InTask(self, hearer)

    async def _monitored(self) -> Why:
        """What is to be told, once it fires."""
        message = await self.monitor()
        return _core.Why(self.reason, message if isinstance(message, str) else f"{self.name} fired")

    def _note(self, why: Why) -> Awaitable[None] | None:
        """Notes that it fired, and calls its callback; what is to be awaited of that, if anything."""
        self.triggered = True
        _log.info("%s fired: %s", self.name, why.message)
        if self._cancel_callback is None:
            return None
        try:
            given = self._cancel_callback(why.reason, why.message or "")
        except Exception:  # noqa: BLE001, since whatever it raises is its own affair
            _log.exception("callback of %s failed", self.name)
            return None
        return _logged(self.name, given) if inspect.isawaitable(given) else None

    def _driver(self) -> Hearer | None:
        """For whom this task starts and stops the source, where that is not the program itself."""
        whose = driven.get()
        return whose[1] if whose is not None and whose[0] is self else None

    def _driven_for(self, hearer: Hearer | None) -> list[Watch]:
        """Takes out what `start_monitoring` began for one that hears, or else for scopes of the program's."""
        mine = [
            it
            for it in self._driven
            if (isinstance(it.hearer, OfScope) if hearer is None else it.hearer is hearer)
        ]
        self._driven = [it for it in self._driven if it not in mine]
        return mine


async def _logged(name: str, given: Awaitable[Any]) -> None:
    try:
        await given
    except Exception:  # noqa: BLE001, since whatever it raises is its own affair
        _log.exception("callback of %s failed", name)


def _has_work(kind: type[CancelationSource]) -> bool:
    """Whether the class says what there is to watch, other than by `start_monitoring`."""
    own = (kind.monitor, kind._monitored, kind._watch)
    return own != (
        CancelationSource.monitor,
        CancelationSource._monitored,
        CancelationSource._watch,
    )


def _is_by_hand(kind: type[CancelationSource]) -> bool:
    return (
        kind.start_monitoring is not CancelationSource.start_monitoring
        or kind.stop_monitoring is not CancelationSource.stop_monitoring
    )
