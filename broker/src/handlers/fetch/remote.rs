//! The part of a fetch that lies in the cold tier: all partitions at once, under the request's own limit of bytes. What does not
//! come in time is there for the next request. Source: `DelayedRemoteFetch`.

use futures_util::future::join_all;
use protocol::error_code::ErrorCode;

use super::response::PartitionAnswer;
use super::{Fetch, Fetched, FetchedPartition};

impl Fetch {
    /// Whether records of a partition have to come from the cold tier.
    pub(super) fn is_remote(&self) -> bool {
        self.answers.iter().any(|answer| answer.remote.is_some())
    }

    /// Fills the answers that wait for the cold tier and answers, whatever came.
    pub(super) async fn read_remote(mut self) -> Fetched {
        let (services, consumer) = (&self.context.services, self.context.client_address);
        let wait = services.settings.remote_settings(services.metadata.image().configs()).fetch_max_wait;
        let (mut left, mut is_first) = (self.left(), self.bytes == 0);
        let mut reads = Vec::new();
        for (slot, answer) in self.answers.iter_mut().enumerate() {
            let Some(read) = answer.remote.take() else { continue };
            if left == 0 && !is_first {
                break;
            }
            let read = read.within(left, is_first);
            left = left.saturating_sub(read.max_bytes());
            is_first = false;
            reads.push(async move { (slot, tokio::time::timeout(wait, read.pieces(consumer)).await) });
        }
        for (slot, result) in join_all(reads).await {
            match result {
                Ok(Ok(records)) => {
                    self.answers[slot].fill(records);
                    self.bytes += self.answers[slot].size();
                }
                Ok(Err(error)) => {
                    let asked: Option<&FetchedPartition> = self.session.partitions().get(slot);
                    let (topic, partition) =
                        (asked.and_then(|asked| asked.name.as_deref()), asked.map(|asked| asked.index));
                    tracing::warn!(topic, partition, %error, "cannot read the remote log");
                    self.answers[slot] = PartitionAnswer::failed(ErrorCode::KafkaStorageError);
                }
                Err(_) => {
                    if let Some(tier) = services.replicas.tier() {
                        tier.traffic().fetch_expired();
                    }
                }
            }
        }
        Fetched::read(self)
    }
}
