//! What is swept: a future of the user's, made anew for each run, and what is put around it.

use std::cell::Cell;
use std::pin::Pin;

use cancelable::{Cancelable, CancellationToken};

use super::way::{Outcome, Way};

/// A run that has not been polled yet.
pub(super) type Begun<'a, T> = Pin<Box<dyn Future<Output = Outcome<T>> + 'a>>;

/// Makes the future of a run.
pub(super) trait Subject<S, T> {
    /// Whether the future is given the token.
    const HAS_TOKEN: bool;

    fn begin<'a>(&'a self, state: &'a S, token: CancellationToken, way: Way) -> Begun<'a, T>
    where
        T: 'a;
}

/// A future that knows nothing of tokens.
pub(super) struct Plain<B>(pub(super) B);

impl<S, T, B: AsyncFn(&S) -> T> Subject<S, T> for Plain<B> {
    const HAS_TOKEN: bool = false;

    fn begin<'a>(&'a self, state: &'a S, token: CancellationToken, way: Way) -> Begun<'a, T>
    where
        T: 'a,
    {
        Box::pin(wrapped((self.0)(state), token, way))
    }
}

/// A future that is given a token.
pub(super) struct WithToken<B>(pub(super) B);

impl<S, T, B: AsyncFn(&S, CancellationToken) -> T> Subject<S, T> for WithToken<B> {
    const HAS_TOKEN: bool = true;

    fn begin<'a>(&'a self, state: &'a S, token: CancellationToken, way: Way) -> Begun<'a, T>
    where
        T: 'a,
    {
        Box::pin(wrapped((self.0)(state, token.clone()), token, way))
    }
}

/// The future in an operation, if the way is one that cancels an operation.
async fn wrapped<T>(
    body: impl Future<Output = T>,
    token: CancellationToken,
    way: Way,
) -> Outcome<T> {
    // Not cancelled with an operation that the test itself runs in.
    let plan = || Cancelable::new().detached().token(&token);
    // Kept here, since what a shielded section returns is lost where its operation is cancelled.
    let value = Cell::new(None);
    let body = async { value.set(Some(body.await)) };
    let ended = match way {
        Way::LeftAlone | Way::Dropped | Way::DroppedWoken | Way::TokenCancelled => {
            body.await;
            Ok(())
        }
        Way::Cancelled => plan().run(|_| body).await,
        Way::CancelledInGrace(grace) => plan().grace(grace).run(|_| body).await,
        Way::CancelledInShield => plan().run(async |op| op.shield(body).await).await,
    };
    match (value.take(), ended) {
        (Some(value), _) => Outcome::Value(value),
        (None, Err(why)) => Outcome::Cancelled(why),
        (None, Ok(())) => unreachable!("it has ended, and so there is a value"),
    }
}
