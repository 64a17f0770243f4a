"""Cancelation that always says why."""

from .core.cancelable import Cancelable
from .core.current import checkpoint, current_operation
from .core.exceptions import (
    CancelationError,
    ConditionCancelation,
    ManualCancelation,
    ParentCancelation,
    SignalCancelation,
    TimeoutCancelation,
)
from .core.models import CancelationReason, OperationContext, OperationStatus
from .core.token import CancelationToken, LinkedCancelationToken
from .types import (
    ensure_cancelable,
)

CancellationToken = CancelationToken
"""The same class, by the spelling with two l."""

# In the order that programs know; what is ours alone comes last.
__all__ = [  # noqa: RUF022, since the order is said above
    "OperationStatus",
    "CancelationReason",
    "OperationContext",
    "CancelationToken",
    "Cancelable",
    "current_operation",
    "CancelationError",
    "TimeoutCancelation",
    "ManualCancelation",
    "SignalCancelation",
    "ConditionCancelation",
    "ParentCancelation",
    "ensure_cancelable",
    "CancellationToken",
    "LinkedCancelationToken",
    "checkpoint",
]
