"""A decorated function works through a stream, until a plain thread cancels the token that it was combined with.

    $ python examples/python/quickstart.py
    [Progress] Processing item 0 (0%)
    …
    Cancelled: Cancelled by monitor

Look for what the numbers stand at:

1. A plain thread cancels. Nothing had to be started for that, and the loop is woken at once.
2. The callback gets each report, the function's own and those of its stream.
3. The decorator runs each call as an operation of its own, and hands it to the parameter.
4. Combined, either ends it: the time limit or the token, whichever is first.
5. The stream is over with the operation, and reports by itself every ten items.
6. Whatever is worth knowing goes along with a report.
7. What leaves says why; so does the token.
"""

# ruff: noqa
import threading
import time
import anyio
from hother.cancelable import Cancelable, CancelationToken, cancelable

# Create a cancellation token
token = CancelationToken()

# Cancel from another thread after 5 seconds
def monitor_thread():
    time.sleep(5.0)
    token.cancel_sync(message="Cancelled by monitor")  # (1)!

threading.Thread(target=monitor_thread, daemon=True).start()

# Progress tracking callback
def on_progress(op_id, message, metadata):
    progress = metadata.get('progress', 0)
    print(f"[Progress] {message} ({progress}%)")  # (2)!

# Using decorator with multiple conditions
@cancelable(timeout=10.0, name="data_processor")  # (3)!
async def process_data(cancel: Cancelable):
    # Register progress callback
    cancel.on_progress(on_progress)

    # Combine timeout with manual token
    cancel = cancel.combine(Cancelable.with_token(token))  # (4)!

    # Stream processing with cancellation
    async def data_stream():
        for i in range(100):
            await anyio.sleep(0.1)
            yield {"id": i, "data": f"item_{i}"}

    processed = []
    async for item in cancel.stream(data_stream(), report_interval=10):  # (5)!
        # Report progress periodically
        await cancel.report_progress(
            f"Processing item {item['id']}",
            {"progress": item['id'], "total": 100}  # (6)!
        )
        processed.append(item)

    return processed

async def main():
    # Run the operation
    try:
        result = await process_data()
        print(f"Processed {len(result)} items")
    except anyio.get_cancelled_exc_class():
        print(f"Cancelled: {token.message}")  # (7)!

anyio.run(main)
