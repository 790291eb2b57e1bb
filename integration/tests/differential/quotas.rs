//! AlterClientQuotas, DescribeClientQuotas, DescribeUserScramCredentials. What the quotas do is `client_quotas.rs`' to test.

use std::time::Duration;

use integration::wait;
use integration::wire::text;
use protocol::messages::alter_client_quotas_request::{EntityData, EntryData, OpData};
use protocol::messages::describe_client_quotas_request::ComponentData;
use protocol::messages::describe_client_quotas_response::EntryData as DescribedEntry;
use protocol::messages::describe_user_scram_credentials_request::UserName;
use protocol::messages::{AlterClientQuotasRequest, DescribeClientQuotasRequest, DescribeUserScramCredentialsRequest};

use crate::world::{Differential, World};

type Parts<'a> = &'a [(&'a str, Option<&'a str>)];
/// The type of a part, how it is to match, and what.
type Filter<'a> = &'a [(&'a str, i8, Option<&'a str>)];

/// The value that is set last.
const LAST: f64 = 8e8;
const EXACT: i8 = 0;
const DEFAULT: i8 = 1;
const SPECIFIED: i8 = 2;

pub(crate) fn compare(both: &mut Differential) {
    alter(both);
    // Kafka answers a change before its own metadata has it.
    both.both(|world| await_quotas(world, |entries| entries.iter().any(|entry| entry.values[0].value == LAST)));
    describe(both);
    credentials(both);
    // Nobody is slowed while the rest is compared.
    for parts in ENTITIES {
        let ops = KEYS.map(|key| (key, None));
        both.ask("removed", 1..=1, |_, _| request(vec![entry(parts, &ops)]));
    }
    both.both(|world| await_quotas(world, |entries| entries.is_empty()));
    both.every("nothing left", |_, _| DescribeClientQuotasRequest::default());
}

/// Waits until a broker shows quotas as `wanted`.
fn await_quotas(world: &mut World, wanted: impl Fn(&[DescribedEntry]) -> bool) {
    wait::until_true("quotas as they were set", Duration::from_secs(60), || {
        let described = world.connection().send(&DescribeClientQuotasRequest::default(), 1);
        described.entries.as_deref().is_some_and(&wanted)
    });
}

/// Nobody has any.
fn credentials(both: &mut Differential) {
    let request = |users: &[&str]| {
        let users = users.iter().map(|user| UserName::default().with_name(text(user))).collect();
        DescribeUserScramCredentialsRequest::default().with_users(Some(users))
    };
    both.every("of all", |_, _| DescribeUserScramCredentialsRequest::default().with_users(None));
    both.every("of none", |_, _| request(&[]));
    both.every("of the unknown", |_, _| request(&["nobody", "anybody"]));
    both.every("twice", |_, _| request(&["nobody", "nobody"]));
}

const KEYS: [&str; 5] = [
    "producer_byte_rate",
    "consumer_byte_rate",
    "request_percentage",
    "controller_mutation_rate",
    "connection_creation_rate",
];

/// All that get quotas. The names are of nobody who asks.
const ENTITIES: [Parts<'static>; 9] = [
    &[("user", Some("u 1&ü"))],
    &[("client-id", Some("c"))],
    &[("user", Some("u 1&ü")), ("client-id", Some("c"))],
    &[("user", Some("u 1&ü")), ("client-id", None)],
    &[("ip", Some("10.1.2.3"))],
    &[("ip", Some("localhost"))],
    &[("user", None), ("client-id", Some("c"))],
    &[("user", Some("-")), ("client-id", Some("d"))],
    &[("client-id", Some("d"))],
];

fn entry(parts: Parts<'_>, ops: &[(&str, Option<f64>)]) -> EntryData {
    let part = |(kind, name): &(&str, Option<&str>)| {
        EntityData::default().with_entity_type(text(kind)).with_entity_name(name.map(text))
    };
    let op = |(key, value): &(&str, Option<f64>)| {
        OpData::default().with_key(text(key)).with_value(value.unwrap_or_default()).with_remove(value.is_none())
    };
    EntryData::default().with_entity(parts.iter().map(part).collect()).with_ops(ops.iter().map(op).collect())
}

fn request(entries: Vec<EntryData>) -> AlterClientQuotasRequest {
    AlterClientQuotasRequest::default().with_entries(entries)
}

