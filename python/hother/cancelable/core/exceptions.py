"""What is raised when something was cancelled."""

from typing import Any

from .models import CancelationReason


class CancelationError(Exception):
    """Something was cancelled: why, what was said, and of which operation, if of one."""

    def __init__(
        self, reason: CancelationReason, message: str | None = None, context: Any | None = None
    ):
        self.reason = reason
        self.message = f"Operation cancelled: {reason.value}" if message is None else message
        self.context = context
        super().__init__(self.message)


class ManualCancelation(CancelationError):
    """Somebody asked for it."""

    def __init__(self, message: str | None = None, context: Any | None = None):
        message = "Operation cancelled manually" if message is None else message
        super().__init__(CancelationReason.MANUAL, message, context)
