"""`OperationRegistry`: who runs and who ran, to be listed and cancelled from anywhere in the process."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

from hother.cancelable import _core

from .models import CancelationReason

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator
    from datetime import datetime, timedelta

    from .cancelable import Cancelable
    from .models import OperationContext, OperationStatus

T = TypeVar("T")


class Found(list[T]):
    """A list that may be awaited, and need not be."""

    def __await__(self) -> Generator[Any, Any, Self]:
        yield from ()
        return self


class OperationRegistry:
    """The registry of the process: each operation with `register_globally=True` from its start to its end, then its history.

    There is one, however it is come by. Everything may be called on any thread; what is a coroutine here has done its work when it
    is first awaited, and gives way to nobody. What is listed are snapshots, which do not change later. The history keeps the newest
    1000. After a fork, the child's registry starts anew.

    Two operations with one id cannot be listed at a time: `ValueError` where the second is registered or entered, and nothing of it
    has been begun then.
    """

    __slots__ = ("__weakref__",)

    _instance: ClassVar[OperationRegistry]
    _native: ClassVar[_core.Registry] = _core.Registry()

    def __new__(cls) -> Self:
        """Give the one that there is: made while the module is loaded, so that no two threads make one."""
        instance: Any = OperationRegistry.__dict__.get("_instance")
        return instance or super().__new__(cls)

    @classmethod
    def get_instance(cls) -> OperationRegistry:
        """The registry of the process."""
        return cls()

    async def register(self, operation: Cancelable) -> None:
        """Lists `operation` until it has ended, or is taken off, and keeps it alive for as long.

        It need not run yet: then it is listed as pending, and may be cancelled before its start. One that is listed stays so.
        """
        self._native.register(operation)

    async def unregister(self, operation_id: str) -> None:
        """Takes a live operation off the list, if one has this id. It goes into the history only if it has ended."""
        self._native.unregister(operation_id)

    async def get_operation(self, operation_id: str) -> Cancelable | None:
        """The live operation with this id; `None` also where it is in the history."""
        return self.get_operation_sync(operation_id)

    async def list_operations(
        self,
        status: OperationStatus | None = None,
        parent_id: str | None = None,
        name_pattern: str | None = None,
    ) -> list[OperationContext]:
        """Snapshots of the live operations, in the order of their registration.

        Args:
            status: only those that stand there; whoever is asked to stop counts as running, too.
            parent_id: only those that were given the operation with this id as `parent`.
            name_pattern: only those with this in their name, whatever the case of the letters; with a `*` (any characters) or `?`
                (one) in it, those whose whole name is like that.
        """
        return self.list_operations_sync(status, parent_id, name_pattern)

    def get_active_operations(self) -> Found[OperationContext]:
        """Snapshots of all live operations, in the order of their registration. May be awaited, and need not be."""
        return Found(self._native.contexts())

    def get_children(self, operation_id: str) -> Found[OperationContext]:
        """Snapshots of the live operations that run directly in the one with this id, also those that were not given it as `parent`.

        May be awaited, and need not be.
        """
        return Found(self._native.contexts(children_of=operation_id))

    async def cancel_operation(
        self,
        operation_id: str,
        reason: CancelationReason = CancelationReason.MANUAL,
        message: str | None = None,
    ) -> bool:
        """Asks the operation with this id to stop, on whatever loop it runs; whether it is live, and so has been asked by now.

        `False` where it is over, or was never known. The first ask counts.
        """
        return self.cancel_operation_sync(operation_id, reason, message)

    async def cancel_all(
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
        """Asks all operations to stop that all of this is true of, and gives how many are live that have been asked by now.

        Args:
            status: as with `list_operations`.
            reason: why.
            message: what to tell people; `Bulk cancelation` where nothing is said.
            name_pattern: as with `list_operations`.
            min_age_seconds: only those that have been running for so long.
            max_age_seconds: only those that have been running no longer.
            filter_func: only those whose snapshot it answers true to. It is asked last, and about all before the first operation is
                asked to stop: if it raises, none is.
        """
        return self.cancel_all_sync(
            status,
            reason,
            message,
            name_pattern=name_pattern,
            min_age_seconds=min_age_seconds,
            max_age_seconds=max_age_seconds,
            filter_func=filter_func,
        )

    async def get_history(
        self,
        limit: int | None = None,
        status: OperationStatus | None = None,
        since: datetime | None = None,
    ) -> list[OperationContext]:
        """The last snapshots of operations that ended, the oldest first; of these the newest `limit`.

        Args:
            limit: how many at most.
            status: only those that ended so.
            since: only those that ended then or later; with its timezone.
        """
        return self.get_history_sync(limit, status, since)

    async def cleanup_completed(
        self,
        older_than: timedelta | None = None,
        keep_failed: bool = True,
        *,
        max_age_seconds: float | None = None,
    ) -> int:
        """Takes out of the history what ended at least so long ago, and gives how many these were.

        Operations leave the list by themselves when they end. Without an age the history stays as it is, and only those are taken
        off the list, into the history, whose status somebody has set by hand, or whose event loop was closed while they ran: those
        have ended as dropped.
        """
        if older_than is not None:
            max_age_seconds = older_than.total_seconds()
        return self._native.clean_up(max_age_seconds, keep_failed)

    async def get_statistics(self) -> dict[str, Any]:
        """How many operations there are and have been.

        `active_operations`, `active_by_status` (whoever is asked to stop counts as running), `history_size`, `history_by_status`,
        `average_duration_seconds` of those in the history that completed, and `total_completed`, ever.
        """
        return self.get_statistics_sync()

    def clear(self) -> Coroutine[Any, Any, None]:
        """Begins anew: nothing is listed, nothing is in the history, nothing is counted. Operations that run go on.

        May be awaited, and need not be.
        """
        before, OperationRegistry._native = self._native, _core.Registry()
        before.let_go()
        return _core.DONE

    async def clear_all(self) -> None:
        """The same."""
        await self.clear()

    def get_operation_sync(self, operation_id: str) -> Cancelable | None:
        """`get_operation`, for plain code."""
        operation: Cancelable | None = self._native.operation(operation_id)
        return operation

    def list_operations_sync(
        self,
        status: OperationStatus | None = None,
        parent_id: str | None = None,
        name_pattern: str | None = None,
    ) -> list[OperationContext]:
        """`list_operations`, for plain code."""
        return self._native.contexts(status, parent_id, name_pattern)

    def get_statistics_sync(self) -> dict[str, Any]:
        """`get_statistics`, for plain code."""
        return self._native.statistics()

    def get_history_sync(
        self,
        limit: int | None = None,
        status: OperationStatus | None = None,
        since: datetime | None = None,
    ) -> list[OperationContext]:
        """`get_history`, for plain code."""
        if since is not None and since.tzinfo is None:
            raise TypeError(
                f"since must have a timezone, got {since!r}; use datetime.now(UTC) or .astimezone()"
            )
        return self._native.history(limit, status, since)

    def cancel_operation_sync(
        self,
        operation_id: str,
        reason: CancelationReason = CancelationReason.MANUAL,
        message: str | None = None,
    ) -> bool:
        """`cancel_operation`, for plain code: the operation has been asked when it returns."""
        return self._native.cancel(operation_id, _core.Why(reason, message))

    def cancel_all_sync(
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
        """`cancel_all`, for plain code: all have been asked when it returns."""
        why = _core.Why(reason, "Bulk cancelation" if message is None else message)
        return self._native.cancel_all(
            why, status, name_pattern, min_age_seconds, max_age_seconds, filter_func
        )


def _begin_anew() -> None:
    """What is inherited stays as it was, and is not touched."""
    OperationRegistry._native = _core.Registry()


OperationRegistry._instance = OperationRegistry()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)
