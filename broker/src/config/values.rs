//! The values in force, printed at the start as Kafka prints them, and for who asks what a node would do.
//! Source: `AbstractConfig.logAll`.

use raft::image::Configs;

use super::definitions::{BROKER, Definition, Kind};
use super::{BrokerConfig, HIDDEN, Source, Value};

/// A key, its value as it may be shown, and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EffectiveValue {
    pub definition_name: &'static str,
    /// `None` is Kafka's null. A secret is hidden.
    pub value: Option<String>,
    pub source: Source,
}

impl BrokerConfig {
    /// Every key that Kafka shows, by name, with its value from command line, environment, file or default.
    pub fn values(&self) -> Vec<EffectiveValue> {
        let nothing_stored = Configs::default();
        let layers = self.layers(&nothing_stored);
        let value = |definition: &&'static Definition| {
            let setting = layers.own(definition.name).into_iter().next();
            EffectiveValue {
                definition_name: definition.name,
                source: setting.as_ref().map_or(Source::Default, |setting| setting.source),
                value: setting.map(|setting| shown(definition, &setting.value)),
            }
        };
        BROKER.iter().map(value).collect()
    }

    /// The values as one text: a line for each key, after a line that scripts look for.
    pub fn text_of_values(&self) -> String {
        let mut text = "KafkaConfig values: ".to_owned();
        for EffectiveValue { definition_name, value, .. } in self.values() {
            text.push_str(&format!("\n\t{definition_name} = {}", value.as_deref().unwrap_or("null")));
        }
        text
    }
}

fn shown(definition: &Definition, text: &str) -> String {
    match Value::parse(definition, text) {
        _ if definition.kind == Kind::Password => HIDDEN.to_owned(),
        Ok(Value::List(elements)) => format!("[{}]", elements.join(", ")),
        Ok(value) => value.to_string(),
        Err(_) => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_printed_as_kafka_does_and_secrets_are_not() {
        let keys = [("listeners", "PLAINTEXT://:1,B://:2"), ("ssl.key.password", "very secret"), ("log.dirs", "/a")];
        let keys = keys.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let map = ("listener.security.protocol.map".to_owned(), "PLAINTEXT:PLAINTEXT,B:PLAINTEXT".to_owned());
        let (config, _) = BrokerConfig::new(keys.into_iter().chain([map])).unwrap();
        let text = config.text_of_values();
        assert!(text.starts_with("KafkaConfig values: \n\tadd.partitions.to.txn.retry.backoff.max.ms = 100\n"));
        assert!(text.contains("\n\tlisteners = [PLAINTEXT://:1, B://:2]\n"));
        assert!(text.contains("\n\tssl.key.password = [hidden]\n"));
        assert!(text.contains("\n\tadvertised.listeners = null\n"));
        assert!(!text.contains("very secret"));
        let dirs = config.values().into_iter().find(|value| value.definition_name == "log.dirs").unwrap();
        assert_eq!((dirs.value.as_deref(), dirs.source), (Some("[/a]"), Source::StaticBroker));
    }
}
