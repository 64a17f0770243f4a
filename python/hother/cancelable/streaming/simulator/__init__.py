"""A text that arrives as over a network: in chunks, with jitter, bursts and stalls."""

from .config import StreamConfig
from .simulator import simulate_stream
from .utils import get_random_chunk_size

__all__ = ["StreamConfig", "simulate_stream", "get_random_chunk_size"]  # noqa: RUF022, since programs know this order
