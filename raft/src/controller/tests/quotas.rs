//! Quotas of clients, and the quota of those who change topics.

use super::*;
use crate::controller::client_quotas::alter_client_quotas;
use crate::controller::create_partitions::create_partitions;
use crate::controller::create_topics::create_topics;
use crate::controller::delete_topics::delete_topics;
use crate::error::{QuotaError, TopicError};
use crate::image::QuotaEntity;
use std::sync::Mutex;

fn entity(parts: &[(&str, Option<&str>)]) -> QuotaEntity {
    parts.iter().map(|(kind, name)| ((*kind).into(), name.map(Into::into))).collect()
}

fn alteration(parts: &[(&str, Option<&str>)], ops: &[(&str, Option<f64>)]) -> QuotaAlteration {
    let ops = ops.iter().map(|(key, value)| ((*key).into(), *value)).collect();
    QuotaAlteration { entity: entity(parts), ops, address_is_known: true }
}

fn alter(cluster: &mut Cluster, alterations: &[QuotaAlteration]) -> (usize, Vec<String>) {
    let altered = cluster.run(|situation| alter_client_quotas(situation, alterations, false));
    let (records, results) = altered.expect("they are few");
    let said = |(_, result): &(QuotaEntity, Result<(), QuotaError>)| {
        result.as_ref().err().map(ToString::to_string).unwrap_or_default()
    };
    (records.len(), results.iter().map(said).collect())
}

#[test]
fn quotas_are_set_changed_and_removed() {
    let mut cluster = Cluster::of(1);
    let user = [("user", Some("alice"))];
    let set = [("producer_byte_rate", Some(1024.0)), ("request_percentage", Some(0.5))];
    let done = |records| (records, vec![String::new()]);
    assert_eq!(alter(&mut cluster, &[alteration(&user, &set)]), done(2));
    assert_eq!(alter(&mut cluster, &[alteration(&user, &set)]), done(0), "nothing new");
    assert_eq!(alter(&mut cluster, &[alteration(&user, &[("consumer_byte_rate", None)])]), done(0), "not there");
    let change = [("producer_byte_rate", None), ("request_percentage", Some(2.0))];
    assert_eq!(alter(&mut cluster, &[alteration(&user, &change)]), done(2));
    let quotas = cluster.image.client_quotas().of(&entity(&user)).expect("one is left");
    assert_eq!(quotas.iter().collect::<Vec<_>>(), [(&"request_percentage".into(), &2.0)]);
    assert_eq!(alter(&mut cluster, &[alteration(&user, &[("request_percentage", None)])]), done(1));
    assert_eq!(cluster.image.client_quotas().iter().count(), 0);

    let validated = cluster.run(|situation| alter_client_quotas(situation, &[alteration(&user, &set)], true));
    assert!(validated.expect("they are few").0.is_empty());
}

/// An entity's parts, an operation, and the refusal; empty for none.
type Case<'a> = (&'a [(&'a str, Option<&'a str>)], (&'a str, Option<f64>), &'a str);

/// As Apache Kafka 4.3.1 answers AlterClientQuotas.
#[test]
fn refusals_are_in_kafkas_words() {
    let mut cluster = Cluster::of(1);
    let user = ("user", Some("u"));
    let rate = ("producer_byte_rate", Some(1.0));
    let cases: &[Case<'_>] = &[
        (&[], rate, "Invalid empty client quota entity"),
        (&[("group", Some("g"))], rate, "Unhandled client quota entity type: group"),
        (&[("user", Some(""))], rate, "Empty user not supported"),
        (
            &[user, ("ip", Some("::1"))],
            rate,
            "Invalid quota entity combination, IP entity shouldnot be combined with User or ClientId",
        ),
        (&[("ip", Some("::1"))], rate, "Invalid configuration key producer_byte_rate"),
        (&[user], ("connection_creation_rate", Some(1.0)), "Invalid configuration key connection_creation_rate"),
        (&[user], ("producer_byte_rate", Some(0.0)), "Quota producer_byte_rate must be greater than 0"),
        (&[user], ("producer_byte_rate", Some(1.5)), "producer_byte_rate cannot be a fractional value."),
        (&[user], ("producer_byte_rate", Some(1e20)), "Proposed value for producer_byte_rate is too large for a LONG."),
        (
            &[("ip", None)],
            ("connection_creation_rate", Some(2_147_483_648.0)),
            "Proposed value for connection_creation_rate is too large for an INT.",
        ),
        (&[user, ("client-id", None)], ("controller_mutation_rate", Some(0.01)), ""),
        (&[user], ("nonsense", None), ""),
    ];
    for (parts, op, expected) in cases {
        assert_eq!(alter(&mut cluster, &[alteration(parts, &[*op])]).1, [*expected]);
    }
    let unknown = QuotaAlteration { address_is_known: false, ..alteration(&[("ip", Some("no.such.host"))], &[rate]) };
    assert_eq!(alter(&mut cluster, &[unknown]).1, ["no.such.host is not a valid IP or resolvable host."]);
}

