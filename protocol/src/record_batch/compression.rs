//! The codecs of a batch: streaming decoders that the caller bounds, and encoders.
//!
//! Nothing here allocates by a size that a stranger declared. Snappy is the exception that must be looked
//! at: a block states its decoded length, and is believed only as far as snappy can expand at all.

use std::io::{self, Cursor, Read, Write};

use super::lz4_frame;

/// Codec ids as they stand in the attributes (`CompressionType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Codec {
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

impl Codec {
    /// All codecs.
    pub const ALL: [Self; 5] = [Self::None, Self::Gzip, Self::Snappy, Self::Lz4, Self::Zstd];

    pub fn from_id(id: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|codec| codec.id() == id)
    }

    pub fn id(self) -> i16 {
        match self {
            Self::None => 0,
            Self::Gzip => 1,
            Self::Snappy => 2,
            Self::Lz4 => 3,
            Self::Zstd => 4,
        }
    }

    /// The name as in `compression.type`.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }
}

/// A decoder over the records of a compressed batch. It yields as much as the caller reads: the caller must
/// set the limit.
///
/// # Errors
/// Bytes that the codec refuses at once; others appear while reading.
pub fn decompressor<'a>(codec: Codec, bytes: &'a [u8]) -> io::Result<Box<dyn Read + 'a>> {
    Ok(match codec {
        Codec::None => Box::new(bytes),
        Codec::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(bytes)),
        Codec::Snappy => Box::new(Snappy::new(bytes)?),
        Codec::Lz4 => {
            let frame = lz4_frame::whole(bytes).ok_or_else(|| invalid("no LZ4 frame of independent blocks"))?;
            Box::new(lz4_flex::frame::FrameDecoder::new(frame))
        }
        Codec::Zstd => Box::new(zstd::stream::read::Decoder::with_buffer(bytes)?),
    })
}

/// Compresses `bytes` as a producer would, at the codec's default level.
///
/// # Errors
/// Those of the codec; with memory as the target there are none to expect.
pub fn compress(codec: Codec, bytes: &[u8]) -> io::Result<Vec<u8>> {
    match codec {
        Codec::None => Ok(bytes.to_vec()),
        Codec::Gzip => {
            let level = flate2::Compression::default();
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
            encoder.write_all(bytes)?;
            encoder.finish()
        }
        Codec::Snappy => compress_snappy(bytes),
        Codec::Lz4 => {
            let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
            encoder.write_all(bytes)?;
            encoder.finish().map_err(io::Error::other)
        }
        Codec::Zstd => zstd::stream::encode_all(bytes, zstd::DEFAULT_COMPRESSION_LEVEL),
    }
}

/// Opens the framing of snappy-java (xerial), which Kafka's own clients write: then a version and the oldest
/// version that can read it, four bytes each, then blocks with their size before them.
const XERIAL_MAGIC: [u8; 8] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0];
const XERIAL_HEADER: usize = 16;
const XERIAL_VERSION: [u8; 8] = [0, 0, 0, 1, 0, 0, 0, 1];
const XERIAL_BLOCK: usize = 32 * 1024;
/// A copy element of three bytes yields 64 at most: no valid block expands further.
const SNAPPY_MAX_RATIO: usize = 64;

fn compress_snappy(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut out = Vec::with_capacity(XERIAL_HEADER + bytes.len() / 2);
    out.extend_from_slice(&XERIAL_MAGIC);
    out.extend_from_slice(&XERIAL_VERSION);
    for block in bytes.chunks(XERIAL_BLOCK) {
        let packed = snap::raw::Encoder::new().compress_vec(block).map_err(io::Error::other)?;
        let size = u32::try_from(packed.len()).map_err(io::Error::other)?;
        out.extend_from_slice(&size.to_be_bytes());
        out.extend_from_slice(&packed);
    }
    Ok(out)
}

/// Reads both framings: xerial, block by block, or one raw block (librdkafka, Sarama).
struct Snappy<'a> {
    /// What is not decoded yet.
    rest: &'a [u8],
    block: Cursor<Vec<u8>>,
}

impl<'a> Snappy<'a> {
    fn new(bytes: &'a [u8]) -> io::Result<Self> {
        if bytes.starts_with(&XERIAL_MAGIC) {
            let rest = bytes.get(XERIAL_HEADER..).ok_or_else(truncated)?;
            return Ok(Self { rest, block: Cursor::default() });
        }
        Ok(Self { rest: &[], block: Cursor::new(decode_block(bytes)?) })
    }

    fn next_block(&mut self) -> io::Result<()> {
        let (size, rest) = self.rest.split_first_chunk::<4>().ok_or_else(truncated)?;
        let size = usize::try_from(u32::from_be_bytes(*size)).map_err(io::Error::other)?;
        let (block, rest) = rest.split_at_checked(size).ok_or_else(truncated)?;
        self.rest = rest;
        self.block = Cursor::new(decode_block(block)?);
        Ok(())
    }
}

impl Read for Snappy<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            let count = self.block.read(out)?;
            if count > 0 || out.is_empty() || self.rest.is_empty() {
                return Ok(count);
            }
            self.next_block()?;
        }
    }
}

fn decode_block(block: &[u8]) -> io::Result<Vec<u8>> {
    let declared = snap::raw::decompress_len(block).map_err(invalid)?;
    if declared > block.len().saturating_mul(SNAPPY_MAX_RATIO) {
        return Err(invalid("a snappy block that claims more than it can hold"));
    }
    snap::raw::Decoder::new().decompress_vec(block).map_err(invalid)
}

fn truncated() -> io::Error {
    io::ErrorKind::UnexpectedEof.into()
}

fn invalid(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, cause)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(codec: Codec, bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        decompressor(codec, bytes)?.take(1 << 20).read_to_end(&mut out)?;
        Ok(out)
    }

    #[test]
    fn every_codec_returns_what_it_was_given() {
        let plain: Vec<u8> = (0..100_000u32).map(|n| (n / 7 % 251) as u8).collect();
        for codec in Codec::ALL {
            let packed = compress(codec, &plain).unwrap();
            assert_eq!(decode(codec, &packed).unwrap(), plain, "{codec:?}");
            assert_eq!(Codec::from_id(codec.id()), Some(codec));
        }
        assert_eq!(Codec::from_id(5), None);
    }

    #[test]
    fn raw_snappy_is_read_too() {
        let packed = snap::raw::Encoder::new().compress_vec(b"hello hello hello").unwrap();
        assert_eq!(decode(Codec::Snappy, &packed).unwrap(), b"hello hello hello");
    }

    #[test]
    fn snappy_claims_are_not_believed() {
        // 4 GiB − 1 declared in five bytes.
        assert!(decode(Codec::Snappy, &[0xff, 0xff, 0xff, 0xff, 0x0f]).is_err());
        let mut framed = [XERIAL_MAGIC, XERIAL_VERSION].concat();
        framed.extend([0xff, 0xff, 0xff, 0xff]);
        assert!(decode(Codec::Snappy, &framed).is_err());
    }

    #[test]
    fn cut_streams_are_errors_or_a_prefix_but_never_panics() {
        let plain = vec![7; 10_000];
        for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
            let packed = compress(codec, &plain).unwrap();
            for end in 0..packed.len() {
                if let Ok(out) = decode(codec, &packed[..end]) {
                    assert!(plain.starts_with(&out), "{codec:?} cut at {end}");
                }
            }
        }
    }
}
