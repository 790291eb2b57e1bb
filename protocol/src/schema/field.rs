//! What the macro knows of one field, and the tagged section at the end of a flexible struct.

use super::{
    Cause, DecodeError, EncodeError, Form, Sink, SizeCounter, Versions, Wire, read_unsigned_varint,
    write_unsigned_varint,
};
use bytes::Bytes;

/// One field of a message, as declared.
#[derive(Clone, Copy, Debug)]
pub struct FieldSpec {
    /// `Message.field`, for errors.
    pub name: &'static str,
    /// Versions that have the field.
    pub versions: Versions,
    /// Versions in which it may be null.
    pub nullable: Versions,
    /// Versions in which it is a tagged field.
    pub tagged: Versions,
    /// Its tag; meaningless when `tagged` is empty.
    pub tag: u32,
    /// Whether a version without the field may drop its value.
    pub ignorable: bool,
}

impl FieldSpec {
    /// Whether the field stands among the others, untagged.
    #[must_use]
    pub const fn is_plain(&self, form: Form) -> bool {
        self.versions.contains(form.version) && !self.is_tagged(form)
    }

    /// Whether the field stands in the tagged section.
    #[must_use]
    pub const fn is_tagged(&self, form: Form) -> bool {
        form.flexible && self.tagged.contains(form.version)
    }

    /// Whether encoding must fail if the field is set.
    #[must_use]
    pub const fn is_refused(&self, form: Form) -> bool {
        !self.ignorable && !self.versions.contains(form.version)
    }

    /// The form of the field's value in a struct of form `form`.
    #[must_use]
    pub const fn form(&self, form: Form) -> Form {
        Form { nullable: self.nullable.contains(form.version), tagged: self.is_tagged(form), ..form }
    }
}

/// Whether tags ascend in the order of declaration. The encoder writes them in that order, and the format wants them sorted.
#[must_use]
pub const fn tags_ascend(fields: &[FieldSpec]) -> bool {
    let mut next = 0;
    let mut at = 0;
    while at < fields.len() {
        if fields[at].tagged.first <= fields[at].tagged.last {
            if fields[at].tag < next {
                return false;
            }
            next = fields[at].tag + 1;
        }
        at += 1;
    }
    true
}

/// Writes a field among the others, or nothing where the version tags or lacks it.
///
/// # Errors
/// If the version lacks the field and it is set, or the form cannot express its value.
pub fn write_field<T: Wire + PartialEq, S: Sink>(
    field: &FieldSpec,
    value: &T,
    default: &T,
    form: Form,
    out: &mut S,
) -> Result<(), EncodeError> {
    if field.is_plain(form) {
        return value.write(field.form(form), out).map_err(|error| error.in_field(field.name));
    }
    if field.is_refused(form) && value != default {
        return Err(EncodeError::NotInVersion { field: field.name, version: form.version });
    }
    Ok(())
}

/// Writes a field of the tagged section, unless it has its default.
///
/// # Errors
/// If the form cannot express its value.
pub fn write_tagged_field<T: Wire + PartialEq, S: Sink>(
    field: &FieldSpec,
    value: &T,
    default: &T,
    form: Form,
    out: &mut S,
) -> Result<(), EncodeError> {
    if !field.is_tagged(form) || value == default {
        return Ok(());
    }
    let name = |error: EncodeError| error.in_field(field.name);
    let size = SizeCounter::of(|counter| value.write(field.form(form), counter)).map_err(name)?;
    let limit = i32::MAX as usize;
    if size > limit {
        return Err(EncodeError::TooLong { field: field.name, length: size, limit });
    }
    write_unsigned_varint(field.tag, out);
    write_unsigned_varint(size as u32, out);
    value.write(field.form(form), out).map_err(name)
}

/// Reads the value of a field.
///
/// # Errors
/// If the bytes are not such a value.
pub fn read_field<T: Wire>(field: &FieldSpec, form: Form, input: &mut Bytes) -> Result<T, DecodeError> {
    T::read(field.form(form), input).map_err(|error| error.in_field(field.name))
}

/// Writes a struct that may be null: one byte, 1 or -1, then the struct. In the tagged section null is 0.
///
/// # Errors
/// As [`Wire::write`].
pub fn write_nullable_struct<T: Wire, S: Sink>(value: Option<&T>, form: Form, out: &mut S) -> Result<(), EncodeError> {
    let Some(value) = value else {
        return if form.tagged { 0_i8 } else { -1_i8 }.write(form, out);
    };
    1_i8.write(form, out)?;
    value.write(form.inside(), out)
}

/// Reads a struct that may be null. As in Kafka's own readers any negative byte means null, and zero too in the tagged section.
///
/// # Errors
/// As [`Wire::read`].
pub fn read_nullable_struct<T: Wire>(form: Form, input: &mut Bytes) -> Result<Option<T>, DecodeError> {
    let present = i8::read(form, input)? >= i8::from(form.tagged);
    present.then(|| T::read(form.inside(), input)).transpose()
}

/// Reads the tagged section, giving each field's tag and content to `visit`, which must use up the content of the tags it knows
/// and answer whether it knew the tag.
///
/// # Errors
/// If the section is malformed, `visit` fails, or a known field leaves content over.
pub fn read_tagged_fields(
    input: &mut Bytes,
    mut visit: impl FnMut(u32, &mut Bytes) -> Result<bool, DecodeError>,
) -> Result<(), DecodeError> {
    for _ in 0..read_unsigned_varint(input)? {
        let tag = read_unsigned_varint(input)?;
        let size = read_unsigned_varint(input)? as usize;
        if size > input.len() {
            return Err(Cause::Truncated { needed: size, remaining: input.len() }.into());
        }
        let mut content = input.split_to(size);
        if visit(tag, &mut content)? && !content.is_empty() {
            return Err(Cause::TaggedFieldLeftover(content.len()).into());
        }
    }
    Ok(())
}
