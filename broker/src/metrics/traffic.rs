//! What went through one partition. The numbers lie beside what an append or a read of it touches anyway.
//! Source: `BrokerTopicMetrics`, and `ReplicaManager` for what counts as a failure.

use std::ops::AddAssign;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts of one partition since it was opened.
#[derive(Debug, Default)]
pub struct Traffic {
    messages_in: AtomicU64,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    produce_requests: AtomicU64,
    fetch_requests: AtomicU64,
    failed_produce_requests: AtomicU64,
    failed_fetch_requests: AtomicU64,
}

/// Counts of some partitions at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    pub messages_in: u64,
    pub bytes_in: u64,
    pub bytes_out: u64,
    pub produce_requests: u64,
    pub fetch_requests: u64,
    pub failed_produce_requests: u64,
    pub failed_fetch_requests: u64,
}

fn add(number: &AtomicU64, amount: u64) {
    number.fetch_add(amount, Ordering::Relaxed);
}

impl Traffic {
    /// A Produce came with a batch; `messages` are those that were appended.
    pub fn produced(&self, messages: u64, bytes: u64) {
        add(&self.produce_requests, 1);
        add(&self.messages_in, messages);
        add(&self.bytes_in, bytes);
    }

    /// A Produce came with a batch that was not appended. `is_failure`: the cause is none that clients are expected to run into.
    pub fn refused(&self, is_failure: bool) {
        add(&self.produce_requests, 1);
        add(&self.failed_produce_requests, u64::from(is_failure));
    }

    /// A Fetch asked for the partition's records. `is_failure`: in vain, and for no cause that clients are expected to run into.
    pub fn read(&self, is_failure: bool) {
        add(&self.fetch_requests, 1);
        add(&self.failed_fetch_requests, u64::from(is_failure));
    }

    /// Records were put into an answer.
    pub fn fetched(&self, bytes: u64) {
        add(&self.bytes_out, bytes);
    }

    /// The counts now.
    pub fn totals(&self) -> Totals {
        let get = |number: &AtomicU64| number.load(Ordering::Relaxed);
        Totals {
            messages_in: get(&self.messages_in),
            bytes_in: get(&self.bytes_in),
            bytes_out: get(&self.bytes_out),
            produce_requests: get(&self.produce_requests),
            fetch_requests: get(&self.fetch_requests),
            failed_produce_requests: get(&self.failed_produce_requests),
            failed_fetch_requests: get(&self.failed_fetch_requests),
        }
    }
}

impl AddAssign for Totals {
    fn add_assign(&mut self, other: Self) {
        self.messages_in += other.messages_in;
        self.bytes_in += other.bytes_in;
        self.bytes_out += other.bytes_out;
        self.produce_requests += other.produce_requests;
        self.fetch_requests += other.fetch_requests;
        self.failed_produce_requests += other.failed_produce_requests;
        self.failed_fetch_requests += other.failed_fetch_requests;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_request_counts_once() {
        let traffic = Traffic::default();
        traffic.produced(3, 300);
        traffic.refused(true);
        traffic.refused(false);
        traffic.read(false);
        traffic.fetched(120);
        let mut totals = traffic.totals();
        totals += Totals { messages_in: 1, ..Totals::default() };
        let expected = Totals {
            messages_in: 4,
            bytes_in: 300,
            bytes_out: 120,
            produce_requests: 3,
            fetch_requests: 1,
            failed_produce_requests: 1,
            failed_fetch_requests: 0,
        };
        assert_eq!(totals, expected);
    }
}
