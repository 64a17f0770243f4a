"""`TokenSource`, a token as a source: so that one may stand among the parts of a composite."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hother.cancelable import _core
from hother.cancelable.core.models import CancelationReason

from ._hearers import OfOperation
from ._watches import Watch
from .base import CancelationSource

if TYPE_CHECKING:
    from hother.cancelable.core.token import CancelationToken

    from ._hearers import Hearer


class TokenSource(CancelationSource):
    """Fires when `token` is cancelled, with the reason and message of that."""

    def __init__(self, token: CancelationToken, name: str | None = None):
        if not isinstance(token, _core.Token):
            raise TypeError(f"token must be a CancelationToken, got {type(token).__name__}")
        super().__init__(CancelationReason.MANUAL, name or f"token_{token.id[:8]}")
        self.token = token

    def _watch(self, hearer: Hearer) -> Watch:
        return _Waiting(self, hearer)


class _Waiting(Watch):
    __slots__ = ("_is_linked", "_token", "_waiting")

    def __init__(self, source: TokenSource, hearer: Hearer):
        super().__init__(source, hearer)
        self._token = source.token
        self._is_linked = isinstance(hearer, OfOperation)
        self._waiting: _core.CallbackRegistration | None = None
        if isinstance(hearer, OfOperation):
            # The operation hears of it on whichever thread cancels; what is left for the loop is to have it noted.
            hearer.operation._link(source.token)
        self._waiting = source.token._wait(self._heard)

    def _heard(self) -> None:
        why = _core.Why.of(self._token)
        if why is None or self.has_fired:
            return
        self.source.reason = why.reason
        if self._is_linked:
            self.has_fired = True
            self.note(why)
        else:
            self.fire(why)

    def stop(self) -> None:
        super().stop()
        if self._waiting is not None:
            self._waiting.deregister()
