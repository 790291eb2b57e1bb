//! A request's header and body.

use bytes::{Buf, Bytes};
use kafka_protocol::messages::ApiKey;
use thiserror::Error;

use crate::{Request, StrBytes};

/// Bytes that are no request: the connection must be closed, as Kafka does (`RequestContext.parseRequest`).
#[derive(Debug, Error)]
pub enum DecodeError {
    #[error("a request of {0} bytes ends inside its header")]
    ShortHeader(usize),
    #[error("the client id is not UTF-8")]
    ClientId,
    #[error("malformed tagged fields in the request header")]
    TaggedFields,
    #[error("cannot parse the body of version {version}: {message}")]
    Body { version: i16, message: String },
}

/// The first eight bytes of every request, the same in all header versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestPrefix {
    pub api_key: i16,
    pub api_version: i16,
    pub correlation_id: i32,
}

impl RequestPrefix {
    /// # Errors
    /// Fewer than eight bytes.
    pub fn peek(frame: &[u8]) -> Result<Self, DecodeError> {
        let prefix: &[u8; 8] = frame.first_chunk().ok_or(DecodeError::ShortHeader(frame.len()))?;
        let [k0, k1, v0, v1, c0, c1, c2, c3] = *prefix;
        Ok(Self {
            api_key: i16::from_be_bytes([k0, k1]),
            api_version: i16::from_be_bytes([v0, v1]),
            correlation_id: i32::from_be_bytes([c0, c1, c2, c3]),
        })
    }
}

/// A request without its body decoded.
#[derive(Clone, Debug)]
pub struct RequestHead {
    pub api_key: i16,
    pub api_version: i16,
    pub correlation_id: i32,
    pub client_id: Option<StrBytes>,
    /// What follows the header.
    pub body: Bytes,
}

/// Parses the header of a request, version 1 or 2 as key and version demand. An unknown key is read as header
/// version 1: the caller closes the connection anyway, and ApiVersions of an unknown version is header 2.
///
/// # Errors
/// The bytes end early, or hold no such header.
pub fn parse_head(mut frame: Bytes) -> Result<RequestHead, DecodeError> {
    let prefix = RequestPrefix::peek(&frame)?;
    let short = DecodeError::ShortHeader(frame.len());
    frame.advance(8);
    let client_id = match frame.try_get_i16() {
        Err(_) => return Err(short),
        Ok(-1) => None,
        Ok(length) => {
            let length = usize::try_from(length).map_err(|_| DecodeError::ClientId)?;
            if frame.remaining() < length {
                return Err(short);
            }
            let text = StrBytes::from_utf8(frame.split_to(length));
            Some(text.map_err(|_| DecodeError::ClientId)?)
        }
    };
    if header_version(prefix.api_key, prefix.api_version) >= 2 {
        skip_tagged_fields(&mut frame)?;
    }
    Ok(RequestHead {
        api_key: prefix.api_key,
        api_version: prefix.api_version,
        correlation_id: prefix.correlation_id,
        client_id,
        body: frame,
    })
}

fn header_version(api_key: i16, api_version: i16) -> i16 {
    ApiKey::try_from(api_key).map_or(1, |key| key.request_header_version(api_version))
}

/// Unknown tags of a request header are ignored, as KIP-482 asks.
fn skip_tagged_fields(frame: &mut Bytes) -> Result<(), DecodeError> {
    let count = get_unsigned_varint(frame)?;
    for _ in 0..count {
        get_unsigned_varint(frame)?;
        let size = usize::try_from(get_unsigned_varint(frame)?).unwrap_or(usize::MAX);
        if frame.remaining() < size {
            return Err(DecodeError::TaggedFields);
        }
        frame.advance(size);
    }
    Ok(())
}

fn get_unsigned_varint(frame: &mut Bytes) -> Result<u32, DecodeError> {
    let mut value = 0u32;
    for shift in (0..35).step_by(7) {
        let byte = frame.try_get_u8().map_err(|_| DecodeError::TaggedFields)?;
        value |= u32::from(byte & 0x7f).checked_shl(shift).ok_or(DecodeError::TaggedFields)?;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(DecodeError::TaggedFields)
}

/// Decodes a request body; strings and records stay slices of `body`. Bytes after it are ignored, as in Kafka.
///
/// The crate reserves memory from array counts before it has seen the elements. Under mimalloc a hostile
/// count costs address space only and ends here as an error; under an allocator that commits, it may abort.
///
/// # Errors
/// The version is not decodable or the bytes are not such a body.
pub fn decode_body<R: Request>(mut body: Bytes, version: i16) -> Result<R, DecodeError> {
    R::decode(&mut body, version).map_err(|error| DecodeError::Body { version, message: format!("{error:#}") })
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use kafka_protocol::messages::{ApiVersionsRequest, MetadataRequest, RequestHeader};

    use super::*;
    use crate::{Encodable, HeaderVersion};

    fn head(key: i16, version: i16, header_version: i16, client: Option<&'static str>) -> Bytes {
        let mut bytes = BytesMut::new();
        RequestHeader::default()
            .with_request_api_key(key)
            .with_request_api_version(version)
            .with_correlation_id(77)
            .with_client_id(client.map(StrBytes::from_static_str))
            .with_unknown_tagged_fields([(5, Bytes::from_static(b"abc"))].into())
            .encode(&mut bytes, header_version)
            .unwrap();
        bytes.extend_from_slice(b"body");
        bytes.freeze()
    }

    #[test]
    fn both_header_versions_leave_the_body() {
        for (version, client) in [(4, Some("me")), (4, None), (12, Some("")), (12, None)] {
            let header_version = MetadataRequest::header_version(version);
            let parsed = parse_head(head(3, version, header_version, client)).unwrap();
            assert_eq!((parsed.api_key, parsed.correlation_id), (3, 77));
            assert_eq!(parsed.client_id.as_deref(), client);
            assert_eq!(parsed.body, "body");
        }
    }

    #[test]
    fn every_cut_of_a_header_is_an_error() {
        let whole = head(18, 3, ApiVersionsRequest::header_version(3), Some("client"));
        for end in 0..whole.len() - 4 {
            assert!(parse_head(whole.slice(..end)).is_err(), "cut at {end}");
        }
    }

    #[test]
    fn endless_varint_is_an_error() {
        let mut bytes = vec![0, 18, 0, 3, 0, 0, 0, 1, 0xff, 0xff];
        bytes.extend([0xff; 12]);
        assert!(matches!(parse_head(bytes.into()), Err(DecodeError::TaggedFields)));
    }
}
