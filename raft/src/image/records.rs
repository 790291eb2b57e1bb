//! An image as records: what a snapshot of the metadata log holds.

use super::{Image, METADATA_VERSION_FEATURE};
use protocol::metadata_record::{
    ClientQuotaRecord, ConfigRecord, EntityData, FeatureLevelRecord, MetadataRecord, ProducerIdsRecord, TopicRecord,
};
use std::sync::Arc;

impl Image {
    /// The records whose replay onto an empty image gives this one, in the order of Kafka's snapshots: features with
    /// `metadata.version` first, brokers, controllers, topics with their partitions, configurations, quotas, producer ids, security.
    pub fn records(&self) -> impl Iterator<Item = MetadataRecord> {
        self.feature_records()
            .chain(self.brokers.values().map(|broker| broker.to_record().into()))
            .chain(self.controllers.values().map(|controller| controller.to_record().into()))
            .chain(self.topic_records())
            .chain(self.config_records())
            .chain(self.quota_records())
            .chain(self.producer_id_record())
            .chain(self.security.acls.values().map(|entry| (**entry).clone().into()))
            .chain(self.security.scram.values().map(|credential| (**credential).clone().into()))
            .chain(self.security.tokens.values().map(|token| (**token).clone().into()))
    }

    fn feature_records(&self) -> impl Iterator<Item = MetadataRecord> {
        let record =
            |(name, level): (&Arc<str>, &i16)| FeatureLevelRecord { name: name.clone(), feature_level: *level }.into();
        let is_first = |(name, _): &(&Arc<str>, &i16)| &***name == METADATA_VERSION_FEATURE;
        let first = self.features.iter().filter(is_first).map(record);
        first.chain(self.features.iter().filter(move |feature| !is_first(feature)).map(record))
    }

    fn topic_records(&self) -> impl Iterator<Item = MetadataRecord> {
        self.topics.by_id.values().flat_map(|topic| {
            let id = topic.id();
            let record = TopicRecord { name: topic.name().clone(), topic_id: id };
            let partitions = topic.partitions().map(move |(index, partition)| partition.to_record(id, index).into());
            std::iter::once(record.into()).chain(partitions)
        })
    }

    fn config_records(&self) -> impl Iterator<Item = MetadataRecord> {
        self.configs.iter().flat_map(|(resource, values)| {
            values.iter().map(|(name, value)| {
                let record = ConfigRecord {
                    resource_type: resource.resource_type.id(),
                    resource_name: resource.name.clone(),
                    name: name.clone(),
                    value: Some(value.clone()),
                };
                record.into()
            })
        })
    }

    fn quota_records(&self) -> impl Iterator<Item = MetadataRecord> {
        self.client_quotas.iter().flat_map(|(entity, quotas)| {
            quotas.iter().map(|(key, value)| {
                let part = |(entity_type, entity_name): (&Arc<str>, &Option<Arc<str>>)| EntityData {
                    entity_type: entity_type.clone(),
                    entity_name: entity_name.clone(),
                };
                let entity = entity.iter().map(part).collect();
                ClientQuotaRecord { entity, key: key.clone(), value: *value, remove: false }.into()
            })
        })
    }

    fn producer_id_record(&self) -> Option<MetadataRecord> {
        let record = |next_producer_id| ProducerIdsRecord { broker_id: -1, broker_epoch: -1, next_producer_id };
        self.next_producer_id.map(record).map(Into::into)
    }
}
