"""What is measured, in the order of the table."""

from rows import memory, scopes, streams, tokens
from rows.row import Row

TIMED: list[Row] = [*scopes.ROWS, *tokens.ROWS, *streams.ROWS]
# Each in a process of its own, since an old heap blurs it.
KEPT: list[Row] = memory.ROWS
