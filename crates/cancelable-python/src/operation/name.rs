//! What an operation is called: by the program, or after its time limit.

/// See the module's documentation. The text is made when somebody asks, which of most operations nobody does.
#[derive(Clone, Debug, Default)]
pub(crate) enum Name {
    #[default]
    None,
    Given(String),
    /// After a limit of so many seconds, which the program gave as an integer.
    Seconds(i32),
    /// After one that it gave as a float.
    Fraction(f64),
}

impl Name {
    /// After a limit that a float gave; `None` where Python writes it in another way than Rust does.
    pub(crate) fn after(seconds: f64) -> Option<Self> {
        (1e-4..1e16)
            .contains(&seconds)
            .then_some(Self::Fraction(seconds))
    }

    pub(crate) fn text(&self) -> Option<String> {
        match self {
            Self::None => None,
            Self::Given(name) => Some(name.clone()),
            Self::Seconds(seconds) => Some(format!("timeout_{seconds}s")),
            Self::Fraction(seconds) => Some(format!("timeout_{seconds:?}s")),
        }
    }
}

impl From<Option<String>> for Name {
    fn from(name: Option<String>) -> Self {
        name.map_or(Self::None, Self::Given)
    }
}
