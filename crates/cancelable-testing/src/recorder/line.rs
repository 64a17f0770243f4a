//! An event as a line of text.

use std::fmt;

use cancelable::{Event, Progress, What};

/// By what the operation is called in lines: its name, or its id where it has none.
pub(super) fn label(event: &Event) -> &str {
    event.name.as_deref().unwrap_or(&event.id)
}

/// The line with what it leaves out, for people to tell operations apart that have the same name.
pub(super) fn with_id(event: &Event) -> String {
    let Event { id, attempt, .. } = event;
    let line = Line(event);
    match (&event.name, attempt) {
        (None, 1) => line.to_string(),
        (None, _) => format!("{line} (attempt {attempt})"),
        (Some(_), 1) => format!("{line} ({id})"),
        (Some(_), _) => format!("{line} ({id}, attempt {attempt})"),
    }
}

pub(super) struct Line<'a>(pub(super) &'a Event);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let label = label(self.0);
        match &self.0.what {
            What::Started { .. } => write!(f, "{label} started"),
            What::Progress { progress, .. } => write!(f, "{label} progress: {}", Report(progress)),
            What::Asked { cancellation, .. } => {
                write!(
                    f,
                    "{label} asked: {}: {cancellation}",
                    cancellation.reason()
                )
            }
            What::Ended { context, .. } => {
                write!(f, "{label} ended: {}", context.status)?;
                match &context.error {
                    Some(error) => write!(f, ": {error}"),
                    None => Ok(()),
                }
            }
            What::Left => write!(f, "{label} left"),
            other => write!(f, "{label} {other:?}"),
        }
    }
}

struct Report<'a>(&'a Progress);

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let progress = self.0;
        f.write_str(&progress.message)?;
        match (progress.current, progress.total, progress.fraction()) {
            (Some(current), Some(total), _) => write!(f, " {current}/{total}"),
            (Some(current), None, _) => write!(f, " {current}"),
            (None, _, Some(fraction)) => write!(f, " {}%", fraction * 100.0),
            (None, _, None) => Ok(()),
        }
    }
}
