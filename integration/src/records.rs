//! Records whose bytes follow from their number, so that any reader can be checked against any writer.

use std::fmt::Write;

use bytes::Bytes;
use protocol::record_batch::{BatchBuilder, Codec};

/// Longest value of [`value`], in bytes.
pub const LONGEST_VALUE: u64 = 120;

/// The value of record `number` in the stream `seed`: printable, of a length that varies, no two alike.
pub fn value(seed: u64, number: i64) -> Vec<u8> {
    let mut text = format!("{seed}:{number}:");
    let mut state = mixed(seed ^ number.cast_unsigned().wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let length = usize::try_from(state % LONGEST_VALUE).unwrap_or(0);
    while text.len() < length {
        state = mixed(state);
        let _ = write!(text, "{state:x}");
    }
    text.truncate(length.max(format!("{seed}:{number}:").len()));
    text.into_bytes()
}

/// The finaliser of splitmix64.
fn mixed(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// `size` bytes that no codec can shrink.
pub fn noise(seed: u64, size: usize) -> Vec<u8> {
    let mut state = seed;
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        bytes.extend_from_slice(&mixed(state).to_le_bytes());
    }
    bytes.truncate(size);
    bytes
}

/// One batch with the records `numbers` of the stream `seed`, dated `timestamp`.
pub fn batch(seed: u64, numbers: std::ops::Range<i64>, codec: Codec, timestamp: i64) -> Bytes {
    let mut builder = BatchBuilder::new(0, codec);
    for number in numbers {
        builder.append(timestamp, None, Some(&value(seed, number)), &[]);
    }
    builder.build()
}

/// One uncompressed batch with one record.
pub fn one(timestamp: i64, key: Option<&[u8]>, value: Option<&[u8]>) -> Bytes {
    let mut builder = BatchBuilder::new(0, Codec::None);
    builder.append(timestamp, key, value, &[]);
    builder.build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_lines_that_tell_their_number() {
        for number in [0, 1, 77, 1_999_999] {
            let value = String::from_utf8(value(3, number)).expect("printable");
            assert!(value.starts_with(&format!("3:{number}:")) && !value.contains('\n'));
            assert!(value.len() < 160);
        }
    }
}
