//! What a function that `#[cancelable]` decorates does.

mod methods;
mod names;
mod signatures;

use std::error::Error;
use std::fmt::{self, Debug, Display};
use std::num::ParseIntError;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use cancelable::{
    Cancelable, Cancellation, CancellationToken, Operation, OperationStatus, Reason, cancelable,
};
use tokio::time::{Instant, sleep};

const LIMIT: Duration = Duration::from_secs(3);

/// How long a call takes that nothing but its time limit ends, and the cancellation that it ends with.
async fn time_limit_of<T: Debug>(
    call: impl Future<Output = Result<T, Cancellation>>,
) -> (Duration, Reason) {
    let start = Instant::now();
    let why = call.await.expect_err("only its limit ends it");
    (start.elapsed(), why.reason())
}

/// Longer than any limit here; a test whose limit does not hold fails, and does not hang.
async fn a_day() -> Result<(), Cancellation> {
    sleep(Duration::from_secs(86_400)).await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_timeout_ends_it() {
    #[cancelable(timeout = "1m 30s")]
    async fn text(_: Operation) -> Result<(), Cancellation> {
        a_day().await
    }
    #[cancelable(timeout = LIMIT)]
    async fn constant(_: Operation) -> Result<(), Cancellation> {
        a_day().await
    }
    #[cancelable(timeout = Duration::from_millis(1500) * 2)]
    async fn expression(_: Operation) -> Result<(), Cancellation> {
        a_day().await
    }
    #[cancelable(timeout = limit)]
    async fn argument(limit: Duration, _: Operation) -> Result<(), Cancellation> {
        a_day().await
    }

    let ninety = Duration::from_secs(90);
    assert_eq!(time_limit_of(text()).await, (ninety, Reason::Timeout));
    assert_eq!(time_limit_of(constant()).await, (LIMIT, Reason::Timeout));
    assert_eq!(time_limit_of(expression()).await, (LIMIT, Reason::Timeout));
    assert_eq!(
        time_limit_of(argument(LIMIT)).await,
        (LIMIT, Reason::Timeout)
    );
}

#[tokio::test(start_paused = true)]
async fn without_a_timeout_there_is_no_limit() {
    #[cancelable]
    async fn bare(op: Operation) -> Result<Option<Duration>, Cancellation> {
        sleep(Duration::from_secs(100_000)).await;
        Ok(op.remaining())
    }
    #[cancelable()]
    async fn empty(op: Operation) -> Result<Option<Duration>, Cancellation> {
        Ok(op.remaining())
    }

    assert_eq!(bare().await.unwrap(), None);
    assert_eq!(empty().await.unwrap(), None);
}

#[tokio::test]
async fn it_is_named_after_the_function_unless_told() {
    fn name(op: &Operation) -> Result<String, Cancellation> {
        Ok(op
            .name()
            .expect("every decorated function has a name")
            .to_owned())
    }
    #[cancelable]
    async fn fetch(op: Operation) -> Result<String, Cancellation> {
        name(&op)
    }
    #[cancelable]
    async fn r#match(op: Operation) -> Result<String, Cancellation> {
        name(&op)
    }
    #[cancelable(name = "nightly import")]
    async fn import(op: Operation) -> Result<String, Cancellation> {
        name(&op)
    }
    #[cancelable(name = format!("import {number}"))]
    async fn import_one(number: u32, op: Operation) -> Result<String, Cancellation> {
        name(&op)
    }
    struct Worker;
    impl Worker {
        #[cancelable]
        async fn work(&self, op: Operation) -> Result<String, Cancellation> {
            name(&op)
        }
    }

    assert_eq!(fetch().await.unwrap(), "fetch");
    assert_eq!(r#match().await.unwrap(), "match");
    assert_eq!(import().await.unwrap(), "nightly import");
    assert_eq!(import_one(7).await.unwrap(), "import 7");
    assert_eq!(Worker.work().await.unwrap(), "work");
}

#[tokio::test]
async fn the_operation_is_current_and_inside_the_callers() {
    #[cancelable]
    async fn inner(op: Operation) -> Result<String, Cancellation> {
        tokio::task::yield_now().await;
        let current = Operation::current().expect("in a body");
        assert_eq!(current.id(), op.id());
        assert_eq!(op.status(), OperationStatus::Running);
        Ok(op
            .context()
            .parent_id
            .expect("called inside another")
            .to_string())
    }

    let outer = Cancelable::new()
        .id("outer")
        .run(async |_| inner().await.unwrap())
        .await;
    assert_eq!(outer.unwrap(), "outer");
    assert!(Operation::current().is_none());
}

#[tokio::test(start_paused = true)]
async fn the_body_may_link_a_token() {
    #[cancelable]
    async fn wait(token: &CancellationToken, op: Operation) -> Result<(), Cancellation> {
        op.link(token);
        token.cancel_with("enough");
        a_day().await
    }

    let why = wait(&CancellationToken::new()).await.unwrap_err();
    assert_eq!(why.message(), "enough");
}

/// An error of the user's own, which takes up the cancellation.
#[derive(Debug)]
enum Failure {
    Cancelled(Cancellation),
    Malformed(ParseIntError),
    Other(&'static str),
}

impl Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cancelled(why) => Display::fmt(why, f),
            Self::Malformed(error) => Display::fmt(error, f),
            Self::Other(message) => f.write_str(message),
        }
    }
}

