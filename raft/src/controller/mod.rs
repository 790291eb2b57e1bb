//! The controller: decides every change of cluster truth.
//!
//! Each operation is a pure function from the image, the request and the time to records and an answer, one file each. A single task
//! ([`ControllerTask`]) calls them one after the other on the node that leads the metadata quorum. Operations that wait together are
//! decided on an image that already contains those before them, and are written as one batch, so that a hundred topics cost one fsync and not
//! a hundred. Nothing of that image is shown: an answer is given when its records are committed and applied, and whatever was not committed is
//! forgotten.

mod assign_directories;
mod assignment;
mod client_quotas;
mod configs;
mod create_partitions;
mod create_topics;
mod delete_topics;
mod elect_leaders;
mod features;
mod heartbeat;
mod leadership;
mod mutation_quota;
mod partition_change;
mod placement;
mod plan;
mod producer_ids;
mod propose;
mod random;
mod reassignment;
mod registration;
mod sessions;
mod task;
mod topic_name;
mod unregister_broker;
mod update_features;

pub use assign_directories::ReplicaDirectory;
pub use client_quotas::{QuotaAlteration, QuotaResults};
pub use configs::{ConfigChange, ConfigOp, ConfigResults};
pub use create_partitions::NewPartitions;
pub use create_topics::{CreatedTopic, NewTopic, TopicResults};
pub use delete_topics::{DeletedTopic, TopicRef};
pub use elect_leaders::{ElectionResults, ElectionType};
pub use features::{METADATA_VERSION, bootstrap_records, supported_features};
pub use heartbeat::{BrokerHeartbeat, HeartbeatReply};
pub use mutation_quota::{MutationQuota, ThrottlingQuotaExceeded, Unlimited};
pub use plan::{
    ConfigRules, ConfigRulesHandle, ControllerConfig, MAX_RECORDS_PER_BATCH, MIN_IN_SYNC_REPLICAS_CONFIG,
    UNCLEAN_LEADER_ELECTION_CONFIG,
};
pub use producer_ids::PRODUCER_ID_BLOCK_SIZE;
pub use propose::{Leadership, Propose, ProposeError, Proposed};
pub use random::{Randomness, Seeded};
pub use reassignment::{OngoingReassignment, Reassignment, ongoing_reassignments};
pub use registration::{RegisterBroker, RegisterController};
pub use task::ControllerTask;
pub use topic_name::check as check_topic_name;
pub use update_features::{FeatureUpdate, UpgradeType};

use crate::error::{ControllerError, DirectoryError, FeatureError, ReassignmentError};
use crate::image::ConfigResource;
use plan::{Plan, Situation};
use std::ops::Range;
use std::sync::Arc;
use task::{Operation, Request};
use tokio::sync::{mpsc, oneshot};

/// Operations that may wait for the controller; more make their callers wait.
const QUEUE_CAPACITY: usize = 1_024;

/// A handle to the controller of this node. Cheap to clone.
///
/// Every method waits until the operation is committed and applied on this node, so that the image contains it when the answer comes. They
/// fail with [`ControllerError::Quorum`] where this node does not lead. Times are in ms since the epoch.
///
/// # Cancel safety
/// Dropping a method's future does not undo the operation: once queued it is carried out.
#[derive(Clone)]
pub struct Controller {
    operations: mpsc::Sender<Box<dyn Operation>>,
}

impl Controller {
    /// The controller over `quorum`, and the task that must run for it.
    pub fn new<P: Propose>(
        quorum: Arc<P>,
        config: ControllerConfig,
        random: Box<dyn Randomness>,
    ) -> (Self, ControllerTask<P>) {
        let (sender, operations) = mpsc::channel(QUEUE_CAPACITY);
        let task = ControllerTask { quorum, operations, config, random, sessions: sessions::Sessions::default() };
        (Self { operations: sender }, task)
    }

    /// Registers a broker, fenced, and answers its broker epoch.
    ///
    /// # Errors
    /// [`ControllerError::Registration`] if it may not register.
    pub async fn register_broker(&self, request: RegisterBroker, now_ms: i64) -> Result<i64, ControllerError> {
        self.call(move |situation| registration::register_broker(situation, &request, now_ms)).await
    }

    /// Registers a controller.
    ///
    /// # Errors
    /// Where this node does not lead.
    pub async fn register_controller(&self, request: RegisterController) -> Result<(), ControllerError> {
        self.call(move |_| registration::register_controller(&request)).await
    }

    /// Takes a broker's sign of life, and lets it serve, leave or stop as it wants and may.
    ///
    /// # Errors
    /// [`ControllerError::BrokerEpoch`] if the broker is not registered, or again since.
    pub async fn heartbeat(&self, request: BrokerHeartbeat, now_ms: i64) -> Result<HeartbeatReply, ControllerError> {
        self.call(move |situation| heartbeat::heartbeat(situation, &request, now_ms)).await
    }

    /// Fences one broker whose session has ended, if there is one, and answers its id. To be called every now and then,
    /// and again at once while it answers an id.
    ///
    /// # Errors
    /// Where this node does not lead.
    pub async fn fence_expired(&self, now_ms: i64) -> Result<Option<i32>, ControllerError> {
        self.call(move |situation| heartbeat::fence_expired(situation, now_ms)).await
    }

    /// Creates topics as far as `quota` allows, or only says what would become of them.
    ///
    /// # Errors
    /// [`ControllerError::ExcessivePartitions`], [`ControllerError::ExcessiveBatch`] if they are too many; what is wrong with
    /// one topic is in its result.
    pub async fn create_topics(
        &self,
        topics: Vec<NewTopic>,
        validate_only: bool,
        quota: Arc<dyn MutationQuota>,
    ) -> Result<TopicResults<CreatedTopic>, ControllerError> {
        self.call(move |situation| create_topics::create_topics(situation, &topics, validate_only, &*quota)).await
    }

