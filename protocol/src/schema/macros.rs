//! The macro itself. Its grammar is shown in the page of [`crate::schema`].

/// Declares messages and the structs inside them; see [`crate::schema`].
#[macro_export]
macro_rules! message {
    ($(
        $(#[$meta:meta])*
        $vis:vis struct $name:ident $(, key $key:literal, versions $versions:literal, flexible $flexible:literal)? {
            $(
                $(#[$field_meta:meta])*
                $field:ident: $type:ty, $since:literal
                    $(, nullable $nullable:literal)?
                    $(, tag $tag:literal $tagged:literal)?
                    $(, default $default:expr)?
                    $(, ignorable $ignorable:literal)?;
            )*
        }
    )+) => {$(
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq)]
        $vis struct $name {
            $($(#[$field_meta])* pub $field: $type,)*
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $crate::message!(@default $($default)?),)* }
            }
        }

        $(impl $crate::schema::Schema for $name {
            const NAME: &'static str = stringify!($name);
            const KEY: i16 = $key;
            const VERSIONS: $crate::schema::Versions = $crate::schema::Versions::parse($versions);
            const FLEXIBLE: $crate::schema::Versions = $crate::schema::Versions::parse($flexible);
        })?

        const _: () = {
            #[allow(dead_code, reason = "a message may have no fields")]
            struct Specs {
                $($field: $crate::schema::FieldSpec,)*
            }

            #[allow(dead_code, reason = "a message may have no fields")]
            const SPECS: Specs = Specs {$(
                $field: $crate::schema::FieldSpec {
                    name: concat!(stringify!($name), ".", stringify!($field)),
                    versions: $crate::schema::Versions::parse($since),
                    nullable: $crate::schema::Versions::parse_optional(&[$($nullable)?]),
                    tagged: $crate::schema::Versions::parse_optional(&[$($tagged)?]),
                    tag: 0 $(+ $tag)?,
                    ignorable: false $(|| $ignorable)?,
                },
            )*};

            assert!(
                $crate::schema::tags_ascend(&[$(SPECS.$field),*]),
                concat!("the tags of ", stringify!($name), " must ascend in the order of declaration"),
            );

            impl $crate::schema::Wire for $name {
                #[allow(unused_variables, reason = "a message may have no fields")]
                fn write<S: $crate::schema::Sink>(
                    &self,
                    form: $crate::schema::Form,
                    out: &mut S,
                ) -> Result<(), $crate::schema::EncodeError> {
                    let form = form.inside();
                    let default = Self::default();
                    $($crate::schema::write_field(&SPECS.$field, &self.$field, &default.$field, form, out)?;)*
                    if form.flexible {
                        let tagged = 0 $(+ u32::from(SPECS.$field.is_tagged(form) && self.$field != default.$field))*;
                        $crate::schema::write_unsigned_varint(tagged, out);
                        $($crate::schema::write_tagged_field(&SPECS.$field, &self.$field, &default.$field, form, out)?;)*
                    }
                    Ok(())
                }

                #[allow(unused_variables, unused_mut, reason = "a message may have no fields")]
                fn read(
                    form: $crate::schema::Form,
                    input: &mut ::bytes::Bytes,
                ) -> Result<Self, $crate::schema::DecodeError> {
                    let form = form.inside();
                    let mut message = Self::default();
                    $(if SPECS.$field.is_plain(form) {
                        message.$field = $crate::schema::read_field(&SPECS.$field, form, input)?;
                    })*
                    if form.flexible {
                        $crate::schema::read_tagged_fields(input, |tag, content| {
                            $(if SPECS.$field.is_tagged(form) && tag == SPECS.$field.tag {
                                message.$field = $crate::schema::read_field(&SPECS.$field, form, content)?;
                                return Ok(true);
                            })*
                            Ok(false)
                        })?;
                    }
                    Ok(message)
                }
            }

            impl $crate::schema::Json for $name {
                #[allow(unused_variables, unused_mut, reason = "a message may have no fields")]
                fn put_json(&self, form: $crate::schema::Form, out: &mut String) {
                    let default = Self::default();
                    let mut object = $crate::schema::JsonObject::begin(form.inside(), out);
                    $(object.field(&SPECS.$field, &self.$field, &default.$field);)*
                    object.end();
                }
            }
        };

        impl $crate::schema::WireNullable for $name {
            fn write_nullable<S: $crate::schema::Sink>(
                value: Option<&Self>,
                form: $crate::schema::Form,
                out: &mut S,
            ) -> Result<(), $crate::schema::EncodeError> {
                $crate::schema::write_nullable_struct(value, form, out)
            }

            fn read_nullable(
                form: $crate::schema::Form,
                input: &mut ::bytes::Bytes,
            ) -> Result<Option<Self>, $crate::schema::DecodeError> {
                $crate::schema::read_nullable_struct(form, input)
            }
        }
    )+};

    (@default) => { Default::default() };
    (@default $default:expr) => { $default };
}
