//! The raw client: any API in any version over one blocking connection, pipelined if wanted, and the bytes as they came.

mod admin;
mod data;
mod group;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bytes::{Bytes, BytesMut};
use protocol::messages::{RequestHeader, ResponseHeader};
use protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};

pub use data::{
    EARLIEST, FetchQuery, Fetched, LATEST, ListedOffset, MAX_TIMESTAMP, PRODUCE_VERSION, Produced, produce_request,
    produced,
};
pub use group::{Committed, Member, commit_request, fetch_request, group_id, join_request};

const CONNECT_LIMIT: Duration = Duration::from_secs(30);
const ANSWER_LIMIT: Duration = Duration::from_secs(60);

/// One connection. Correlation ids count up from 0.
pub struct Connection {
    stream: TcpStream,
    next_correlation_id: i32,
}

impl Connection {
    /// # Panics
    /// Nobody accepts.
    #[track_caller]
    pub fn open(address: SocketAddr) -> Self {
        Self::try_open(address).unwrap_or_else(|error| panic!("{address}: {error:#}"))
    }

    /// # Errors
    /// Nobody accepts within 5 s.
    pub fn try_open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect_timeout(&address, CONNECT_LIMIT)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(ANSWER_LIMIT))?;
        stream.set_write_timeout(Some(ANSWER_LIMIT))?;
        Ok(Self { stream, next_correlation_id: 0 })
    }

    /// The socket, for tests that send what is no request.
    pub fn stream(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    /// Asks and waits for the answer.
    ///
    /// # Panics
    /// No answer, or one that is not exactly a response of this version.
    #[track_caller]
    pub fn send<R: Request>(&mut self, request: &R, version: i16) -> R::Response {
        match self.try_send(request, version) {
            Ok(response) => response,
            Err(error) => panic!("API {} version {version}: {error:#}", R::KEY),
        }
    }

    /// # Errors
    /// The connection breaks, no answer within 60 s, or bytes that are not exactly a response of this version.
    pub fn try_send<R: Request>(&mut self, request: &R, version: i16) -> Result<R::Response> {
        let sent = self.write(request, version)?;
        let (correlation_id, response) = self.read::<R>(version)?;
        ensure!(correlation_id == sent, "asked {sent}, answered {correlation_id}");
        Ok(response)
    }

    /// Sends without waiting; returns the correlation id.
    ///
    /// # Errors
    /// The connection breaks, or the request cannot be said in this version.
    pub fn write<R: Request>(&mut self, request: &R, version: i16) -> Result<i32> {
        let correlation_id = self.next_correlation_id;
        self.next_correlation_id += 1;
        self.stream.write_all(&encode(request, version, correlation_id)?)?;
        Ok(correlation_id)
    }

    /// The next answer with its correlation id.
    ///
    /// # Errors
    /// As [`Self::try_send`].
    pub fn read<R: Request>(&mut self, version: i16) -> Result<(i32, R::Response)> {
        let mut frame = self.read_frame()?;
        let header = ResponseHeader::decode(&mut frame, R::Response::header_version(version))?;
        let response = R::Response::decode(&mut frame, version).context("the body")?;
        ensure!(frame.is_empty(), "{} bytes after the body", frame.len());
        Ok((header.correlation_id, response))
    }

    /// The next frame without its size.
    ///
    /// # Errors
    /// The connection breaks.
    pub fn read_frame(&mut self) -> Result<Bytes> {
        let mut size = [0; 4];
        self.stream.read_exact(&mut size).context("no answer")?;
        let mut frame = vec![0; usize::try_from(i32::from_be_bytes(size))?];
        self.stream.read_exact(&mut frame).context("half an answer")?;
        Ok(frame.into())
    }
}

/// A whole request frame.
///
/// # Errors
/// The request cannot be said in this version.
pub fn encode<R: Request>(request: &R, version: i16, correlation_id: i32) -> Result<Bytes> {
    let mut frame = BytesMut::from(&[0; 4][..]);
    RequestHeader::default()
        .with_request_api_key(R::KEY)
        .with_request_api_version(version)
        .with_correlation_id(correlation_id)
        .with_client_id(Some(text("ottla-test")))
        .encode(&mut frame, R::header_version(version))?;
    request.encode(&mut frame, version)?;
    let size = u32::try_from(frame.len() - 4)?;
    frame[..4].copy_from_slice(&size.to_be_bytes());
    Ok(frame.freeze())
}

/// A string of a message body.
pub fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}
