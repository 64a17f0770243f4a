"""`ThreadSafeRegistry`, the registry for plain threads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from hother.cancelable.core.models import CancelationReason
from hother.cancelable.core.registry import OperationRegistry

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from hother.cancelable.core.cancelable import Cancelable
    from hother.cancelable.core.models import OperationContext, OperationStatus


class ThreadSafeRegistry:
    """The registry of the process, without coroutines: all of it may be called on any thread, and works at once.

    A cancel has been made when the call returns, also of operations that run on the loops of other threads.
    """

    __slots__ = ("__weakref__",)

    _instance: ClassVar[ThreadSafeRegistry]
    _registry: ClassVar[OperationRegistry] = OperationRegistry()

    def get_operation(self, operation_id: str) -> Cancelable | None:
        """The live operation with this id."""
        return self._registry.get_operation_sync(operation_id)

    def list_operations(
        self,
        status: OperationStatus | None = None,
        parent_id: str | None = None,
        name_pattern: str | None = None,
    ) -> list[OperationContext]:
        """Snapshots of the live operations, as `OperationRegistry.list_operations` gives them."""
        return self._registry.list_operations_sync(status, parent_id, name_pattern)

    def get_active_operations(self) -> list[OperationContext]:
        """Snapshots of all live operations."""
        return self._registry.get_active_operations()

    def get_children(self, operation_id: str) -> list[OperationContext]:
        """Snapshots of the live operations that run directly in the one with this id."""
        return self._registry.get_children(operation_id)

    def get_statistics(self) -> dict[str, Any]:
        """How many operations there are and have been, as `OperationRegistry.get_statistics` tells."""
        return self._registry.get_statistics_sync()

    def get_history(
        self,
        limit: int | None = None,
        status: OperationStatus | None = None,
        since: datetime | None = None,
    ) -> list[OperationContext]:
        """The last snapshots of operations that ended, as `OperationRegistry.get_history` gives them."""
        return self._registry.get_history_sync(limit, status, since)

    def cancel_operation(
        self,
        operation_id: str,
        reason: CancelationReason = CancelationReason.MANUAL,
        message: str | None = None,
    ) -> bool:
        """Asks the operation with this id to stop; whether it is live, and so has been asked by now."""
        return self._registry.cancel_operation_sync(operation_id, reason, message)

    def cancel_all(
        self,
        status: OperationStatus | None = None,
        reason: CancelationReason = CancelationReason.MANUAL,
        message: str | None = None,
        *,
        name_pattern: str | None = None,
        min_age_seconds: float | None = None,
        max_age_seconds: float | None = None,
        filter_func: Callable[[OperationContext], object] | None = None,
    ) -> int:
        """Asks all operations that are meant to stop, as `OperationRegistry.cancel_all` does; how many these are."""
        return self._registry.cancel_all_sync(
            status,
            reason,
            message,
            name_pattern=name_pattern,
            min_age_seconds=min_age_seconds,
            max_age_seconds=max_age_seconds,
            filter_func=filter_func,
        )

    @classmethod
    def get_instance(cls) -> ThreadSafeRegistry:
        """The same each time."""
        return ThreadSafeRegistry._instance


ThreadSafeRegistry._instance = ThreadSafeRegistry()
