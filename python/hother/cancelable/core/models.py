"""The words that operations and tokens are described with."""

from enum import Enum


class OperationStatus(str, Enum):  # noqa: UP042, since str() of a member is its name
    """How far an operation has come."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    FAILED = "failed"
    TIMEOUT = "timeout"
    SHIELDED = "shielded"
    CANCELLING = "cancelling"


class CancelationReason(str, Enum):  # noqa: UP042, since str() of a member is its name
    """Why something was cancelled, as a word to branch on."""

    TIMEOUT = "timeout"
    MANUAL = "manual"
    SIGNAL = "signal"
    CONDITION = "condition"
    PARENT = "parent"
    ERROR = "error"
    DISCONNECTED = "disconnected"
    SHUTDOWN = "shutdown"
    DROPPED = "dropped"
