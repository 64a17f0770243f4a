//! The attribute `#[cancelable]` of the crate `cancelable`, which re-exports it.

mod expand;
mod options;
mod signature;

use std::fmt::Display;

use proc_macro::TokenStream;
use quote::ToTokens;
use syn::Error;

use options::Options;
use signature::Function;

/// Runs the body of an `async fn` as an operation, and gives it the `Operation` as a parameter that callers do not see.
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
/// use cancelable::{Cancellation, Operation, Reason, cancelable};
/// use std::time::Duration;
///
/// #[cancelable(timeout = "10s")]
/// async fn copy(files: u64, op: Operation) -> Result<u64, Cancellation> {
///     for file in 1..=files {
///         tokio::time::sleep(Duration::from_secs(1)).await;
///         op.report_progress(format!("copied file {file}"));
///     }
///     Ok(files)
/// }
///
/// assert_eq!(copy(3).await.unwrap(), 3);
///
/// let why = copy(60).await.unwrap_err();
/// assert_eq!(why.reason(), Reason::Timeout);
/// # }
/// ```
///
/// # Options
///
/// All of them may be left out, as in a bare `#[cancelable]`.
///
/// | option | what it says |
/// |---|---|
/// | `timeout = "1m 30s"` | the time limit, read while compiling: numbers with units such as `ms`, `s`, `m`, `h`. Not zero. |
/// | `timeout = LIMIT` | the same as any expression of type `Duration`, computed at each call; it may use the parameters |
/// | `name = "import"` | what the operation is called, any `impl Into<String>`; the function's own name unless said |
/// | `crate = "path"` | where the crate `cancelable` is found; `::cancelable` unless said |
///
/// Whatever else can end it is for the body to say: `op.link(&token)`.
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
/// # use cancelable::{Cancellation, Operation, cancelable};
/// # use std::time::Duration;
/// struct Client {
///     patience: Duration,
/// }
///
/// impl Client {
///     #[cancelable(timeout = self.patience, name = format!("GET {path}"))]
///     async fn get(&self, path: &str, op: Operation) -> Result<String, Cancellation> {
///         Ok(op.name().unwrap_or_default().to_owned())
///     }
/// }
///
/// let client = Client { patience: Duration::from_secs(2) };
/// assert_eq!(client.get("/users").await.unwrap(), "GET /users");
/// # }
/// ```
///
/// # The function
///
/// - It is `async`: a free function, a method, or one of a trait that has a body. Generics, patterns, attributes and
///   visibility stay as they are.
/// - One parameter is of type `Operation`, by value, in any place and under any pattern, `_` too. An attribute sees names and not
///   types, so the last part of the type's path has to be `Operation`; an alias of another name is not found.
/// - It returns a `Result<T, E>` whose `E` is `From<Cancellation>` and `Display`, as `Cancelable::try_run` asks. In an error
///   type of one's own the cancellation is one more case:
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use cancelable::{Cancellation, Operation, cancelable};
/// use std::{fmt, num::ParseIntError};
///
/// #[derive(Debug)]
/// enum ReadError {
///     Malformed(ParseIntError),
///     Cancelled(Cancellation),
/// }
/// # impl fmt::Display for ReadError {
/// #     fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { write!(f, "{self:?}") }
/// # }
///
/// impl From<ParseIntError> for ReadError {
///     fn from(error: ParseIntError) -> Self {
///         Self::Malformed(error)
///     }
/// }
///
/// impl From<Cancellation> for ReadError {
///     fn from(why: Cancellation) -> Self {
///         Self::Cancelled(why)
///     }
/// }
///
/// #[cancelable]
/// async fn read(text: &str, op: Operation) -> Result<u32, ReadError> {
///     op.check()?;
///     Ok(text.parse()?)
/// }
///
/// assert_eq!(read("7").await.unwrap(), 7);
/// assert!(matches!(read("seven").await, Err(ReadError::Malformed(_))));
/// # }
/// ```
///
/// `#[async_trait]` rewrites methods before this attribute sees them: have them call a decorated function.
///
/// # What it becomes
///
/// In essence, `copy` from above is this, so all that is said of `Cancelable::try_run` holds: what a cancel does to the body, which
/// operation is the parent, that the future is `Send` exactly when the body is.
///
/// ```
/// # use cancelable::{Cancelable, Cancellation, Operation};
/// # use std::time::Duration;
/// async fn copy(files: u64) -> Result<u64, Cancellation> {
///     Cancelable::new()
///         .name("copy")
///         .timeout(Duration::from_secs(10))
///         .try_run(async move |op: Operation| {
///             // the body
/// #           let _ = op;
/// #           Ok(files)
///         })
///         .await
/// }
/// ```
///
/// # Cancel safety
///
/// A cancel drops the body at the await that it has reached, and with it the parameters that it uses; one that it does not
/// use is held until the operation has ended. Dropping the future that a call returned does the same, with reason `Dropped`.
#[proc_macro_attribute]
pub fn cancelable(args: TokenStream, item: TokenStream) -> TokenStream {
    let (options, wrong) = Options::parse(args.into());
    let item = proc_macro2::TokenStream::from(item);
    let mut errors = wrong.map(Error::into_compile_error);
    let mut expanded = Function::parse(item.clone())
        .map(|function| expand::expand(&options, &function))
        .unwrap_or_else(|error| {
            errors
                .get_or_insert_default()
                .extend(error.into_compile_error());
            // The item stays, so that nobody who names it is told that it does not exist.
            item
        });
    expanded.extend(errors);
    expanded.into()
}

/// An error at `at`, with what to do about it.
fn refuse(at: impl ToTokens, what: impl Display, hint: impl Display) -> Error {
    Error::new_spanned(at, format!("{what}\n= help: {hint}"))
}
