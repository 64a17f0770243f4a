"""The package's loggers, all below `hother.cancelable`. They say nothing unless the program listens."""

from __future__ import annotations

import logging
import sys

_ROOT = "hother.cancelable"

logging.getLogger(_ROOT).addHandler(logging.NullHandler())


def get_logger(name: str | None = None) -> logging.Logger:
    """Give the logger of this name, or that of the calling module."""
    if name is None:
        name = sys._getframe(1).f_globals.get("__name__", _ROOT)
    return logging.getLogger(name)
