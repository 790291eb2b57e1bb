//! Topics go (`ControllerApis.deleteTopics`, `ReplicationControlManager.deleteTopics`).

use super::create_topics::duplicates;
use super::mutation_quota::MutationQuota;
use super::plan::{Plan, Situation};
use crate::error::{ControllerError, InvalidRequest, TopicError};
use protocol::ids::Uuid;
use protocol::metadata_record::{MetadataRecord, RemoveTopicRecord};
use std::collections::BTreeSet;
use std::sync::Arc;

/// How a request names a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TopicRef {
    /// By name.
    Name(Arc<str>),
    /// By id.
    Id(Uuid),
}

/// What became of a topic that was to be deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeletedTopic {
    /// Its name; `None` when only an id was given that no topic has, or that was given twice.
    pub name: Option<Arc<str>>,
    /// Its id; [`Uuid::nil`] when only a name was given that no topic has, or that was given twice.
    pub id: Uuid,
    /// Whether it is gone.
    pub result: Result<(), TopicError>,
}

/// Deletes topics. Each topic fails or succeeds alone; all that succeed are written together. What stands in the request more than
/// once is refused, with one answer.
pub(super) fn delete_topics(
    situation: &Situation<'_>,
    topics: &[TopicRef],
    quota: &dyn MutationQuota,
) -> Result<Plan<Vec<DeletedTopic>>, ControllerError> {
    quota.begin();
    let names = || topics.iter().filter_map(|topic| if let TopicRef::Name(name) = topic { Some(name) } else { None });
    let ids = || topics.iter().filter_map(|topic| if let TopicRef::Id(id) = topic { Some(*id) } else { None });
    let duplicate_names = duplicates(names());
    let mut seen = BTreeSet::new();
    let mut duplicate_ids: BTreeSet<Uuid> = ids().filter(|id| !seen.insert(*id)).collect();

    let refused = |name: Option<&Arc<str>>, id, error: InvalidRequest| DeletedTopic {
        name: name.cloned(),
        id,
        result: Err(error.into()),
    };
    let of_name = |name| refused(Some(name), Uuid::nil(), InvalidRequest::DuplicateName);
    let mut answers: Vec<DeletedTopic> = duplicate_names.iter().map(of_name).collect();
    answers.extend(duplicate_ids.iter().map(|id| refused(None, *id, InvalidRequest::DuplicateId)));

    let mut found: Vec<(Arc<str>, Uuid)> = Vec::new();
    for id in ids().filter(|id| !duplicate_ids.contains(id)) {
        match situation.image.topics().by_id(id) {
            Some(topic) => found.push((topic.name().clone(), id)),
            None => answers.push(DeletedTopic { name: None, id, result: Err(TopicError::UnknownTopicId) }),
        }
    }
    for name in names().filter(|name| !duplicate_names.contains(*name)) {
        let Some(topic) = situation.image.topics().by_name(name) else {
            let result = Err(TopicError::UnknownTopic);
            answers.push(DeletedTopic { name: Some(name.clone()), id: Uuid::nil(), result });
            continue;
        };
        let id = topic.id();
        if duplicate_ids.contains(&id) || found.iter().any(|(_, other)| *other == id) {
            duplicate_ids.insert(id);
            found.retain(|(_, other)| *other != id);
            answers.push(refused(Some(name), id, InvalidRequest::NameOfSuppliedId));
        } else {
            found.push((name.clone(), id));
        }
    }
    let (records, removed) = remove(situation, found, quota);
    answers.extend(removed);
    Plan::atomic(records, answers)
}

fn remove(
    situation: &Situation<'_>,
    topics: Vec<(Arc<str>, Uuid)>,
    quota: &dyn MutationQuota,
) -> (Vec<MetadataRecord>, Vec<DeletedTopic>) {
    let mut records: Vec<MetadataRecord> = Vec::new();
    let mut answers = Vec::new();
    for (name, id) in topics {
        let partitions = situation.image.topics().by_id(id).map_or(0, |topic| topic.partition_count());
        let result = quota.record(partitions).map_err(TopicError::from);
        if result.is_ok() {
            records.push(RemoveTopicRecord { topic_id: id }.into());
        }
        answers.push(DeletedTopic { name: Some(name), id, result });
    }
    (records, answers)
}
