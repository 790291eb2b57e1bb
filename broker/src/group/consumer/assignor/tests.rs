//! Tables of each assignor, after Kafka's own tests (`RangeAssignorTest`, `UniformHomogeneousAssignmentBuilderTest`,
//! `UniformHeterogeneousAssignmentBuilderTest`), and what must hold of any group.

use proptest::prelude::*;

use super::*;

/// Topics by number, each with some of its partitions.
type Listed<'a> = &'a [(u128, &'a [i32])];

fn topic(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn partitions(list: Listed<'_>) -> Partitions {
    list.iter().map(|(number, partitions)| (topic(*number), partitions.iter().copied().collect())).collect()
}

/// Members with what they subscribe to and what they had; topics with how many partitions they have.
fn group(members: &[(&str, &[u128], Partitions)], topics: &[(u128, i32)]) -> GroupSpec {
    let spec = |subscribed: &[u128], assigned: &Partitions| MemberSpec {
        instance_id: None,
        subscribed: subscribed.iter().map(|number| topic(*number)).collect(),
        assigned: assigned.clone(),
    };
    let mut subscriptions = members.iter().map(|(_, subscribed, _)| subscribed);
    let first = subscriptions.next();
    GroupSpec {
        is_homogeneous: subscriptions.all(|subscribed| Some(subscribed) == first),
        members: members.iter().map(|(id, subscribed, had)| (Arc::from(*id), spec(subscribed, had))).collect(),
        partition_counts: topics.iter().map(|(number, count)| (topic(*number), *count)).collect(),
    }
}

fn assigned(assignor: Assignor, group: &GroupSpec) -> Vec<(String, Partitions)> {
    let assigned = assignor.assign(group);
    assigned.into_iter().map(|(id, partitions)| (id.to_string(), partitions)).collect()
}

fn expected(list: &[(&str, Listed<'_>)]) -> Vec<(String, Partitions)> {
    list.iter().map(|(id, list)| ((*id).to_owned(), partitions(list))).collect()
}

#[test]
fn names_are_kafkas() {
    assert_eq!(Assignor::from_name("uniform"), Some(Assignor::Uniform));
    assert_eq!(Assignor::from_name("range").map(Assignor::name), Some("range"));
    assert_eq!(Assignor::from_name("sticky"), None);
    assert!(Assignor::Uniform.assign(&GroupSpec::default()).is_empty());
}

#[test]
fn range_gives_runs_and_the_rest_to_the_first() {
    let none = Partitions::new;
    let same = group(&[("a", &[1, 3], none()), ("b", &[1, 3], none())], &[(1, 3), (3, 2)]);
    let runs = expected(&[("a", &[(1, &[0, 1]), (3, &[0])]), ("b", &[(1, &[2]), (3, &[1])])]);
    assert_eq!(assigned(Assignor::Range, &same), runs);
    let different =
        group(&[("a", &[1, 2], none()), ("b", &[3], none()), ("c", &[2, 3], none())], &[(1, 3), (2, 3), (3, 2)]);
    let runs =
        expected(&[("a", &[(1, &[0, 1, 2]), (2, &[0, 1])]), ("b", &[(3, &[0])]), ("c", &[(2, &[2]), (3, &[1])])]);
    assert_eq!(assigned(Assignor::Range, &different), runs);
    let few = group(&[("a", &[1], none()), ("b", &[1], none()), ("c", &[1], none())], &[(1, 2)]);
    assert_eq!(assigned(Assignor::Range, &few), expected(&[("a", &[(1, &[0])]), ("b", &[(1, &[1])]), ("c", &[])]));
}

#[test]
fn range_puts_static_members_first_in_the_order_of_their_instances() {
    let none = Partitions::new;
    let mut spec = group(&[("a", &[1], none()), ("b", &[1], none()), ("c", &[1], none())], &[(1, 3)]);
    spec.members.get_mut("b").unwrap().instance_id = Some("2".into());
    spec.members.get_mut("c").unwrap().instance_id = Some("1".into());
    let runs = expected(&[("a", &[(1, &[2])]), ("b", &[(1, &[1])]), ("c", &[(1, &[0])])]);
    assert_eq!(assigned(Assignor::Range, &spec), runs);
}

#[test]
fn uniform_takes_only_what_it_must() {
    let none = Partitions::new;
    let fresh = group(&[("a", &[1, 3], none()), ("b", &[1, 3], none())], &[(1, 3), (3, 2)]);
    let even = expected(&[("a", &[(1, &[0, 1])]), ("b", &[(1, &[2]), (3, &[0, 1])])]);
    assert_eq!(assigned(Assignor::Uniform, &fresh), even);
    // A member more: the two that have three give one up each.
    let (a, b) = (partitions(&[(1, &[0, 1, 2])]), partitions(&[(1, &[3, 4, 5])]));
    let grown = group(&[("a", &[1], a), ("b", &[1], b), ("c", &[1], none())], &[(1, 6)]);
    let even = expected(&[("a", &[(1, &[0, 1])]), ("b", &[(1, &[3, 4])]), ("c", &[(1, &[2, 5])])]);
    assert_eq!(assigned(Assignor::Uniform, &grown), even);
    // A topic less, and more partitions of the other.
    let (a, b) = (partitions(&[(1, &[0]), (2, &[0])]), partitions(&[(1, &[1]), (2, &[1])]));
    let changed = group(&[("a", &[1], a), ("b", &[1], b)], &[(1, 4)]);
    let even = expected(&[("a", &[(1, &[0, 2])]), ("b", &[(1, &[1, 3])])]);
    assert_eq!(assigned(Assignor::Uniform, &changed), even);
    // Metadata that is older than what is assigned.
    let (a, b) = (partitions(&[(1, &[0, 3])]), partitions(&[(1, &[2])]));
    let older = group(&[("a", &[1], a), ("b", &[1], b)], &[(1, 2)]);
    let even = expected(&[("a", &[(1, &[0])]), ("b", &[(1, &[1])])]);
    assert_eq!(assigned(Assignor::Uniform, &older), even);
    let nothing = group(&[("a", &[], none()), ("b", &[], none())], &[]);
    assert_eq!(assigned(Assignor::Uniform, &nothing), expected(&[("a", &[]), ("b", &[])]));
}

#[test]
fn uniform_balances_members_that_read_different_topics() {
    let none = Partitions::new;
    let topics = [(1, 3), (2, 6)];
    let fresh = group(&[("a", &[1], none()), ("b", &[1, 2], none()), ("c", &[2], none())], &topics);
    let sizes: Vec<usize> =
        assigned(Assignor::Uniform, &fresh).iter().map(|(_, had)| had.values().map(BTreeSet::len).sum()).collect();
    assert_eq!(sizes, [3, 3, 3]);
    // The most loaded gives its last partitions to the least loaded that may have them.
    let b = partitions(&[(1, &[0, 1, 2, 3])]);
    let lopsided = group(&[("a", &[1], none()), ("b", &[1], b), ("c", &[2], none())], &[(1, 4), (2, 1)]);
    let even = expected(&[("a", &[(1, &[2, 3])]), ("b", &[(1, &[0, 1])]), ("c", &[(2, &[0])])]);
    assert_eq!(assigned(Assignor::Uniform, &lopsided), even);
}

const TOPICS: u128 = 4;

fn any_group() -> impl Strategy<Value = GroupSpec> {
    let subscription = proptest::collection::btree_set(0..TOPICS, 0..=TOPICS as usize);
    let member = (subscription, any::<bool>());
    let counts = proptest::collection::vec(1..12_i32, TOPICS as usize);
    (proptest::collection::vec(member, 1..7), counts, any::<bool>(), any::<u64>()).prop_map(
        |(members, counts, is_same, owners)| {
            let first = members[0].0.clone();
            let counts: Vec<(u128, i32)> = (0..TOPICS).zip(counts).collect();
            let subscribed: Vec<Vec<u128>> = members
                .iter()
                .map(|(subscribed, _)| if is_same { &first } else { subscribed }.iter().copied().collect())
                .collect();
            let mut had = vec![Partitions::new(); members.len()];
            let places = counts.iter().flat_map(|(topic, count)| (0..*count).map(move |partition| (*topic, partition)));
            for (number, (number_of_topic, partition)) in places.enumerate() {
                // About half of the partitions have an owner, whether it still subscribes or not.
                let owner = (owners.rotate_left(u32::try_from(number).unwrap()) % 13) as usize;
                if let Some(had) = had.get_mut(owner) {
                    had.entry(topic(number_of_topic)).or_default().insert(partition);
                }
            }
            let names: Vec<String> = (0..members.len()).map(|number| format!("member-{number}")).collect();
            let list: Vec<(&str, &[u128], Partitions)> =
                names.iter().zip(&subscribed).zip(had).map(|((id, topics), had)| (&**id, &topics[..], had)).collect();
            let mut spec = group(&list, &counts);
            for (member, (_, is_static)) in spec.members.iter_mut().zip(&members) {
                member.1.instance_id = is_static.then(|| Arc::clone(member.0));
            }
            spec
        },
    )
}

fn check(assignor: Assignor, spec: &GroupSpec) -> Result<(), TestCaseError> {
    let target = assignor.assign(spec);
    prop_assert!(target.keys().eq(spec.members.keys()), "every member is in it");
    let mut owners: HashMap<(Uuid, i32), &Arc<str>> = HashMap::new();
    for (id, partitions) in &target {
        for (topic, partitions) in partitions {
            prop_assert!(spec.members[id].subscribed.contains(topic), "nobody gets what it does not read");
            prop_assert!(!partitions.is_empty());
            for partition in partitions {
                prop_assert_eq!(owners.insert((*topic, *partition), id), None, "nobody shares");
            }
        }
    }
    let read: BTreeSet<Uuid> = spec.members.values().flat_map(|member| member.subscribed.iter().copied()).collect();
    let all: usize = read.iter().map(|topic| usize::try_from(spec.partition_count(*topic)).unwrap()).sum();
    prop_assert_eq!(owners.len(), all, "everything is read");
    let mut again = spec.clone();
    again.members.iter_mut().for_each(|(id, member)| member.assigned = target[id].clone());
    if spec.is_homogeneous {
        let sizes = target.values().map(|had| had.values().map(BTreeSet::len).sum::<usize>());
        let (least, most) = (sizes.clone().min().unwrap(), sizes.max().unwrap());
        prop_assert!(assignor == Assignor::Range || most - least <= 1, "{least} and {most}");
        prop_assert_eq!(assignor.assign(&again), target, "what is even stays");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn everything_is_assigned_once_to_who_reads_it(spec in any_group()) {
        check(Assignor::Range, &spec)?;
        check(Assignor::Uniform, &spec)?;
        // The other algorithm has to do for the same group too.
        check(Assignor::Uniform, &GroupSpec { is_homogeneous: false, ..spec })?;
    }
}
