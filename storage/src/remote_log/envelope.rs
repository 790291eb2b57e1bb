//! What goes around everything that explains the store: what it is, in which version, and a checksum.
//!
//! ```text
//! what it is (four letters) | version i16 | crc32c u32 of all that follows | the message
//! ```

use bytes::{Buf, BufMut, Bytes, BytesMut};
use protocol::schema::{DecodeError, EncodeError, Schema};

const VERSION: i16 = 0;
/// Letters, version and checksum.
pub(super) const ENVELOPE: usize = 10;

/// What an object is.
pub(super) type Magic = [u8; 4];

/// Why bytes are not what they should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// Too short, or something else altogether.
    #[error("not a manifest")]
    Magic,
    /// Written by a later version of this program.
    #[error("manifest version {0} is not known")]
    Version(i16),
    /// Not the bytes that were written.
    #[error("checksum {computed:08x} of a manifest that should have {stored:08x}")]
    Checksum { stored: u32, computed: u32 },
    /// Not the fields that it should have.
    #[error(transparent)]
    Fields(#[from] DecodeError),
    /// Segments overlap backwards, end before they begin, or have sizes below zero; a topic without a name or partitions.
    #[error("the fields of the manifest contradict each other")]
    Contradiction,
}

/// The object of a message.
///
/// # Errors
/// It is longer than a length can say.
pub(super) fn seal(magic: Magic, message: &impl Schema) -> Result<Bytes, EncodeError> {
    let mut out = BytesMut::with_capacity(ENVELOPE + message.encoded_size(VERSION)?);
    out.put_slice(&magic);
    out.put_i16(VERSION);
    out.put_u32(0);
    message.encode(VERSION, &mut out)?;
    let crc = crc32c::crc32c(&out[ENVELOPE..]);
    out[6..ENVELOPE].copy_from_slice(&crc.to_be_bytes());
    Ok(out.freeze())
}

/// The message of an object.
///
/// # Errors
/// [`ManifestError`], all but `Contradiction`.
pub(super) fn open<M: Schema>(magic: Magic, mut bytes: Bytes) -> Result<M, ManifestError> {
    if bytes.len() < ENVELOPE || !bytes.starts_with(&magic) {
        return Err(ManifestError::Magic);
    }
    bytes.advance(magic.len());
    let (version, stored) = (bytes.get_i16(), bytes.get_u32());
    if version != VERSION {
        return Err(ManifestError::Version(version));
    }
    let computed = crc32c::crc32c(&bytes);
    if computed != stored {
        return Err(ManifestError::Checksum { stored, computed });
    }
    Ok(M::decode(version, &mut bytes)?)
}
