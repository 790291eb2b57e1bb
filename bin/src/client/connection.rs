//! One blocking connection to a broker.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::ops::RangeInclusive;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use protocol::messages::{ApiKey, ApiVersionsRequest, RequestHeader, ResponseHeader};
use protocol::{Decodable, Encodable, HeaderVersion, Request};

use super::{CONNECT_LIMIT, ClientError, Refusal, Result, resolve, text};

/// How long a broker may take to answer, beyond what the request itself lets it wait.
const ANSWER_LIMIT: Duration = Duration::from_secs(60);
/// The first question must be answered soon: who does not is no Kafka broker.
const HELLO_LIMIT: Duration = Duration::from_secs(10);
/// Larger than any answer to what the commands ask.
const MAX_ANSWER: usize = 256 << 20;
/// The oldest and the newest version of ApiVersions that are asked in turn (KIP-511).
const API_VERSIONS: RangeInclusive<i16> = 0..=4;
const UNSUPPORTED_VERSION: i16 = 35;

/// The versions of one API that a broker serves, inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ApiRange {
    pub(crate) min: i16,
    pub(crate) max: i16,
}

/// What a broker serves, by API key.
pub(crate) type Versions = BTreeMap<i16, ApiRange>;

/// An open connection whose broker has said what it serves.
pub(crate) struct Connection {
    server: String,
    stream: TcpStream,
    versions: Versions,
    next_correlation_id: i32,
}

impl Connection {
    /// Connects to `HOST:PORT`.
    ///
    /// # Errors
    /// Nobody accepts, or who does is no Kafka broker.
    pub(crate) fn to_server(server: &str) -> Result<Self> {
        let address = || ClientError::Address(server.to_owned());
        let (host, port) = server.rsplit_once(':').ok_or_else(address)?;
        Self::to(host, port.parse().map_err(|_| address())?)
    }

    /// As [`Self::to_server`].
    ///
    /// # Errors
    /// As there.
    pub(crate) fn to(host: &str, port: u16) -> Result<Self> {
        let server = format!("{host}:{port}");
        let stream = connect(host, port).map_err(|cause| ClientError::Unreachable { server: server.clone(), cause })?;
        let mut connection = Self { server, stream, versions: Versions::new(), next_correlation_id: 0 };
        connection.versions = connection.hello()?;
        Ok(connection)
    }

    /// What the broker serves.
    pub(crate) fn versions(&self) -> &Versions {
        &self.versions
    }

    /// Whether the broker serves an API in a version out of `known`.
    pub(crate) fn serves(&self, key: ApiKey, known: &RangeInclusive<i16>) -> bool {
        self.choose(key as i16, known).is_some()
    }

    /// Asks, in the newest version that both sides know (`known`: those in which the request means the same), and waits.
    ///
    /// # Errors
    /// The API is not served, the connection breaks, no answer comes, or it is not one.
    pub(crate) fn ask<R: Request>(&mut self, request: &R, known: RangeInclusive<i16>) -> Result<R::Response> {
        let version = self.choose(R::KEY, &known).ok_or_else(|| self.unsupported(R::KEY))?;
        self.send(request, version)
    }

    /// Sends without an answer to wait for (Produce with acks=0).
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub(crate) fn tell<R: Request>(&mut self, request: &R, known: RangeInclusive<i16>) -> Result<()> {
        let version = self.choose(R::KEY, &known).ok_or_else(|| self.unsupported(R::KEY))?;
        self.write(request, version)?;
        Ok(())
    }

    fn choose(&self, key: i16, known: &RangeInclusive<i16>) -> Option<i16> {
        let served = self.versions.get(&key)?;
        let version = served.max.min(*known.end());
        (version >= served.min && version >= *known.start()).then_some(version)
    }

    fn unsupported(&self, key: i16) -> ClientError {
        let api = ApiKey::try_from(key).map_or_else(|()| format!("API {key}"), |key| format!("{key:?}"));
        ClientError::Unsupported { server: self.server.clone(), api }
    }

    fn broken(&self, cause: io::Error) -> ClientError {
        ClientError::Broken { server: self.server.clone(), cause }
    }

    /// Asks for the versions, from the newest question on; a broker that does not know it names the newest it knows.
    fn hello(&mut self) -> Result<Versions> {
        self.limit(HELLO_LIMIT)?;
        let request = ApiVersionsRequest::default()
            .with_client_software_name(text("ottla"))
            .with_client_software_version(text(env!("CARGO_PKG_VERSION")));
        let mut version = *API_VERSIONS.end();
        loop {
            let response = self.send_hello(&request, version)?;
            if response.error_code == UNSUPPORTED_VERSION && version > 0 {
                let named = response.api_keys.iter().find(|api| api.api_key == ApiKey::ApiVersions as i16);
                version = named.map_or(0, |api| api.max_version.clamp(0, version - 1));
                continue;
            }
            Refusal::check(response.error_code, None)?;
            self.limit(ANSWER_LIMIT)?;
            let ranges = response.api_keys.iter().map(|api| {
                let range = ApiRange { min: api.min_version, max: api.max_version };
                (api.api_key, range)
            });
            return Ok(ranges.collect());
        }
    }

