//! Producers that go on through crashes, and keep a history to judge the broker by.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Result, bail};
use bytes::Bytes;
use protocol::messages::ProduceRequest;
use protocol::record_batch::{BatchBuilder, Codec};

use crate::audit::{self, History};
use crate::wire::{Connection, PRODUCE_VERSION, produce_request, produced};
use crate::{records, wait};

/// Requests that a producer has in flight: more than one, so that a crash catches some on the way.
const IN_FLIGHT: usize = 3;
const PAUSE: Duration = Duration::from_millis(10);
/// What a restarting broker may say; Kafka's producers ask again after each of these: UNKNOWN_TOPIC_OR_PARTITION,
/// LEADER_NOT_AVAILABLE, NOT_LEADER_OR_FOLLOWER, REQUEST_TIMED_OUT, NETWORK_EXCEPTION, KAFKA_STORAGE_ERROR.
const RETRIABLE: [i16; 6] = [3, 5, 6, 7, 13, 56];
const ALL_REPLICAS: i16 = -1;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Numbers its batches and sends them again until they are acknowledged.
    Idempotent,
    /// Forgets what was not acknowledged.
    Plain,
}

/// Running producers, one to a partition; odd partitions have plain ones.
pub struct Load {
    topic: String,
    stop: Arc<AtomicBool>,
    acknowledged: Arc<AtomicUsize>,
    producers: Vec<(Kind, JoinHandle<History>)>,
}

impl Load {
    pub fn start(address: SocketAddr, topic: &str, partitions: i32) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let acknowledged = Arc::new(AtomicUsize::new(0));
        let producers = (0..partitions).map(|partition| {
            let kind = if partition % 2 == 0 { Kind::Idempotent } else { Kind::Plain };
            let producer = Producer {
                address,
                topic: topic.to_owned(),
                partition,
                kind,
                identity: None,
                next_number: 0,
                next_sequence: 0,
                pending: VecDeque::new(),
                history: History::default(),
                stop: Arc::clone(&stop),
                acknowledged: Arc::clone(&acknowledged),
            };
            (kind, std::thread::spawn(move || producer.run()))
        });
        let producers = producers.collect();
        Self { topic: topic.to_owned(), stop, acknowledged, producers }
    }

    /// Records acknowledged so far.
    pub fn acknowledged(&self) -> usize {
        self.acknowledged.load(Ordering::Relaxed)
    }

    /// Waits until `more` further records are acknowledged.
    #[track_caller]
    pub fn await_more(&self, more: usize) {
        let goal = self.acknowledged() + more;
        wait::until_true("acknowledged records", Duration::from_secs(60), || self.acknowledged() >= goal);
    }

    /// Tells the producers to stop sending anew, without waiting for them.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Stops the producers, reads every partition back, and checks it against their histories.
    ///
    /// # Panics
    /// An acknowledged record is missing or moved, one is there that nobody sent, one of an idempotent producer is there
    /// twice or out of order, or an offset is missing.
    #[track_caller]
    pub fn assert_kept(self, connection: &mut Connection) {
        self.stop();
        for (partition, (kind, producer)) in (0..).zip(self.producers) {
            let history = producer.join().expect("the producer ends well");
            assert!(history.acknowledged() > 0, "partition {partition} took part");
            let contents = audit::read_all(connection, &self.topic, partition);
            history.assert_kept(&contents, kind == Kind::Idempotent);
            if kind == Kind::Idempotent {
                let in_order = contents
                    .records
                    .iter()
                    .zip(0..)
                    .all(|(record, number)| record.value.as_deref() == Some(&record_value(partition, number)[..]));
                assert!(in_order, "an idempotent producer's records are in the order they were sent");
            }
            audit::assert_end_is_empty(connection, &self.topic, partition);
        }
    }
}

fn record_value(partition: i32, number: i64) -> Vec<u8> {
    records::value(u64::from(partition.unsigned_abs()), number)
}

struct Batch {
    sequence: i32,
    values: Vec<Vec<u8>>,
    bytes: Bytes,
}

