//! Which limit counts for whom: of eight levels the first that is set. Source: `ClientQuotaManager.DefaultQuotaCallback`.

use std::collections::HashMap;
use std::sync::Arc;

use raft::image::ClientQuotas;

const USER: &str = "user";
const CLIENT_ID: &str = "client-id";

/// Limits of one kind.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Limits {
    users: HashMap<Arc<str>, OfUser>,
    default_user: OfUser,
    /// Where no user is named.
    clients: OfClients,
}

/// Limits of a user, or of users without any.
#[derive(Clone, Debug, Default, PartialEq)]
struct OfUser {
    clients: OfClients,
    whole: Option<f64>,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct OfClients {
    named: HashMap<Arc<str>, f64>,
    default: Option<f64>,
}

/// A limit, and who shares it: requests with the same user and client id, where an empty string means any.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Limit<'a> {
    pub(super) user: &'a str,
    pub(super) client_id: &'a str,
    pub(super) value: f64,
}

impl OfClients {
    /// A client without an id has none of these.
    fn of(&self, client_id: &str) -> Option<f64> {
        let limit = || self.named.get(client_id).copied().or(self.default);
        if client_id.is_empty() { None } else { limit() }
    }

    fn set(&mut self, client_id: Option<&Arc<str>>, value: f64) {
        match client_id {
            Some(client_id) => {
                self.named.insert(Arc::clone(client_id), value);
            }
            None => self.default = Some(value),
        }
    }
}

impl Limits {
    /// The limits that are stored under `key`.
    pub(super) fn of(quotas: &ClientQuotas, key: &str) -> Self {
        let mut limits = Self::default();
        for (entity, values) in quotas.iter() {
            let Some(value) = values.get(key).copied() else { continue };
            let clients = entity.get(CLIENT_ID).map(Option::as_ref);
            match entity.get(USER) {
                None => {
                    if let Some(client_id) = clients {
                        limits.clients.set(client_id, value);
                    }
                }
                Some(user) => {
                    let of_user = match user {
                        Some(user) => limits.users.entry(Arc::clone(user)).or_default(),
                        None => &mut limits.default_user,
                    };
                    match clients {
                        Some(client_id) => of_user.clients.set(client_id, value),
                        None => of_user.whole = Some(value),
                    }
                }
            }
        }
        limits
    }

    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The limit of a client.
    pub(super) fn find<'a>(&self, user: &'a str, client_id: &'a str) -> Option<Limit<'a>> {
        for of_user in self.users.get(user).into_iter().chain([&self.default_user]) {
            if let Some(value) = of_user.clients.of(client_id) {
                return Some(Limit { user, client_id, value });
            }
            if let Some(value) = of_user.whole {
                return Some(Limit { user, client_id: "", value });
            }
        }
        self.clients.of(client_id).map(|value| Limit { user: "", client_id, value })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use raft::image::{Image, ImageBuilder, Provenance};

    type Part<'a> = (&'a str, Option<&'a str>);

    fn limits(quotas: &[(&[Part<'_>], f64)]) -> Limits {
        use protocol::metadata_record::{ClientQuotaRecord, EntityData};
        let mut builder = ImageBuilder::new(&Image::default());
        for (parts, value) in quotas {
            let part =
                |(kind, name): &Part<'_>| EntityData { entity_type: (*kind).into(), entity_name: name.map(Into::into) };
            let entity = parts.iter().map(part).collect();
            let record = ClientQuotaRecord { entity, key: "k".into(), value: *value, remove: false };
            builder.apply(record.into()).unwrap();
        }
        Limits::of(builder.finish(Provenance::default()).unwrap().client_quotas(), "k")
    }

    #[test]
    fn the_first_of_eight_levels_counts() {
        let levels: [(&[Part<'_>], (&str, &str)); 8] = [
            (&[("user", Some("u")), ("client-id", Some("c"))], ("u", "c")),
            (&[("user", Some("u")), ("client-id", None)], ("u", "c")),
            (&[("user", Some("u"))], ("u", "")),
            (&[("user", None), ("client-id", Some("c"))], ("u", "c")),
            (&[("user", None), ("client-id", None)], ("u", "c")),
            (&[("user", None)], ("u", "")),
            (&[("client-id", Some("c"))], ("", "c")),
            (&[("client-id", None)], ("", "c")),
        ];
        for first in 0..levels.len() {
            let set: Vec<_> =
                levels.iter().enumerate().skip(first).map(|(place, (parts, _))| (*parts, place as f64 + 1.0)).collect();
            let (user, client_id) = levels[first].1;
            let expected = Limit { user, client_id, value: first as f64 + 1.0 };
            assert_eq!(limits(&set).find("u", "c"), Some(expected));
        }
        assert_eq!(limits(&[]).find("u", "c"), None);
        assert!(limits(&[]).is_empty());
    }

    #[test]
    fn a_client_without_an_id_has_only_its_users_limits() {
        let both = limits(&[(&[("user", Some("u")), ("client-id", None)], 1.0), (&[("client-id", None)], 2.0)]);
        assert_eq!(both.find("u", ""), None);
        let user = limits(&[(&[("user", None)], 3.0)]);
        assert_eq!(user.find("u", ""), Some(Limit { user: "u", client_id: "", value: 3.0 }));
    }
}
