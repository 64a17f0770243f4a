//! Requests that stop when nobody waits for them: disconnects, deadlines in and out, and graceful shutdown, for tower.