struct Producer {
    address: SocketAddr,
    topic: String,
    partition: i32,
    kind: Kind,
    identity: Option<(i64, i16)>,
    next_number: i64,
    next_sequence: i32,
    /// Sent and not yet answered, oldest first.
    pending: VecDeque<Batch>,
    history: History,
    stop: Arc<AtomicBool>,
    acknowledged: Arc<AtomicUsize>,
}

impl Producer {
    fn run(mut self) -> History {
        while !self.finished() {
            if self.serve_connection().is_err() {
                wait::pause(PAUSE);
            }
        }
        self.history
    }

    fn finished(&self) -> bool {
        self.stop.load(Ordering::Relaxed) && self.pending.is_empty()
    }

    /// Produces over one connection until it breaks or the work is done. The first request goes alone: a broker that
    /// refuses it while it starts, and takes the next, would take the numbers out of order.
    fn serve_connection(&mut self) -> Result<()> {
        let mut connection = Connection::try_open(self.address)?;
        self.identify(&mut connection)?;
        if self.kind == Kind::Plain {
            self.give_up_pending();
        }
        let mut on_the_way = 0;
        let mut window = 1;
        while !self.finished() {
            while on_the_way < window && self.has_batch(on_the_way) {
                let batch = &self.pending[on_the_way];
                on_the_way += 1;
                self.send(&mut connection, batch)?;
            }
            self.take_answer(&mut connection)?;
            on_the_way -= 1;
            window = IN_FLIGHT;
        }
        Ok(())
    }

    /// True if there is a batch to send at this place in the queue; makes a new one unless the load is stopping.
    fn has_batch(&mut self, place: usize) -> bool {
        if place == self.pending.len() && !self.stop.load(Ordering::Relaxed) {
            let batch = self.next_batch();
            self.pending.push_back(batch);
        }
        place < self.pending.len()
    }

    fn identify(&mut self, connection: &mut Connection) -> Result<()> {
        if self.kind == Kind::Idempotent && self.identity.is_none() {
            self.identity = connection.try_init_producer()?;
            anyhow::ensure!(self.identity.is_some(), "no producer ids yet");
        }
        Ok(())
    }

    /// What was in flight when the last connection broke may be there or not.
    fn give_up_pending(&mut self) {
        for batch in self.pending.drain(..) {
            self.history.lose_sight(batch.values);
        }
    }

    fn send(&self, connection: &mut Connection, batch: &Batch) -> Result<()> {
        let request = produce_request(&self.topic, self.partition, batch.bytes.clone(), ALL_REPLICAS);
        connection.write(&request, PRODUCE_VERSION).map(drop)
    }

    fn next_batch(&mut self) -> Batch {
        let count = 1 + self.next_number % 17;
        let numbers = self.next_number..self.next_number + count;
        let values: Vec<_> = numbers.map(|number| record_value(self.partition, number)).collect();
        let sequence = self.next_sequence;
        let mut builder = BatchBuilder::new(0, Codec::None);
        if let Some((id, epoch)) = self.identity {
            builder = builder.producer(id, epoch, sequence);
        }
        for value in &values {
            builder.append(wait::now_ms(), None, Some(value), &[]);
        }
        self.next_number += count;
        self.next_sequence += i32::try_from(count).unwrap_or(0);
        Batch { sequence, values, bytes: builder.build() }
    }

    fn take_answer(&mut self, connection: &mut Connection) -> Result<()> {
        let (_, response) = connection.read::<ProduceRequest>(PRODUCE_VERSION)?;
        let answer = produced(&response)?;
        if RETRIABLE.contains(&answer.error_code) {
            bail!("error {}: ask again", answer.error_code);
        }
        let batch = self.pending.pop_front().expect("an answer belongs to a request");
        let place = format!("{}-{} sequence {}", self.topic, self.partition, batch.sequence);
        assert_eq!(answer.error_code, 0, "{place}: {:?}", answer.message);
        self.acknowledged.fetch_add(batch.values.len(), Ordering::Relaxed);
        self.history.acknowledge(batch.values, answer.base_offset);
        Ok(())
    }
}
