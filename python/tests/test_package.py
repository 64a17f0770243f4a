"""The package as it lies in the tree."""

import hother.cancelable
from hother.cancelable import _core


def test_a_new_token_is_not_cancelled():
    assert hother.cancelable.__doc__
    assert not _core.Token().is_cancelled
