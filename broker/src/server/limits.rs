//! How many connections there may be, in all and from one address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::config::DynamicSettings;

/// `max.connections`, `max.connections.per.ip` and its overrides.
#[derive(Clone, Debug)]
pub struct Limits {
    pub total: usize,
    pub per_address: usize,
    pub by_address: HashMap<IpAddr, usize>,
}

impl Limits {
    /// The limits that those settings say.
    pub fn of(settings: &DynamicSettings) -> Self {
        Self {
            total: settings.max_connections,
            per_address: settings.max_connections_per_ip,
            by_address: settings.max_connections_by_ip.iter().copied().collect(),
        }
    }

    fn of_address(&self, address: IpAddr) -> usize {
        self.by_address.get(&address).copied().unwrap_or(self.per_address)
    }
}

/// Counts connections.
#[derive(Debug)]
pub struct ConnectionLimits {
    counts: Mutex<Counts>,
}

#[derive(Debug)]
struct Counts {
    limits: Limits,
    total: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// A connection's place, given back when dropped.
#[derive(Debug)]
pub struct Place {
    limits: Arc<ConnectionLimits>,
    address: IpAddr,
}

impl ConnectionLimits {
    pub fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self { counts: Mutex::new(Counts { limits, total: 0, by_address: HashMap::new() }) })
    }

    /// Other limits count for connections from now on; those that are open stay.
    pub fn change(&self, limits: Limits) {
        self.lock().limits = limits;
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for one more connection from `address`; `None` if there is none.
    pub fn admit(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let mut counts = self.lock();
        let of_address = counts.by_address.get(&address).copied().unwrap_or(0);
        if counts.total >= counts.limits.total || of_address >= counts.limits.of_address(address) {
            return None;
        }
        counts.total += 1;
        counts.by_address.insert(address, of_address + 1);
        Some(Place { limits: Arc::clone(self), address })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.limits.lock();
        counts.total = counts.total.saturating_sub(1);
        if let Some(count) = counts.by_address.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                counts.by_address.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_in_all_and_by_address() {
        let limits = ConnectionLimits::new(Limits { total: 3, per_address: 2, by_address: HashMap::new() });
        let (a, b) = (IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 0, 2]));
        let first = limits.admit(a).unwrap();
        let _second = limits.admit(a).unwrap();
        assert!(limits.admit(a).is_none(), "two from one address");
        let _third = limits.admit(b).unwrap();
        assert!(limits.admit(b).is_none(), "three in all");
        drop(first);
        assert!(limits.admit(a).is_some());
        limits.change(Limits { total: 9, per_address: 0, by_address: HashMap::from([(a, 3)]) });
        assert!(limits.admit(b).is_none(), "nobody new");
        assert!(limits.admit(a).is_some(), "but from there");
    }
}
