//! The load: one thread, one epoll, many connections, the same request again and again.
//!
//! Closed loop: each connection keeps a fixed number of requests unanswered. Open loop: requests fall due
//! at a fixed rate whatever the broker does, and latency counts from the moment a request was due, so a
//! stall is felt by every request that it delayed (no coordinated omission).

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use hdrhistogram::Histogram;
use rustix::event::epoll;
use rustix::fd::OwnedFd;

use crate::request::Template;

const READ_SIZE: usize = 256 * 1024;
/// An answer larger than this is not an answer.
const MAX_ANSWER: usize = 128 * 1024 * 1024;
/// A run whose broker falls silent ends with an error.
const SILENCE: Duration = Duration::from_secs(30);

/// What a run did.
pub(crate) struct Outcome {
    pub(crate) requests: u64,
    /// Batch bytes acknowledged or received.
    pub(crate) bytes: u64,
    pub(crate) elapsed: Duration,
    /// Microseconds.
    pub(crate) latency: Histogram<u64>,
}

/// How requests follow one another.
#[derive(Clone, Copy)]
pub(crate) struct Pace {
    pub(crate) in_flight: usize,
    /// Requests a second over all connections; `None` is a closed loop.
    pub(crate) rate: Option<u64>,
    pub(crate) duration: Duration,
    /// The run ends early once so many batch bytes went by.
    pub(crate) max_bytes: u64,
}

/// Runs one template a connection against `address` until the time or the bytes are over.
pub(crate) fn run(address: SocketAddr, templates: Vec<Template>, pace: Pace) -> Result<Outcome> {
    let mut generator = Generator::connect(address, templates, pace)?;
    generator.run()
}

struct Connection {
    stream: TcpStream,
    template: Template,
    out: Vec<u8>,
    written: usize,
    input: Vec<u8>,
    filled: usize,
    /// When each unanswered request was due, oldest first.
    due: VecDeque<Instant>,
    waits_for_write: bool,
}

struct Generator {
    poll: OwnedFd,
    connections: Vec<Connection>,
    pace: Pace,
    start: Instant,
    issued: u64,
    next_connection: usize,
    outcome: Outcome,
}

impl Generator {
    fn connect(address: SocketAddr, templates: Vec<Template>, pace: Pace) -> Result<Self> {
        let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let mut connections = Vec::with_capacity(templates.len());
        for (index, template) in templates.into_iter().enumerate() {
            let stream = TcpStream::connect(address)?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            let token = epoll::EventData::new_u64(index as u64);
            epoll::add(&poll, &stream, token, epoll::EventFlags::IN)?;
            connections.push(Connection::new(stream, template));
        }
        Ok(Self {
            poll,
            connections,
            pace,
            start: Instant::now(),
            issued: 0,
            next_connection: 0,
            outcome: Outcome {
                requests: 0,
                bytes: 0,
                elapsed: Duration::ZERO,
                latency: Histogram::new_with_bounds(1, 120_000_000, 3)?,
            },
        })
    }

    fn run(&mut self) -> Result<Outcome> {
        self.start = Instant::now();
        let mut events = Vec::with_capacity(self.connections.len());
        let mut last_answer = self.start;
        loop {
            let now = Instant::now();
            let over = now - self.start >= self.pace.duration || self.outcome.bytes >= self.pace.max_bytes;
            if over && self.connections.iter().all(|c| c.due.is_empty()) {
                break;
            }
            if now - last_answer > SILENCE {
                bail!("no answer for {SILENCE:?}");
            }
            if !over {
                self.issue(now)?;
            }
            let before = self.outcome.requests;
            self.wait(&mut events, now, over)?;
            if self.outcome.requests > before {
                last_answer = Instant::now();
            }
        }
        self.outcome.elapsed = self.start.elapsed();
        Ok(Outcome {
            requests: self.outcome.requests,
            bytes: self.outcome.bytes,
            elapsed: self.outcome.elapsed,
            latency: self.outcome.latency.clone(),
        })
    }

