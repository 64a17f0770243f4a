//! A file or standard input, as a stream of lines.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::stream::{self, Stream};
use tokio::fs::File;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};

/// What is read.
pub(crate) struct Input {
    /// How many bytes there are, where that is known and not zero.
    pub(crate) size: Option<u64>,
    /// How many bytes the lines have that were read.
    pub(crate) bytes: Arc<AtomicU64>,
    name: String,
    reader: BufReader<Box<dyn AsyncRead + Unpin>>,
}

impl Input {
    /// Opens a file, or standard input if `path` is `-`.
    pub(crate) async fn open(path: &Path) -> Result<Self, ReadError> {
        if path.as_os_str() == "-" {
            let input = Box::new(tokio::io::stdin());
            return Ok(Self::new("standard input".to_owned(), None, input));
        }
        let name = path.display().to_string();
        let opened = async {
            let file = File::open(path).await?;
            let about = file.metadata().await?;
            if about.is_dir() {
                return Err(io::ErrorKind::IsADirectory.into());
            }
            Ok((file, about))
        };
        match opened.await {
            Ok((file, about)) => {
                // Those of `/proc` pretend to be empty, and devices and pipes are.
                let size = (about.is_file() && about.len() > 0).then_some(about.len());
                Ok(Self::new(name, size, Box::new(file)))
            }
            Err(error) => Err(ReadError {
                name,
                line: None,
                error,
            }),
        }
    }

    /// The lines with their ends, the last of which may have none.
    pub(crate) fn lines(self) -> impl Stream<Item = Result<Vec<u8>, ReadError>> {
        stream::try_unfold((self, 1), async |(mut input, number)| {
            match input.next_line().await {
                Ok(line) if line.is_empty() => Ok(None),
                Ok(line) => Ok(Some((line, (input, number + 1)))),
                Err(error) => Err(ReadError {
                    name: input.name,
                    line: Some(number),
                    error,
                }),
            }
        })
    }

    fn new(name: String, size: Option<u64>, reader: Box<dyn AsyncRead + Unpin>) -> Self {
        Self {
            size,
            bytes: Arc::default(),
            name,
            reader: BufReader::with_capacity(AT_ONCE, reader),
        }
    }

    /// The next line, empty at the end of the input.
    ///
    /// When the operation is cancelled while this waits, the part of a line that it has is dropped with it. That is no
    /// loss: who is cancelled reads no further, and whole lines are what is counted.
    async fn next_line(&mut self) -> io::Result<Vec<u8>> {
        let mut line = Vec::new();
        let mut limited = (&mut self.reader).take(LONGEST + 1);
        let length = limited.read_until(b'\n', &mut line).await? as u64;
        if length > LONGEST {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("the line is longer than {} MiB", LONGEST >> 20),
            ));
        }
        // Relaxed: a number to look at, which orders nothing.
        self.bytes.fetch_add(length, Ordering::Relaxed);
        Ok(line)
    }
}

/// What could not be read, and why.
pub(crate) struct ReadError {
    name: String,
    /// The number of the line, from 1; `None` if it could not even be opened.
    line: Option<u64>,
    error: io::Error,
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, line, error } = self;
        match line {
            None => write!(f, "cannot open {name}: {error}"),
            Some(number) => write!(f, "cannot read line {number} of {name}: {error}"),
        }
    }
}

/// A longer line ends the reading, so that input without line ends cannot fill the memory.
const LONGEST: u64 = 16 << 20;

/// How much is read at once. Each time the task gives way, so that a time limit is noticed while input keeps coming.
const AT_ONCE: usize = 64 << 10;
