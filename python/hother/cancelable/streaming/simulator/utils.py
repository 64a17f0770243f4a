"""What a simulated stream draws by lot."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .config import StreamConfig


def get_random_chunk_size(config: StreamConfig) -> int:
    """How large the next chunk is to be.

    Sizes of the range that have no weight of their own have the weight 1.

    Raises:
        RuntimeError: The size is variable, and there is no range.
    """
    if not config.variable_chunk_size:
        return config.chunk_size
    if config.chunk_size_range is None:
        raise RuntimeError("No chunk size range provided with variable_chunk_size")
    least, greatest = config.chunk_size_range
    sizes = range(least, greatest + 1)
    weights = [*(config.chunk_size_weights or ()), *([1.0] * len(sizes))][: len(sizes)]
    return random.choices(sizes, weights)[0]