fn alter(both: &mut Differential) {
    let rate = |value| [("producer_byte_rate", Some(value))];
    for parts in ENTITIES {
        let key = if parts[0].0 == "ip" { "connection_creation_rate" } else { "producer_byte_rate" };
        both.every("set", |_, _| request(vec![entry(parts, &[(key, Some(1e9))])]));
    }
    let user: Parts<'_> = &[("user", Some("u 1&ü"))];
    let ip: Parts<'_> = &[("ip", Some("10.1.2.3"))];
    both.every("more keys", |_, _| {
        request(vec![entry(user, &[("request_percentage", Some(0.5)), ("consumer_byte_rate", Some(7.0))])])
    });
    both.every("validated", |_, _| request(vec![entry(user, &rate(5.0))]).with_validate_only(true));
    both.every("removed", |_, _| request(vec![entry(user, &[("consumer_byte_rate", None)])]));
    both.every("not there", |_, _| request(vec![entry(user, &[("controller_mutation_rate", None)])]));
    for (case, parts, ops) in [
        ("no part", &[] as Parts<'_>, &[("producer_byte_rate", Some(1.0))] as &[(&str, Option<f64>)]),
        ("unknown part", &[("group", Some("g"))], &rate(1.0)),
        ("empty name", &[("client-id", Some(""))], &rate(1.0)),
        ("address and user", &[("ip", Some("1.2.3.4")), ("user", None)], &[("connection_creation_rate", Some(1.0))]),
        ("no address", &[("ip", Some("no such host"))], &[("connection_creation_rate", Some(1.0))]),
        ("key of an address", user, &[("connection_creation_rate", Some(1.0))]),
        ("key of a user", ip, &rate(1.0)),
        ("unknown key", user, &[("nonsense", Some(1.0))]),
        ("unknown key removed", user, &[("nonsense", None)]),
        ("zero", user, &rate(0.0)),
        ("negative", user, &rate(-1.0)),
        ("fraction", user, &rate(1.5)),
        ("nearly whole", user, &rate(2.000_000_1)),
        ("too large", user, &rate(1e19)),
        ("too large for an address", ip, &[("connection_creation_rate", Some(3e9))]),
        ("fraction for an address", ip, &[("connection_creation_rate", Some(0.5))]),
        ("key twice", user, &[("producer_byte_rate", Some(1.0)), ("producer_byte_rate", Some(2.0))]),
        ("no keys", user, &[]),
        ("one bad of two", user, &[("producer_byte_rate", Some(3.0)), ("nonsense", Some(1.0))]),
    ] {
        both.every(case, |_, _| request(vec![entry(parts, ops)]));
    }
    both.every("twice", |_, _| request(vec![entry(user, &rate(8.0)), entry(user, &rate(9.0))]));
    both.every("both twice", |_, _| {
        let parts: Parts<'_> = &[("user", Some("-")), ("client-id", Some("d"))];
        request(vec![entry(parts, &rate(LAST)), entry(parts, &rate(9e8))])
    });
    both.every("nothing", |_, _| request(vec![]));
}

fn describe(both: &mut Differential) {
    let component = |(kind, matching, name): &(&str, i8, Option<&str>)| {
        ComponentData::default().with_entity_type(text(kind)).with_match_type(*matching).with_match(name.map(text))
    };
    let request = |components: Filter<'_>, strict| {
        DescribeClientQuotasRequest::default()
            .with_components(components.iter().map(component).collect())
            .with_strict(strict)
    };
    both.every("all", |_, _| request(&[], false));
    both.every("none", |_, _| request(&[], true));
    let filters: [(&str, Filter<'_>); 14] = [
        ("of a user", &[("user", EXACT, Some("u 1&ü"))]),
        ("of any user", &[("user", SPECIFIED, None)]),
        ("of the default user", &[("user", DEFAULT, None)]),
        ("of a user's client", &[("user", EXACT, Some("u 1&ü")), ("client-id", SPECIFIED, None)]),
        ("of a client", &[("client-id", EXACT, Some("c"))]),
        ("of addresses", &[("ip", SPECIFIED, None)]),
        ("of an unknown user", &[("user", EXACT, Some("nobody"))]),
        ("no type", &[("", SPECIFIED, None)]),
        ("twice", &[("user", SPECIFIED, None), ("user", DEFAULT, None)]),
        ("unknown type", &[("group", SPECIFIED, None)]),
        ("without a name", &[("user", EXACT, None)]),
        ("default with a name", &[("user", DEFAULT, Some("x"))]),
        ("any with a name", &[("user", SPECIFIED, Some("x"))]),
        ("unknown match", &[("user", 9, None)]),
    ];
    for (case, filter) in filters {
        both.every(case, |_, _| request(filter, false));
        both.every(case, |_, _| request(filter, true));
    }
    both.every("address and user", |_, _| request(&[("ip", SPECIFIED, None), ("user", SPECIFIED, None)], false));
}
