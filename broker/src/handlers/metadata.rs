//! Metadata (key 3), versions 0–13.
//!
//! Behaviour: topics by name or, from v12, by id, with brokers where the connection's own listener is. A topic that does not
//! exist is created if the client and `auto.create.topics.enable` allow it. Other than Apache Kafka, which answers
//! UNKNOWN_TOPIC_OR_PARTITION until the client asks again, the answer waits for the creation and has the topic in it.
//! Versions: v0 an empty list is all topics · v1 null is all, empty none; controller, racks · v2 cluster id · v4 auto-creation
//! can be declined · v5 offline replicas · v6 LISTENER_NOT_FOUND · v7 leader epoch · v8 authorized operations · v9 flexible ·
//! v10 topic ids are answered · v12 and asked for · v13 error code.
//! Source: MetadataRequest.json, `KafkaApis.handleTopicMetadataRequest`, `KRaftMetadataCache`, `DefaultAutoTopicCreationManager`.

use std::collections::HashSet;
use std::sync::Arc;

use protocol::error_code::{ErrorCode, NONE};
use protocol::ids::Uuid;
use protocol::messages::metadata_response::{MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic};
use protocol::messages::{MetadataRequest, MetadataResponse};
use raft::controller::{NewTopic, check_topic_name};
use raft::image::{Image, PartitionImage, TopicImage};

use super::describe_cluster::CLUSTER_OPERATIONS;
use super::describe_topic_partitions::TOPIC_OPERATIONS;
use super::text::{broker_ids, str_bytes, topic_name};
use super::{Reply, RequestContext};
use crate::group::{self, OFFSETS_TOPIC};
use crate::metadata_cache::{self, Leader};

const FIRST_VERSION_BY_ID: i16 = 12;
const NO_LEADER: i32 = -1;

/// What a request asks for.
enum Asked {
    All,
    Names(Vec<Arc<str>>),
    Ids(Vec<Uuid>),
}

pub(super) fn handle(context: RequestContext, request: MetadataRequest) -> Reply<MetadataResponse> {
    let asked = match asked(&request, context.api_version) {
        Ok(asked) => asked,
        Err(refused) => return Reply::Now(refused),
    };
    let missing = missing_topics(&context, &request, &asked);
    if missing.is_empty() {
        let response = respond(&context, &request, &asked);
        return Reply::Now(response);
    }
    Reply::Later(Box::pin(async move {
        create(&context, missing).await;
        respond(&context, &request, &asked)
    }))
}

fn asked(request: &MetadataRequest, version: i16) -> Result<Asked, MetadataResponse> {
    let Some(topics) = request.topics.as_ref().filter(|topics| version > 0 || !topics.is_empty()) else {
        return Ok(Asked::All);
    };
    let needs_ids = topics.iter().any(|topic| topic.name.is_none() || !topic.topic_id.is_nil());
    if needs_ids && version < FIRST_VERSION_BY_ID {
        return Err(invalid_request(request));
    }
    let mut ids: Vec<_> = topics.iter().map(|topic| topic.topic_id).filter(|id| !id.is_nil()).collect();
    if !ids.is_empty() {
        let mut seen = HashSet::new();
        ids.retain(|id| seen.insert(*id));
        return Ok(Asked::Ids(ids));
    }
    let mut seen = HashSet::new();
    let names = topics.iter().filter_map(|topic| topic.name.as_ref());
    Ok(Asked::Names(names.filter(|name| seen.insert(name.as_str())).map(|name| Arc::from(name.as_str())).collect()))
}

fn invalid_request(request: &MetadataRequest) -> MetadataResponse {
    let topics = request.topics.iter().flatten().map(|topic| {
        MetadataResponseTopic::default()
            .with_error_code(ErrorCode::InvalidRequest.code())
            .with_name(Some(topic.name.clone().unwrap_or_default()))
            .with_topic_id(topic.topic_id)
    });
    MetadataResponse::default().with_topics(topics.collect())
}

/// Topics to create: named, absent, with a name that is allowed.
fn missing_topics(context: &RequestContext, request: &MetadataRequest, asked: &Asked) -> Vec<Arc<str>> {
    let allowed = request.allow_auto_topic_creation || context.api_version < 4;
    let Asked::Names(names) = asked else { return Vec::new() };
    if !(allowed && context.services.settings.auto_create_topics) {
        return Vec::new();
    }
    let image = context.services.metadata.image();
    let is_missing = |name: &&Arc<str>| image.topics().by_name(name).is_none() && check_topic_name(name).is_ok();
    names.iter().filter(is_missing).cloned().collect()
}

async fn create(context: &RequestContext, names: Vec<Arc<str>>) {
    let image = context.services.metadata.image().clone();
    // The topic of the groups has settings of its own, whoever asks for it first (`AutoTopicCreationManager`).
    let new_topic = |name: Arc<str>| match &*name {
        OFFSETS_TOPIC => group::new_topic(&context.services.groups.config().topic, &image),
        _ => NewTopic::new(name),
    };
    let topics = names.into_iter().map(new_topic).collect();
    // As if the client had asked for the topics itself: what its quota does not allow is not there yet.
    let quota = context.mutations(0);
    match context.services.controller.create_topics(topics, false, quota).await {
        Ok(results) => {
            for (topic, result) in results {
                if let Err(error) = result {
                    tracing::debug!(%topic, %error, "topic not created automatically");
                }
            }
        }
        Err(error) => tracing::warn!(%error, "topics not created automatically"),
    }
    context.services.caught_up().await;
}

