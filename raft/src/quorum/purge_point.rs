//! The file with the purge point: raft counts entries and the log counts records, so where the counting of a log begins that was
//! dropped from the start has to be kept. Replaced atomically and durably; a damaged one is refused.
//!
//! ```text
//! "OTTP" │ version u16 │ CRC-32C of what follows u32 │ PurgePointRecord
//! ```

use std::io;
use std::path::{Path, PathBuf};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use protocol::schema::Schema;
use storage::file_system::FileSystem;

use super::entry::{damaged, encode_message};
use super::record::PurgePointRecord;
use super::type_config::{LogId, log_id, term};

const FILE: &str = "ottla-purge-point";
const MAGIC: &[u8; 4] = b"OTTP";
const VERSION: u16 = 0;

/// The last entry that was dropped from the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PurgePoint {
    pub(super) log_id: LogId,
    /// The offset after it.
    pub(super) end_offset: i64,
}

fn path(folder: &Path) -> PathBuf {
    folder.join(FILE)
}

impl PurgePoint {
    /// Reads the file in the folder of the metadata log, if there is one.
    ///
    /// # Errors
    /// A damaged file, or whatever the file system says.
    pub(super) fn load(file_system: &dyn FileSystem, folder: &Path) -> io::Result<Option<Self>> {
        match file_system.read(&path(folder)) {
            Ok(bytes) => Self::decode(bytes.into())
                .map(Some)
                .map_err(|error| damaged(format!("{} is damaged: {error}", path(folder).display()))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Replaces the file, durably.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub(super) fn store(&self, file_system: &dyn FileSystem, folder: &Path) -> io::Result<()> {
        file_system.write_atomic(&path(folder), &self.encode()?)
    }

    /// The file's bytes.
    pub(super) fn encode(&self) -> io::Result<Bytes> {
        let as_i64 = |value: u64| i64::try_from(value).map_err(io::Error::other);
        let (index, term) = (as_i64(self.log_id.index)?, as_i64(term(&self.log_id))?);
        let body = encode_message(&PurgePointRecord { index, term, end_offset: self.end_offset }, 0)?;
        let mut out = BytesMut::with_capacity(10 + body.len());
        out.put_slice(MAGIC);
        out.put_u16(VERSION);
        out.put_u32(crc32c::crc32c(&body));
        out.put_slice(&body);
        Ok(out.freeze())
    }

    /// Reads the file's bytes.
    ///
    /// # Errors
    /// Anything that this program did not write.
    pub(super) fn decode(mut bytes: Bytes) -> io::Result<Self> {
        if bytes.len() < 10 || bytes.split_to(4) != MAGIC[..] {
            return Err(damaged("not a file with a purge point"));
        }
        let version = bytes.get_u16();
        if version != VERSION {
            return Err(damaged(format!("version {version} is not known")));
        }
        if bytes.get_u32() != crc32c::crc32c(&bytes) {
            return Err(damaged("the CRC does not match"));
        }
        let record = PurgePointRecord::decode(0, &mut bytes).map_err(damaged)?;
        let as_u64 = |value: i64| u64::try_from(value).map_err(damaged);
        Ok(Self { log_id: log_id(as_u64(record.term)?, as_u64(record.index)?), end_offset: record.end_offset })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn point() -> PurgePoint {
        PurgePoint { log_id: log_id(6, 41), end_offset: 1234 }
    }

    #[test]
    fn the_bytes_are_fixed() {
        let hex: String = point().encode().unwrap().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "4f5454500000b3fb32d60000000000000029000000000000000600000000000004d200");
        assert_eq!(PurgePoint::decode(point().encode().unwrap()).unwrap(), point());
    }

    proptest! {
        #[test]
        fn every_flipped_bit_is_refused(at in 0usize..400) {
            let mut bytes = point().encode().unwrap().to_vec();
            let at = at % (bytes.len() * 8);
            bytes[at / 8] ^= 1 << (at % 8);
            prop_assert!(PurgePoint::decode(bytes.into()).is_err());
        }

        #[test]
        fn any_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = PurgePoint::decode(bytes.into());
        }
    }
}
