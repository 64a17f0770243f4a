//! Methods of every receiver, and those of traits.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use cancelable::{Cancellation, Reason, cancelable};

use super::{LIMIT, a_day, time_limit_of};

/// A type with methods of every receiver.
#[derive(Clone, Default)]
struct Counter<T> {
    limit: Duration,
    count: T,
}

impl<T: Copy + std::ops::AddAssign + Debug> Counter<T> {
    /// The first of them.
    #[cancelable]
    pub async fn read(&self, _: cancelable::Operation) -> Result<&T, Cancellation> {
        Ok(&self.count)
    }

    #[cancelable]
    async fn add(&mut self, n: T, _: cancelable::Operation) -> Result<&mut Self, Cancellation> {
        tokio::task::yield_now().await;
        self.count += n;
        Ok(self)
    }

    #[cancelable]
    async fn into_count(mut self, n: T, _: cancelable::Operation) -> Result<T, Cancellation> {
        self.count += n;
        Ok(self.count)
    }

    #[cancelable]
    async fn shared(self: Arc<Self>, _: cancelable::Operation) -> Result<T, Cancellation> {
        Ok(self.count)
    }

    #[cancelable]
    async fn associated(count: T, _: cancelable::Operation) -> Result<Self, Cancellation> {
        let limit = LIMIT;
        Ok(Self { limit, count })
    }

    #[cancelable(timeout = self.limit)]
    async fn wait(&self, _: cancelable::Operation) -> Result<(), Cancellation> {
        a_day().await
    }
}

#[tokio::test(start_paused = true)]
async fn methods_of_every_receiver() {
    let mut counter = Counter::associated(1).await.unwrap();
    assert_eq!(counter.add(2).await.unwrap().count, 3);
    assert_eq!(*counter.read().await.unwrap(), 3);
    assert_eq!(Arc::new(counter.clone()).shared().await.unwrap(), 3);
    assert_eq!(
        time_limit_of(counter.wait()).await,
        (LIMIT, Reason::Timeout)
    );
    assert_eq!(counter.into_count(1).await.unwrap(), 4);
}

trait Fetch {
    async fn fetch(&self, url: &str) -> Result<String, Cancellation>;

    #[cancelable]
    async fn fetch_twice(
        &self,
        url: &str,
        op: cancelable::Operation,
    ) -> Result<String, Cancellation> {
        let name = op.name().unwrap_or_default();
        Ok(format!(
            "{name}: {} {}",
            self.fetch(url).await?,
            self.fetch(url).await?
        ))
    }
}

struct Client;

impl Fetch for Client {
    #[cancelable(timeout = "1s")]
    async fn fetch(&self, url: &str, _: cancelable::Operation) -> Result<String, Cancellation> {
        Ok(url.to_uppercase())
    }
}

#[tokio::test]
async fn methods_of_traits() {
    assert_eq!(Client.fetch_twice("a").await.unwrap(), "fetch_twice: A A");
}
