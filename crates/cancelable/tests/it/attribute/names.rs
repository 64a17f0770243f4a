//! Names: those of the expansion and the user's, of the crate, of what macros make.

use std::time::Duration;

use cancelable::{Cancellation, Operation, cancelable};

use super::LIMIT;

/// Whatever the expansion names, the user's own of that name is another, and is seen in the body.
#[tokio::test]
async fn no_name_of_the_user_clashes() {
    struct Cancelable(u8);
    struct Option(u8);
    struct Duration(u8);

    #[cancelable(timeout = "1s", name = name)]
    async fn clash(
        name: &str,
        given: Option,
        timeout: Cancelable,
        try_run: Duration,
        cancelable: Operation,
    ) -> Result<(String, u8), Cancellation> {
        let name = format!("{name}, {}", cancelable.name().unwrap_or_default());
        Ok((name, given.0 + timeout.0 + try_run.0))
    }

    let (name, sum) = clash("n", Option(1), Cancelable(2), Duration(4))
        .await
        .unwrap();
    assert_eq!((name.as_str(), sum), ("n, n", 7));
}

mod facade {
    use super::{Cancellation, Operation};

    pub(crate) mod renamed {
        pub(crate) use super::Cancelable;
    }

    /// What the expansion uses of the real one, and a mark by which to know this one.
    pub(crate) struct Cancelable(cancelable::Cancelable);

    impl Cancelable {
        pub(crate) fn new() -> Self {
            Self(cancelable::Cancelable::new().id("by the facade"))
        }

        pub(crate) fn name(self, name: &str) -> Self {
            Self(self.0.name(name))
        }

        pub(crate) async fn try_run<F, T>(
            self,
            body: impl FnOnce(Operation) -> F,
        ) -> Result<T, Cancellation>
        where
            F: Future<Output = Result<T, Cancellation>>,
        {
            self.0.try_run(body).await
        }
    }
}

#[tokio::test]
async fn the_crate_may_have_another_name() {
    #[cancelable(crate = "facade::renamed")]
    async fn relative(op: Operation) -> Result<bool, Cancellation> {
        Ok(op.id() == "by the facade")
    }
    #[cancelable(crate = "crate::attribute::names::facade::renamed")]
    async fn absolute(op: Operation) -> Result<bool, Cancellation> {
        Ok(op.id() == "by the facade")
    }

    assert!(relative().await.unwrap());
    assert!(absolute().await.unwrap());
}

macro_rules! decorated {
    ($name:ident, $limit:literal, $ty:ty, $body:block) => {
        #[cancelable(timeout = $limit)]
        async fn $name(op: $ty) -> Result<Option<Duration>, Cancellation> {
            let _: () = $body;
            Ok(op.remaining())
        }
    };
}

#[tokio::test(start_paused = true)]
async fn functions_made_by_macros() {
    decorated!(made, "3s", Operation, { tokio::task::yield_now().await });
    assert_eq!(made().await.unwrap(), Some(LIMIT));
}

mod inner {
    use super::{Cancellation, Operation, cancelable};

    /// Seen from outside of its module.
    #[cancelable]
    #[must_use = "attributes beside it are kept"]
    pub(super) async fn visible(_: Operation) -> Result<(), Cancellation> {
        #![expect(
            unused_variables,
            reason = "an attribute at the head of the body is kept"
        )]
        let unused = 1;
        Ok(())
    }
}

#[tokio::test]
async fn visibility_and_attributes_are_kept() {
    inner::visible().await.unwrap();
}
