"""Streams that behave as a network does, for tests and demonstrations."""

from .simulator.config import StreamConfig

__all__ = ["StreamConfig"]