    /// Deletes topics as far as `quota` allows.
    ///
    /// # Errors
    /// [`ControllerError::ExcessiveBatch`] if they are too many; what is wrong with one topic is in its result.
    pub async fn delete_topics(
        &self,
        topics: Vec<TopicRef>,
        quota: Arc<dyn MutationQuota>,
    ) -> Result<Vec<DeletedTopic>, ControllerError> {
        self.call(move |situation| delete_topics::delete_topics(situation, &topics, &*quota)).await
    }

    /// Adds partitions to topics as far as `quota` allows, or only says what would become of them.
    ///
    /// # Errors
    /// [`ControllerError::ExcessiveBatch`] if they are too many; what is wrong with one topic is in its result.
    pub async fn create_partitions(
        &self,
        topics: Vec<NewPartitions>,
        validate_only: bool,
        quota: Arc<dyn MutationQuota>,
    ) -> Result<TopicResults<()>, ControllerError> {
        self.call(move |situation| create_partitions::create_partitions(situation, &topics, validate_only, &*quota))
            .await
    }

    /// Changes quotas of clients, or only says what would become of them.
    ///
    /// # Errors
    /// [`ControllerError::ExcessiveBatch`] if they are too many; what is wrong with one entity is in its result.
    pub async fn alter_client_quotas(
        &self,
        alterations: Vec<QuotaAlteration>,
        validate_only: bool,
    ) -> Result<QuotaResults, ControllerError> {
        self.call(move |situation| client_quotas::alter_client_quotas(situation, &alterations, validate_only)).await
    }

    /// Changes configurations, or only says what would become of them.
    ///
    /// # Errors
    /// [`ControllerError::ExcessiveBatch`] if they are too many; what is wrong with one resource is in its result.
    pub async fn alter_configs(
        &self,
        changes: Vec<(ConfigResource, ConfigChange)>,
        validate_only: bool,
    ) -> Result<ConfigResults, ControllerError> {
        self.call(move |situation| configs::alter_configs(situation, &changes, validate_only)).await
    }

    /// Elects leaders of `partitions`, or of all.
    ///
    /// # Errors
    /// Where this node does not lead; what is wrong with one partition is in its result.
    pub async fn elect_leaders(
        &self,
        election: ElectionType,
        partitions: Option<Vec<(Arc<str>, Vec<i32>)>>,
    ) -> Result<ElectionResults, ControllerError> {
        self.call(move |situation| elect_leaders::elect_leaders(situation, election, partitions.as_deref())).await
    }

    /// Gives partitions other replicas, or takes that back. The results are in the order of the request.
    ///
    /// # Errors
    /// [`ControllerError::ExcessiveBatch`] if they are too many; what is wrong with one partition is in its result.
    pub async fn alter_reassignments(
        &self,
        reassignments: Vec<Reassignment>,
        allow_replication_factor_change: bool,
    ) -> Result<Vec<Result<(), ReassignmentError>>, ControllerError> {
        let allow = allow_replication_factor_change;
        self.call(move |situation| reassignment::alter_reassignments(situation, &reassignments, allow)).await
    }

    /// Changes the levels of features, all or none, or only says whether it would; `node_id` is this controller's.
    ///
    /// # Errors
    /// Where this node does not lead; what is wrong with the first feature that is refused is in the result.
    pub async fn update_features(
        &self,
        node_id: i32,
        updates: Vec<FeatureUpdate>,
        validate_only: bool,
    ) -> Result<Result<(), FeatureError>, ControllerError> {
        self.call(move |situation| update_features::update_features(situation, node_id, &updates, validate_only)).await
    }

    /// Takes a broker out of the cluster, until it registers again.
    ///
    /// # Errors
    /// [`ControllerError::BrokerEpoch`] if it is not registered.
    pub async fn unregister_broker(&self, broker_id: i32) -> Result<(), ControllerError> {
        self.call(move |situation| unregister_broker::unregister_broker(situation, broker_id)).await
    }

    /// Notes in which log directories replicas of a broker are. The results are in the order of the request.
    ///
    /// # Errors
    /// [`ControllerError::BrokerEpoch`] if the broker is not registered, or again since; what is wrong with one replica is in
    /// its result.
    pub async fn assign_directories(
        &self,
        broker_id: i32,
        broker_epoch: i64,
        replicas: Vec<ReplicaDirectory>,
    ) -> Result<Vec<Result<(), DirectoryError>>, ControllerError> {
        let assign = move |situation: &mut Situation<'_>| {
            assign_directories::assign_directories(situation, broker_id, broker_epoch, &replicas)
        };
        self.call(assign).await
    }

    /// Gives a broker a block of [`PRODUCER_ID_BLOCK_SIZE`] producer ids that nobody else ever gets.
    ///
    /// # Errors
    /// [`ControllerError::BrokerEpoch`] if the broker is not registered, or again since.
    pub async fn allocate_producer_ids(
        &self,
        broker_id: i32,
        broker_epoch: i64,
    ) -> Result<Range<i64>, ControllerError> {
        self.call(move |situation| producer_ids::allocate_producer_ids(situation, broker_id, broker_epoch)).await
    }

    async fn call<T: Send + 'static>(
        &self,
        decide: impl FnMut(&mut Situation<'_>) -> Result<Plan<T>, ControllerError> + Send + 'static,
    ) -> Result<T, ControllerError> {
        let (reply, answer) = oneshot::channel();
        let stopped = || ControllerError::Quorum(ProposeError::Stopped);
        self.operations.send(Box::new(Request::new(decide, reply))).await.map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }
}

#[cfg(test)]
mod tests;
