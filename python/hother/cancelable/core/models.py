"""What there is to know about an operation, as values."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar

from hother.cancelable import _core

from ._model import FACTORY, Model, ModelField

if TYPE_CHECKING:
    from collections.abc import Mapping


class OperationStatus(str, Enum):  # noqa: UP042, since str() of a member is its name
    """Where an operation stands: pending, running, perhaps cancelling, then exactly one of completed, cancelled, failed."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    FAILED = "failed"
    TIMEOUT = "timeout"
    """Only for contexts that are made by hand: an operation that timed out is `CANCELLED`, with reason `TIMEOUT`."""
    SHIELDED = "shielded"
    """A section that runs to its end, whatever happens to the operation around it."""
    CANCELLING = "cancelling"
    """Asked to stop, and still at work: counts as running."""


class CancelationReason(str, Enum):  # noqa: UP042, since str() of a member is its name
    """Why something was cancelled."""

    TIMEOUT = "timeout"
    MANUAL = "manual"
    SIGNAL = "signal"
    CONDITION = "condition"
    PARENT = "parent"
    ERROR = "error"
    DISCONNECTED = "disconnected"
    SHUTDOWN = "shutdown"
    DROPPED = "dropped"


class OperationContext(Model, _core.Context):
    """What is known about an operation. That of a live one changes with it; of one made by hand all fields may be set."""

    __slots__ = ()

    model_fields: ClassVar[dict[str, ModelField]] = {
        "id": ModelField(FACTORY, str),
        "name": ModelField(None, str | None),
        "status": ModelField(OperationStatus.PENDING, OperationStatus),
        "start_time": ModelField(FACTORY, datetime),
        "end_time": ModelField(None, datetime | None),
        "cancel_reason": ModelField(None, CancelationReason | None),
        "cancel_message": ModelField(None, str | None),
        "error": ModelField(None, str | None),
        "partial_result": ModelField(None, Any | None),
        "metadata": ModelField(FACTORY, dict[str, Any]),
        "parent_id": ModelField(None, str | None),
    }

    def _put(self, data: Mapping[str, Any]) -> None:
        for name in self._native_fields:
            if name in data:
                setattr(self, name, data[name])

    @property
    def duration(self) -> timedelta | None:
        """How long it took, or has taken so far; `None` before its start, and where the end is not known."""
        took = self._took_seconds
        if took is not None:
            return timedelta(seconds=took)
        start, end = self.start_time, self.end_time
        if end is None and self.status in _RUNNING:
            end = datetime.now(UTC)
        return None if end is None else end - start

    @property
    def duration_seconds(self) -> float | None:
        """The same in seconds."""
        duration = self.duration
        return None if duration is None else duration.total_seconds()

    @property
    def elapsed_time(self) -> float:
        """How long it took, or has taken so far, in seconds."""
        return self.duration_seconds or 0.0

    @property
    def is_terminal(self) -> bool:
        """Whether it has ended."""
        return self.status in _TERMINAL

    @property
    def is_success(self) -> bool:
        """Whether it ended by itself."""
        return self.status is OperationStatus.COMPLETED

    @property
    def is_cancelled(self) -> bool:
        """Whether it ended cancelled, by a timeout or otherwise."""
        return self.status in (OperationStatus.CANCELLED, OperationStatus.TIMEOUT)

    def log_context(self) -> dict[str, Any]:
        """What to log of it."""
        reason = self.cancel_reason
        return {
            "operation_id": self.id,
            "operation_name": self.name,
            "status": self.status.value,
            "duration_seconds": self.duration_seconds,
            "parent_id": self.parent_id,
            "has_error": self.error is not None,
            "cancel_reason": None if reason is None else reason.value,
        }

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, OperationContext):
            return NotImplemented
        return dict(self) == dict(other)

    def __hash__(self) -> int:
        return hash(self.id)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self)})"

    def update_status(self, status: OperationStatus) -> None:
        """Sets the status, and with a terminal one the time of the end."""
        self.status = status
        if self.is_terminal:
            self.end_time = datetime.now(UTC)


_TERMINAL = frozenset(
    {
        OperationStatus.COMPLETED,
        OperationStatus.CANCELLED,
        OperationStatus.FAILED,
        OperationStatus.TIMEOUT,
    }
)

_RUNNING = frozenset(
    {OperationStatus.RUNNING, OperationStatus.CANCELLING, OperationStatus.SHIELDED}
)

# The native module looks the class up once: now, and not while another thread forks, whose child would wait for that for ever.
OperationContext()._snapshot()
