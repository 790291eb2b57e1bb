//! Producers and the transaction coordinator. Source: `TransactionLogConfig`, `TransactionStateManagerConfig`.

use super::Bounds::{Any, AtLeast};
use super::Definition;

/// The keys of producers and the transaction coordinator, by name.
pub(super) const ROWS: &[Definition] = definitions! {
    None "add.partitions.to.txn.retry.backoff.max.ms" Int = Some("100"), AtLeast(0), ReadOnly, "The longest that AddPartitionsToTxn waits for an earlier transaction to end. No effect yet: there are no transactions.";
    None "add.partitions.to.txn.retry.backoff.ms" Int = Some("20"), AtLeast(1), ReadOnly, "How long AddPartitionsToTxn waits between two looks whether an earlier transaction has ended. No effect yet: there are no transactions.";
    Acts "producer.id.expiration.ms" Int = Some("86400000"), AtLeast(1), ClusterWide, "An idempotent producer that was silent for so long is forgotten.";
    None "transaction.abort.timed.out.transaction.cleanup.interval.ms" Int = Some("10000"), AtLeast(1), ReadOnly, "How often transactions that took too long are aborted. No effect yet: there are no transactions.";
    None "transaction.max.timeout.ms" Int = Some("900000"), AtLeast(1), ReadOnly, "The longest timeout that a producer may ask for. No effect yet: there are no transactions.";
    None "transaction.partition.verification.enable" Boolean = Some("true"), Any, ClusterWide, "Whether a partition asks the coordinator before it takes a transaction's first records. No effect yet: there are no transactions.";
    None "transaction.remove.expired.transaction.cleanup.interval.ms" Int = Some("3600000"), AtLeast(1), ReadOnly, "How often expired transactional ids are removed. No effect yet: there are no transactions.";
    None "transaction.state.log.load.buffer.size" Int = Some("5242880"), AtLeast(1), ReadOnly, "Bytes that are read at once while transactions are loaded. No effect yet: there are no transactions.";
    None "transaction.state.log.min.isr" Int = Some("2"), AtLeast(1), ReadOnly, "Replicas of the transaction topic that must be in sync. No effect yet: there are no transactions.";
    None "transaction.state.log.num.partitions" Int = Some("50"), AtLeast(1), ReadOnly, "Partitions of the transaction topic when it is created. No effect yet: there are no transactions.";
    None "transaction.state.log.replication.factor" Short = Some("3"), AtLeast(1), ReadOnly, "Replication factor of the transaction topic when it is created. No effect yet: there are no transactions.";
    None "transaction.state.log.segment.bytes" Int = Some("104857600"), AtLeast(1), ReadOnly, "The largest segment of the transaction topic. No effect yet: there are no transactions.";
    None "transaction.two.phase.commit.enable" Boolean = Some("false"), Any, ReadOnly, "Whether producers may take part in two-phase commits. No effect yet: there are no transactions.";
    None "transactional.id.expiration.ms" Int = Some("604800000"), AtLeast(1), ReadOnly, "A transactional id that was silent for so long is forgotten. No effect yet: there are no transactions.";
};
