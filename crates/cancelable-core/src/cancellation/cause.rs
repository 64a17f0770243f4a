//! [`Cancellation`], an error value of two words: a shared root and how many parents lie between.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use super::{Origin, Reason};

/// Why something was cancelled: an error value that is two words wide and cheap to clone.
///
/// It carries a [`Reason`] to branch on, the [`Origin`] with its data, a message for people, when it was, and what caused
/// it. Printed with `{}` it is its message; with `{:#}` the root cause follows.
///
/// # Examples
///
/// Made by hand, to cancel with:
///
/// ```
/// use cancelable_core::{CancellationToken, Cancellation, Reason};
///
/// let token = CancellationToken::new();
/// token.cancel_with(Cancellation::new(Reason::Disconnected).with_message("the tab was closed"));
///
/// let why = token.check().unwrap_err();
/// assert_eq!(why.reason(), Reason::Disconnected);
/// assert_eq!(why.to_string(), "the tab was closed");
/// ```
///
/// Read from a child, whose cause is its parent's:
///
/// ```
/// # use cancelable_core::{CancellationToken, Reason};
/// let parent = CancellationToken::new();
/// let child = parent.child_token();
/// parent.cancel_with("enough");
///
/// let why = child.cancellation().unwrap();
/// assert_eq!(why.reason(), Reason::Parent);
/// assert_eq!(why.cause(), parent.cancellation());
/// assert_eq!(format!("{why:#}"), "the parent was cancelled: enough");
/// ```
#[derive(Clone)]
pub struct Cancellation {
    pub(super) root: Arc<Root>,
    /// How many parents lie between the root and whoever shows this value; their links are not stored, only counted.
    pub(super) depth: usize,
}

impl Cancellation {
    /// A cancellation with this reason, no message and no cause, made now.
    pub fn new(reason: Reason) -> Self {
        Self::from_root(reason, Origin::Caller)
    }

    /// A cancellation that somebody asked for, with what they said.
    pub fn manual(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Reason::Manual).with_message(message)
    }

    /// A cancellation by what fired; its reason and message follow from that.
    pub fn from_origin(origin: Origin) -> Self {
        Self::from_root(origin.reason(), origin)
    }

    /// The same with a message for people.
    #[must_use]
    pub fn with_message(self, message: impl Into<Cow<'static, str>>) -> Self {
        let mut root = self.into_root();
        root.message = Some(message.into());
        Self::at_root(root)
    }

    /// The same with a cause.
    #[must_use]
    pub fn with_cause(self, cause: Self) -> Self {
        let mut root = self.into_root();
        root.cause = Some(cause);
        Self::at_root(root)
    }

    /// The same with what fired; its reason follows from that.
    ///
    /// So an operation says which one enclosed it: the parent of a bare token has no id.
    #[must_use]
    pub fn with_origin(self, origin: Origin) -> Self {
        let mut root = self.into_root();
        root.reason = origin.reason();
        root.origin = origin;
        Self::at_root(root)
    }

    /// Why, as a word to branch on.
    pub fn reason(&self) -> Reason {
        if self.depth == 0 {
            self.root.reason
        } else {
            Reason::Parent
        }
    }

    /// What fired, with its data.
    pub fn origin(&self) -> &Origin {
        if self.depth == 0 {
            &self.root.origin
        } else {
            &Origin::Parent { id: None }
        }
    }

    /// What to tell people. Where nobody gave a message, it follows from the origin: `timed out after 5s`.
    pub fn message(&self) -> Cow<'_, str> {
        if self.depth == 0 {
            self.root.message()
        } else {
            self.origin().message(Reason::Parent)
        }
    }

    /// The message that somebody gave; `None` where [`message`](Self::message) follows from the origin.
    ///
    /// So a front end that has words of its own for what fired knows when to use them.
    ///
    /// ```
    /// # use cancelable_core::{CancellationToken, Cancellation, Reason};
    /// assert_eq!(Cancellation::manual("enough").given_message(), Some("enough"));
    /// assert_eq!(Cancellation::new(Reason::Shutdown).given_message(), None);
    /// ```
    pub fn given_message(&self) -> Option<&str> {
        match self.depth {
            0 => self.root.message.as_deref(),
            _ => None,
        }
    }

    /// When it was made, by the wall clock; what a child sees was made with what its ancestor was cancelled with.
    pub fn at(&self) -> SystemTime {
        self.root.wall_clock
    }

    /// The same by the monotonic clock.
    pub fn instant(&self) -> Instant {
        self.root.monotonic
    }

    /// What caused this one: for a child its parent's cancellation, else what [`with_cause`](Self::with_cause) gave.
    pub fn cause(&self) -> Option<Self> {
        match self.depth.checked_sub(1) {
            Some(depth) => Some(Self {
                root: Arc::clone(&self.root),
                depth,
            }),
            None => self.root.cause.clone(),
        }
    }

    /// The cancellation at the end of the chain of causes; itself where nothing caused it.
    #[must_use]
    pub fn root_cause(&self) -> Self {
        let mut root = &self.root;
        while let Some(cause) = &root.cause {
            root = &cause.root;
        }
        Self {
            root: Arc::clone(root),
            depth: 0,
        }
    }

    /// What was cancelled in the first place: of a chain of parents the first cause that is no
    /// [`Parent`](Reason::Parent) itself, with its own reason and message; and this one where it is none.
    ///
    /// The [`root_cause`](Self::root_cause) goes further, to what may have caused that one.
    ///
    /// ```
    /// use cancelable_core::{CancellationToken, Cancellation, Reason};
    ///
    /// let server = CancellationToken::new();
    /// let request = server.child_token();
    /// let signal = Cancellation::new(Reason::Signal);
    /// server.cancel_with(Cancellation::new(Reason::Shutdown).with_cause(signal));
    ///
    /// let why = request.cancellation().unwrap();
    /// assert_eq!(why.reason(), Reason::Parent);
    /// assert_eq!(why.original().reason(), Reason::Shutdown);
    /// assert_eq!(why.root_cause().reason(), Reason::Signal);
    /// ```
    #[must_use]
    pub fn original(&self) -> Self {
        let mut root = &self.root;
        while root.reason == Reason::Parent
            && let Some(cause) = &root.cause
        {
            root = &cause.root;
        }
        Self {
            root: Arc::clone(root),
            depth: 0,
        }
    }

    /// What a child sees that is this many generations below.
    pub(crate) fn below(&self, generations: usize) -> Self {
        Self {
            root: Arc::clone(&self.root),
            depth: self.depth + generations,
        }
    }

    fn from_root(reason: Reason, origin: Origin) -> Self {
        Self::at_root(Root {
            reason,
            origin,
            message: None,
            monotonic: Instant::now(),
            wall_clock: SystemTime::now(),
            cause: None,
        })
    }

    pub(super) fn at_root(root: Root) -> Self {
        Self {
            root: Arc::new(root),
            depth: 0,
        }
    }

    /// A root of its own that says the same, to be changed.
    fn into_root(self) -> Root {
        Root {
            reason: self.reason(),
            origin: self.origin().clone(),
            message: match self.depth {
                0 => self.root.message.clone(),
                _ => None,
            },
            monotonic: self.root.monotonic,
            wall_clock: self.root.wall_clock,
            cause: self.cause(),
        }
    }
}

