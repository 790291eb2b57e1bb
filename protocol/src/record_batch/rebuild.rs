//! A batch written anew: another codec, or offsets that a compressed batch did not count up
//! (`LogValidator.buildRecordsAndAssignOffsets`).

use bytes::Bytes;

use super::{BatchBuilder, BatchError, BatchHeader, Codec, Records};

/// The records of `batch` in a new one with `codec`, offsets counted up from zero. Producer fields and the
/// transactional bit stay. `log_append_time` dates the new batch as a whole.
///
/// # Errors
/// The records cannot be read, or are more than `limit` bytes once decompressed.
pub(super) fn rebuild(
    batch: &Bytes,
    codec: Codec,
    log_append_time: Option<i64>,
    limit: usize,
) -> Result<Bytes, BatchError> {
    let header = BatchHeader::read(batch)?;
    let mut builder =
        BatchBuilder::new(0, codec).producer(header.producer_id, header.producer_epoch, header.base_sequence);
    if header.attributes.is_transactional() {
        builder = builder.transactional();
    }
    if let Some(now_ms) = log_append_time {
        builder = builder.log_append_time(now_ms);
    }
    for record in Records::open(batch, limit)? {
        let record = record?;
        let headers: Vec<(&[u8], Option<&[u8]>)> =
            record.headers.iter().map(|header| (&header.key[..], header.value.as_deref())).collect();
        builder.append(record.timestamp, record.key.as_deref(), record.value.as_deref(), &headers);
    }
    Ok(builder.build())
}
