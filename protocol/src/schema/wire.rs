//! How each of Kafka's types lies in bytes, in the old form and in the compact ("flexible") form of KIP-482.

use super::{Cause, DecodeError, EncodeError, Json, Sink, SizeCounter, Versions};
use bytes::{Buf, Bytes};
use kafka_protocol::protocol::StrBytes;
use std::sync::Arc;
use uuid::Uuid;

/// The form that a value takes: it depends on the message's version.
#[derive(Clone, Copy, Debug)]
pub struct Form {
    /// The version of the whole message.
    pub version: i16,
    /// Whether lengths are compact and structs end in tagged fields.
    pub flexible: bool,
    /// Whether the value itself may be null.
    pub nullable: bool,
    /// Whether the value stands in the tagged section.
    pub tagged: bool,
}

impl Form {
    /// The form of something inside a value: an element or a field, never null unless it says so.
    #[must_use]
    pub const fn inside(self) -> Self {
        Self { nullable: false, tagged: false, ..self }
    }
}

/// A value that can be written and read back.
pub trait Wire: Sized {
    /// Appends the value to `out`.
    ///
    /// # Errors
    /// If the form cannot express the value; `out` then holds a part of it.
    fn write<S: Sink>(&self, form: Form, out: &mut S) -> Result<(), EncodeError>;

    /// Takes the value off the front of `input`. Byte strings stay slices of it.
    ///
    /// # Errors
    /// If the bytes are not such a value.
    fn read(form: Form, input: &mut Bytes) -> Result<Self, DecodeError>;
}

/// A value with a null form of its own: strings, byte strings, arrays, structs.
pub trait WireNullable: Wire {
    /// Appends the value, or null.
    ///
    /// # Errors
    /// As [`Wire::write`].
    fn write_nullable<S: Sink>(value: Option<&Self>, form: Form, out: &mut S) -> Result<(), EncodeError>;

    /// Takes the value, or null, off the front of `input`.
    ///
    /// # Errors
    /// As [`Wire::read`].
    fn read_nullable(form: Form, input: &mut Bytes) -> Result<Option<Self>, DecodeError>;
}

/// A whole message: [`Wire`] with a name and versions of its own.
pub trait Schema: Wire {
    /// The struct's name, which is Kafka's.
    const NAME: &'static str;
    /// The API key, record type or coordinator record type.
    const KEY: i16;
    /// Every version that can be encoded and decoded.
    const VERSIONS: Versions;
    /// The versions in the compact form.
    const FLEXIBLE: Versions;

    /// Appends the message to `out`.
    ///
    /// # Errors
    /// If there is no such version, or it cannot carry a field that is set.
    fn encode<S: Sink>(&self, version: i16, out: &mut S) -> Result<(), EncodeError> {
        if !Self::VERSIONS.contains(version) {
            return Err(EncodeError::UnsupportedVersion { message: Self::NAME, version });
        }
        self.write(form_of::<Self>(version), out)
    }

    /// Bytes that [`Schema::encode`] appends, exactly.
    ///
    /// # Errors
    /// As [`Schema::encode`].
    fn encoded_size(&self, version: i16) -> Result<usize, EncodeError> {
        SizeCounter::of(|out| self.encode(version, out))
    }

    /// Takes the message off the front of `input`; what follows it stays there.
    ///
    /// # Errors
    /// If there is no such version, or the bytes are not such a message.
    fn decode(version: i16, input: &mut Bytes) -> Result<Self, DecodeError> {
        if !Self::VERSIONS.contains(version) {
            let cause = Cause::UnsupportedVersion { version, versions: Self::VERSIONS };
            return Err(DecodeError { field: Self::NAME, cause });
        }
        Self::read(form_of::<Self>(version), input).map_err(|error| error.in_field(Self::NAME))
    }

    /// The message as JSON, as tools show it, with the fields of that version.
    fn to_json(&self, version: i16) -> String
    where
        Self: Json,
    {
        let mut out = String::new();
        self.put_json(form_of::<Self>(version), &mut out);
        out
    }
}

fn form_of<M: Schema>(version: i16) -> Form {
    Form { version, flexible: M::FLEXIBLE.contains(version), nullable: false, tagged: false }
}

/// Appends `value` in base 128, low digits first.
pub fn write_unsigned_varint<S: Sink>(mut value: u32, out: &mut S) {
    while value >= 0x80 {
        out.put(&[(value as u8 & 0x7f) | 0x80]);
        value >>= 7;
    }
    out.put(&[value as u8]);
}