    /// Hands out what is due now and writes it.
    fn issue(&mut self, now: Instant) -> Result<()> {
        match self.pace.rate {
            None => {
                for connection in &mut self.connections {
                    while connection.due.len() < self.pace.in_flight {
                        connection.queue(now);
                    }
                }
            }
            Some(rate) => {
                while self.due_at(rate) <= now {
                    let due = self.due_at(rate);
                    let index = self.next_connection % self.connections.len();
                    self.connections[index].queue(due);
                    self.next_connection += 1;
                    self.issued += 1;
                }
            }
        }
        for index in 0..self.connections.len() {
            self.write(index)?;
        }
        Ok(())
    }

    fn due_at(&self, rate: u64) -> Instant {
        self.start + Duration::from_nanos(self.issued * 1_000_000_000 / rate)
    }

    fn wait(&mut self, events: &mut Vec<epoll::Event>, now: Instant, over: bool) -> Result<()> {
        let timeout = match self.pace.rate {
            Some(rate) if !over => self.due_at(rate).saturating_duration_since(now),
            _ => Duration::from_millis(100),
        };
        let timeout = rustix::time::Timespec::try_from(timeout).context("time-out")?;
        events.clear();
        match epoll::wait(&self.poll, rustix::buffer::spare_capacity(events), Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        for event in events.iter() {
            let index = usize::try_from(event.data.u64())?;
            let flags = event.flags;
            if flags.contains(epoll::EventFlags::OUT) {
                self.write(index)?;
            }
            if flags.intersects(epoll::EventFlags::IN | epoll::EventFlags::HUP) {
                self.connections[index].read(&mut self.outcome)?;
            }
        }
        Ok(())
    }

    fn write(&mut self, index: usize) -> Result<()> {
        let connection = &mut self.connections[index];
        let blocked = connection.flush()?;
        if blocked != connection.waits_for_write {
            connection.waits_for_write = blocked;
            let mut flags = epoll::EventFlags::IN;
            flags.set(epoll::EventFlags::OUT, blocked);
            let token = epoll::EventData::new_u64(index as u64);
            epoll::modify(&self.poll, &connection.stream, token, flags)?;
        }
        Ok(())
    }
}

impl Connection {
    fn new(stream: TcpStream, template: Template) -> Self {
        Self {
            stream,
            template,
            out: Vec::new(),
            written: 0,
            input: vec![0; READ_SIZE],
            filled: 0,
            due: VecDeque::new(),
            waits_for_write: false,
        }
    }

    fn queue(&mut self, due: Instant) {
        self.template.next(&mut self.out);
        self.due.push_back(due);
    }

    /// Writes what is queued; true if the socket took only a part.
    fn flush(&mut self) -> Result<bool> {
        while self.written < self.out.len() {
            match self.stream.write(&self.out[self.written..]) {
                Ok(count) => self.written += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(true),
                Err(error) => return Err(error.into()),
            }
        }
        self.out.clear();
        self.written = 0;
        Ok(false)
    }

    /// Reads until the socket is empty and counts every whole answer.
    fn read(&mut self, outcome: &mut Outcome) -> Result<()> {
        loop {
            if self.filled == self.input.len() {
                self.input.resize(self.input.len() * 2, 0);
            }
            let space = self.input.len() - self.filled;
            match self.stream.read(&mut self.input[self.filled..]) {
                Ok(0) => bail!("the broker closed the connection"),
                Ok(count) => {
                    self.filled += count;
                    self.take_answers(outcome)?;
                    if count < space {
                        return Ok(());
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn take_answers(&mut self, outcome: &mut Outcome) -> Result<()> {
        let mut position = 0;
        while let Some(size) = self.answer_size(position)? {
            if self.filled - position < 4 + size {
                break;
            }
            let answer = &self.input[position + 4..position + 4 + size];
            outcome.bytes += self.template.check(answer)?;
            let due = self.due.pop_front().context("an answer nobody asked for")?;
            let micros = u64::try_from(due.elapsed().as_micros())?.max(1);
            outcome.latency.saturating_record(micros);
            outcome.requests += 1;
            position += 4 + size;
        }
        self.input.copy_within(position..self.filled, 0);
        self.filled -= position;
        Ok(())
    }

    fn answer_size(&self, position: usize) -> Result<Option<usize>> {
        let Some(field) = self.input[position..self.filled].first_chunk::<4>() else {
            return Ok(None);
        };
        let size = usize::try_from(i32::from_be_bytes(*field)).context("negative size")?;
        if size > MAX_ANSWER {
            bail!("an answer of {size} bytes");
        }
        Ok(Some(size))
    }
}
