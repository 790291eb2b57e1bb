//! Snapshots of the metadata log: Kafka's `<end offset>-<epoch>.checkpoint` files.
//!
//! ```text
//! control batch: SnapshotHeader, KRaftVersion, KRaftVoters (and our own record of the members once they have changed)
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
use protocol::record_batch::{BatchBuilder, Batches, Codec, Record, Records, check_crc};
use storage::file_system::FileSystem;

use super::entry::{append_control, control_type, damaged, decode_membership, encode_message, membership_record};
use super::kraft_voters::KRaftVoters;
use super::record::MEMBERSHIP_TYPE;
use super::type_config::{Membership, StoredMembership};
use crate::image::{Image, ImageBuilder, Provenance};

const SUFFIX: &str = ".checkpoint";
/// What `kafka-storage format` leaves for the first leader (`BootstrapDirectory`).
const BOOTSTRAP_FILE: &str = "bootstrap.checkpoint";
const HEADER_TYPE: i16 = 3;
const FOOTER_TYPE: i16 = 4;
/// Records of one data batch.
const BATCH_RECORDS: i32 = 1024;
const MAX_BATCH_BYTES: usize = 1 << 30;

/// What a snapshot stands for: every record before `end_offset`, the last of them of `epoch`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SnapshotId {
    /// Exclusive.
    pub end_offset: i64,
    /// Leader epoch of the last record contained.
    pub epoch: i32,
}

impl SnapshotId {
    /// That of an image.
    pub(super) fn of(image: &Image) -> Self {
        Self { end_offset: image.offset() + 1, epoch: image.epoch() }
    }

    /// That in the name of a file; `None` for any other name.
    #[must_use]
    pub fn in_name(name: &str) -> Option<Self> {
        let (offset, epoch) = name.strip_suffix(SUFFIX)?.split_once('-')?;
        let epoch = epoch.parse().ok().filter(|epoch| *epoch >= 0)?;
        let end_offset = offset.parse().ok().filter(|end_offset| *end_offset >= 0)?;
        (offset.len() == 20).then_some(Self { end_offset, epoch })
    }

    fn file_name(self) -> String {
        format!("{:020}-{:010}{SUFFIX}", self.end_offset, self.epoch)
    }
}

/// A snapshot as it goes from member to member.
#[derive(Clone, Debug)]
pub(super) struct SnapshotFile {
    pub(super) id: SnapshotId,
    pub(super) bytes: Bytes,
}

/// A snapshot read back.
pub(super) struct Loaded {
    pub(super) image: Image,
    pub(super) voters: KRaftVoters,
    /// The members, if they have ever changed.
    pub(super) members: Option<Membership>,
}

