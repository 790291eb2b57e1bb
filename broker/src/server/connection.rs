//! One connection: take every whole frame that a read brought, run each in order, send what is ready in one write.
//!
//! Answers leave in the order of their requests. A Produce that waits for its flush does not keep later ones from being
//! appended; anything else waits until all before it are answered, so that a client that pipelines sees what it would see
//! of Apache Kafka, which works on one request of a connection at a time (`SocketServer`, muted channels).

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use protocol::frame::FrameError;
use protocol::messages::ApiKey;
use protocol::request::{DecodeError, RequestPrefix, parse_head};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::Instant;

use super::connection_quotas::Place;
use super::reader::{Reader, SIZE_FIELD};
use super::{Output, ServerSettings};
use crate::handlers::{self, Handled, RequestContext, Services};
use crate::replica::FlushHold;

/// Requests of one connection that may be unanswered.
const MAX_PENDING: usize = 64;
/// Places for them that an idle connection keeps.
const KEPT_PENDING: usize = 4;
/// Why a connection ends before the client closes it. A client's mistake: logged at debug.
#[derive(Debug, thiserror::Error)]
pub(super) enum Closed {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error(transparent)]
    Decode(#[from] DecodeError),
    #[error("the handler of the request asked for it")]
    Asked,
    #[error("a handler panicked")]
    Panicked,
    #[error("silent for too long")]
    Idle,
}

/// An answer in its place in the row.
enum Pending {
    Ready(Output),
    Waiting(Waiting),
}

/// A request that waits for something.
struct Waiting {
    answer: BoxFuture<'static, Option<Output>>,
    api_key: i16,
    began: Instant,
    /// When the handler was done with what could be done at once.
    handled: Instant,
}

pub(super) struct Connection {
    stream: TcpStream,
    peer: SocketAddr,
    listener: Arc<str>,
    settings: Arc<ServerSettings>,
    services: Arc<Services>,
    reader: Reader,
    output: Output,
    pending: VecDeque<Pending>,
    /// Everything pending is a Produce, so that another may be begun.
    only_produce: bool,
    /// Why the connection ends as soon as what came before is answered.
    closing: Option<Closed>,
    /// Nothing is read and nothing begun until then: the client has used too much.
    muted_until: Option<Instant>,
    /// Given back when the connection is gone.
    _place: Place,
}

impl Connection {
    pub(super) fn new(
        (stream, peer): (TcpStream, SocketAddr),
        place: Place,
        listener: Arc<str>,
        settings: Arc<ServerSettings>,
        services: Arc<Services>,
    ) -> Self {
        Self {
            stream,
            peer,
            _place: place,
            listener,
            settings,
            services,
            reader: Reader::default(),
            output: Output::default(),
            pending: VecDeque::new(),
            only_produce: true,
            closing: None,
            muted_until: None,
        }
    }

    /// Serves until the client closes, does something that ends the connection, or the broker stops.
    pub(super) async fn run(mut self, stop: watch::Receiver<bool>) {
        match self.serve(stop).await {
            Ok(()) => tracing::trace!(peer = %self.peer, "connection closed"),
            Err(error) => tracing::debug!(peer = %self.peer, %error, "connection ended"),
        }
    }

    async fn serve(&mut self, mut stop: watch::Receiver<bool>) -> Result<(), Closed> {
        loop {
            self.note_mute();
            if let Err(error) = self.take_frames() {
                self.closing = Some(error);
            }
            self.take_ready();
            self.note_mute();
            self.output.write_to(&self.stream).await?;
            if !self.reader.is_busy() {
                self.output.shrink();
            }
            if self.pending.is_empty() {
                if let Some(error) = self.closing.take() {
                    return Err(error);
                }
                if *stop.borrow() {
                    return Ok(());
                }
            }
            tokio::select! {
                biased;
                answer = head(&mut self.pending), if !self.pending.is_empty() => {
                    self.settle(answer)?;
                    self.take_settled()?;
                }
                () = reached(self.muted_until), if self.muted_until.is_some() => self.muted_until = None,
                read = self.reader.read(&self.stream, &self.settings, &mut self.output),
                    if self.closing.is_none() && self.muted_until.is_none() && may_read(&self.pending, self.only_produce, self.reader.input()) =>
                {
                    if read? == 0 {
                        return Ok(());
                    }
                }
                _ = stop.wait_for(|stop| *stop), if !*stop.borrow() => {}
            }
        }
    }

    /// Runs every whole frame in the buffer that may be run now.
    fn take_frames(&mut self) -> Result<(), Closed> {
        let _hold = FlushHold::begin();
        let mut now = Instant::now();
        while self.closing.is_none()
            && self.muted_until.is_none()
            && self.pending.len() < MAX_PENDING
            && self.may_begin()
        {
            let Some(frame) = self.reader.take_frame(&self.settings.frames)? else { break };
            // One ends when the next begins, so that the clock is read once for each.
            now = self.handle(frame, now)?;
            self.note_mute();
        }
        self.reader.release();
        Ok(())
    }

