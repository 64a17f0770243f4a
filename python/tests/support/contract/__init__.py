"""Compares the package with the names and signatures that programs rely on, and tells all differences at once."""

from support.contract.comparing import differences
from support.contract.reading import read

__all__ = ["differences", "read"]
