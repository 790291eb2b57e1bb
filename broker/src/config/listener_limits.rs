//! Keys that a listener may have of its own: `listener.name.NAME.` and the key. Source: `SocketServer.ListenerReconfigurableConfigs`.

use std::collections::BTreeMap;
use std::sync::Arc;

use raft::image::{ConfigResource, Configs};

use super::definitions::{LISTENER_PREFIX, broker_key};
use super::{ConfigError, Value};

const MAX_CONNECTIONS: &str = "max.connections";
const MAX_CONNECTION_CREATION_RATE: &str = "max.connection.creation.rate";

/// Limits of one listener; `None` leaves those of the broker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ListenerLimits {
    pub max_connections: Option<usize>,
    pub max_connection_creation_rate: Option<i32>,
}

/// The name in lower case and the limit's key, if `key` is one of a listener's limits.
fn parts(key: &str) -> Option<(&str, &'static str)> {
    let rest = key.strip_prefix(LISTENER_PREFIX)?;
    [MAX_CONNECTION_CREATION_RATE, MAX_CONNECTIONS].into_iter().find_map(|limit| {
        let name = rest.strip_suffix(limit)?.strip_suffix('.')?;
        (!name.is_empty() && !name.contains('.')).then_some((name, limit))
    })
}

/// Whether `key` is a limit of one listener, which may change while the broker runs.
pub fn is_listener_limit(key: &str) -> bool {
    parts(key).is_some()
}

/// Checks the value of a listener's limit as that of the broker's key; other keys pass.
///
/// # Errors
/// It is out of bounds, or nobody could connect.
pub fn check_listener_limit(key: &str, text: &str) -> Result<(), ConfigError> {
    let Some((_, limit)) = parts(key) else { return Ok(()) };
    let value = match broker_key(limit) {
        Some(definition) => Value::parse(definition, text)?,
        None => return Ok(()),
    };
    match value.number() {
        0 => Err(ConfigError::invalid(key, text, "Value must be at least 1")),
        _ => Ok(()),
    }
}

/// The limits of `listeners`, the strongest setting of each: this broker's in the cluster, every broker's in the cluster, the file's.
pub(super) fn listener_limits(
    listeners: impl Iterator<Item = Arc<str>>,
    file: &BTreeMap<String, String>,
    configs: &Configs,
    node_id: i32,
) -> BTreeMap<Arc<str>, ListenerLimits> {
    let resources = [ConfigResource::broker(node_id), ConfigResource::default_broker()];
    let number = |listener: &str, limit: &str| {
        let key = format!("{LISTENER_PREFIX}{}.{limit}", listener.to_lowercase());
        let stored = resources.iter().find_map(|resource| configs.get(resource, &key)).map(|value| &**value);
        stored.or_else(|| file.get(&key).map(String::as_str))?.trim().parse::<i32>().ok()
    };
    let limits = |listener: Arc<str>| {
        let limits = ListenerLimits {
            max_connections: number(&listener, MAX_CONNECTIONS).and_then(|most| usize::try_from(most).ok()),
            max_connection_creation_rate: number(&listener, MAX_CONNECTION_CREATION_RATE),
        };
        (listener, limits)
    };
    listeners.map(limits).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listeners_limits_are_its_own() {
        assert!(is_listener_limit("listener.name.external.max.connections"));
        assert!(is_listener_limit("listener.name.external.max.connection.creation.rate"));
        assert!(!is_listener_limit("listener.name.external.max.connections.per.ip"));
        assert!(!is_listener_limit("listener.name.max.connections"));
        let key = "listener.name.external.max.connections";
        assert!(check_listener_limit(key, "5").is_ok());
        for bad in ["0", "-1", "x", "2147483648"] {
            assert!(check_listener_limit(key, bad).is_err(), "{bad}");
        }
        let file = BTreeMap::from([(key.to_owned(), "5".to_owned())]);
        let names = ["EXTERNAL", "PLAINTEXT"].map(Arc::from);
        let limits = listener_limits(names.into_iter(), &file, &Configs::default(), 1);
        let external = ListenerLimits { max_connections: Some(5), ..ListenerLimits::default() };
        assert_eq!(limits["EXTERNAL"], external);
        assert_eq!(limits["PLAINTEXT"], ListenerLimits::default());
    }
}
