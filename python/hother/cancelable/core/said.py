"""What a program says of an operation, mostly before that runs: how it may end, and whom it calls."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

from hother.cancelable import _core

from .lengths import seconds

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from hother.cancelable.sources.base import CancelationSource
    from hother.cancelable.types import ErrorCallbackType, ProgressCallbackType, StatusCallbackType

    from .cancelable import Cancelable
    from .extras import Extras
    from .token import CancelationToken

C = TypeVar("C", bound="Callable[..., Any]")


class Said(_core.Operation):
    """The part of `Cancelable` that takes down what it is told."""

    __slots__ = ("_extras",)

    _extras: Extras | None

    @classmethod
    def with_timeout(
        cls,
        timeout: float | timedelta,
        operation_id: str | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> Self:
        """One that is cancelled `timeout` seconds after it is entered."""
        operation = cls(operation_id, name, **kwargs) if kwargs else cls(operation_id, name)
        if not operation._limit_plainly(timeout, name is None):
            limit = seconds("Timeout", timeout)
            if name is None:
                shown = limit if type(timeout) is timedelta else timeout
                operation.context.name = f"timeout_{shown}s"
            operation._limit(limit)
        return operation

    @classmethod
    def with_token(
        cls,
        token: CancelationToken,
        operation_id: str | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> Self:
        """One that is cancelled with `token`, which is its token: to cancel it is to cancel that."""
        operation = cls(operation_id, name or "token_based", **kwargs)
        operation._set_token(token)
        return operation

    @classmethod
    def with_signal(
        cls,
        *signals: int,
        operation_id: str | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> Self:
        """One that is cancelled when the process receives one of `signals`: SIGINT or SIGTERM, where none are given."""
        from hother.cancelable.sources.signal import (  # noqa: PLC0415, since sources need operations
            SignalSource,
        )

        operation = cls(operation_id, name or "signal_based", **kwargs)
        return operation.add_source(SignalSource(*signals))

    @classmethod
    def with_condition(
        cls,
        condition: Callable[[], bool | Awaitable[bool]],
        check_interval: float = 0.1,
        condition_name: str | None = None,
        operation_id: str | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> Self:
        """One that is cancelled when `condition` answers true, which is asked every `check_interval` seconds."""
        from hother.cancelable.sources.condition import (  # noqa: PLC0415, since sources need operations
            ConditionSource,
        )

        operation = cls(operation_id, name or "condition_based", **kwargs)
        return operation.add_source(ConditionSource(condition, check_interval, condition_name))

    def add_source(self, source: CancelationSource | CancelationToken) -> Self:
        """Has it be cancelled when `source` fires, too. One that runs listens from now on; call it on its loop then."""
        from hother.cancelable.sources.composite import (  # noqa: PLC0415, since sources need operations
            as_source,
        )

        source = as_source(source)
        if self.is_running:
            self._more.start(cast("Cancelable", self), source)
        self._more.sources.append(source)
        return self

    def on_progress(self, callback: ProgressCallbackType) -> Self:
        """Has `callback(operation_id, message, metadata)` called for every report, its own and those of what runs inside."""
        self._more.on_progress.append(_checked(callback))
        return self

    def on_start(self, callback: StatusCallbackType) -> Self:
        """Has `callback(context)` called when it starts."""
        self._more.on_start.append(_checked(callback))
        return self

    def on_complete(self, callback: StatusCallbackType) -> Self:
        """Has `callback(context)` called when it ended by itself."""
        self._more.on_complete.append(_checked(callback))
        return self

    def on_cancel(self, callback: StatusCallbackType) -> Self:
        """Has `callback(context)` called when it ended cancelled."""
        self._more.on_cancel.append(_checked(callback))
        return self

    def on_error(self, callback: ErrorCallbackType) -> Self:
        """Has `callback(context, error)` called when it failed."""
        self._more.on_error.append(_checked(callback))
        return self

    def finalizer(
        self, f: Callable[[], Awaitable[object] | object], timeout: float | timedelta = 30
    ) -> Self:
        """Has `f()` called, and awaited, once the body is over, whichever way that ended: the last registered first.

        Each may take `timeout` seconds. Nothing that cancels the body or what encloses it cancels one; one that fails is logged.
        They may be registered while it runs, too, and run once.
        """
        if not callable(f):
            raise TypeError(f"f must be a callable without arguments, got {type(f).__name__}")
        self._more.finalizers.append((f, seconds("Timeout", timeout)))
        return self

    def _take_over(self, parts: Iterable[Said]) -> None:
        """Has it end on whatever ends one of `parts`, too."""
        for part in parts:
            self._combine(part)
            if part._extras is not None:
                self._more.take_over(part._extras)

    @property
    def _more(self) -> Extras:
        if self._extras is None:
            from .extras import Extras  # noqa: PLC0415, since few operations have any

            self._extras = Extras()
        return self._extras


def _checked(callback: C) -> C:
    """`callback`, which can be called."""
    if not callable(callback):
        raise TypeError(f"callback must be callable, got {type(callback).__name__}")
    return callback
