//! A range of message versions in the notation of Kafka's schemas: `0+`, `1-3`, `2`.

/// Versions from `first` to `last`, both inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Versions {
    /// The oldest version.
    pub first: i16,
    /// The newest version; [`i16::MAX`] when the range is open.
    pub last: i16,
}

impl Versions {
    /// No version at all.
    pub const NONE: Self = Self { first: 0, last: -1 };

    /// Reads Kafka's notation.
    ///
    /// # Panics
    /// On anything else. The macro calls it in constants only, where a panic is a compile error.
    #[must_use]
    pub const fn parse(text: &str) -> Self {
        let bytes = text.as_bytes();
        let (first, mut at) = number(bytes, 0);
        if at == bytes.len() {
            return Self { first, last: first };
        }
        if bytes[at] == b'+' {
            assert!(at + 1 == bytes.len(), "nothing may follow the plus");
            return Self { first, last: i16::MAX };
        }
        assert!(bytes[at] == b'-', "versions are `0+`, `1-3` or `2`");
        at += 1;
        let (last, end) = number(bytes, at);
        assert!(end == bytes.len() && first <= last, "versions are `0+`, `1-3` or `2`");
        Self { first, last }
    }

    /// Reads the only element of `texts`, or gives [`Versions::NONE`] when there is none.
    ///
    /// # Panics
    /// As [`Versions::parse`].
    #[must_use]
    pub const fn parse_optional(texts: &[&str]) -> Self {
        if texts.is_empty() { Self::NONE } else { Self::parse(texts[0]) }
    }

    /// Whether `version` is in the range.
    #[must_use]
    pub const fn contains(self, version: i16) -> bool {
        self.first <= version && version <= self.last
    }
}

/// The decimal number at `at` and the place after it.
const fn number(bytes: &[u8], mut at: usize) -> (i16, usize) {
    let start = at;
    let mut value: i16 = 0;
    while at < bytes.len() && bytes[at].is_ascii_digit() {
        value = value * 10 + (bytes[at] - b'0') as i16;
        at += 1;
    }
    assert!(at > start, "a version number is missing");
    (value, at)
}