/// Two are equal when they are the same event seen from the same distance.
impl PartialEq for Cancellation {
    fn eq(&self, other: &Self) -> bool {
        self.depth == other.depth && Arc::ptr_eq(&self.root, &other.root)
    }
}

impl Eq for Cancellation {}

impl fmt::Display for Cancellation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message())?;
        if f.alternate() && self.cause().is_some() {
            write!(f, ": {}", self.root_cause().message())?;
        }
        Ok(())
    }
}

impl fmt::Debug for Cancellation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cancellation")
            .field("reason", &self.reason())
            .field("origin", self.origin())
            .field("message", &self.message())
            .field("at", &self.at())
            .field(
                "root_cause",
                &self
                    .cause()
                    .map(|_| self.root_cause().message().into_owned()),
            )
            .finish()
    }
}

impl Error for Cancellation {
    /// The root cause, to be printed; [`root_cause`](Self::root_cause) gives it as a value.
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        if self.depth > 0 && self.root.cause.is_none() {
            return Some(&*self.root);
        }
        let mut cause = self.root.cause.as_ref()?;
        while let Some(deeper) = &cause.root.cause {
            cause = deeper;
        }
        Some(&*cause.root)
    }
}

impl From<Reason> for Cancellation {
    fn from(reason: Reason) -> Self {
        Self::new(reason)
    }
}

impl From<Origin> for Cancellation {
    fn from(origin: Origin) -> Self {
        Self::from_origin(origin)
    }
}

/// A manual cancellation with this message.
impl From<&'static str> for Cancellation {
    fn from(message: &'static str) -> Self {
        Self::manual(message)
    }
}

/// A manual cancellation with this message.
impl From<String> for Cancellation {
    fn from(message: String) -> Self {
        Self::manual(message)
    }
}

/// What a cancel stored, once; everybody else points to it.
pub(super) struct Root {
    pub(super) reason: Reason,
    pub(super) origin: Origin,
    pub(super) message: Option<Cow<'static, str>>,
    pub(super) monotonic: Instant,
    pub(super) wall_clock: SystemTime,
    pub(super) cause: Option<Cancellation>,
}

impl Root {
    fn message(&self) -> Cow<'_, str> {
        match &self.message {
            Some(message) => Cow::Borrowed(message),
            None => self.origin.message(self.reason),
        }
    }
}

impl fmt::Display for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message())
    }
}

impl fmt::Debug for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.reason, self.message())
    }
}

impl Error for Root {}

/// Causes are dropped one after the other, so that a chain of any length fits any stack.
impl Drop for Root {
    fn drop(&mut self) {
        let mut next = self.cause.take();
        while let Some(cause) = next {
            next = Arc::into_inner(cause.root).and_then(|mut root| root.cause.take());
        }
    }
}