impl From<Cancellation> for Failure {
    fn from(why: Cancellation) -> Self {
        Self::Cancelled(why)
    }
}

impl From<ParseIntError> for Failure {
    fn from(error: ParseIntError) -> Self {
        Self::Malformed(error)
    }
}

impl From<&'static str> for Failure {
    fn from(message: &'static str) -> Self {
        Self::Other(message)
    }
}

#[tokio::test(start_paused = true)]
async fn errors_are_converted_inside_and_from_a_cancel() {
    #[cancelable(timeout = "10s")]
    async fn parse(text: &str, op: Operation) -> Result<u8, Failure> {
        if text.is_empty() {
            return Err("empty".into());
        }
        if text == "wait" {
            sleep(Duration::from_secs(60)).await;
        }
        op.check()?;
        Ok(text.parse()?)
    }

    assert_eq!(parse("7").await.unwrap(), 7);
    assert!(matches!(parse("").await, Err(Failure::Other("empty"))));
    assert!(matches!(parse("x").await, Err(Failure::Malformed(_))));
    let Err(Failure::Cancelled(why)) = parse("wait").await else {
        panic!("its limit is ten seconds");
    };
    assert_eq!(why.reason(), Reason::Timeout);
}

/// What the body uses goes with the body, inside the operation, also when that is cancelled.
#[tokio::test(start_paused = true)]
async fn parameters_are_dropped_with_the_body() {
    struct Guard<'a>(&'a AtomicBool);
    impl Drop for Guard<'_> {
        fn drop(&mut self) {
            self.0.store(Operation::current().is_some(), Relaxed);
        }
    }
    #[cancelable(timeout = LIMIT)]
    async fn hold(guard: Guard<'_>, _: Operation) -> Result<(), Cancellation> {
        let _held = &guard;
        a_day().await
    }

    let was_inside = AtomicBool::new(false);
    hold(Guard(&was_inside)).await.unwrap_err();
    assert!(was_inside.into_inner());
}

/// The future of a decorated function is `Send` when its body is; that it is not when the body is not is one of the cases
/// that must not compile.
#[tokio::test]
async fn the_future_is_send_when_the_body_is() {
    #[cancelable(timeout = "1s")]
    async fn owned(text: String, op: Operation) -> Result<usize, Failure> {
        let mut items = op.stream(futures_util::stream::iter(text.chars()));
        let mut count = 0;
        while let Some(item) = futures_util::StreamExt::next(&mut items).await {
            item?;
            count += 1;
        }
        sleep(Duration::ZERO).await;
        Ok(count)
    }
    #[cancelable]
    async fn borrowed<'a, T: Sync + AsRef<str>>(
        text: &'a T,
        list: &mut Vec<&'a str>,
        _: Operation,
    ) -> Result<&'a str, Box<dyn Error + Send + Sync>> {
        list.push(text.as_ref());
        tokio::task::yield_now().await;
        list.push("");
        Ok(text.as_ref())
    }
    struct Service(Arc<String>);
    impl Service {
        #[cancelable]
        async fn call(
            &mut self,
            more: impl Fn(&str) -> String + Send,
            _: Operation,
        ) -> Result<&str, Failure> {
            tokio::task::yield_now().await;
            self.0 = Arc::new(more(&self.0));
            tokio::task::yield_now().await;
            Ok(&self.0)
        }
    }

    let task = tokio::spawn(async {
        let text = String::from("abc");
        let mut list = Vec::new();
        borrowed(&text, &mut list).await.unwrap();
        let mut service = Service(Arc::new(text.clone()));
        let called = service.call(|text| text.repeat(2)).await.unwrap().len();
        (owned(text).await.unwrap(), called)
    });
    assert_eq!(task.await.unwrap(), (3, 6));
}
