//! Replays records onto an image. Replay is the only thing that changes cluster truth.

use super::{
    BrokerRegistration, ConfigResource, ControllerRegistration, Image, KRAFT_VERSION_FEATURE, METADATA_VERSION_FEATURE,
    PartitionImage, Provenance, TopicImage,
};
use crate::error::ReplayError;
use protocol::ids::Uuid;
use protocol::metadata_record::{
    BrokerRegistrationChangeRecord, ClearElrRecord, FeatureLevelRecord, MetadataRecord, PartitionChangeRecord,
    PartitionRecord, TopicRecord,
};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The next image in the making: records go in, [`ImageBuilder::finish`] gives the image.
#[derive(Debug)]
pub struct ImageBuilder {
    image: Image,
    /// Topics that this builder changed. They live here until the end, so that a topic's ten thousand partitions are copied
    /// once and not ten thousand times.
    topics: BTreeMap<Uuid, TopicImage>,
    /// The state to return to if the open transaction is aborted.
    before_transaction: Option<Box<(Image, BTreeMap<Uuid, TopicImage>)>>,
}

impl ImageBuilder {
    /// Starts from `base`.
    #[must_use]
    pub fn new(base: &Image) -> Self {
        Self { image: base.clone(), topics: BTreeMap::new(), before_transaction: None }
    }

    /// Replays one record.
    ///
    /// # Errors
    /// If the record does not fit the state: it names something unknown, or has a value that nothing means. The log or
    /// this program is then wrong, and the builder must be thrown away: nothing is ever skipped.
    pub fn apply(&mut self, record: MetadataRecord) -> Result<(), ReplayError> {
        use MetadataRecord as Record;
        let image = &mut self.image;
        match record {
            Record::RegisterBroker(record) => {
                image.brokers.insert(record.broker_id, Arc::new(BrokerRegistration::from_record(record)));
            }
            Record::UnregisterBroker(record) => {
                image.brokers.remove(&record.broker_id);
            }
            Record::RegisterController(record) => {
                image.controllers.insert(record.controller_id, Arc::new(ControllerRegistration::from_record(record)));
            }
            Record::Topic(record) => self.create_topic(record)?,
            Record::Partition(record) => self.set_partition(&record)?,
            Record::PartitionChange(record) => self.change_partition(&record)?,
            Record::RemoveTopic(record) => self.remove_topic(record.topic_id)?,
            Record::ClearElr(record) => self.clear_elr(&record)?,
            Record::Config(record) => image.configs.apply(record)?,
            Record::FenceBroker(record) => self.change_broker(&fencing(record.id, record.epoch, 1))?,
            Record::UnfenceBroker(record) => self.change_broker(&fencing(record.id, record.epoch, -1))?,
            Record::BrokerRegistrationChange(record) => self.change_broker(&record)?,
            Record::FeatureLevel(record) => self.set_feature(record)?,
            Record::ClientQuota(record) => image.client_quotas.apply(record),
            Record::ProducerIds(record) => image.next_producer_id = Some(record.next_producer_id),
            Record::DelegationToken(record) => {
                image.security.tokens.insert(record.token_id.clone(), Arc::new(record));
            }
            Record::RemoveDelegationToken(record) => {
                image.security.tokens.remove(&record.token_id);
            }
            Record::UserScramCredential(record) => image.security.set_scram_credential(record),
            Record::RemoveUserScramCredential(record) => {
                image.security.scram.remove(&(record.mechanism, record.name));
            }
            Record::AccessControlEntry(record) => {
                image.security.acls.insert(record.id, Arc::new(record));
            }
            Record::RemoveAccessControlEntry(record) => {
                image.security.acls.remove(&record.id);
            }
            Record::BeginTransaction(_) => self.begin_transaction()?,
            Record::EndTransaction(_) => {
                self.before_transaction.take().ok_or(ReplayError::NoTransaction)?;
            }
            Record::AbortTransaction(_) => self.abort_transaction()?,
            Record::NoOp(_) | Record::ZkMigrationState(_) => {}
        }
        Ok(())
    }

    /// The image with every record applied.
    ///
    /// # Errors
    /// [`ReplayError::OpenTransaction`] if a transaction was begun and not ended. A batch is atomic as it is, so one that is
    /// left open by its batch is not from this program.
    pub fn finish(mut self, provenance: Provenance) -> Result<Image, ReplayError> {
        if self.before_transaction.is_some() {
            return Err(ReplayError::OpenTransaction);
        }
        for (_, mut topic) in self.topics {
            topic.shrink();
            self.image.topics.insert(Arc::new(topic));
        }
        self.image.provenance = provenance;
        Ok(self.image)
    }

