"""What may end an operation from outside: time, signals, conditions, the machine, tokens, and any or all of several."""

from typing import TYPE_CHECKING

from hother.cancelable._lazily import names_of

if TYPE_CHECKING:
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

# A type checker takes what has this for a module with any name.
if not TYPE_CHECKING:
    __getattr__, __dir__ = names_of(
        globals(),
        {
            "base": ("CancelationSource",),
            "composite": (
                "AllOfSource",
                "AnyOfSource",
                "CompositeSource",
            ),
            "condition": (
                "ConditionSource",
                "ResourceConditionSource",
            ),
            "signal": ("SignalSource",),
            "timeout": ("TimeoutSource",),
            "token": ("TokenSource",),
        },
        parts=("base", "composite", "condition", "signal", "timeout", "token"),
    )
