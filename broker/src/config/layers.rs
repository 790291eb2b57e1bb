//! A broker key's value in its layers, strongest first: this broker's in the cluster, every broker's in the cluster, the file and
//! the command line, Kafka's default. Source: `DynamicBrokerConfig`, `ConfigHelper.configSynonyms`.

use std::collections::BTreeMap;

use raft::image::{ConfigResource, Configs};

use super::Value;
use super::definitions::{Definition, broker_key, broker_synonyms};

/// Where a value comes from (`ConfigSource`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    DynamicTopic,
    DynamicBroker,
    DynamicDefaultBroker,
    StaticBroker,
    Default,
    DynamicClientMetrics,
    DynamicGroup,
}

impl Source {
    /// Kafka's number.
    pub fn id(self) -> i8 {
        match self {
            Self::DynamicTopic => 1,
            Self::DynamicBroker => 2,
            Self::DynamicDefaultBroker => 3,
            Self::StaticBroker => 4,
            Self::Default => 5,
            Self::DynamicClientMetrics => 7,
            Self::DynamicGroup => 8,
        }
    }
}

/// A key, its value as text, and where it is set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    pub name: String,
    pub value: String,
    pub source: Source,
}

/// The layers of one broker.
#[derive(Clone, Copy, Debug)]
pub struct Layers<'a> {
    /// Keys of the file and the command line, known ones only.
    pub file: &'a BTreeMap<&'static str, String>,
    /// What is stored in the cluster; `None` before the broker has joined it.
    pub cluster: Option<&'a Configs>,
    pub node_id: i32,
}

impl Layers<'_> {
    /// Every place where `name` or a synonym of it is set, the strongest first. As in Kafka, what comes before the key's own
    /// first appearance is left out.
    pub fn settings(&self, name: &'static str) -> Vec<Setting> {
        let mut settings = self.all(name);
        let own = settings.iter().position(|setting| setting.name == name).unwrap_or(settings.len());
        settings.drain(..own);
        settings
    }

    /// The value in force of a key or of the strongest of its synonyms that is set, with that key.
    pub fn value(&self, name: &'static str) -> Option<(&'static Definition, Value)> {
        broker_synonyms(name).iter().find_map(|synonym| {
            let definition = broker_key(synonym)?;
            let set = self.own(synonym).into_iter().next()?;
            Some((definition, Value::parse(definition, &set.value).ok()?))
        })
    }

    /// The value in force as [`Layers::value`] finds it, a time that is set in hours or minutes in milliseconds.
    pub fn in_milliseconds(&self, name: &'static str) -> Option<Value> {
        let (key, value) = self.value(name)?;
        let Value::Number(number) = value else { return Some(value) };
        let unit = match key.name.rsplit('.').next() {
            Some("hours") => 3_600_000,
            Some("minutes") => 60_000,
            _ => 1,
        };
        Some(Value::Number(number.saturating_mul(unit)))
    }

    /// Where that very key is set, the strongest first.
    pub fn own(&self, name: &'static str) -> Vec<Setting> {
        let mut all = self.layers(&[name]);
        all.retain(|setting| setting.name == name);
        all
    }

    fn all(&self, name: &'static str) -> Vec<Setting> {
        self.layers(broker_synonyms(name))
    }

    fn layers(&self, names: &[&'static str]) -> Vec<Setting> {
        let stored = |resource: ConfigResource, source| {
            names.iter().filter_map(move |name| {
                let value = self.cluster?.get(&resource, name)?;
                Some(setting(name, value, source))
            })
        };
        let of_broker = stored(ConfigResource::broker(self.node_id), Source::DynamicBroker);
        let of_all = stored(ConfigResource::default_broker(), Source::DynamicDefaultBroker);
        let of_file = names.iter().filter_map(|name| Some(setting(name, self.file.get(name)?, Source::StaticBroker)));
        let defaults = names.iter().filter_map(|name| Some(setting(name, broker_key(name)?.default?, Source::Default)));
        of_broker.chain(of_all).chain(of_file).chain(defaults).collect()
    }
}

fn setting(name: &str, value: &str, source: Source) -> Setting {
    Setting { name: name.to_owned(), value: value.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layers<'a>(file: &'a BTreeMap<&'static str, String>) -> Layers<'a> {
        Layers { file, cluster: None, node_id: 1 }
    }

    #[test]
    fn the_finer_unit_wins_and_the_default_is_the_coarsest() {
        let none = BTreeMap::new();
        let (definition, value) = layers(&none).value("log.retention.ms").unwrap();
        assert_eq!((definition.name, value.number()), ("log.retention.hours", 168));
        let file = BTreeMap::from([("log.retention.minutes", "5".to_owned()), ("log.retention.hours", "9".to_owned())]);
        let (definition, value) = layers(&file).value("log.retention.ms").unwrap();
        assert_eq!((definition.name, value.number()), ("log.retention.minutes", 5));
    }

    #[test]
    fn settings_are_those_that_kafka_lists() {
        let none = BTreeMap::new();
        assert_eq!(layers(&none).settings("log.retention.ms"), [], "its default is null, and the rest comes before it");
        let file = BTreeMap::from([("num.partitions", "4".to_owned())]);
        let expected =
            [setting("num.partitions", "4", Source::StaticBroker), setting("num.partitions", "1", Source::Default)];
        assert_eq!(layers(&file).settings("num.partitions"), expected);
    }
}
