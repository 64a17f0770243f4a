//! axum handlers that stop when nobody waits for them.
