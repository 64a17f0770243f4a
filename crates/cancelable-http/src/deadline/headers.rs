//! What a server reads of the deadlines that clients send: which headers, and within which bounds (W5).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::DeadlineHeader;

/// Which deadline headers a server reads, and how far it lets a client go with them.
///
/// None is read unless it is named: a time limit is a client's to set only where the server says so. Of several the smallest
/// counts, and so it does of one that is repeated. What is malformed is ignored, and counted.
///
/// What is read is a limit beside the server's own, of which the smaller counts, so no header can lengthen that. A client that
/// sends none has no limit by this; [`at_most`](Self::at_most) bounds what a header says, not how long a request may take.
///
/// Clones share their count of what was malformed.
///
/// ```
/// use cancelable_http::DeadlineHeaders;
/// use std::time::Duration;
///
/// let deadlines = DeadlineHeaders::own().grpc().at_least(Duration::from_millis(50));
/// let sent: [(&[u8], &[u8]); 3] = [
///     (b"Grpc-Timeout", b"3S"),
///     (b"X-Cancelable-Timeout-Ms", b"2500"),
///     (b"Connect-Timeout-Ms", b"1"),
/// ];
/// assert_eq!(deadlines.read_pairs(sent), Some(Duration::from_millis(2500)));
///
/// assert_eq!(deadlines.read_pairs([(&b"grpc-timeout"[..], &b"-1S"[..])]), None);
/// assert_eq!(deadlines.malformed(), 1);
///
/// assert_eq!(
///     deadlines.read_pairs([(&b"grpc-timeout"[..], &b"0n"[..])]),
///     Some(Duration::from_millis(50)),
/// );
/// ```
#[derive(Clone, Debug, Default)]
pub struct DeadlineHeaders {
    own: bool,
    grpc: bool,
    connect: bool,
    envoy: bool,
    at_least: Duration,
    at_most: Option<Duration>,
    malformed: Arc<AtomicU64>,
}

impl DeadlineHeaders {
    /// Reads none.
    pub fn none() -> Self {
        Self::default()
    }

    /// Reads every [`DeadlineHeader`].
    pub fn all() -> Self {
        let all = DeadlineHeader::ALL.into_iter();
        all.fold(Self::none(), Self::header)
    }

    /// Reads [`x-cancelable-timeout-ms`](DeadlineHeader::Own).
    pub fn own() -> Self {
        Self::none().header(DeadlineHeader::Own)
    }

    /// Reads [`grpc-timeout`](DeadlineHeader::Grpc) as well.
    #[must_use]
    pub fn grpc(self) -> Self {
        self.header(DeadlineHeader::Grpc)
    }

    /// Reads [`connect-timeout-ms`](DeadlineHeader::Connect) as well.
    #[must_use]
    pub fn connect(self) -> Self {
        self.header(DeadlineHeader::Connect)
    }

    /// Reads [`x-envoy-expected-rq-timeout-ms`](DeadlineHeader::Envoy) as well.
    #[must_use]
    pub fn envoy(self) -> Self {
        self.header(DeadlineHeader::Envoy)
    }

    /// Reads `header` as well.
    #[must_use]
    pub fn header(mut self, header: DeadlineHeader) -> Self {
        match header {
            DeadlineHeader::Own => self.own = true,
            DeadlineHeader::Grpc => self.grpc = true,
            DeadlineHeader::Connect => self.connect = true,
            DeadlineHeader::Envoy => self.envoy = true,
        }
        self
    }

    /// A header that says less counts as `least`, so that a client cannot have work begun that is bound to be given up.
    ///
    /// # Panics
    ///
    /// If `least` is more than [`at_most`](Self::at_most).
    #[must_use]
    pub fn at_least(mut self, least: Duration) -> Self {
        self.at_least = least;
        self.checked()
    }

    /// A header that says more counts as `most`.
    ///
    /// # Panics
    ///
    /// If `most` is less than [`at_least`](Self::at_least).
    #[must_use]
    pub fn at_most(mut self, most: Duration) -> Self {
        self.at_most = Some(most);
        self.checked()
    }

    /// Whether `header` is read.
    pub fn reads(&self, header: DeadlineHeader) -> bool {
        match header {
            DeadlineHeader::Own => self.own,
            DeadlineHeader::Grpc => self.grpc,
            DeadlineHeader::Connect => self.connect,
            DeadlineHeader::Envoy => self.envoy,
        }
    }

    /// The time that a request's headers leave, if one that is read says so.
    #[cfg(feature = "tower")]
    pub fn read(&self, headers: &http::HeaderMap) -> Option<Duration> {
        // Faster than to look for each name: a request has few fields, and mostly their lengths differ.
        let fields = headers.iter();
        self.read_pairs(fields.map(|(name, value)| (name.as_ref(), value.as_bytes())))
    }

    /// The same for headers as pairs of name and value; names in upper or lower case.
    pub fn read_pairs<'a>(
        &self,
        fields: impl IntoIterator<Item = (&'a [u8], &'a [u8])>,
    ) -> Option<Duration> {
        let times = fields.into_iter().filter_map(|(name, value)| {
            let header = DeadlineHeader::from_name(name)?;
            self.reads(header).then(|| self.parsed(header, value))?
        });
        let time = times.min()?.max(self.at_least);
        Some(self.at_most.map_or(time, |most| time.min(most)))
    }

    /// How many malformed values have been read, by this and by its clones.
    pub fn malformed(&self) -> u64 {
        // Relaxed: a count, from which nobody concludes anything else.
        self.malformed.load(Ordering::Relaxed)
    }

    fn parsed(&self, header: DeadlineHeader, value: &[u8]) -> Option<Duration> {
        let time = header.parse(value);
        if time.is_none() {
            // Relaxed: see `malformed`.
            self.malformed.fetch_add(1, Ordering::Relaxed);
        }
        time
    }

    fn checked(self) -> Self {
        if let Some(most) = self.at_most {
            let least = self.at_least;
            assert!(
                least <= most,
                "at_least({least:?}) must not be more than at_most({most:?})"
            );
        }
        self
    }
}
