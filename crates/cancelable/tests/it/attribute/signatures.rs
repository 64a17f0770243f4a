//! Functions of every shape: parameters, generics, return types.

use std::error::Error;
use std::fmt::Display;

use cancelable::{Cancellation, Operation, cancelable};

#[tokio::test]
async fn the_return_type_rules_the_body_as_in_a_plain_function() {
    type Boxed = Box<dyn Error + Send + Sync>;

    // A coercion, an `into` and a `collect` that only the return type can settle.
    #[cancelable]
    async fn coerced(fail: bool, _: Operation) -> Result<Box<dyn Fn(u8) -> u8>, Boxed> {
        if fail {
            return Err("as asked".into());
        }
        Ok(Box::new(|n| n + 1))
    }
    #[cancelable]
    async fn collected(_: Operation) -> Result<Vec<u8>, Boxed> {
        "1 2 3".split(' ').map(|n| Ok(n.parse()?)).collect()
    }
    #[cancelable]
    async fn opaque(_: Operation) -> Result<impl Iterator<Item = impl Display>, Boxed> {
        Ok([1, 2].into_iter())
    }
    #[cancelable]
    async fn never(_: Operation) -> Result<std::convert::Infallible, Cancellation> {
        Operation::current()
            .expect("in a body")
            .cancel_with("never");
        loop {
            tokio::task::yield_now().await;
        }
    }

    assert_eq!(coerced(false).await.unwrap()(1), 2);
    assert_eq!(coerced(true).await.err().unwrap().to_string(), "as asked");
    assert_eq!(collected().await.unwrap(), [1, 2, 3]);
    let shown: Vec<_> = opaque().await.unwrap().map(|n| n.to_string()).collect();
    assert_eq!(shown, ["1", "2"]);
    assert_eq!(never().await.unwrap_err().message(), "never");
}

#[tokio::test]
async fn parameters_of_all_kinds() {
    #[cancelable]
    async fn patterns(
        (a, b): (u8, u8),
        mut op: Operation,
        [first, ..]: [u8; 3],
        mut total: u8,
        #[expect(unused_variables, reason = "attributes of parameters are kept")] unused: u8,
    ) -> Result<u8, Cancellation> {
        op = op.clone();
        op.check()?;
        total += a + b + first;
        Ok(total)
    }
    #[cancelable]
    async fn generic<'a, T, U: Display, const N: usize>(
        text: &'a str,
        things: [T; N],
        shown: &U,
        made: impl Fn() -> u8,
        op: Operation,
    ) -> Result<(&'a str, String, u8), Cancellation>
    where
        T: Into<u8>,
    {
        op.check()?;
        let sum: u8 = things.into_iter().map(Into::into).sum();
        Ok((text, shown.to_string(), sum + made()))
    }
    #[cancelable]
    async fn elided(text: &str, _: Operation) -> Result<&str, Cancellation> {
        Ok(text.trim())
    }
    #[cancelable]
    async fn filled(list: &mut Vec<u8>, _: Operation) -> Result<&mut u8, Cancellation> {
        list.push(1);
        tokio::task::yield_now().await;
        list.push(2);
        Ok(list.last_mut().expect("pushed"))
    }

    assert_eq!(patterns((1, 2), [3, 0, 0], 10, 0).await.unwrap(), 16);
    let made = generic("a", [1_u8, 2], &"shown", || 4).await.unwrap();
    assert_eq!(made, ("a", "shown".to_owned(), 7));
    assert_eq!(elided(" a ").await.unwrap(), "a");
    let mut list = Vec::new();
    *filled(&mut list).await.unwrap() += 5;
    assert_eq!(list, [1, 7]);
}
