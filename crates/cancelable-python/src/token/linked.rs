//! A token as one end of a link: how it is linked to, and what it says of whom it was cancelled by.

use std::sync::Arc;

use cancelable_core::Cancellation;
use pyo3::prelude::*;

use super::Token;
use super::links::{Heard, Link};

impl Token {
    /// Whose cancel it was that ended this one as the parent: an operation's, or a token's that it is linked to.
    pub(super) fn name_of_parent(&self, py: Python<'_>, why: &Cancellation) -> Option<String> {
        let mut through: Option<Py<Self>> = None;
        // A token that is linked in a circle has said all that it knows after one round.
        for _ in 0..LINKS_AT_MOST {
            let token = through.as_ref().map_or(self, |it| it.get());
            let (heard, parent) = {
                let more = token.more.lock();
                let rare = more.rare.as_ref()?;
                (rare.links.heard(py, why), rare.parent.clone())
            };
            match heard {
                Some(Heard::Named(name)) => {
                    return Some(format!("Linked token {name} was cancelled"));
                }
                Some(Heard::Through(next)) => drop(through.replace(next)),
                None => {
                    let parent: String = parent?.chars().take(8).collect();
                    return Some(format!("Parent operation {parent} cancelled"));
                }
            }
        }
        None
    }

    pub(super) fn link_to(other: &Bound<'_, Self>, keeps_reason: bool, is_linked: bool) -> Link {
        let py = other.py();
        let token = other.get();
        let id = token.id(py);
        let (alive, hears_through_links) = token.with_rare(|rare| {
            let is_free = is_linked && !rare.is_around;
            (
                Arc::downgrade(&rare.alive),
                is_free || !rare.links.is_empty(),
            )
        });
        Link {
            heard: match keeps_reason {
                true => token.core.clone(),
                false => token.core.child_token(),
            },
            keeps_reason,
            name: id.to_string_lossy().chars().take(8).collect(),
            alive,
            through: hears_through_links.then(|| other.clone().unbind()),
        }
    }
}

/// How many tokens are asked in turn for the name of who was cancelled first.
const LINKS_AT_MOST: usize = 64;
