//! How a message of ours stands in for a body of the `kafka-protocol` crate.

/// Makes a message of [`message!`](crate::message) a request, whose key is the API's: everything that takes requests of the
/// `kafka-protocol` crate takes it too.
#[macro_export]
macro_rules! request {
    ($request:ident, answered by $response:ty) => {
        $crate::body!($request, headers 1 and 2);

        impl $crate::Request for $request {
            const KEY: i16 = <Self as $crate::schema::Schema>::KEY;
            type Response = $response;
        }
    };
}

/// Makes a message of [`message!`](crate::message) the answer to a request.
#[macro_export]
macro_rules! response {
    ($response:ident) => {
        $crate::body!($response, headers 0 and 1);
    };
}

/// What requests and answers have in common. The second version of the header is that of flexible versions.
#[doc(hidden)]
#[macro_export]
macro_rules! body {
    ($body:ident, headers $plain:literal and $flexible:literal) => {
        impl $crate::Message for $body {
            const VERSIONS: $crate::VersionRange = $crate::VersionRange {
                min: <Self as $crate::schema::Schema>::VERSIONS.first,
                max: <Self as $crate::schema::Schema>::VERSIONS.last,
            };
            const DEPRECATED_VERSIONS: Option<$crate::VersionRange> = None;
        }

        impl $crate::HeaderVersion for $body {
            fn header_version(version: i16) -> i16 {
                if <Self as $crate::schema::Schema>::FLEXIBLE.contains(version) { $flexible } else { $plain }
            }
        }

        impl $crate::Encodable for $body {
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

        impl $crate::Decodable for $body {
            fn decode<B: ::kafka_protocol::protocol::buf::ByteBuf>(
                input: &mut B,
                version: i16,
            ) -> ::anyhow::Result<Self> {
                let mut rest = input.peek_bytes(0..input.remaining());
                let size = rest.len();
                let body = <Self as $crate::schema::Schema>::decode(version, &mut rest)?;
                input.advance(size - rest.len());
                Ok(body)
            }
        }
    };
}
