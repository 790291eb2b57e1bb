//! Bytes of records as JSON: text where they are text, `{"base64": …}` where they are not, null for none.

use anyhow::{Context, bail};
use serde_json::{Value, json};

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

pub(super) fn from_bytes(bytes: Option<&[u8]>) -> Value {
    match bytes.map(|bytes| (bytes, std::str::from_utf8(bytes))) {
        None => Value::Null,
        Some((_, Ok(text))) => json!(text),
        Some((bytes, Err(_))) => json!({ "base64": base64(bytes) }),
    }
}

/// The reverse of [`from_bytes`]; numbers, objects and arrays stand for their own JSON text.
///
/// # Errors
/// A `base64` that is none.
pub(super) fn to_bytes(value: &Value) -> anyhow::Result<Option<Vec<u8>>> {
    Ok(match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone().into_bytes()),
        Value::Object(fields) if fields.len() == 1 && fields.contains_key("base64") => {
            let text = fields["base64"].as_str().context("base64 must be a string")?;
            Some(decode(text)?)
        }
        other => Some(other.to_string().into_bytes()),
    })
}

pub(super) fn base64(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let byte = |at: usize| u32::from(group.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            let six = usize::try_from(bits >> (18 - 6 * place) & 63).unwrap_or(0);
            text.push(if place <= group.len() { char::from(ALPHABET[six]) } else { '=' });
        }
    }
    text
}

fn decode(text: &str) -> anyhow::Result<Vec<u8>> {
    let text = text.trim_end_matches('=').as_bytes();
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3 + 2);
    for group in text.chunks(4) {
        let mut bits = 0u32;
        for place in 0..4 {
            let value = match group.get(place) {
                None => 0,
                Some(byte) => match ALPHABET.iter().position(|known| known == byte) {
                    Some(value) => u32::try_from(value).unwrap_or(0),
                    None => bail!("not base64: {:?}", char::from(*byte)),
                },
            };
            bits = bits << 6 | value;
        }
        let [_, high, middle, low] = bits.to_be_bytes();
        bytes.extend_from_slice(&[high, middle, low][..group.len().saturating_sub(1)]);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_goes_there_and_back() {
        for length in 0..20u8 {
            let bytes: Vec<u8> = (0..length).map(|n| n.wrapping_mul(37) | 0x80).collect();
            let value = from_bytes(Some(&bytes));
            assert_eq!(to_bytes(&value).unwrap(), Some(bytes), "{value}");
        }
        assert_eq!(base64(b"Man"), "TWFu");
        assert_eq!(base64(b"Ma"), "TWE=");
        assert_eq!(to_bytes(&from_bytes(None)).unwrap(), None);
        assert_eq!(to_bytes(&json!({"a": 1})).unwrap(), Some(br#"{"a":1}"#.to_vec()));
        assert!(to_bytes(&json!({"base64": "?"})).is_err());
    }
}
