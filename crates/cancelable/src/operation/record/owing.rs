//! What an operation owes before it has ended.

use super::{Owing, Record};
use crate::operation::Duties;

impl Record {
    /// What it owes before it has ended, if anything: one load where nothing came about.
    #[inline]
    pub(crate) fn duties_if_any(&self) -> Option<&Duties> {
        self.late.get()?.duties.get().map(|duties| &**duties)
    }

    /// What it owes before it has ended.
    pub(crate) fn duties(&self) -> &Duties {
        self.late().duties.get_or_init(Box::default)
    }

    /// For the start: what it owes from the beginning.
    pub(crate) fn owe(&self, duties: Duties) {
        let is_first = self.late().duties.set(Box::new(duties)).is_ok();
        debug_assert!(is_first, "an operation owes from its start");
    }

    /// Nothing may be owed any more from now on.
    ///
    /// # Errors
    ///
    /// Something is owed, and has to be seen to first.
    pub(crate) fn close(&self) -> Result<(), Owing> {
        self.change(|changing| {
            if self.duties_if_any().is_some_and(Duties::is_owing) {
                return Err(Owing);
            }
            changing.is_closed = true;
            Ok(())
        })
    }

    /// Owes something more, unless it is over.
    pub(crate) fn owe_more<T>(&self, owe: impl FnOnce(&Duties) -> T) -> Option<T> {
        self.change(|changing| (!changing.is_closed).then(|| owe(self.duties())))
    }
}
