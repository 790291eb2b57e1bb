//! How a message of ours stands in for a request of the `kafka-protocol` crate.

/// Makes a message of [`message!`](crate::message) a request, whose key is the API's: everything that takes requests of the
/// `kafka-protocol` crate takes it too.
#[macro_export]
macro_rules! request {
    ($request:ident, answered by $response:ty) => {
        impl $crate::Message for $request {
            const VERSIONS: $crate::VersionRange = $crate::VersionRange {
                min: <Self as $crate::schema::Schema>::VERSIONS.first,
                max: <Self as $crate::schema::Schema>::VERSIONS.last,
            };
            const DEPRECATED_VERSIONS: Option<$crate::VersionRange> = None;
        }

        impl $crate::HeaderVersion for $request {
            fn header_version(version: i16) -> i16 {
                if <Self as $crate::schema::Schema>::FLEXIBLE.contains(version) { 2 } else { 1 }
            }
        }

        impl $crate::Encodable for $request {
            fn encode<B: ::kafka_protocol::protocol::buf::ByteBufMut>(
                &self,
                out: &mut B,
                version: i16,
            ) -> ::anyhow::Result<()> {
                Ok($crate::schema::Schema::encode(self, version, out)?)
            }

            fn compute_size(&self, version: i16) -> ::anyhow::Result<usize> {
                Ok($crate::schema::Schema::encoded_size(self, version)?)
            }
        }

        impl $crate::Decodable for $request {
            fn decode<B: ::kafka_protocol::protocol::buf::ByteBuf>(
                input: &mut B,
                version: i16,
            ) -> ::anyhow::Result<Self> {
                let mut body = input.peek_bytes(0..input.remaining());
                let size = body.len();
                let request = <Self as $crate::schema::Schema>::decode(version, &mut body)?;
                input.advance(size - body.len());
                Ok(request)
            }
        }

        impl $crate::Request for $request {
            const KEY: i16 = <Self as $crate::schema::Schema>::KEY;
            type Response = $response;
        }
    };
}
