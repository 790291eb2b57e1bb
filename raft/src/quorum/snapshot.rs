//! Snapshots of the metadata log: Kafka's `<end offset>-<epoch>.checkpoint` files.
//!
//! ```text
//! control batch: SnapshotHeader, then raft's own index and members (our records)
//! data batches:  the image as metadata records
//! control batch: SnapshotFooter
//! ```
//! Source: `RecordsSnapshotWriter`, `Snapshots`.

use std::io;
use std::path::{Path, PathBuf};

use bytes::{Bytes, BytesMut};
use protocol::Encodable;
use protocol::messages::{SnapshotFooterRecord, SnapshotHeaderRecord};
use protocol::metadata_record::MetadataRecord;
use protocol::record_batch::{BatchBuilder, Batches, Codec, Records, check_crc};
use protocol::schema::Schema;
use storage::file_system::FileSystem;

use super::entry::{append_control, control_type, damaged, decode_membership, encode_message, membership_record};
use super::record::{MEMBERSHIP_TYPE, SNAPSHOT_STATE_TYPE, SnapshotStateRecord};
use super::type_config::{LogId, SnapshotMeta, StoredMembership, log_id, term};
use crate::image::{Image, ImageBuilder, Provenance};

const SUFFIX: &str = ".checkpoint";
const HEADER_TYPE: i16 = 3;
const FOOTER_TYPE: i16 = 4;
/// Records of one data batch.
const BATCH_RECORDS: i32 = 1024;
const MAX_BATCH_BYTES: usize = 1 << 30;

/// A snapshot read back.
pub(super) struct Loaded {
    pub(super) image: Image,
    pub(super) last_log_id: Option<LogId>,
    pub(super) membership: StoredMembership,
}

/// The file of an image.
pub(super) fn encode(image: &Image, meta: &SnapshotMeta) -> io::Result<Bytes> {
    let provenance = image.provenance();
    let mut out = BytesMut::new();
    let mut offset = 0;
    let mut head = BatchBuilder::new(offset, Codec::None).leader_epoch(provenance.epoch).control();
    let header = SnapshotHeaderRecord::default().with_last_contained_log_timestamp(provenance.timestamp_ms);
    append_control(&mut head, HEADER_TYPE, &encode_crate(&header)?, provenance.timestamp_ms);
    let state = encode_message(&state_record(meta, provenance)?, 0)?;
    append_control(&mut head, SNAPSHOT_STATE_TYPE, &state, provenance.timestamp_ms);
    let members = encode_message(&membership_record(meta.last_membership.membership()), 0)?;
    append_control(&mut head, MEMBERSHIP_TYPE, &members, provenance.timestamp_ms);
    offset += i64::from(head.record_count());
    out.extend_from_slice(&head.build());
    let mut records = image.records().peekable();
    while records.peek().is_some() {
        let mut batch = BatchBuilder::new(offset, Codec::None).leader_epoch(provenance.epoch);
        for record in records.by_ref().take(BATCH_RECORDS as usize) {
            let value = record.encode_value().map_err(io::Error::other)?;
            batch.append(provenance.timestamp_ms, None, Some(&value), &[]);
        }
        offset += i64::from(batch.record_count());
        out.extend_from_slice(&batch.build());
    }
    let mut foot = BatchBuilder::new(offset, Codec::None).leader_epoch(provenance.epoch).control();
    append_control(&mut foot, FOOTER_TYPE, &encode_crate(&SnapshotFooterRecord::default())?, provenance.timestamp_ms);
    out.extend_from_slice(&foot.build());
    Ok(out.freeze())
}

fn encode_crate(message: &impl Encodable) -> io::Result<Bytes> {
    let mut out = BytesMut::new();
    message.encode(&mut out, 0).map_err(io::Error::other)?;
    Ok(out.freeze())
}

fn state_record(meta: &SnapshotMeta, provenance: Provenance) -> io::Result<SnapshotStateRecord> {
    let parts = |id: &Option<LogId>| match id {
        Some(id) => Ok((to_i64(term(id))?, to_i64(id.index)?)),
        None => Ok::<_, io::Error>((-1, -1)),
    };
    let (term, index) = parts(&meta.last_log_id)?;
    let (membership_term, membership_index) = parts(meta.last_membership.log_id())?;
    let end_offset = provenance.offset + 1;
    let timestamp_ms = provenance.timestamp_ms;
    Ok(SnapshotStateRecord { term, index, membership_term, membership_index, end_offset, timestamp_ms })
}

fn to_i64(value: u64) -> io::Result<i64> {
    i64::try_from(value).map_err(io::Error::other)
}

