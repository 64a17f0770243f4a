"""Operations, tokens, and what they say."""

from typing import TYPE_CHECKING

from hother.cancelable._lazily import names_of

# A type checker takes what has this for a module with any name.
if not TYPE_CHECKING:
    __getattr__, __dir__ = names_of(
        globals(), {}, parts=("cancelable", "exceptions", "models", "registry", "token")
    )