    fn send_hello(
        &mut self,
        request: &ApiVersionsRequest,
        version: i16,
    ) -> Result<protocol::messages::ApiVersionsResponse> {
        let plain = ApiVersionsRequest::default();
        let asked = self.write(if version >= 3 { request } else { &plain }, version);
        let answer = asked.and_then(|_| self.read_frame());
        let not_kafka = |reason: String| ClientError::NotKafka { server: self.server.clone(), reason };
        let mut frame = match answer {
            Err(ClientError::Broken { cause, .. }) => return Err(not_kafka(cause.to_string())),
            other => other?,
        };
        let decoded = ResponseHeader::decode(&mut frame, 0).and_then(|_| {
            // A broker that does not know the version answers in version 0.
            let body = frame.clone();
            let code = body.get(..2).map_or(0, |code| i16::from_be_bytes([code[0], code[1]]));
            let version = if code == UNSUPPORTED_VERSION { 0 } else { version };
            protocol::messages::ApiVersionsResponse::decode(&mut frame, version)
        });
        decoded.map_err(|error| not_kafka(format!("{error:#}")))
    }

    fn send<R: Request>(&mut self, request: &R, version: i16) -> Result<R::Response> {
        let asked = self.write(request, version)?;
        let mut frame = self.read_frame()?;
        let header = ResponseHeader::decode(&mut frame, R::Response::header_version(version))
            .map_err(|_| ClientError::Malformed("the header of a response"))?;
        if header.correlation_id != asked {
            return Err(ClientError::Malformed("a response to something that was not asked"));
        }
        R::Response::decode(&mut frame, version).map_err(|_| ClientError::Malformed("the body of a response"))
    }

    fn write<R: Request>(&mut self, request: &R, version: i16) -> Result<i32> {
        let correlation_id = self.next_correlation_id;
        self.next_correlation_id = correlation_id.wrapping_add(1);
        let frame = encode(request, version, correlation_id)
            .map_err(|error| ClientError::NotKafka { server: self.server.clone(), reason: format!("{error:#}") })?;
        self.stream.write_all(&frame).map_err(|error| self.broken(error))?;
        Ok(correlation_id)
    }

    fn read_frame(&mut self) -> Result<Bytes> {
        let mut size = [0; 4];
        self.stream.read_exact(&mut size).map_err(|error| self.broken(named(error)))?;
        let size = usize::try_from(i32::from_be_bytes(size)).unwrap_or(usize::MAX);
        if size > MAX_ANSWER {
            let reason = format!("it announces an answer of {size} bytes");
            return Err(ClientError::NotKafka { server: self.server.clone(), reason });
        }
        let mut frame = vec![0; size];
        self.stream.read_exact(&mut frame).map_err(|error| self.broken(named(error)))?;
        Ok(frame.into())
    }

    fn limit(&self, limit: Duration) -> Result<()> {
        self.stream.set_read_timeout(Some(limit)).map_err(|error| self.broken(error))?;
        self.stream.set_write_timeout(Some(limit)).map_err(|error| self.broken(error))
    }
}

fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in resolve(host, port)? {
        match TcpStream::connect_timeout(&address, CONNECT_LIMIT) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// The errors that a socket gives at its time limit and at its end, in words.
fn named(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
            io::Error::new(io::ErrorKind::TimedOut, "no answer in time")
        }
        io::ErrorKind::UnexpectedEof => io::Error::new(error.kind(), "the broker closed it"),
        _ => error,
    }
}

/// A whole request frame.
fn encode<R: Request>(request: &R, version: i16, correlation_id: i32) -> anyhow::Result<Bytes> {
    let mut frame = BytesMut::from(&[0; 4][..]);
    RequestHeader::default()
        .with_request_api_key(R::KEY)
        .with_request_api_version(version)
        .with_correlation_id(correlation_id)
        .with_client_id(Some(text("ottla")))
        .encode(&mut frame, R::header_version(version))?;
    request.encode(&mut frame, version)?;
    let size = u32::try_from(frame.len() - 4)?;
    frame[..4].copy_from_slice(&size.to_be_bytes());
    Ok(frame.freeze())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_without_a_port_is_told_what_it_lacks() {
        let error = Connection::to_server("localhost").err().map(|error| error.to_string());
        assert_eq!(error.as_deref(), Some("localhost is no address of a broker; it must be HOST:PORT"));
    }

    #[test]
    fn who_does_not_speak_kafka_is_named() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
        });
        let error = Connection::to("127.0.0.1", port).err().unwrap().to_string();
        server.join().unwrap();
        assert!(error.contains("does not speak Kafka's protocol"), "{error}");
    }
}
