//! The file with the vote. Losing it lets a node vote twice in a term, so it is replaced atomically and durably, and a
//! damaged one is refused: nothing can stand in for it.
//!
//! ```text
//! "OTTV" │ version u16 │ CRC-32C of what follows u32 │ HardStateRecord
//! ```

use std::io;
use std::path::{Path, PathBuf};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use protocol::schema::Schema;
use storage::file_system::FileSystem;

use super::entry::{damaged, encode_message};
use super::record::HardStateRecord;
use super::type_config::{LogId, Vote, log_id, member, node_id, term};

const FILE: &str = "ottla-vote";
const MAGIC: &[u8; 4] = b"OTTV";
const VERSION: u16 = 0;

/// What the file says.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct HardState {
    pub(super) vote: Option<Vote>,
    /// The last entry that was dropped from the log, and the offset after it.
    pub(super) purged: Option<(LogId, i64)>,
}

fn path(folder: &Path) -> PathBuf {
    folder.join(FILE)
}

impl HardState {
    /// Reads the file in the folder of the metadata log; the default when there is none.
    ///
    /// # Errors
    /// A damaged file, or whatever the file system says.
    pub(super) fn load(file_system: &dyn FileSystem, folder: &Path) -> io::Result<Self> {
        match file_system.read(&path(folder)) {
            Ok(bytes) => Self::decode(bytes.into())
                .map_err(|error| damaged(format!("{} is damaged: {error}", path(folder).display()))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
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
        let mut record = HardStateRecord::default();
        if let Some(vote) = &self.vote {
            record.vote_term = as_i64(vote.leader_id.term)?;
            record.vote_node = node_id(vote.leader_id.voted_for);
            record.vote_committed = vote.committed;
        }
        if let Some((purged, end_offset)) = &self.purged {
            record.purged_index = as_i64(purged.index)?;
            record.purged_term = as_i64(term(purged))?;
            record.purged_end_offset = *end_offset;
        }
        let body = encode_message(&record, 0)?;
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
            return Err(damaged("not a vote file"));
        }
        let version = bytes.get_u16();
        if version != VERSION {
            return Err(damaged(format!("version {version} is not known")));
        }
        if bytes.get_u32() != crc32c::crc32c(&bytes) {
            return Err(damaged("the CRC does not match"));
        }
        let record = HardStateRecord::decode(0, &mut bytes).map_err(damaged)?;
        let vote = u64::try_from(record.vote_term).ok().map(|term| {
            let mut vote = Vote::new(term, member(record.vote_node));
            vote.committed = record.vote_committed;
            vote
        });
        let purged = match (u64::try_from(record.purged_term), u64::try_from(record.purged_index)) {
            (Ok(term), Ok(index)) => Some((log_id(term, index), record.purged_end_offset)),
            _ => None,
        };
        Ok(Self { vote, purged })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn state() -> HardState {
        let mut vote = Vote::new(7, 3);
        vote.committed = true;
        HardState { vote: Some(vote), purged: Some((log_id(6, 41), 1234)) }
    }

    #[test]
    fn the_bytes_are_fixed() {
        let hex: String = state().encode().unwrap().iter().map(|byte| format!("{byte:02x}")).collect();
        let golden = "4f5454560000e416f2bb000000000000000700000003010000000000000029000000000000000600000000000004d200";
        assert_eq!(hex, golden);
    }

    #[test]
    fn what_was_written_is_read() {
        for state in [state(), HardState::default(), HardState { purged: None, ..state() }] {
            assert_eq!(HardState::decode(state.encode().unwrap()).unwrap(), state);
        }
    }

    proptest! {
        #[test]
        fn every_flipped_bit_is_refused(at in 0usize..400) {
            let mut bytes = state().encode().unwrap().to_vec();
            let at = at % (bytes.len() * 8);
            bytes[at / 8] ^= 1 << (at % 8);
            prop_assert!(HardState::decode(bytes.into()).is_err());
        }

        #[test]
        fn any_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = HardState::decode(bytes.into());
        }
    }
}