/// The file of an image.
pub(super) fn encode(image: &Image, voters: &KRaftVoters, members: &StoredMembership) -> io::Result<Bytes> {
    let provenance = image.provenance();
    let mut out = BytesMut::new();
    let mut offset = 0;
    let mut head = BatchBuilder::new(offset, Codec::None).leader_epoch(provenance.epoch).control();
    let header = SnapshotHeaderRecord::default().with_last_contained_log_timestamp(provenance.timestamp_ms);
    append_control(&mut head, HEADER_TYPE, &encode_crate(&header)?, provenance.timestamp_ms);
    voters.append_to(&mut head, provenance.timestamp_ms);
    if members.log_id().is_some() {
        let members = encode_message(&membership_record(members.membership()), 0)?;
        append_control(&mut head, MEMBERSHIP_TYPE, &members, provenance.timestamp_ms);
    }
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

/// Reads a snapshot.
///
/// # Errors
/// Damaged bytes, or a file without its footer.
pub(super) fn decode(id: SnapshotId, bytes: &Bytes) -> io::Result<Loaded> {
    let mut builder = ImageBuilder::new(&Image::default());
    let (mut voters, mut members) = (KRaftVoters::default(), None);
    let (mut timestamp_ms, mut is_whole) = (-1, false);
    for_each_record(bytes, |is_control, record, record_timestamp_ms| {
        let value = record.value.clone().unwrap_or_default();
        if !is_control {
            let record = MetadataRecord::decode_value(value).map_err(damaged)?;
            return builder.apply(record).map_err(damaged);
        }
        let kind = control_type(record);
        match kind {
            // The header's own time is that of its batch, which is written at the time of the last record contained by us.
            Some(HEADER_TYPE) => timestamp_ms = last_contained_timestamp(&value).unwrap_or(record_timestamp_ms),
            Some(FOOTER_TYPE) => is_whole = true,
            Some(MEMBERSHIP_TYPE) => members = Some(decode_membership(value)?),
            _ => voters.note(kind, &value),
        }
        Ok(())
    })?;
    if !is_whole {
        return Err(damaged("the snapshot is not whole"));
    }
    let provenance = Provenance { offset: id.end_offset - 1, epoch: id.epoch, timestamp_ms };
    Ok(Loaded { image: builder.finish(provenance).map_err(damaged)?, voters, members })
}

/// From a `SnapshotHeaderRecord`: version, then the time.
fn last_contained_timestamp(value: &Bytes) -> Option<i64> {
    Some(i64::from_be_bytes(value.get(2..10)?.try_into().ok()?))
}

/// Gives every record to `visit`: whether it is a control record, itself, and the first time of its batch.
fn for_each_record(bytes: &Bytes, mut visit: impl FnMut(bool, &Record, i64) -> io::Result<()>) -> io::Result<()> {
    for batch in Batches::new(bytes) {
        let (header, batch) = batch.map_err(damaged)?;
        check_crc(batch).map_err(damaged)?;
        for record in Records::open(&bytes.slice_ref(batch), MAX_BATCH_BYTES).map_err(damaged)? {
            visit(header.attributes.is_control(), &record.map_err(damaged)?, header.base_timestamp)?;
        }
    }
    Ok(())
}

/// The records that `kafka-storage format` wants written first, if it formatted this directory.
///
/// # Errors
/// A damaged file, or whatever the file system says.
pub(super) fn bootstrap(file_system: &dyn FileSystem, log_dir: &Path) -> io::Result<Option<Vec<MetadataRecord>>> {
    let bytes = match file_system.read(&log_dir.join(BOOTSTRAP_FILE)) {
        Ok(bytes) => Bytes::from(bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut records = Vec::new();
    for_each_record(&bytes, |is_control, record, _| {
        if !is_control {
            records.push(MetadataRecord::decode_value(record.value.clone().unwrap_or_default()).map_err(damaged)?);
        }
        Ok(())
    })?;
    Ok(Some(records))
}

/// Writes a snapshot durably and removes older ones.
pub(super) fn store(file_system: &dyn FileSystem, folder: &Path, file: &SnapshotFile) -> io::Result<()> {
    file_system.create_dir_all(folder)?;
    file_system.write_atomic(&folder.join(file.id.file_name()), &file.bytes)?;
    for (_, path) in list(file_system, folder)?.into_iter().filter(|(id, _)| *id != file.id) {
        file_system.remove_file(&path)?;
    }
    Ok(())
}

/// Reads the bytes of a snapshot.
///
/// # Errors
/// Whatever the file system says.
pub(super) fn read(file_system: &dyn FileSystem, folder: &Path, id: SnapshotId) -> io::Result<SnapshotFile> {
    let bytes = Bytes::from(file_system.read(&folder.join(id.file_name()))?);
    Ok(SnapshotFile { id, bytes })
}

/// The newest snapshot that is whole.
///
/// # Errors
/// Whatever the file system says. A damaged snapshot is skipped with a warning: the log may still have what it stood for.
pub(super) fn load(file_system: &dyn FileSystem, folder: &Path) -> io::Result<Option<(SnapshotId, Loaded)>> {
    let mut all = list(file_system, folder)?;
    all.sort_unstable();
    for (id, path) in all.into_iter().rev() {
        match decode(id, &Bytes::from(file_system.read(&path)?)) {
            Ok(loaded) => return Ok(Some((id, loaded))),
            Err(error) => tracing::warn!(path = %path.display(), %error, "skipping a damaged snapshot"),
        }
    }
    Ok(None)
}

fn list(file_system: &dyn FileSystem, folder: &Path) -> io::Result<Vec<(SnapshotId, PathBuf)>> {
    match file_system.read_dir(folder) {
        Ok(entries) => {
            let found = entries
                .into_iter()
                .filter_map(|entry| Some((SnapshotId::in_name(&entry.name)?, folder.join(entry.name))));
            Ok(found.collect())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}
