//! How a topic of the broker's own comes into being.

use std::sync::Arc;

use raft::controller::{Controller, NewTopic, Unlimited};
use raft::error::{ControllerError, TopicError};
use raft::image::Image;

/// The replication factor that is wanted, or as many as there are live brokers if those are fewer.
pub(crate) fn replication_factor(wanted: i16, image: &Image) -> i16 {
    let live = image.brokers().values().filter(|broker| !broker.fenced).count();
    wanted.min(i16::try_from(live).unwrap_or(i16::MAX)).max(1)
}

/// Creates the topic unless it is there. Returns when the controller has committed it.
///
/// # Errors
/// The controller is not to be had, or refuses.
pub(crate) async fn create(controller: &Controller, topic: NewTopic) -> Result<(), CreateTopicError> {
    for (_, result) in controller.create_topics(vec![topic], false, Arc::new(Unlimited)).await? {
        match result {
            // Somebody else was faster.
            Ok(_) | Err(TopicError::AlreadyExists(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Why the topic was not created.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CreateTopicError {
    #[error(transparent)]
    Controller(#[from] ControllerError),
    #[error(transparent)]
    Topic(#[from] TopicError),
}
