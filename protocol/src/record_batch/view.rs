//! Records where they lie: borrowed, and nothing allocated for any of them. What compaction walks over.

use super::record::{RecordError, SliceSource, Source, decompress_into, get_varint, get_varlong};
use super::{BatchError, BatchHeader, Codec, HEADER_SIZE};

/// One record as it stands among the records of its batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordView<'a> {
    pub attributes: u8,
    pub timestamp_delta: i64,
    pub offset_delta: i32,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    /// The whole record, its size included.
    pub bytes: &'a [u8],
    /// What stands behind the timestamp delta: offset delta, key, value, headers.
    pub rest: &'a [u8],
}

/// The records of `batch`, one whole batch, as plain bytes: those in it, or decompressed into `scratch`, which is emptied
/// first.
///
/// # Errors
/// Fewer bytes than the header says, an unknown codec, undecodable records, or more than `limit` bytes of them.
pub fn plain_records<'a>(
    header: &BatchHeader,
    batch: &'a [u8],
    scratch: &'a mut Vec<u8>,
    limit: usize,
) -> Result<&'a [u8], BatchError> {
    let stored = batch.get(HEADER_SIZE..header.size()).ok_or(BatchError::Short(batch.len()))?;
    match header.attributes.codec()? {
        Codec::None => Ok(stored),
        codec => {
            decompress_into(codec, stored, limit, scratch)?;
            Ok(scratch)
        }
    }
}

/// Iterates over the records in `bytes`, as many as the header counts; ends after the first error. Headers of records are
/// not looked into: whoever stored the batch has.
pub struct RecordViews<'a> {
    bytes: &'a [u8],
    left: i32,
}

impl<'a> RecordViews<'a> {
    pub fn new(header: &BatchHeader, bytes: &'a [u8]) -> Self {
        Self { bytes, left: header.record_count }
    }

    fn next_view(&mut self) -> Result<RecordView<'a>, RecordError> {
        let whole = self.bytes;
        let (declared, body) = split_varint(whole)?;
        let size = usize::try_from(declared).map_err(|_| RecordError::NegativeSize(declared))?;
        let truncated = RecordError::Truncated { size, remaining: body.len() };
        let (body, following) = body.split_at_checked(size).ok_or(truncated)?;
        let bytes = whole.get(..whole.len() - following.len()).ok_or(RecordError::PrematureEnd)?;
        let mut source = SliceSource::new(body);
        let attributes = source.byte()?;
        let timestamp_delta = get_varlong(&mut source)?;
        let rest = source.remaining();
        let offset_delta = get_varint(&mut source)?;
        let key = source.field()?;
        let value = source.field()?;
        self.bytes = following;
        Ok(RecordView { attributes, timestamp_delta, offset_delta, key, value, bytes, rest })
    }
}

impl<'a> Iterator for RecordViews<'a> {
    type Item = Result<RecordView<'a>, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left <= 0 {
            return None;
        }
        self.left -= 1;
        let view = self.next_view();
        if view.is_err() {
            self.left = 0;
        }
        Some(view)
    }
}

fn split_varint(bytes: &[u8]) -> Result<(i32, &[u8]), RecordError> {
    let mut source = SliceSource::new(bytes);
    Ok((get_varint(&mut source)?, source.remaining()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{BatchBuilder, expansion_limit};
    use super::*;

    #[test]
    fn views_show_what_was_appended_in_every_codec() {
        for codec in Codec::ALL {
            let mut builder = BatchBuilder::new(100, codec);
            builder.append(1_000, Some(b"k"), None, &[(b"h", Some(b"v"))]);
            builder.append(900, None, Some(&[7; 300]), &[]);
            let batch = builder.build();
            let header = BatchHeader::read(&batch).unwrap();
            let mut scratch = Vec::new();
            let records = plain_records(&header, &batch, &mut scratch, expansion_limit(batch.len())).unwrap();
            let views: Vec<_> = RecordViews::new(&header, records).map(Result::unwrap).collect();
            assert_eq!((views[0].key, views[0].value), (Some(&b"k"[..]), None));
            assert_eq!((views[1].key, views[1].value), (None, Some(&[7; 300][..])));
            assert_eq!((views[1].offset_delta, views[1].timestamp_delta), (1, -100));
            let whole: Vec<u8> = views.iter().flat_map(|view| view.bytes.iter().copied()).collect();
            assert_eq!(whole, records, "the views lie side by side");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), record_count in -1..20) {
            let batch = BatchBuilder::new(0, Codec::None).build();
            let header = BatchHeader { record_count, ..BatchHeader::read(&batch).unwrap() };
            prop_assert!(RecordViews::new(&header, &bytes).count() <= 20);
        }
    }
}
