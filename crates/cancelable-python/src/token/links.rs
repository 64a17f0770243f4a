//! What a token was linked to: kept for as long as it may be heard from, and to say which of them it was.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::{Arc, Weak};

use cancelable_core::{Cancellation, CancellationToken};
use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};

use super::Token;

/// The links of one token, each once.
#[derive(Debug, Default)]
pub(crate) struct Links {
    links: HashMap<Key, Link>,
    sweep_at: usize,
}

/// The other token, by the address of its [`Alive`], and whether its reason is kept.
type Key = (usize, bool);

/// Held by a token for as long as its Python object lives.
pub(super) type Alive = Arc<()>;

/// One end of a link: who is listened to.
#[derive(Debug)]
pub(super) struct Link {
    /// The other's own token, or where the reason becomes `Parent` a child of it.
    pub(super) heard: CancellationToken,
    pub(super) keeps_reason: bool,
    /// What the other is called in messages.
    pub(super) name: String,
    pub(super) alive: Weak<()>,
    /// The other itself, where it hears of cancels through links of its own, which end with it.
    pub(super) through: Option<Py<Token>>,
}

/// What there is to say of whom a token was cancelled by.
pub(super) enum Heard {
    /// It is a token of this name, whose reason was not kept.
    Named(String),
    /// It is what this one, whose reason was kept, has to say.
    Through(Py<Token>),
}

impl Links {
    /// Remembers a link, unless it is known already. What is forgotten instead, and must be dropped outside all locks.
    pub(super) fn add(&mut self, link: Link) -> Vec<Link> {
        let gone = self.sweep();
        let key = (link.alive.as_ptr().addr(), link.keeps_reason);
        self.links.entry(key).or_insert(link);
        gone
    }

    /// Who it was that cancelled a token by `why`.
    pub(super) fn heard(&self, py: Python<'_>, why: &Cancellation) -> Option<Heard> {
        let is_it = |link: &&Link| link.heard.cancellation().as_ref() == Some(why);
        let link = self.links.values().find(is_it)?;
        match (&link.through, link.keeps_reason) {
            (_, false) => Some(Heard::Named(link.name.clone())),
            (Some(through), true) => Some(Heard::Through(through.clone_ref(py))),
            (None, true) => None,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.links.is_empty()
    }

    pub(super) fn traverse(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.links
            .values()
            .try_for_each(|link| visit.call(&link.through))
    }

    /// Takes out those that are gone, each time that the number of all may have doubled; so what is kept is bounded by the
    /// peak of those alive (T6).
    fn sweep(&mut self) -> Vec<Link> {
        const AT_LEAST: usize = 8;
        if self.links.len() < self.sweep_at.max(AT_LEAST) {
            return Vec::new();
        }
        let is_gone = |link: &Link| link.through.is_none() && link.alive.strong_count() == 0;
        let gone = self.links.extract_if(|_, link| is_gone(link));
        let gone = gone.map(|(_, link)| link).collect();
        self.sweep_at = 2 * self.links.len();
        gone
    }
}

/// Tokens that are held by links are let go one after the other, so that a chain of any length fits any stack (T7).
impl Drop for Links {
    fn drop(&mut self) {
        let held = self.links.drain().filter_map(|(_, link)| link.through);
        LET_GO.with_borrow_mut(|waiting| waiting.extend(held));
        if IS_LETTING_GO.replace(true) {
            return;
        }
        while let Some(token) = LET_GO.with_borrow_mut(Vec::pop) {
            // May come back here, for the links of this one.
            drop(token);
        }
        IS_LETTING_GO.set(false);
    }
}

thread_local! {
    static LET_GO: RefCell<Vec<Py<Token>>> = const { RefCell::new(Vec::new()) };
    static IS_LETTING_GO: Cell<bool> = const { Cell::new(false) };
}