    /// The topic, taken out of the image for change.
    fn topic_mut(&mut self, id: Uuid) -> Result<&mut TopicImage, ReplayError> {
        use std::collections::btree_map::Entry;
        match self.topics.entry(id) {
            Entry::Occupied(entry) => Ok(entry.into_mut()),
            Entry::Vacant(entry) => {
                let topic = self.image.topics.by_id(id).ok_or(ReplayError::UnknownTopic(id))?;
                Ok(entry.insert((**topic).clone()))
            }
        }
    }

    fn create_topic(&mut self, record: TopicRecord) -> Result<(), ReplayError> {
        let topics = &self.image.topics;
        if topics.by_id(record.topic_id).is_some() || topics.by_name(&record.name).is_some() {
            return Err(ReplayError::TopicExists { name: record.name, id: record.topic_id });
        }
        let topic = TopicImage::new(record.name, record.topic_id);
        self.image.topics.insert(Arc::new(topic.clone()));
        self.topics.insert(record.topic_id, topic);
        Ok(())
    }

    fn set_partition(&mut self, record: &PartitionRecord) -> Result<(), ReplayError> {
        let partition = PartitionImage::from_record(record)?;
        let topic = self.topic_mut(record.topic_id)?;
        if topic.set_partition(record.partition_id, partition) {
            return Ok(());
        }
        Err(ReplayError::PartitionGap {
            topic: topic.name().clone(),
            partition: record.partition_id,
            count: topic.partition_count(),
        })
    }

    fn change_partition(&mut self, record: &PartitionChangeRecord) -> Result<(), ReplayError> {
        let topic = self.topic_mut(record.topic_id)?;
        let index = record.partition_id;
        let Some(partition) = topic.partition(index) else {
            return Err(ReplayError::UnknownPartition { topic: topic.name().clone(), partition: index });
        };
        let changed = partition.merge(record)?;
        topic.set_partition(index, changed);
        Ok(())
    }

    fn remove_topic(&mut self, id: Uuid) -> Result<(), ReplayError> {
        self.topics.remove(&id);
        let topic = self.image.topics.remove(id).ok_or(ReplayError::UnknownTopic(id))?;
        self.image.configs.remove(&ConfigResource::topic(topic.name().clone()));
        Ok(())
    }

    fn clear_elr(&mut self, record: &ClearElrRecord) -> Result<(), ReplayError> {
        let topics = &self.image.topics;
        let ids: Vec<Uuid> = if record.topic_name.is_empty() {
            topics.by_id.keys().copied().collect()
        } else {
            let unknown = || ReplayError::UnknownTopicName(record.topic_name.clone());
            vec![topics.by_name(&record.topic_name).ok_or_else(unknown)?.id()]
        };
        ids.into_iter().try_for_each(|id| self.clear_elr_of(id))
    }

    fn clear_elr_of(&mut self, id: Uuid) -> Result<(), ReplayError> {
        let topic = self.topic_mut(id)?;
        for index in 0..topic.partition_count() as i32 {
            let cleared = topic.partition(index).map(|partition| partition.without_elr(id, index)).transpose()?;
            if let Some(cleared) = cleared.flatten() {
                topic.set_partition(index, cleared);
            }
        }
        Ok(())
    }

    fn change_broker(&mut self, record: &BrokerRegistrationChangeRecord) -> Result<(), ReplayError> {
        let id = record.broker_id;
        let broker = self.image.brokers.get_mut(&id).ok_or(ReplayError::UnknownBroker(id))?;
        if broker.epoch != record.broker_epoch {
            return Err(ReplayError::BrokerEpoch { id, expected: broker.epoch, found: record.broker_epoch });
        }
        Arc::make_mut(broker).change(record)
    }

    fn set_feature(&mut self, record: FeatureLevelRecord) -> Result<(), ReplayError> {
        let FeatureLevelRecord { name, feature_level: level } = record;
        if &*name == KRAFT_VERSION_FEATURE {
            return Ok(());
        }
        if level < 0 || (level == 0 && &*name == METADATA_VERSION_FEATURE) {
            return Err(ReplayError::InvalidValue { field: "feature_level", value: level.into() });
        }
        if level == 0 {
            self.image.features.remove(&name);
        } else {
            self.image.features.insert(name, level);
        }
        Ok(())
    }

    fn begin_transaction(&mut self) -> Result<(), ReplayError> {
        if self.before_transaction.is_some() {
            return Err(ReplayError::OpenTransaction);
        }
        self.before_transaction = Some(Box::new((self.image.clone(), self.topics.clone())));
        Ok(())
    }

    fn abort_transaction(&mut self) -> Result<(), ReplayError> {
        let before = self.before_transaction.take().ok_or(ReplayError::NoTransaction)?;
        (self.image, self.topics) = *before;
        Ok(())
    }
}

fn fencing(broker_id: i32, broker_epoch: i64, fenced: i8) -> BrokerRegistrationChangeRecord {
    BrokerRegistrationChangeRecord { broker_id, broker_epoch, fenced, ..Default::default() }
}
