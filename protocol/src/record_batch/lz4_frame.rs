//! The outline of an LZ4 frame, checked before it is decoded.
//!
//! `lz4_flex` takes a frame that stops after any block for a whole one, and decodes linked blocks. Kafka's reader
//! (`Lz4BlockInputStream`) refuses both, so such a batch, once stored, would stop every consumer.

const MAGIC: [u8; 4] = 0x184D_2204u32.to_le_bytes();
const VERSION_MASK: u8 = 0b1100_0000;
const VERSION: u8 = 0b0100_0000;
const INDEPENDENT_BLOCKS: u8 = 0b0010_0000;
const BLOCK_CHECKSUMS: u8 = 0b0001_0000;
const CONTENT_SIZE: u8 = 0b0000_1000;
const CONTENT_CHECKSUM: u8 = 0b0000_0100;
const CHECKSUM_SIZE: usize = 4;
/// Set in a block's size if the block is stored as it is.
const UNCOMPRESSED: u32 = 1 << 31;

/// The frame at the front of `bytes`, up to its end mark and checksum; what follows it is left out, as Kafka does.
/// `None` if there is no whole frame that Kafka reads.
pub(super) fn whole(bytes: &[u8]) -> Option<&[u8]> {
    let flags = *bytes.strip_prefix(&MAGIC)?.first()?;
    if flags & VERSION_MASK != VERSION || flags & INDEPENDENT_BLOCKS == 0 {
        return None;
    }
    let size_if = |flag: u8, size: usize| if flags & flag == 0 { 0 } else { size };
    // Magic, flags, block descriptor, content size, header checksum.
    let mut position = MAGIC.len() + 2 + size_if(CONTENT_SIZE, 8) + 1;
    loop {
        let size = u32::from_le_bytes(*bytes.get(position..)?.first_chunk()?);
        position += 4;
        if size == 0 {
            return bytes.get(..position + size_if(CONTENT_CHECKSUM, CHECKSUM_SIZE));
        }
        let block = usize::try_from(size & !UNCOMPRESSED).ok()?;
        position = position.checked_add(block)?.checked_add(size_if(BLOCK_CHECKSUMS, CHECKSUM_SIZE))?;
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use lz4_flex::frame::{BlockMode, FrameEncoder, FrameInfo};

    use super::whole;

    fn frame(info: FrameInfo) -> Vec<u8> {
        let mut encoder = FrameEncoder::with_frame_info(info, Vec::new());
        encoder.write_all(&vec![7; 200_000]).unwrap();
        encoder.write_all(b"some more").unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn a_frame_ends_at_its_end_mark() {
        let plain = FrameInfo::new();
        for info in [plain.clone(), plain.clone().block_checksums(true), plain.content_checksum(true)] {
            let mut bytes = frame(info);
            let size = bytes.len();
            for end in 0..size {
                assert_eq!(whole(&bytes[..end]), None, "cut at {end}");
            }
            bytes.extend([9; 9]);
            assert_eq!(whole(&bytes).map(<[u8]>::len), Some(size));
        }
    }

    #[test]
    fn linked_blocks_are_refused() {
        assert_eq!(whole(&frame(FrameInfo::new().block_mode(BlockMode::Linked))), None);
    }
}
