//! Messages as JSON, as the converters write them that Apache Kafka generates beside its codecs (`JsonConverterGenerator`): for
//! tools that show what is written, never for the wire.

use std::fmt::Write;
use std::sync::Arc;

use bytes::Bytes;
use uuid::Uuid;

use super::{FieldSpec, Form};
use crate::StrBytes;
use crate::ids::format_uuid;

/// Something that a message consists of.
pub trait Json {
    /// Appends the value as it is in `form`: fields that the version lacks are not there, nor are tagged ones with their default.
    fn put_json(&self, form: Form, out: &mut String);
}

/// An object being written.
#[derive(Debug)]
pub struct JsonObject<'a> {
    out: &'a mut String,
    form: Form,
    is_empty: bool,
}

impl<'a> JsonObject<'a> {
    /// Begins one.
    pub fn begin(form: Form, out: &'a mut String) -> Self {
        out.push('{');
        Self { out, form, is_empty: true }
    }

    /// Adds a field, called as in Kafka's schemas.
    pub fn field<T: Json + PartialEq>(&mut self, spec: &FieldSpec, value: &T, default: &T) {
        let is_tagged = spec.is_tagged(self.form);
        if !is_tagged && !spec.is_plain(self.form) || is_tagged && value == default {
            return;
        }
        if !std::mem::take(&mut self.is_empty) {
            self.out.push(',');
        }
        let name = spec.name.rsplit('.').next().unwrap_or_default();
        put_string(&camel_case(name), self.out);
        self.out.push(':');
        value.put_json(self.form, self.out);
    }

    /// Ends it.
    pub fn end(self) {
        self.out.push('}');
    }
}

fn camel_case(name: &str) -> String {
    let mut words = name.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |mut all, word| {
        all.extend(word.chars().take(1).map(|char| char.to_ascii_uppercase()));
        all.push_str(word.get(1..).unwrap_or_default());
        all
    })
}

/// Quoted, with what JSON wants escaped.
fn put_string(text: &str, out: &mut String) {
    out.push('"');
    for char in text.chars() {
        match char {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            control if control < ' ' => put(format_args!("\\u{:04X}", u32::from(control)), out),
            other => out.push(other),
        }
    }
    out.push('"');
}

fn put(arguments: std::fmt::Arguments<'_>, out: &mut String) {
    let written = out.write_fmt(arguments);
    debug_assert!(written.is_ok(), "writing to a string does not fail");
}

macro_rules! as_printed {
    ($($type:ty),*) => { $(
        impl Json for $type {
            fn put_json(&self, _: Form, out: &mut String) {
                // `1.0` keeps its point, as in Java.
                put(format_args!("{self:?}"), out);
            }
        }
    )* };
}

as_printed!(bool, i8, i16, i32, i64, u16, u32, f64);

impl Json for Uuid {
    fn put_json(&self, _: Form, out: &mut String) {
        put_string(&format_uuid(*self), out);
    }
}

impl Json for Arc<str> {
    fn put_json(&self, _: Form, out: &mut String) {
        put_string(self, out);
    }
}

impl Json for StrBytes {
    fn put_json(&self, _: Form, out: &mut String) {
        put_string(self, out);
    }
}

/// In base64, as Jackson writes them.
impl Json for Bytes {
    fn put_json(&self, _: Form, out: &mut String) {
        const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        out.push('"');
        for chunk in self.chunks(3) {
            let byte = |place: usize| chunk.get(place).map_or(0, |byte| u32::from(*byte));
            let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
            for place in 0..4 {
                let six = (bits >> (18 - 6 * place)) & 0b11_1111;
                out.push(if place > chunk.len() { '=' } else { char::from(ALPHABET[six as usize]) });
            }
        }
        out.push('"');
    }
}

impl<T: Json> Json for Vec<T> {
    fn put_json(&self, form: Form, out: &mut String) {
        out.push('[');
        for (place, item) in self.iter().enumerate() {
            if place > 0 {
                out.push(',');
            }
            item.put_json(form, out);
        }
        out.push(']');
    }
}

impl<T: Json> Json for Option<T> {
    fn put_json(&self, form: Form, out: &mut String) {
        match self {
            Some(value) => value.put_json(form, out),
            None => out.push_str("null"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Schema;

    crate::message! {
        struct ThingRecord, key 1, versions "0-1", flexible "0+" {
            thing_id: i32, "0+";
            its_parts: Vec<Part>, "0+";
            note: Option<Arc<str>>, "0+", nullable "0+";
            share: f64, "1+";
            directories: Vec<Uuid>, "1+", tag 0 "1+";
        }

        struct Part {
            name: Arc<str>, "0+";
            content: Bytes, "0+";
        }
    }

    #[test]
    fn a_version_shows_what_it_has() {
        let part =
            |name: &str, content: &'static [u8]| Part { name: name.into(), content: Bytes::from_static(content) };
        let parts = vec![part("a\"b\u{1}é", b"M"), part("", b"Man"), part("x", b"Ma"), part("y", b"")];
        let mut thing = ThingRecord { thing_id: 7, its_parts: parts, share: 1024.0, ..ThingRecord::default() };
        let parts = "[{\"name\":\"a\\\"b\\u0001é\",\"content\":\"TQ==\"},{\"name\":\"\",\"content\":\"TWFu\"},\
                     {\"name\":\"x\",\"content\":\"TWE=\"},{\"name\":\"y\",\"content\":\"\"}]";
        assert_eq!(thing.to_json(0), format!("{{\"thingId\":7,\"itsParts\":{parts},\"note\":null}}"));
        thing.directories = vec![Uuid::nil()];
        thing.its_parts.clear();
        assert_eq!(
            thing.to_json(1),
            "{\"thingId\":7,\"itsParts\":[],\"note\":null,\"share\":1024.0,\"directories\":[\"AAAAAAAAAAAAAAAAAAAAAA\"]}"
        );
    }
}
