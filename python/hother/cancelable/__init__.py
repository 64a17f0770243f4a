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
from .core.registry import OperationRegistry
from .core.token import CancelationToken, LinkedCancelationToken
from .sources import (
    AllOfSource,
    AnyOfSource,
    CancelationSource,
    CompositeSource,
    ConditionSource,
    ResourceConditionSource,
    SignalSource,
    TimeoutSource,
    TokenSource,
)
from .types import (
    ErrorCallback,
    ErrorCallbackType,
    ProgressCallback,
    ProgressCallbackType,
    StatusCallback,
    StatusCallbackType,
    ensure_cancelable,
)
from .utils.anyio_bridge import AnyioBridge, call_soon_threadsafe
from .utils.decorators import (
    cancelable,
    cancelable_combine,
    cancelable_with_condition,
    cancelable_with_signal,
    cancelable_with_token,
    with_cancelable,
    with_timeout,
)
from .utils.streams import cancelable_stream
from .utils.threading_bridge import ThreadSafeRegistry

CancellationToken = CancelationToken
"""The same class, by the spelling with two l."""

# In the order that programs know; what is ours alone comes last.
__all__ = [  # noqa: RUF022, since the order is said above
    "OperationStatus",
    "CancelationReason",
    "OperationContext",
    "CancelationToken",
    "Cancelable",
    "OperationRegistry",
    "ThreadSafeRegistry",
    "current_operation",
    "CancelationError",
    "TimeoutCancelation",
    "ManualCancelation",
    "SignalCancelation",
    "ConditionCancelation",
    "ParentCancelation",
    "CompositeSource",
    "AnyOfSource",
    "AllOfSource",
    "ProgressCallback",
    "ProgressCallbackType",
    "StatusCallback",
    "StatusCallbackType",
    "ErrorCallback",
    "ErrorCallbackType",
    "ensure_cancelable",
    "cancelable",
    "cancelable_with_token",
    "cancelable_with_signal",
    "cancelable_with_condition",
    "cancelable_combine",
    "with_cancelable",
    "with_timeout",
    "cancelable_stream",
    "AnyioBridge",
    "call_soon_threadsafe",
    "CancellationToken",
    "LinkedCancelationToken",
    "checkpoint",
    "CancelationSource",
    "ConditionSource",
    "ResourceConditionSource",
    "SignalSource",
    "TimeoutSource",
    "TokenSource",
]
