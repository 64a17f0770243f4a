from typing import Self

from typing_extensions import disjoint_base

__all__ = ["Token"]

@disjoint_base
class Token:
    def __new__(cls) -> Self: ...
    @property
    def is_cancelled(self) -> bool: ...
