//! A response as a whole frame.

use bytes::{BufMut, BytesMut};
use kafka_protocol::messages::ResponseHeader;
use thiserror::Error;

use crate::{Encodable, HeaderVersion};

/// A response that cannot be expressed in the version asked for: a defect of ours, never of the client.
#[derive(Debug, Error)]
#[error("cannot encode a response of version {version}: {message}")]
pub struct EncodeError {
    pub version: i16,
    pub message: String,
}

/// Appends the whole frame to `out`: size, response header, body. The header has tagged fields in flexible
/// versions, but for ApiVersions, whose header is always version 0 so that any client can read it.
///
/// # Errors
/// The body holds what `version` cannot express; `out` is left as it was.
pub fn encode<B: Encodable + HeaderVersion>(
    out: &mut BytesMut,
    version: i16,
    correlation_id: i32,
    body: &B,
) -> Result<(), EncodeError> {
    let start = out.len();
    let result = append(out, version, correlation_id, body);
    if result.is_err() {
        out.truncate(start);
    }
    result.map_err(|message| EncodeError { version, message })
}

fn append<B: Encodable + HeaderVersion>(
    out: &mut BytesMut,
    version: i16,
    correlation_id: i32,
    body: &B,
) -> Result<(), String> {
    let start = out.len();
    let size = body.compute_size(version).map_err(|error| format!("{error:#}"))?;
    out.reserve(size + 9);
    out.put_i32(0);
    ResponseHeader::default()
        .with_correlation_id(correlation_id)
        .encode(out, B::header_version(version))
        .and_then(|()| body.encode(out, version))
        .map_err(|error| format!("{error:#}"))?;
    let length = i32::try_from(out.len() - start - 4).map_err(|error| error.to_string())?;
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
    Ok(())
}

#[cfg(test)]
mod tests {
    use kafka_protocol::messages::{ApiVersionsResponse, MetadataResponse};

    use super::*;

    #[test]
    fn size_and_header_come_first() {
        let mut out = BytesMut::from(&b"before"[..]);
        encode(&mut out, 3, 9, &ApiVersionsResponse::default()).unwrap();
        let frame = &out[6..];
        let size = i32::from_be_bytes([frame[0], frame[1], frame[2], frame[3]]);
        assert_eq!(usize::try_from(size).unwrap(), frame.len() - 4);
        assert_eq!(&frame[4..8], &[0, 0, 0, 9]);
        assert_eq!(&frame[8..10], &[0, 0], "no tagged fields before the error code");

        let mut flexible = BytesMut::new();
        encode(&mut flexible, 12, 9, &MetadataResponse::default()).unwrap();
        assert_eq!(flexible[8], 0, "header version 1 ends with its tagged fields");
    }
}
