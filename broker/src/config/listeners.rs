//! Where the broker listens and where clients find it. Source: `SocketServerConfigs.listenerListToEndPoints`,
//! `KafkaConfig.validateValues`.

use std::sync::Arc;

use super::ConfigError;

/// One listener, as it stands in `listeners` or `advertised.listeners`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerConfig {
    pub name: String,
    /// A name or an address without brackets; empty for every address.
    pub host: String,
    pub port: u16,
}

/// All listeners.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listeners {
    /// Those that clients use.
    pub client: Vec<ListenerConfig>,
    /// Those of `controller.listener.names`.
    pub controller: Vec<ListenerConfig>,
    /// Where clients find the listeners that are elsewhere than they listen.
    pub advertised: Vec<ListenerConfig>,
    /// The listener that brokers use among themselves.
    pub inter_broker: String,
}

/// The keys that listeners come from.
#[derive(Clone, Copy, Debug)]
pub struct ListenerKeys<'a> {
    pub listeners: &'a [String],
    /// Empty if absent.
    pub advertised: &'a [String],
    pub controller_names: &'a [String],
    pub protocols: &'a str,
    pub inter_broker: Option<&'a str>,
}

impl Listeners {
    /// The names of all.
    pub fn names(&self) -> impl Iterator<Item = Arc<str>> {
        self.client.iter().chain(&self.controller).map(|listener| listener.name.as_str().into())
    }

    /// The listener that the limits of all connections do not concern: that of the brokers, unless clients have no other.
    pub fn spared(&self) -> Option<Arc<str>> {
        (self.client.len() > 1).then(|| self.inter_broker.as_str().into())
    }

    /// # Errors
    /// Text that is no listener, listeners that contradict each other, security protocols that are not served.
    pub fn parse(keys: ListenerKeys<'_>) -> Result<Self, ConfigError> {
        let all = parse_list("listeners", keys.listeners)?;
        check_distinct("listeners", keys.listeners, &all)?;
        let is_controller = |listener: &ListenerConfig| keys.controller_names.contains(&listener.name);
        for listener in &all {
            check_protocol(listener, keys.protocols, is_controller(listener))?;
        }
        let (controller, client): (Vec<_>, Vec<_>) = all.into_iter().partition(is_controller);
        let Some(first) = client.first() else {
            return Err(ConfigError::invalid("listeners", keys.listeners.join(","), "No listener is for clients"));
        };
        let inter_broker = keys.inter_broker.map_or_else(|| first.name.clone(), str::to_owned);
        if !client.iter().any(|listener| listener.name == inter_broker) {
            let reason = format!("It is not among listeners: {}", keys.listeners.join(","));
            return Err(ConfigError::invalid("inter.broker.listener.name", inter_broker, reason));
        }
        let advertised = parse_advertised(keys, &client)?;
        Ok(Self { client, controller, advertised, inter_broker })
    }
}

fn parse_advertised(keys: ListenerKeys<'_>, client: &[ListenerConfig]) -> Result<Vec<ListenerConfig>, ConfigError> {
    let name = "advertised.listeners";
    let mut advertised = parse_list(name, keys.advertised)?;
    // Files written for a quorum of several advertise the controller's listener too.
    advertised.retain(|listener| !keys.controller_names.contains(&listener.name));
    for listener in &advertised {
        if !client.iter().any(|bound| bound.name == listener.name) {
            let reason = format!("{} is not among listeners", listener.name);
            return Err(ConfigError::invalid(name, keys.advertised.join(","), reason));
        }
        if matches!(listener.host.as_str(), "0.0.0.0" | "::") {
            let reason =
                format!("{name} cannot use the nonroutable meta-address {}. Use a routable IP address.", listener.host);
            return Err(ConfigError::Conflict(reason));
        }
    }
    Ok(advertised)
}

fn parse_list(key: &str, texts: &[String]) -> Result<Vec<ListenerConfig>, ConfigError> {
    texts
        .iter()
        .map(|text| {
            parse_one(text).ok_or_else(|| ConfigError::invalid(key, text, "Unable to parse it as name://host:port"))
        })
        .collect()
}

