//! A log leaves the tier (KIP-950): everything remote goes, and whatever is interrupted is gone through with, even if the log is to be
//! in the tier again by then: of what is half gone nothing can be read.
//!
//! ```text
//! note in the log's folder: it leaves     crash: nothing is lost; the next step goes on here
//! manifest without segments               nothing of it exists any more
//! objects, then that manifest
//! note: nothing is remote                 the next copy is the first one
//! ```

use std::sync::Arc;

use super::local_log::{forget_all, log_start_offset, store_copy};
use super::mover::{Published, versions};
use super::{Mover, RemoteError, StepInput};
use crate::log::Log;

impl Mover {
    /// Lets everything remote go; the log begins where its local part does. Returns how many objects went.
    ///
    /// # Errors
    /// The store's or the disk's: the next step goes on, and nothing else is done before.
    ///
    /// # Cancel safety
    /// As an error.
    pub async fn leave(&mut self, log: &Arc<Log>, input: &StepInput) -> Result<usize, RemoteError> {
        self.start_over();
        let left = self.try_leave(log, input).await;
        self.start_over();
        left
    }

    async fn try_leave(&mut self, log: &Arc<Log>, input: &StepInput) -> Result<usize, RemoteError> {
        let partition = Arc::clone(&self.partition);
        partition.begin_leaving(log_start_offset(log).await?);
        store_copy(&partition, log).await?;
        let versions = versions(&self.store, partition.keys()).await?;
        if let Some(last) = versions.last().copied() {
            if last.leader_epoch > input.leader_epoch {
                return Err(RemoteError::Fenced { key: partition.keys().manifest(last) });
            }
            // What it names and parts of it is about to go, read or not.
            self.published = Some(Published { versions, log_start_offset: 0, parts: Vec::new() });
            self.publish(input.leader_epoch, &[]).await?;
        }
        let count = self.store.delete_partition(partition.keys()).await?;
        forget_all(&partition, log).await?;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::super::mover::newest;
    use super::super::testing::{Fault, FaultyStore};
    use super::super::tests::{KEEP, LAYOUTS, check_everything, input, keys, laid_out, log_of, settle};
    use super::super::*;
    use super::*;
    use crate::LogConfig;

    fn mover(store: &Arc<RemoteStore>, log: &Log) -> (Mover, Arc<RemotePartition>) {
        let partition = Arc::new(RemotePartition::load(keys(), log).unwrap());
        (Mover::new(Arc::clone(store), 1, Arc::clone(&partition)), partition)
    }

    /// A log whose oldest segments are remote only, and some in both parts.
    async fn tiered(store: &Arc<RemoteStore>) -> Arc<Log> {
        let log = log_of(24, 1000);
        settle(&mut mover(store, &log).0, &log, input(KEEP)).await;
        let config = log.config();
        log.set_config(LogConfig { retention_bytes: Some(log.size_bytes().unwrap() / 2), ..LogConfig::clone(&config) });
        assert!(log.delete_old_segments(i64::MAX, 0).unwrap() > 1);
        log.set_config(LogConfig::clone(&config));
        log
    }

    fn local_start(log: &Log) -> i64 {
        log.offsets().unwrap().log_start_offset
    }

    /// Everything that is local is copied anew, and nothing else is there.
    async fn comes_back(store: &Arc<RemoteStore>, inner: &FaultyStore, log: &Arc<Log>) {
        let (start, local) = (local_start(log), log.rolled_segments().unwrap());
        let (mut mover, partition) = mover(store, log);
        assert!(!partition.is_leaving() || partition.copied_to() == 0, "nothing local goes meanwhile");
        settle(&mut mover, log, input(KEEP)).await;
        let view = partition.view();
        let ends = (view.start_offset(), view.end_offset());
        assert_eq!(ends, (Some(start), local.last().map(|last| last.end_offset)));
        assert_eq!(local_start(log), start);
        check_everything(log, store, &view).await;
        let named: usize = view.segments.iter().map(|segment| keys().objects(segment).len()).sum();
        assert_eq!(inner.keys().await.len(), named + 1);
    }

    async fn stays_away(store: &Arc<RemoteStore>, inner: &FaultyStore, log: &Arc<Log>) {
        mover(store, log).0.leave(log, &input(KEEP)).await.unwrap();
        assert_eq!(inner.keys().await, Vec::<String>::new());
        let (_, partition) = mover(store, log);
        assert_eq!((&*partition.view(), partition.is_leaving()), (&RemoteView::default(), false));
    }

    /// The broker dies after each request in turn, and the topic stays away from the tier or is in it again at the next start.
    #[tokio::test]
    async fn dying_at_any_request_is_gone_through_with() {
        let cases = [Fault::Unavailable, Fault::LostAnswer].map(|fault| LAYOUTS.map(|layout| (fault, layout)));
        for (at, (fault, layout)) in cases.into_iter().flatten().flat_map(|case| [case; 2]).enumerate() {
            for last in 0.. {
                let inner = FaultyStore::new();
                let store = laid_out(inner.clone(), layout);
                let log = tiered(&store).await;
                inner.fail(move |number| {
                    (number > last).then_some(Fault::Unavailable).or((number == last).then_some(fault))
                });
                let died = mover(&store, &log).0.leave(&log, &input(KEEP)).await.is_err();
                inner.heal();
                let found = newest(&store, &keys()).await.unwrap();
                let none = CacheLimits { bytes: 0, count: 0 };
                let reader = RemoteReader::new(Arc::clone(&store), 512, none, none);
                for segment in &found.segments {
                    reader.verify(&keys(), segment).await.unwrap();
                }
                if at % 2 == 0 {
                    comes_back(&store, &inner, &log).await;
                } else {
                    stays_away(&store, &inner, &log).await;
                }
                if !died {
                    break;
                }
            }
        }
    }

    /// It is the way out where the store lost what is nowhere else.
    #[tokio::test]
    async fn a_log_whose_store_was_emptied_comes_back_with_what_is_local() {
        let inner = FaultyStore::new();
        let store = laid_out(inner.clone(), SegmentLayout::Joined);
        let log = tiered(&store).await;
        store.delete_partition(&keys()).await.unwrap();
        let (mut stopped, _) = mover(&store, &log);
        assert!(matches!(stopped.step(&log, &input(KEEP)).await, Err(RemoteError::Emptied { .. })));
        stopped.leave(&log, &input(KEEP)).await.unwrap();
        comes_back(&store, &inner, &log).await;
    }
}
