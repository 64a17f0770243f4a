"""What tells that work was cancelled, and why.

These are ordinary exceptions. What leaves the `async with` of an operation that was cancelled is one of them that is an
`asyncio.CancelledError` as well, by a class of its own that nobody has to name: so code that knows only asyncio or anyio
takes it for a cancel, and `except TimeoutError` catches a timeout.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .models import CancelationReason

if TYPE_CHECKING:
    from hother.cancelable._core import Why

    from .models import OperationContext


class CancelationError(Exception):
    """Work was cancelled: for `reason`, with `message`, in the operation that `context` tells of, if it is known."""

    _root_reason: CancelationReason | None = None

    def __init__(
        self,
        reason: CancelationReason,
        message: str | None = None,
        context: OperationContext | None = None,
    ):
        self._tell(
            reason, f"Operation cancelled: {_word(reason)}" if message is None else message, context
        )

    def _tell(
        self, reason: CancelationReason, message: str, context: OperationContext | None
    ) -> None:
        # One argument, also for `OSError` among the bases, which takes two for an error number and its text.
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.context = context

    @property
    def root_reason(self) -> CancelationReason:
        """The reason that it all began with: where the operation was cancelled with its parent, that of the outermost one."""
        return self._root_reason or self.reason

    def __reduce__(self) -> tuple[Any, ...]:
        kind = type(self)
        kept = (self.args, self.__dict__)
        if "_is_leaving" in kind.__dict__:
            return _revived, (kind.__mro__[1], True, *kept)
        return _revived, (kind, False, *kept)


class TimeoutCancelation(CancelationError, TimeoutError):
    """The time was up, after `timeout_seconds`. Caught by `except TimeoutError`, too."""

    def __init__(
        self,
        timeout_seconds: float,
        message: str | None = None,
        context: OperationContext | None = None,
    ):
        self.timeout_seconds = timeout_seconds
        default = f"Operation timed out after {timeout_seconds}s"
        self._tell(CancelationReason.TIMEOUT, default if message is None else message, context)


class ManualCancelation(CancelationError):
    """Somebody asked for it."""

    def __init__(self, message: str | None = None, context: OperationContext | None = None):
        default = "Operation cancelled manually"
        self._tell(CancelationReason.MANUAL, default if message is None else message, context)


class SignalCancelation(CancelationError):
    """The process received the signal `signal_number`."""

    def __init__(
        self,
        signal_number: int,
        message: str | None = None,
        context: OperationContext | None = None,
    ):
        self.signal_number = signal_number
        default = f"Operation cancelled by signal {signal_number}"
        self._tell(CancelationReason.SIGNAL, default if message is None else message, context)


class ConditionCancelation(CancelationError):
    """A condition was met: that of the name `condition_name`, if it has one."""

    def __init__(
        self,
        condition_name: str | None = None,
        message: str | None = None,
        context: OperationContext | None = None,
    ):
        self.condition_name = condition_name
        default = (
            f"Operation cancelled: {f'{condition_name} ' if condition_name else ''}condition met"
        )
        self._tell(CancelationReason.CONDITION, default if message is None else message, context)


class ParentCancelation(CancelationError):
    """The operation with the id `parent_id` was cancelled, for `parent_reason`, and this one with it."""

    def __init__(
        self,
        parent_id: str,
        parent_reason: CancelationReason | None = None,
        message: str | None = None,
        context: OperationContext | None = None,
    ):
        self.parent_id = parent_id
        self.parent_reason = parent_reason
        because = "" if parent_reason is None else f" ({_word(parent_reason)})"
        default = f"Operation cancelled: parent {parent_id} was cancelled{because}"
        self._tell(CancelationReason.PARENT, default if message is None else message, context)


def told(why: Why, context: OperationContext) -> CancelationError:
    """The error that tells `why`, of the kind that fits."""
    message = why.message
    match why.reason:
        # Whoever cancels by hand may give a reason without what fired: then none is made up.
        case CancelationReason.TIMEOUT:
            after = why.timeout_seconds
            if after is None and message is None:
                message = "Operation timed out"
            return TimeoutCancelation(after or 0.0, message, context)
        case CancelationReason.MANUAL:
            return ManualCancelation(message, context)
        case CancelationReason.SIGNAL:
            number = why.signal_number
            if number is None and message is None:
                message = "Operation cancelled by a signal"
            return SignalCancelation(number or 0, message, context)
        case CancelationReason.CONDITION:
            return ConditionCancelation(why.condition_name, message, context)
        case CancelationReason.PARENT:
            cause = why.cause
            of_parent = None if cause is None else cause.reason
            root = cause
            while root is not None and root.reason is CancelationReason.PARENT and root.cause:
                root = root.cause
            parent_id = why.parent_id
            if parent_id is None and message is None:
                message = "Operation cancelled with its parent"
            error = ParentCancelation(parent_id or "", of_parent, message, context)
            error._root_reason = None if root is None else root.reason
            return error
        case reason:
            return CancelationError(reason, message, context)


def _word(reason: Any) -> str:
    return reason.value if isinstance(reason, CancelationReason) else str(reason)


def revived(
    kind: type[CancelationError], args: tuple[Any, ...], fields: dict[str, Any]
) -> CancelationError:
    """An error as it was, without calling an `__init__` that may want other arguments."""
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(fields)
    return error


def _revived(
    kind: type[CancelationError], is_leaving: bool, args: tuple[Any, ...], fields: dict[str, Any]
) -> CancelationError:
    error = revived(kind, args, fields)
    if not is_leaving:
        return error
    # An error that is asyncio's as well needs asyncio.
    from .leaving import leaving  # noqa: PLC0415

    return leaving(error)
