"""`SignalSource`, signals of the process as a source."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from hother.cancelable import _core
from hother.cancelable.core.models import CancelationReason

from . import _signals
from ._hearers import OfOperation
from ._jobs import home
from ._watches import Watch
from .base import CancelationSource

if TYPE_CHECKING:
    from ._hearers import Hearer


class SignalSource(CancelationSource):
    """Fires when the process receives one of `signals`: SIGINT or SIGTERM, where none are given.

    It listens while an operation does, on a loop in the main thread, where signals are handled. Meanwhile a handler that the
    program has installed is called as before; what the system, the interpreter or asyncio would do is held back, but for a
    second signal while what heard the first is still stopping: that ends the process.
    """

    def __init__(self, *signals: int, name: str | None = None) -> None:
        for number in signals:
            _signals.check(number)
        super().__init__(CancelationReason.SIGNAL, name)
        self.signals: tuple[int, ...] = signals or (signal.SIGINT, signal.SIGTERM)

    def _watch(self, hearer: Hearer) -> Watch:
        return _Listening(self, hearer)


class _Listening(Watch):
    __slots__ = ("_home", "_numbers", "has_heard")

    def __init__(self, source: SignalSource, hearer: Hearer):
        super().__init__(source, hearer)
        self.has_heard = False
        self._home = home()
        self._numbers = dict.fromkeys(source.signals)
        try:
            for number in self._numbers:
                _signals.listen(number, self)
        except BaseException:
            self.stop()
            raise

    def is_listening(self) -> bool:
        """Whether a signal would be news to it."""
        return not self.has_heard and not self.is_deaf()

    def arrived(self, number: int) -> bool:
        """A signal has come; whether what it ends goes on for a while.

        Called by its handler, in the middle of whatever the main thread is at.
        """
        self.has_heard = True
        name = _signals.name_of(number)
        why = _core.Why.signal(number, name, f"Received signal {name} ({number})")
        hearer = self.hearer
        if not isinstance(hearer, OfOperation):
            self._home.post(lambda: self.fire(why))
            return False
        self.has_fired = self.source.triggered = True
        hearer.operation._fire(why, True)
        self._home.post(lambda: self.note(why))
        return hearer.operation._grace_after(CancelationReason.SIGNAL) is not None

    def stop(self) -> None:
        super().stop()
        for number in self._numbers:
            _signals.leave(number, self)
