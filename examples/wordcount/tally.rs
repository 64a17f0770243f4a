//! The counts, and how they are printed.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::io::{self, Write};

use cancelable::Cancellation;

/// What was counted so far.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) lines: u64,
    /// The size of the input, where it is known.
    pub(crate) size: Option<u64>,
    words: u64,
    bytes: u64,
    not_utf8: u64,
    times: HashMap<String, u64>,
}

impl Tally {
    /// Counts one line, given with its end.
    pub(crate) fn add(&mut self, line: &[u8]) {
        self.lines += 1;
        self.bytes += line.len() as u64;
        self.not_utf8 += u64::from(str::from_utf8(line).is_err());
        for word in String::from_utf8_lossy(line).split_whitespace() {
            self.words += 1;
            match self.times.get_mut(word) {
                Some(times) => *times += 1,
                None => {
                    self.times.insert(word.to_owned(), 1);
                }
            }
        }
    }

    /// Prints all of it, and why there is no more if it was stopped.
    pub(crate) fn print(
        &self,
        output: &mut impl Write,
        stopped: Option<&Cancellation>,
    ) -> io::Result<()> {
        writeln!(output, "lines {:>12}", self.lines)?;
        writeln!(output, "words {:>12}", self.words)?;
        writeln!(output, "bytes {:>12}", self.bytes)?;
        if self.not_utf8 > 0 {
            writeln!(output, "not UTF-8 {:>8} of the lines", self.not_utf8)?;
        }
        if self.words > 0 {
            writeln!(output, "\nmost frequent words:")?;
        }
        for (word, times) in self.most_frequent() {
            writeln!(output, "{times:>10}  {}", printable(word))?;
        }
        if let Some(why) = stopped {
            let (reason, lines) = (why.reason(), count_of_lines(self.lines));
            write!(output, "\nStopped early: {reason}: {why}, after {lines}")?;
            if let Some(size) = self.size {
                write!(output, " ({} %)", percent(self.bytes, size))?;
            }
            writeln!(output)?;
        }
        output.flush()
    }

    /// The ten most frequent words; of those that are equally frequent, the first in order of the alphabet.
    fn most_frequent(&self) -> Vec<(&str, u64)> {
        let mut words: Vec<_> = self
            .times
            .iter()
            .map(|(word, times)| (word.as_str(), *times))
            .collect();
        words.sort_unstable_by_key(|&(word, times)| (Reverse(times), word));
        words.truncate(10);
        words
    }
}

pub(crate) fn count_of_lines(count: u64) -> String {
    format!("{count} line{}", if count == 1 { "" } else { "s" })
}

/// The share of `part` in `whole`, rounded down, so that 100 is all of it. A file that grows while it is read has no more.
pub(crate) fn percent(part: u64, whole: u64) -> u64 {
    let share = u128::from(part) * 100 / u128::from(whole.max(1));
    u64::try_from(share.min(100)).expect("at most 100")
}

/// A word as it may be shown on a terminal: of bearable length, and without characters that control it.
fn printable(word: &str) -> String {
    const LONGEST: usize = 60;
    let mut characters = word.chars();
    let mut shown: String = characters
        .by_ref()
        .take(LONGEST)
        .map(|character| {
            if character.is_control() {
                '�'
            } else {
                character
            }
        })
        .collect();
    if characters.next().is_some() {
        shown.push('…');
    }
    shown
}
