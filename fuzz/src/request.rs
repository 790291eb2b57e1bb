//! Requests: frames and headers, and a target for each API in the broker's table.

use broker::handlers::{APIS, Api};
use bytes::{Bytes, BytesMut};
use protocol::frame::{FrameLimits, split};
use protocol::request::{RequestPrefix, parse_head};

use crate::Target;
use crate::cut::Cut;

const LIMITS: FrameLimits = FrameLimits { produce: 2000, other: 500 };
/// As many zeros are a whole body of every API: nulls, empty strings, empty arrays.
const ZEROS: usize = 96;

pub(crate) fn targets() -> Vec<Target> {
    let apis =
        APIS.iter().map(|api| Target::new(format!("request-{:?}", api.key), seeds(api), |input| body(api, input)));
    let frames = Target::new("frames", frame_seeds(), frames);
    std::iter::once(frames).chain(apis).collect()
}

/// A body of zeros in every version. The first byte of an input chooses the version.
fn seeds(api: &Api) -> Vec<Vec<u8>> {
    (api.min..=api.max).map(|version| [&[(version - api.min) as u8], &[0; ZEROS][..]].concat()).collect()
}

fn body(api: &Api, input: &[u8]) {
    let mut cut = Cut::new(input);
    let version = api.min + i16::from(cut.byte()) % (api.max - api.min + 1);
    let _ = api.check_body(version, Bytes::copy_from_slice(cut.rest()));
}

fn frame_seeds() -> Vec<Vec<u8>> {
    let header = |key: i16, version: i16, rest: &[u8]| {
        let size = 8 + rest.len() as i32;
        [&size.to_be_bytes()[..], &key.to_be_bytes(), &version.to_be_bytes(), &[0, 0, 0, 7], rest].concat()
    };
    let old = header(3, 1, b"\0\x02me\0\0\0\0");
    let flexible = header(18, 3, b"\xff\xff\x01\x05\x03abcbody");
    vec![[old.clone(), flexible.clone()].concat(), old, flexible]
}

/// What a connection does with bytes before a handler sees them.
fn frames(input: &[u8]) {
    let mut buffer = BytesMut::from(input);
    while let Ok(Some(frame)) = split(&mut buffer, &LIMITS) {
        assert!(frame.len() <= LIMITS.produce, "the limit is kept");
        let prefix = RequestPrefix::peek(&frame).expect("a frame is not shorter than the prefix");
        let Ok(head) = parse_head(frame.clone()) else { continue };
        assert!(frame.ends_with(&head.body), "the body is what follows the header");
        let seen =
            RequestPrefix { api_key: head.api_key, api_version: head.api_version, correlation_id: head.correlation_id };
        assert_eq!(seen, prefix);
    }
}
