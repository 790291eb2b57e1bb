//! What connections are allowed: keys of the broker and of its listeners, and quotas of addresses.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use raft::image::ClientQuotas;

use crate::config::DynamicSettings;

/// What `connection_creation_rate` belongs to.
const IP: &str = "ip";
const RATE_OF_ADDRESS: &str = "connection_creation_rate";

/// Limits as of an image. Rates are connections a second; `None` is no limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// `max.connections`.
    pub total: usize,
    /// `max.connection.creation.rate`.
    pub rate: Option<i32>,
    /// The listener that those two spare: that of the brokers, if clients have others.
    pub spared: Option<Arc<str>>,
    /// `listener.name.NAME.max.connections`.
    pub on_listeners: HashMap<Arc<str>, usize>,
    /// `listener.name.NAME.max.connection.creation.rate`.
    pub rates_of_listeners: HashMap<Arc<str>, i32>,
    /// `max.connections.per.ip`.
    pub per_address: usize,
    /// `max.connections.per.ip.overrides`.
    pub by_address: HashMap<IpAddr, usize>,
    /// Quotas of addresses that have none of their own.
    pub rate_per_address: Option<i32>,
    pub rates_of_addresses: HashMap<IpAddr, i32>,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            total: usize::MAX,
            rate: None,
            spared: None,
            on_listeners: HashMap::new(),
            rates_of_listeners: HashMap::new(),
            per_address: usize::MAX,
            by_address: HashMap::new(),
            rate_per_address: None,
            rates_of_addresses: HashMap::new(),
        }
    }
}

impl ConnectionLimits {
    /// The limits that those settings say. `spared` is the listener that the broker's own limits do not concern.
    pub fn new(settings: &DynamicSettings, spared: Option<Arc<str>>) -> Self {
        let rate = |rate: i32| Some(rate).filter(|rate| *rate < i32::MAX);
        let listeners = || settings.listeners.iter();
        Self {
            total: settings.max_connections,
            rate: rate(settings.max_connection_creation_rate),
            spared,
            on_listeners: listeners().filter_map(|(name, of)| Some((Arc::clone(name), of.max_connections?))).collect(),
            rates_of_listeners: listeners()
                .filter_map(|(name, of)| Some((Arc::clone(name), of.max_connection_creation_rate?)))
                .collect(),
            per_address: settings.max_connections_per_ip,
            by_address: settings.max_connections_by_ip.iter().copied().collect(),
            ..Self::default()
        }
    }

    /// With the quotas of addresses; those that are names are looked up.
    pub async fn with_quotas(mut self, quotas: &ClientQuotas) -> Self {
        for (entity, values) in quotas.iter() {
            let (Some(address), Some(rate)) = (entity.get(IP), values.get(RATE_OF_ADDRESS)) else { continue };
            let rate = *rate as i32;
            let Some(name) = address else {
                self.rate_per_address = Some(rate);
                continue;
            };
            match resolve(name).await {
                Some(address) => {
                    self.rates_of_addresses.insert(address, rate);
                }
                None => tracing::warn!(address = &**name, "the quota of an address that is not known has no effect"),
            }
        }
        self
    }

    /// The limit of all connections, as far as it concerns a listener.
    pub(super) fn total(&self, listener: &str) -> Option<usize> {
        (!self.is_spared(listener)).then_some(self.total)
    }

    pub(super) fn on_listener(&self, listener: &str) -> usize {
        self.on_listeners.get(listener).copied().unwrap_or(usize::MAX)
    }

    pub(super) fn of_address(&self, address: IpAddr) -> usize {
        self.by_address.get(&address).copied().unwrap_or(self.per_address)
    }

    /// The rate of all connections, as far as it concerns a listener.
    pub(super) fn rate_of_broker(&self, listener: &str) -> Option<i32> {
        self.rate.filter(|_| !self.is_spared(listener))
    }

    pub(super) fn rate_of_listener(&self, listener: &str) -> Option<i32> {
        self.rates_of_listeners.get(listener).copied().or(self.rate)
    }

    pub(super) fn rate_of_address(&self, address: IpAddr) -> Option<i32> {
        self.rates_of_addresses.get(&address).copied().or(self.rate_per_address)
    }

    fn is_spared(&self, listener: &str) -> bool {
        self.spared.as_deref() == Some(listener)
    }
}

/// The address that a name, or an address as text, stands for.
pub async fn resolve(name: &str) -> Option<IpAddr> {
    if let Ok(address) = name.parse::<IpAddr>() {
        return Some(address.to_canonical());
    }
    let mut addresses = tokio::net::lookup_host((name, 0)).await.ok()?;
    addresses.next().map(|address| address.ip().to_canonical())
}