#[test]
fn an_entity_that_is_named_twice_keeps_its_first_change_and_is_refused() {
    let mut cluster = Cluster::of(1);
    let both = [("user", Some("u")), ("client-id", None)];
    let once = alteration(&both, &[("producer_byte_rate", Some(1.0))]);
    let again = alteration(&both, &[("producer_byte_rate", Some(2.0))]);
    let refused = "Ignoring duplicate entity ClientQuotaEntity(entries={client-id=null, user=u})";
    assert_eq!(alter(&mut cluster, &[once, again]), (1, vec![refused.to_owned()]));
    let twice = [("producer_byte_rate", Some(3.0)), ("producer_byte_rate", None)];
    assert_eq!(alter(&mut cluster, &[alteration(&both, &twice)]), (0, vec![refused.to_owned()]));
}

/// Partitions that may still be created or deleted, and those that the request under way has taken.
struct Few(Mutex<(usize, usize)>);

impl MutationQuota for Few {
    fn begin(&self) {
        let mut quota = self.0.lock().expect("nobody panicked");
        *quota = (quota.0 + quota.1, 0);
    }

    fn record(&self, partitions: usize) -> Result<(), ThrottlingQuotaExceeded> {
        let mut quota = self.0.lock().expect("nobody panicked");
        let left = quota.0.checked_sub(partitions).ok_or(ThrottlingQuotaExceeded)?;
        *quota = (left, quota.1 + partitions);
        Ok(())
    }
}

#[test]
fn topics_change_as_far_as_the_quota_goes() {
    let mut cluster = Cluster::of(1);
    let topics = ["a", "b", "c"].map(|name| NewTopic { partitions: 3, replication_factor: 1, ..NewTopic::new(name) });
    let quota = Few(Mutex::new((7, 0)));
    let throttled = || Err(TopicError::Throttled(ThrottlingQuotaExceeded));
    // Twice, as if nothing had come of the first decision.
    for _ in 0..2 {
        let created = cluster.run(|situation| create_topics(situation, &topics, true, &quota)).expect("they are few");
        let results: Vec<_> = created.1.iter().map(|(_, result)| result.clone().map(|_| ())).collect();
        assert_eq!(results, [Ok(()), Ok(()), throttled()]);
    }
    cluster.run(|situation| create_topics(situation, &topics, false, &Unlimited)).expect("they are few");
    let grow = |count| vec![NewPartitions { name: "a".into(), count, assignments: None }];
    let quota = Few(Mutex::new((1, 0)));
    let mut grown = |count| {
        let results = cluster.run(|situation| create_partitions(situation, &grow(count), false, &quota));
        results.expect("they are few").1.remove(0).1
    };
    assert_eq!(grown(5), throttled());
    assert_eq!(grown(4), Ok(()));
    let gone = [TopicRef::Name("a".into()), TopicRef::Name("b".into())];
    let quota = Few(Mutex::new((5, 0)));
    let (records, answers) = cluster.run(|situation| delete_topics(situation, &gone, &quota)).expect("they are few");
    assert_eq!(records.len(), 1, "four partitions, and not three more");
    assert_eq!([answers[0].result.clone(), answers[1].result.clone()], [Ok(()), throttled()]);
}