fn respond(context: &RequestContext, request: &MetadataRequest, asked: &Asked) -> MetadataResponse {
    let services = &context.services;
    let image = services.metadata.image();
    let view = View { image: &image, listener: &context.listener, version: context.api_version };
    let topics = match asked {
        Asked::All => image.topics().iter().map(|topic| view.topic(topic)).collect(),
        Asked::Names(names) => names.iter().map(|name| view.topic_by_name(name)).collect(),
        Asked::Ids(ids) => ids.iter().map(|id| view.topic_by_id(*id)).collect(),
    };
    let mut response = MetadataResponse::default()
        .with_brokers(view.brokers())
        .with_cluster_id(Some(str_bytes(&services.cluster_id)))
        .with_controller_id(metadata_cache::controller_id(&image).into())
        .with_topics(topics);
    if request.include_cluster_authorized_operations {
        response.cluster_authorized_operations = CLUSTER_OPERATIONS;
    }
    if request.include_topic_authorized_operations {
        for topic in response.topics.iter_mut().filter(|topic| topic.error_code == NONE) {
            topic.topic_authorized_operations = TOPIC_OPERATIONS;
        }
    }
    response
}

/// The cluster, as one client sees it.
struct View<'a> {
    image: &'a Image,
    listener: &'a str,
    version: i16,
}

impl View<'_> {
    fn brokers(&self) -> Vec<MetadataResponseBroker> {
        let broker = metadata_cache::alive_brokers(self.image, self.listener).map(|(broker, endpoint)| {
            MetadataResponseBroker::default()
                .with_node_id(broker.id.into())
                .with_host(str_bytes(&endpoint.host))
                .with_port(endpoint.port.into())
                .with_rack(broker.rack.as_deref().map(str_bytes))
        });
        broker.collect()
    }

    fn topic_by_name(&self, name: &str) -> MetadataResponseTopic {
        if let Some(topic) = self.image.topics().by_name(name) {
            return self.topic(topic);
        }
        let code = match check_topic_name(name) {
            Ok(()) => ErrorCode::UnknownTopicOrPartition,
            Err(_) => ErrorCode::InvalidTopicException,
        };
        MetadataResponseTopic::default()
            .with_error_code(code.code())
            .with_name(Some(topic_name(name)))
            .with_is_internal(metadata_cache::is_internal(name))
    }

    fn topic_by_id(&self, id: Uuid) -> MetadataResponseTopic {
        match self.image.topics().by_id(id) {
            Some(topic) => self.topic(topic),
            None => MetadataResponseTopic::default()
                .with_error_code(ErrorCode::UnknownTopicId.code())
                .with_name(None)
                .with_topic_id(id),
        }
    }

    fn topic(&self, topic: &TopicImage) -> MetadataResponseTopic {
        MetadataResponseTopic::default()
            .with_name(Some(topic_name(topic.name())))
            .with_topic_id(topic.id())
            .with_is_internal(metadata_cache::is_internal(topic.name()))
            .with_partitions(topic.partitions().map(|(index, partition)| self.partition(index, partition)).collect())
    }

    fn partition(&self, index: i32, partition: &PartitionImage) -> MetadataResponsePartition {
        let (replicas, isr) = (self.reachable(partition.replicas()), self.reachable(partition.isr()));
        let is_incomplete = replicas.len() < partition.replicas().len() || isr.len() < partition.isr().len();
        let (code, leader) = match metadata_cache::leader(self.image, partition, self.listener) {
            Leader::Reachable(leader) if is_incomplete => (ErrorCode::ReplicaNotAvailable.code(), leader),
            Leader::Reachable(leader) => (NONE, leader),
            Leader::WithoutListener if self.version >= 6 => (ErrorCode::ListenerNotFound.code(), NO_LEADER),
            Leader::WithoutListener | Leader::None => (ErrorCode::LeaderNotAvailable.code(), NO_LEADER),
        };
        MetadataResponsePartition::default()
            .with_error_code(code)
            .with_partition_index(index)
            .with_leader_id(leader.into())
            .with_leader_epoch(partition.leader_epoch())
            .with_replica_nodes(broker_ids(&replicas))
            .with_isr_nodes(broker_ids(&isr))
            .with_offline_replicas(broker_ids(&metadata_cache::offline_replicas(self.image, partition, self.listener)))
    }

    /// Version 0 leaves out brokers that the client cannot reach.
    fn reachable(&self, ids: &[i32]) -> Vec<i32> {
        let is_reachable =
            |id: &i32| self.image.broker(*id).is_some_and(|broker| broker.endpoint(self.listener).is_some());
        ids.iter().copied().filter(|id| self.version > 0 || is_reachable(id)).collect()
    }
}
