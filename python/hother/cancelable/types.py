"""What programs hand over to be called, and what they are given."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Protocol

from .core.models import OperationContext

if TYPE_CHECKING:
    from .core.cancelable import Cancelable


class ProgressCallback(Protocol):
    """Hears of progress; what it gives is awaited, if that can be awaited."""

    def __call__(
        self,
        operation_id: str,
        message: Any,
        metadata: dict[str, Any] | None = None,
    ) -> Awaitable[None] | None:
        """Called with the id of the operation that reports."""


class StatusCallback(Protocol):
    """Hears of a start or an end; what it gives is awaited, if that can be awaited."""

    def __call__(self, context: OperationContext) -> Awaitable[None] | None:
        """Called with how the operation stands."""


class ErrorCallback(Protocol):
    """Hears of a failure; what it gives is awaited, if that can be awaited."""

    def __call__(self, context: OperationContext, error: Exception) -> Awaitable[None] | None:
        """Called with how the operation stands, and what it failed with."""


ProgressCallbackType = (
    Callable[[str, Any, dict[str, Any] | None], None]
    | Callable[[str, Any, dict[str, Any] | None], Awaitable[None]]
)
StatusCallbackType = (
    Callable[[OperationContext], None] | Callable[[OperationContext], Awaitable[None]]
)
ErrorCallbackType = (
    Callable[[OperationContext, Exception], None]
    | Callable[[OperationContext, Exception], Awaitable[None]]
)


def ensure_cancelable(cancelable: Cancelable | None) -> Cancelable:
    """The operation itself, for a parameter that a decorator fills in and so has `None` as its default.

    Raises:
        RuntimeError: If it is `None`, since the function was called without what fills it in.
    """
    if cancelable is None:
        raise RuntimeError(
            "Cancelable parameter is None. Functions that the @cancelable decorator marks are given one by it;"
            " to call the function directly, hand it a Cancelable"
        )
    return cancelable
