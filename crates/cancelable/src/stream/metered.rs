//! Asking a source for an item where the operation has a budget: first there has to be something left, and then it is asked.

use std::pin::Pin;
use std::task::{Context, Poll};

use cancelable_core::Cancellation;
use futures_core::stream::Stream;

use crate::operation::{Budgets, Share};

/// How many bytes an item has.
pub(super) type BytesOf<T> = Box<dyn Fn(&T) -> u64 + Send + Sync>;

/// What came of asking.
pub(super) enum Asked<T> {
    Item(T),
    Nothing,
    End,
    /// It was not asked, since whether there is anything left is being decided on another thread.
    TooSoon,
    /// It was not asked: nothing is left.
    Spent(Cancellation),
}

/// Asks `source` with a share of the budget in hand, so that no item is taken which nobody may have.
pub(super) fn ask<S: Stream>(
    source: Pin<&mut S>,
    budgets: &Budgets,
    bytes_of: Option<&BytesOf<S::Item>>,
    cx: &mut Context<'_>,
) -> Asked<S::Item> {
    // One that says that it has no more ends by itself, also with nothing left.
    let may_have_more = source.size_hint() != (0, Some(0));
    let bytes = budgets.bytes.as_ref().zip(bytes_of);
    if let Some((budget, _)) = bytes
        && may_have_more
        && budget.is_spent()
    {
        return Asked::Spent(budget.why());
    }
    let share = match budgets
        .items
        .as_ref()
        .map(|items| (items, items.take_one()))
    {
        Some((_, Share::Taken(taken))) => Some(taken),
        Some((_, Share::Open)) => return Asked::TooSoon,
        Some((items, Share::Spent)) if may_have_more => return Asked::Spent(items.why()),
        Some((_, Share::Spent)) | None => None,
    };
    // A share that is not kept goes back as this returns, or unwinds.
    match source.poll_next(cx) {
        Poll::Ready(Some(item)) => {
            if let Some(share) = share {
                share.keep();
            }
            if let Some((budget, bytes_of)) = bytes {
                budget.spend_at_most(bytes_of(&item));
            }
            Asked::Item(item)
        }
        Poll::Ready(None) => Asked::End,
        Poll::Pending => Asked::Nothing,
    }
}