/// Reads a snapshot.
///
/// # Errors
/// Damaged bytes, or a file without its footer.
pub(super) fn decode(bytes: &Bytes) -> io::Result<Loaded> {
    let mut reader = Reader::default();
    for batch in Batches::new(bytes) {
        let (header, batch) = batch.map_err(damaged)?;
        check_crc(batch).map_err(damaged)?;
        let batch = bytes.slice_ref(batch);
        for record in Records::open(&batch, MAX_BATCH_BYTES).map_err(damaged)? {
            let record = record.map_err(damaged)?;
            let value = record.value.clone().unwrap_or_default();
            if header.attributes.is_control() {
                reader.control(control_type(&record), value)?;
            } else {
                let record = MetadataRecord::decode_value(value).map_err(damaged)?;
                reader.builder.apply(record).map_err(damaged)?;
            }
        }
        reader.epoch = header.partition_leader_epoch;
    }
    reader.finish()
}

struct Reader {
    builder: ImageBuilder,
    state: Option<SnapshotStateRecord>,
    membership: Option<super::type_config::Membership>,
    epoch: i32,
    is_whole: bool,
}

impl Default for Reader {
    fn default() -> Self {
        Self {
            builder: ImageBuilder::new(&Image::default()),
            state: None,
            membership: None,
            epoch: -1,
            is_whole: false,
        }
    }
}

impl Reader {
    fn control(&mut self, control_type: Option<i16>, mut value: Bytes) -> io::Result<()> {
        match control_type {
            Some(SNAPSHOT_STATE_TYPE) => {
                self.state = Some(SnapshotStateRecord::decode(0, &mut value).map_err(damaged)?);
            }
            Some(MEMBERSHIP_TYPE) => self.membership = Some(decode_membership(value)?),
            Some(FOOTER_TYPE) => self.is_whole = true,
            _ => {}
        }
        Ok(())
    }

    fn finish(self) -> io::Result<Loaded> {
        let (Some(state), Some(membership), true) = (self.state, self.membership, self.is_whole) else {
            return Err(damaged("the snapshot is not whole"));
        };
        let id = |term: i64, index: i64| Some(log_id(u64::try_from(term).ok()?, u64::try_from(index).ok()?));
        let last_log_id = id(state.term, state.index);
        let provenance = Provenance {
            offset: state.end_offset.saturating_sub(1),
            epoch: self.epoch,
            timestamp_ms: state.timestamp_ms,
        };
        let image = self.builder.finish(provenance).map_err(damaged)?;
        let membership = StoredMembership::new(id(state.membership_term, state.membership_index), membership);
        Ok(Loaded { image, last_log_id, membership })
    }
}

fn file_name(end_offset: i64, epoch: i32) -> String {
    format!("{end_offset:020}-{epoch:010}{SUFFIX}")
}

/// The end offset in a snapshot's name; `None` for any other name.
fn end_offset_of(name: &str) -> Option<i64> {
    let (offset, epoch) = name.strip_suffix(SUFFIX)?.split_once('-')?;
    epoch.parse::<i32>().ok()?;
    (offset.len() == 20).then(|| offset.parse().ok()).flatten()
}

/// Writes a snapshot durably and removes older ones.
pub(super) fn store(file_system: &dyn FileSystem, folder: &Path, image: &Image, bytes: &[u8]) -> io::Result<()> {
    file_system.create_dir_all(folder)?;
    let name = file_name(image.offset() + 1, image.epoch());
    file_system.write_atomic(&folder.join(&name), bytes)?;
    for (_, path) in list(file_system, folder)?.into_iter().filter(|(_, path)| !path.ends_with(&name)) {
        file_system.remove_file(&path)?;
    }
    Ok(())
}

/// The newest snapshot that is whole.
///
/// # Errors
/// Whatever the file system says. A damaged snapshot is skipped with a warning: the log may still have what it stood for.
pub(super) fn load(file_system: &dyn FileSystem, folder: &Path) -> io::Result<Option<(Loaded, Bytes)>> {
    let mut all = list(file_system, folder)?;
    all.sort_unstable();
    for (_, path) in all.into_iter().rev() {
        let bytes = Bytes::from(file_system.read(&path)?);
        match decode(&bytes) {
            Ok(loaded) => return Ok(Some((loaded, bytes))),
            Err(error) => tracing::warn!(path = %path.display(), %error, "skipping a damaged snapshot"),
        }
    }
    Ok(None)
}

fn list(file_system: &dyn FileSystem, folder: &Path) -> io::Result<Vec<(i64, PathBuf)>> {
    match file_system.read_dir(folder) {
        Ok(entries) => {
            let found =
                entries.into_iter().filter_map(|entry| Some((end_offset_of(&entry.name)?, folder.join(entry.name))));
            Ok(found.collect())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}