/// Takes a base-128 number off the front of `input`.
///
/// # Errors
/// If the input ends inside it or it exceeds 32 bits.
pub fn read_unsigned_varint(input: &mut Bytes) -> Result<u32, DecodeError> {
    let mut value = 0;
    for shift in (0..35).step_by(7) {
        let byte = u32::from(take::<1>(input)?[0]);
        if shift == 28 && byte > 0x0f {
            break;
        }
        value |= (byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err(Cause::VarintTooLong.into())
}

/// Takes `N` bytes off the front of `input`.
fn take<const N: usize>(input: &mut Bytes) -> Result<[u8; N], DecodeError> {
    let bytes = *input.first_chunk().ok_or(Cause::Truncated { needed: N, remaining: input.len() })?;
    input.advance(N);
    Ok(bytes)
}

/// Takes `size` bytes off the front of `input`, as a slice of it.
fn take_slice(input: &mut Bytes, size: usize) -> Result<Bytes, DecodeError> {
    if size > input.len() {
        return Err(Cause::Truncated { needed: size, remaining: input.len() }.into());
    }
    Ok(input.split_to(size))
}

/// Width of a length in the old form; the compact form has only one.
#[derive(Clone, Copy)]
enum LengthWidth {
    Short,
    Int,
}

/// Appends the length of a string, byte string or array, `None` for null.
fn write_length<S: Sink>(
    length: Option<usize>,
    width: LengthWidth,
    form: Form,
    out: &mut S,
) -> Result<(), EncodeError> {
    let limit = match width {
        LengthWidth::Short => i16::MAX as usize,
        LengthWidth::Int => i32::MAX as usize - 1,
    };
    if let Some(length) = length.filter(|length| *length > limit) {
        return Err(EncodeError::TooLong { field: "", length, limit });
    }
    match (form.flexible, width) {
        (true, _) => write_unsigned_varint(length.map_or(0, |length| length as u32 + 1), out),
        (false, LengthWidth::Short) => out.put(&length.map_or(-1, |length| length as i16).to_be_bytes()),
        (false, LengthWidth::Int) => out.put(&length.map_or(-1, |length| length as i32).to_be_bytes()),
    }
    Ok(())
}

/// Takes a length, `None` for null.
fn read_length(width: LengthWidth, form: Form, input: &mut Bytes) -> Result<Option<usize>, DecodeError> {
    if form.flexible {
        return Ok((read_unsigned_varint(input)? as usize).checked_sub(1));
    }
    let length = match width {
        LengthWidth::Short => i32::from(i16::from_be_bytes(take(input)?)),
        LengthWidth::Int => i32::from_be_bytes(take(input)?),
    };
    match usize::try_from(length) {
        Ok(length) => Ok(Some(length)),
        Err(_) if length == -1 => Ok(None),
        Err(_) => Err(Cause::NegativeLength(length.into()).into()),
    }
}

macro_rules! fixed_width {
    ($($type:ty),*) => {$(
        impl Wire for $type {
            fn write<S: Sink>(&self, _: Form, out: &mut S) -> Result<(), EncodeError> {
                out.put(&self.to_be_bytes());
                Ok(())
            }

            fn read(_: Form, input: &mut Bytes) -> Result<Self, DecodeError> {
                take(input).map(Self::from_be_bytes)
            }
        }
    )*};
}

fixed_width!(i8, i16, i32, i64, u16, u32, f64);

impl Wire for bool {
    fn write<S: Sink>(&self, _: Form, out: &mut S) -> Result<(), EncodeError> {
        out.put(&[u8::from(*self)]);
        Ok(())
    }

    fn read(_: Form, input: &mut Bytes) -> Result<Self, DecodeError> {
        Ok(take::<1>(input)?[0] != 0)
    }
}

impl Wire for Uuid {
    fn write<S: Sink>(&self, _: Form, out: &mut S) -> Result<(), EncodeError> {
        out.put(self.as_bytes());
        Ok(())
    }

    fn read(_: Form, input: &mut Bytes) -> Result<Self, DecodeError> {
        take(input).map(Uuid::from_bytes)
    }
}

/// Implements [`Wire`] by [`WireNullable`] for types whose only difference is whether null may be.
macro_rules! non_null_of_nullable {
    ($($type:ty $(, $parameter:ident)?;)*) => {$(
        impl$(<$parameter: Wire>)? Wire for $type {
            fn write<S: Sink>(&self, form: Form, out: &mut S) -> Result<(), EncodeError> {
                Self::write_nullable(Some(self), form, out)
            }

            fn read(form: Form, input: &mut Bytes) -> Result<Self, DecodeError> {
                Self::read_nullable(form, input)?.ok_or(Cause::Null { version: form.version }.into())
            }
        }
    )*};
}

non_null_of_nullable!(Arc<str>; StrBytes; Bytes; Vec<T>, T;);

fn write_bytes<S: Sink>(bytes: Option<&[u8]>, width: LengthWidth, form: Form, out: &mut S) -> Result<(), EncodeError> {
    write_length(bytes.map(<[u8]>::len), width, form, out)?;
    out.put(bytes.unwrap_or_default());
    Ok(())
}

fn read_bytes(width: LengthWidth, form: Form, input: &mut Bytes) -> Result<Option<Bytes>, DecodeError> {
    read_length(width, form, input)?.map(|size| take_slice(input, size)).transpose()
}

impl WireNullable for Bytes {
    fn write_nullable<S: Sink>(value: Option<&Self>, form: Form, out: &mut S) -> Result<(), EncodeError> {
        write_bytes(value.map(AsRef::as_ref), LengthWidth::Int, form, out)
    }

    fn read_nullable(form: Form, input: &mut Bytes) -> Result<Option<Self>, DecodeError> {
        read_bytes(LengthWidth::Int, form, input)
    }
}

impl WireNullable for StrBytes {
    fn write_nullable<S: Sink>(value: Option<&Self>, form: Form, out: &mut S) -> Result<(), EncodeError> {
        write_bytes(value.map(|text| text.as_bytes()), LengthWidth::Short, form, out)
    }

    fn read_nullable(form: Form, input: &mut Bytes) -> Result<Option<Self>, DecodeError> {
        let bytes = read_bytes(LengthWidth::Short, form, input)?;
        bytes.map(|bytes| StrBytes::from_utf8(bytes).map_err(|_| Cause::NotUtf8.into())).transpose()
    }
}

impl WireNullable for Arc<str> {
    fn write_nullable<S: Sink>(value: Option<&Self>, form: Form, out: &mut S) -> Result<(), EncodeError> {
        write_bytes(value.map(|text| text.as_bytes()), LengthWidth::Short, form, out)
    }

    fn read_nullable(form: Form, input: &mut Bytes) -> Result<Option<Self>, DecodeError> {
        let bytes = read_bytes(LengthWidth::Short, form, input)?;
        bytes.map(|bytes| str::from_utf8(&bytes).map(Arc::from).map_err(|_| Cause::NotUtf8.into())).transpose()
    }
}

impl<T: Wire> WireNullable for Vec<T> {
    fn write_nullable<S: Sink>(value: Option<&Self>, form: Form, out: &mut S) -> Result<(), EncodeError> {
        write_length(value.map(Vec::len), LengthWidth::Int, form, out)?;
        value.into_iter().flatten().try_for_each(|element| element.write(form.inside(), out))
    }

    fn read_nullable(form: Form, input: &mut Bytes) -> Result<Option<Self>, DecodeError> {
        let Some(count) = read_length(LengthWidth::Int, form, input)? else {
            return Ok(None);
        };
        let remaining = input.len();
        if count > remaining {
            return Err(Cause::CountBeyondInput { count, remaining }.into());
        }
        // Reserves no more memory than there are bytes; the rest grows as elements really come.
        let mut elements = Vec::with_capacity(count.min(remaining / size_of::<T>().max(1)));
        for _ in 0..count {
            elements.push(T::read(form.inside(), input)?);
        }
        Ok(Some(elements))
    }
}

impl<T: WireNullable> Wire for Option<T> {
    fn write<S: Sink>(&self, form: Form, out: &mut S) -> Result<(), EncodeError> {
        match self {
            value if form.nullable => T::write_nullable(value.as_ref(), form, out),
            Some(value) => value.write(form, out),
            None => Err(EncodeError::Null { field: "", version: form.version }),
        }
    }

    fn read(form: Form, input: &mut Bytes) -> Result<Self, DecodeError> {
        if form.nullable { T::read_nullable(form, input) } else { T::read(form, input).map(Some) }
    }
}