/// `NAME://host:port`, with an IPv6 address in brackets.
fn parse_one(text: &str) -> Option<ListenerConfig> {
    let (name, address) = text.split_once("://")?;
    let (host, port) = address.rsplit_once(':')?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
    let port = port.parse().ok().filter(|_| is_name)?;
    Some(ListenerConfig { name: name.to_ascii_uppercase(), host: host.to_owned(), port })
}

fn check_distinct(key: &str, texts: &[String], listeners: &[ListenerConfig]) -> Result<(), ConfigError> {
    let pairs = || listeners.iter().enumerate().flat_map(|(i, a)| listeners[..i].iter().map(move |b| (a, b)));
    if pairs().any(|(a, b)| a.name == b.name) {
        return Err(ConfigError::invalid(key, texts.join(","), "Each listener must have a different name"));
    }
    // Two addresses may share a port: one of IPv4 and one of IPv6.
    if pairs().any(|(a, b)| a.port != 0 && a.port == b.port && a.host.contains(':') == b.host.contains(':')) {
        return Err(ConfigError::invalid(key, texts.join(","), "Each listener must have a different port"));
    }
    Ok(())
}

fn check_protocol(listener: &ListenerConfig, protocols: &str, is_controller: bool) -> Result<(), ConfigError> {
    let key = "listener.security.protocol.map";
    let mapped = protocols.split(',').filter_map(|pair| pair.trim().split_once(':'));
    let protocol = mapped.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(&listener.name));
    match protocol.map(|(_, protocol)| protocol.trim()) {
        Some("PLAINTEXT") => Ok(()),
        // Kafka maps the controllers' listeners to PLAINTEXT while the key is at its default (KIP-1072).
        None if is_controller => Ok(()),
        None => {
            let reason = format!("No security protocol defined for listener {}", listener.name);
            Err(ConfigError::invalid(key, protocols, reason))
        }
        Some(other) => {
            let reason =
                format!("Listener {} has the security protocol {other}; only PLAINTEXT is served", listener.name);
            Err(ConfigError::invalid(key, protocols, reason))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(listeners: &str, advertised: &str) -> Result<Listeners, String> {
        let split = |text: &str| text.split(',').filter(|part| !part.is_empty()).map(str::to_owned).collect::<Vec<_>>();
        let keys = ListenerKeys {
            listeners: &split(listeners),
            advertised: &split(advertised),
            controller_names: &["CONTROLLER".to_owned()],
            protocols: "PLAINTEXT:PLAINTEXT,SSL:SSL,OUTSIDE:PLAINTEXT",
            inter_broker: None,
        };
        Listeners::parse(keys).map_err(|error| error.to_string())
    }

    #[test]
    fn listeners_of_a_kafka_file_are_understood() {
        let parsed =
            parse("PLAINTEXT://:9092,CONTROLLER://:9093,outside://[::1]:0", "PLAINTEXT://localhost:9092").unwrap();
        let listener = |name: &str, host: &str, port| ListenerConfig { name: name.into(), host: host.into(), port };
        assert_eq!(parsed.client, [listener("PLAINTEXT", "", 9092), listener("OUTSIDE", "::1", 0)]);
        assert_eq!(parsed.controller, [listener("CONTROLLER", "", 9093)]);
        assert_eq!(parsed.advertised, [listener("PLAINTEXT", "localhost", 9092)]);
        assert_eq!(parsed.inter_broker, "PLAINTEXT");
    }

    #[test]
    fn contradictions_are_named() {
        let cases = [
            ("PLAINTEXT//:9092", "", "Unable to parse"),
            ("PLAINTEXT://:99999", "", "Unable to parse"),
            ("PLAINTEXT://:1,PLAINTEXT://:2", "", "different name"),
            ("PLAINTEXT://:1,OUTSIDE://:1", "", "different port"),
            ("SSL://:9092", "", "only PLAINTEXT is served"),
            ("INSIDE://:9092", "", "No security protocol defined for listener INSIDE"),
            ("CONTROLLER://:9093", "", "No listener is for clients"),
            ("PLAINTEXT://:9092", "OUTSIDE://a:1", "OUTSIDE is not among listeners"),
            ("PLAINTEXT://:9092", "PLAINTEXT://0.0.0.0:1", "nonroutable meta-address 0.0.0.0"),
        ];
        for (listeners, advertised, expected) in cases {
            let refused = parse(listeners, advertised).unwrap_err();
            assert!(refused.contains(expected), "{listeners}: {refused}");
        }
    }
}