    /// From an answer that tells its client to wait on, the connection is muted (`RequestChannel.startThrottling`).
    fn note_mute(&mut self) {
        if let Some(time) = self.output.take_mute() {
            self.muted_until = self.muted_until.max(Some(Instant::now() + time));
        }
    }

    /// Whether the next request may begin while others wait: a Produce behind Produces.
    fn may_begin(&self) -> bool {
        self.pending.is_empty() || (self.only_produce && next_is_produce(self.reader.input()))
    }

    /// Runs one request that `began` now; returns when it was handled.
    fn handle(&mut self, frame: Bytes, began: Instant) -> Result<Instant, Closed> {
        let size = frame.len();
        let request = parse_head(frame)?;
        let api_key = request.api_key;
        let context = RequestContext {
            services: Arc::clone(&self.services),
            listener: Arc::clone(&self.listener),
            client_address: self.peer,
            api_key,
            api_version: request.api_version,
            correlation_id: request.correlation_id,
            client_id: request.client_id,
            size,
        };
        let in_turn = self.pending.is_empty();
        let mut later = Output::default();
        let output = if in_turn { &mut self.output } else { &mut later };
        let handled = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            handlers::dispatch(context, request.body, output)
        }));
        let handled = handled.map_err(|_| Closed::Panicked)??;
        let errors = output.take_errors();
        self.count_errors(api_key, errors);
        let now = Instant::now();
        match handled {
            Handled::Answered => {
                self.services.metrics.requests.answered(api_key, now - began);
                if !in_turn {
                    self.pending.push_back(Pending::Ready(later));
                }
            }
            Handled::Later(answer) => {
                self.only_produce = api_key == ApiKey::Produce as i16 && (in_turn || self.only_produce);
                let guarded = std::panic::AssertUnwindSafe(answer).catch_unwind().map(|answer| answer.unwrap_or(None));
                self.pending.push_back(Pending::Waiting(Waiting {
                    answer: guarded.boxed(),
                    api_key,
                    began,
                    handled: now,
                }));
            }
            Handled::Close => return Err(Closed::Asked),
        }
        Ok(now)
    }

    fn count_errors(&self, api_key: i16, errors: Vec<i16>) {
        errors.into_iter().for_each(|code| self.services.metrics.requests.failed(api_key, code));
    }

    /// Takes the first answer in the row, which has come.
    fn settle(&mut self, answer: Option<Output>) -> Result<(), Closed> {
        let mut answer = answer.ok_or(Closed::Asked)?;
        if let Some(Pending::Waiting(waiting)) = self.pending.pop_front() {
            let local = waiting.handled - waiting.began;
            self.services.metrics.requests.waited(waiting.api_key, local, waiting.handled.elapsed());
            self.count_errors(waiting.api_key, answer.take_errors());
        }
        self.output.append(answer);
        Ok(())
    }

    /// One flush settles many: what became ready with the first in the row leaves in the same write.
    fn take_settled(&mut self) -> Result<(), Closed> {
        loop {
            self.take_ready();
            let Some(Pending::Waiting(waiting)) = self.pending.front_mut() else { return Ok(()) };
            let Some(answer) = (&mut waiting.answer).now_or_never() else { return Ok(()) };
            self.settle(answer)?;
        }
    }

    /// Moves answers that are ready from the front of the row to the output.
    fn take_ready(&mut self) {
        while let Some(Pending::Ready(_)) = self.pending.front() {
            if let Some(Pending::Ready(answer)) = self.pending.pop_front() {
                self.output.append(answer);
            }
        }
        if self.pending.is_empty() {
            self.only_produce = true;
            self.pending.shrink_to(KEPT_PENDING);
        }
    }
}

/// Waits for the first answer in the row. Cancel safe: it keeps its place.
async fn head(pending: &mut VecDeque<Pending>) -> Option<Output> {
    match pending.front_mut() {
        Some(Pending::Waiting(waiting)) => (&mut waiting.answer).await,
        _ => std::future::pending().await,
    }
}

/// Waits until that time. Cancel safe.
async fn reached(time: Option<Instant>) {
    if let Some(time) = time {
        // On the heap, for most connections never wait for it.
        Box::pin(tokio::time::sleep_until(time)).await;
    }
}

fn next_is_produce(input: &[u8]) -> bool {
    let prefix = input.get(SIZE_FIELD..).map(RequestPrefix::peek);
    matches!(prefix, Some(Ok(prefix)) if prefix.api_key == ApiKey::Produce as i16)
}

/// Reading goes on while the row has room, and while what is in the buffer is not known to have to wait.
fn may_read(pending: &VecDeque<Pending>, only_produce: bool, input: &[u8]) -> bool {
    let blocked = !pending.is_empty() && (!only_produce || (input.len() >= SIZE_FIELD + 8 && !next_is_produce(input)));
    pending.len() < MAX_PENDING && !blocked
}
