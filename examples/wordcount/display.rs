//! How far it has come: a bar if standard error is a terminal, else a line now and then.

use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, OnceLock};

use cancelable::Progress;
use indicatif::{ProgressBar, ProgressStyle};

use crate::tally::{count_of_lines, percent};

/// Clones show the same.
#[derive(Clone)]
pub(crate) struct Display {
    /// `None` where there is no terminal.
    bar: Option<ProgressBar>,
    size: Arc<OnceLock<u64>>,
}

impl Display {
    pub(crate) fn new() -> Self {
        Self {
            bar: io::stderr().is_terminal().then(ProgressBar::no_length),
            size: Arc::default(),
        }
    }

    /// The input is open, and this long.
    pub(crate) fn begin(&self, size: Option<u64>) {
        if let Some(size) = size {
            let _ = self.size.set(size);
        }
        let Some(bar) = &self.bar else { return };
        match size {
            Some(size) => {
                bar.set_style(style(
                    "{bar:40} {percent} %, {msg}, {bytes_per_sec}, {eta} left",
                ));
                bar.set_length(size);
            }
            None => bar.set_style(style("{spinner} {bytes}, {msg}, {bytes_per_sec}")),
        }
        bar.set_message(count_of_lines(0));
    }

    /// So many bytes were read; how many lines, the report says.
    pub(crate) fn update(&self, progress: &Progress, bytes: u64) {
        let lines = count_of_lines(progress.current.unwrap_or_default());
        if let Some(bar) = &self.bar {
            bar.set_position(bytes);
            bar.set_message(lines);
            return;
        }
        let share = match self.size.get() {
            Some(&size) => format!(", {} %", percent(bytes, size)),
            None => String::new(),
        };
        // Where nobody reads it, it is not missed.
        let _ = writeln!(io::stderr(), "wordcount: {lines}{share}");
    }

    /// Makes room for the counts.
    pub(crate) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the templates above are well-formed")
}
