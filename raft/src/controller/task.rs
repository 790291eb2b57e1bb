//! The single owner of every decision: takes operations one after the other, decides each on an image that contains those before it, and
//! writes what was decided together.

use super::plan::{ControllerConfig, MAX_RECORDS_PER_BATCH, Plan, Situation};
use super::propose::{Leadership, Propose, ProposeError};
use super::random::Randomness;
use super::sessions::Sessions;
use crate::error::ControllerError;
use crate::image::{Image, ImageBuilder, Provenance};
use protocol::metadata_record::MetadataRecord;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};
use tracing::warn;

/// An operation on its way, whatever its answer's type.
pub(super) trait Operation: Send {
    /// Decides the operation and keeps the answer until it is known whether the records are committed. May be called again,
    /// on a newer image, if the records were not written.
    fn decide(&mut self, situation: &mut Situation<'_>) -> Decision;

    /// Gives the answer that was kept, or the error.
    fn answer(self: Box<Self>, outcome: Result<(), ControllerError>);
}

/// What an operation wants to write.
#[derive(Default)]
pub(super) struct Decision {
    records: Vec<MetadataRecord>,
    /// Whether several batches will do.
    splittable: bool,
}

/// An operation, its decision function, and where its answer goes.
pub(super) struct Request<F, T> {
    decide: F,
    kept: Option<Result<T, ControllerError>>,
    reply: oneshot::Sender<Result<T, ControllerError>>,
}

impl<F, T> Request<F, T> {
    pub(super) fn new(decide: F, reply: oneshot::Sender<Result<T, ControllerError>>) -> Self {
        Self { decide, kept: None, reply }
    }
}

impl<F, T> Operation for Request<F, T>
where
    F: FnMut(&mut Situation<'_>) -> Result<Plan<T>, ControllerError> + Send,
    T: Send,
{
    fn decide(&mut self, situation: &mut Situation<'_>) -> Decision {
        match (self.decide)(situation) {
            Ok(Plan { records, answer, splittable }) => {
                self.kept = Some(Ok(answer));
                Decision { records, splittable }
            }
            Err(error) => {
                self.kept = Some(Err(error));
                Decision::default()
            }
        }
    }

    fn answer(self: Box<Self>, outcome: Result<(), ControllerError>) {
        let Self { kept, reply, .. } = *self;
        let answer = outcome.and_then(|()| kept.unwrap_or(Err(ControllerError::Quorum(ProposeError::Stopped))));
        // Whoever asked may have gone; the operation stands all the same.
        drop(reply.send(answer));
    }
}

/// The controller's loop. Runs on every node of the quorum; away from the leader it refuses.
pub struct ControllerTask<P> {
    pub(super) quorum: Arc<P>,
    pub(super) operations: mpsc::Receiver<Box<dyn Operation>>,
    pub(super) config: ControllerConfig,
    pub(super) random: Box<dyn Randomness>,
    pub(super) sessions: Sessions,
}

/// Operations that are decided and go into the log as one batch.
struct Group {
    image: Image,
    leadership: Leadership,
    records: Vec<MetadataRecord>,
    decided: Vec<Box<dyn Operation>>,
}

/// What became of an operation that was offered to a group.
enum Offer {
    /// It is in the group, or already answered.
    Taken,
    /// The group is full; the operation must be decided again in the next one.
    Full(Box<dyn Operation>),
    /// It needs batches of its own.
    Large(Box<dyn Operation>, Vec<MetadataRecord>),
}

impl<P: Propose> ControllerTask<P> {
    /// Runs until every [`super::Controller`] handle is dropped. Operations that wait at that time are carried out.
    ///
    /// # Cancel safety
    /// Dropping the future drops the operations that wait; those under way may be committed or not.
    pub async fn run(mut self) {
        let mut next = None;
        loop {
            let operation = match next.take() {
                Some(operation) => operation,
                None => match self.operations.recv().await {
                    Some(operation) => operation,
                    None => return,
                },
            };
            next = self.round(operation).await;
        }
    }

    /// Decides and writes one group of operations, `first` and as many of those that wait as fit. Gives back one that did not.
    async fn round(&mut self, first: Box<dyn Operation>) -> Option<Box<dyn Operation>> {
        let leadership = match self.quorum.leadership().await {
            Ok(leadership) => leadership,
            Err(error) => {
                first.answer(Err(error.into()));
                return None;
            }
        };
        let image = Image::clone(&self.quorum.image());
        self.sessions.start_epoch(leadership.epoch, &image);
        let mut group = Group { image, leadership, records: Vec::new(), decided: Vec::new() };
        let mut candidate = Some(first);
        let mut left = None;
        while let Some(operation) = candidate.take().or_else(|| self.operations.try_recv().ok()) {
            match self.offer(&mut group, operation) {
                Offer::Taken => {}
                Offer::Full(operation) => {
                    left = Some(operation);
                    break;
                }
                Offer::Large(operation, records) => {
                    let outcome = self.write_in_batches(leadership.epoch, records).await;
                    operation.answer(outcome);
                    return None;
                }
            }
        }
        self.write(group).await;
        left
    }

    /// Decides `operation` on the group's image, and adds its records to the group and its image if they fit.
    fn offer(&mut self, group: &mut Group, mut operation: Box<dyn Operation>) -> Offer {
        let next_offset = group.leadership.log_end_offset + group.records.len() as i64;
        let mut situation = Situation {
            image: &group.image,
            next_offset,
            config: &self.config,
            sessions: &mut self.sessions,
            random: &mut *self.random,
        };
        let Decision { records, splittable } = operation.decide(&mut situation);
        if group.records.len() + records.len() > MAX_RECORDS_PER_BATCH {
            return match (group.decided.is_empty(), splittable) {
                (true, true) => Offer::Large(operation, records),
                (true, false) => {
                    operation.answer(Err(ControllerError::ExcessiveBatch));
                    Offer::Taken
                }
                (false, _) => Offer::Full(operation),
            };
        }
        match speculate(&group.image, &records, group.leadership.epoch, next_offset) {
            Ok(image) => {
                group.image = image;
                group.records.extend(records);
                group.decided.push(operation);
            }
            Err(error) => operation.answer(Err(error)),
        }
        Offer::Taken
    }

    /// Writes the group as one batch and answers its operations. The image that the group speculated on is dropped: the next round starts
    /// from what is committed.
    async fn write(&self, group: Group) {
        let Group { leadership, records, decided, .. } = group;
        let outcome = if records.is_empty() { Ok(()) } else { self.propose(leadership, records).await };
        for operation in decided {
            operation.answer(outcome.clone());
        }
    }

    async fn propose(&self, leadership: Leadership, records: Vec<MetadataRecord>) -> Result<(), ControllerError> {
        let proposed = self.quorum.propose(leadership.epoch, records).await?;
        if proposed.base_offset != leadership.log_end_offset {
            let expected = leadership.log_end_offset;
            warn!(expected, found = proposed.base_offset, "metadata batch has another offset than foreseen");
        }
        Ok(())
    }

    /// Writes one operation's records as several batches. Each is checked against what is committed by then.
    async fn write_in_batches(&self, epoch: i32, records: Vec<MetadataRecord>) -> Result<(), ControllerError> {
        for batch in records.chunks(MAX_RECORDS_PER_BATCH) {
            let image = self.quorum.image();
            speculate(&image, batch, epoch, image.offset() + 1)?;
            self.quorum.propose(epoch, batch.to_vec()).await?;
        }
        Ok(())
    }
}

/// The image after `records`. Whatever does not fit is found here, before it is in the log for ever.
fn speculate(
    image: &Image,
    records: &[MetadataRecord],
    epoch: i32,
    next_offset: i64,
) -> Result<Image, ControllerError> {
    if records.is_empty() {
        return Ok(image.clone());
    }
    let mut builder = ImageBuilder::new(image);
    for record in records {
        builder.apply(record.clone())?;
    }
    let timestamp_ms = image.provenance().timestamp_ms;
    let provenance = Provenance { offset: next_offset + records.len() as i64 - 1, epoch, timestamp_ms };
    Ok(builder.finish(provenance)?)
}
