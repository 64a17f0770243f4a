"""Cancelation that always says why.

What is here is imported when it is first asked for: a program that only names an operation does not wait for asyncio, logging and
whatever else the rest of the package needs.
"""

from typing import TYPE_CHECKING

from ._lazily import names_of

if TYPE_CHECKING:
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
    from .core.token import CancelationToken, CancellationToken, LinkedCancelationToken
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


# A type checker takes what has this for a module with any name.
if not TYPE_CHECKING:
    __getattr__, __dir__ = names_of(
        globals(),
        {
            "core.cancelable": ("Cancelable",),
            "core.current": (
                "checkpoint",
                "current_operation",
            ),
            "core.exceptions": (
                "CancelationError",
                "ConditionCancelation",
                "ManualCancelation",
                "ParentCancelation",
                "SignalCancelation",
                "TimeoutCancelation",
            ),
            "core.models": (
                "CancelationReason",
                "OperationContext",
                "OperationStatus",
            ),
            "core.registry": ("OperationRegistry",),
            "core.token": (
                "CancelationToken",
                "LinkedCancelationToken",
                "CancellationToken",
            ),
            "sources": (
                "AllOfSource",
                "AnyOfSource",
                "CancelationSource",
                "CompositeSource",
                "ConditionSource",
                "ResourceConditionSource",
                "SignalSource",
                "TimeoutSource",
                "TokenSource",
            ),
            "types": (
                "ErrorCallback",
                "ErrorCallbackType",
                "ProgressCallback",
                "ProgressCallbackType",
                "StatusCallback",
                "StatusCallbackType",
                "ensure_cancelable",
            ),
            "utils.anyio_bridge": (
                "AnyioBridge",
                "call_soon_threadsafe",
            ),
            "utils.decorators": (
                "cancelable",
                "cancelable_combine",
                "cancelable_with_condition",
                "cancelable_with_signal",
                "cancelable_with_token",
                "with_cancelable",
                "with_timeout",
            ),
            "utils.streams": ("cancelable_stream",),
            "utils.threading_bridge": ("ThreadSafeRegistry",),
        },
        parts=("core", "sources", "types", "utils"),
    )
