"""What may end an operation from outside: time, signals, conditions, the machine, tokens, and any or all of several."""

from .base import CancelationSource
from .composite import AllOfSource, AnyOfSource, CompositeSource
from .condition import ConditionSource, ResourceConditionSource
from .signal import SignalSource
from .timeout import TimeoutSource
from .token import TokenSource

# In the order that programs know; what is ours alone comes last.
__all__ = [  # noqa: RUF022, since the order is said above
    "CancelationSource",
    "TimeoutSource",
    "SignalSource",
    "ConditionSource",
    "ResourceConditionSource",
    "CompositeSource",
    "AnyOfSource",
    "AllOfSource",
    "TokenSource",
]
