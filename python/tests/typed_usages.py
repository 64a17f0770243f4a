"""How typed programs use the package; the type checker reads it, and nothing runs it."""

from typing import assert_type

from hother.cancelable import _core


def tokens(token: _core.Token) -> None:
    assert_type(token.is_cancelled, bool)
