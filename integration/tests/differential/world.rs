//! The two brokers, asked the same.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::ops::RangeInclusive;

use integration::broker::Broker;
use integration::wire::Connection;
use protocol::ids::Uuid;
use protocol::messages::{ApiVersionsRequest, DescribeClusterRequest};
use protocol::{Message, Request};

use crate::allowed::ALLOWED;
use crate::tree::Value;

/// One broker, and the words in its answers that stand for what each broker has of its own.
pub(crate) struct World {
    pub(crate) broker: Broker,
    connection: Connection,
    own_words: Vec<(String, String)>,
    topic_ids: BTreeMap<String, Uuid>,
}

impl World {
    pub(crate) fn new(broker: Broker, folder: &str) -> Self {
        let own_words = vec![
            (folder.to_owned(), "FOLDER".to_owned()),
            (broker.bootstrap(), "HOST:PORT".to_owned()),
            (format!("port: {},", broker.address().port()), "port: PORT,".to_owned()),
        ];
        let mut world = Self { connection: broker.connect(), broker, own_words, topic_ids: BTreeMap::new() };
        let cluster_id = world.connection.send(&DescribeClusterRequest::default(), 0).cluster_id;
        world.own_words.push((cluster_id.to_string(), "CLUSTER".to_owned()));
        // Kafka has no producer ids at once, and both give out the same numbers.
        world.connection.init_producer();
        world
    }

    pub(crate) fn connection(&mut self) -> &mut Connection {
        &mut self.connection
    }

    /// Creates a topic and gives its id a name in answers.
    pub(crate) fn create_topic(&mut self, name: &str, partitions: i32, configs: &[(&str, &str)]) {
        self.connection.create_topic(name, partitions, configs);
        let id = self.connection.describe_topic(name).topic_id;
        self.own_words.push((id.to_string(), format!("ID OF {name}")));
        self.topic_ids.insert(name.to_owned(), id);
    }

    /// The id of a topic made by [`World::create_topic`].
    pub(crate) fn topic_id(&self, name: &str) -> Uuid {
        self.topic_ids[name]
    }

    /// The directory `a` or `b` of `log.dirs`, as the broker names it.
    pub(crate) fn log_dir(&self, name: &str) -> String {
        format!("{}/{name}", self.own_words[0].0)
    }

    fn ask<R: Request>(&mut self, request: &R, version: i16) -> Value
    where
        R::Response: Debug,
    {
        match self.connection.try_send(request, version) {
            Ok(response) => {
                let mut printed = format!("{response:#?}");
                for (own, common) in &self.own_words {
                    printed = printed.replace(own, common);
                }
                Value::parse(&printed)
            }
            Err(error) => {
                self.connection = self.broker.connect();
                Value::Leaf(format!("no answer: {}", error.root_cause()))
            }
        }
    }
}

/// Both, and what came of asking them.
pub(crate) struct Differential {
    pub(crate) kafka: World,
    pub(crate) ottla: World,
    /// Versions served, by API key.
    pub(crate) served: BTreeMap<i16, RangeInclusive<i16>>,
    covered: BTreeSet<(i16, i16)>,
    used: BTreeSet<usize>,
    differences: Vec<String>,
}

impl Differential {
    pub(crate) fn new(kafka: World, mut ottla: World) -> Self {
        let versions = ottla.connection().send(&ApiVersionsRequest::default(), 0);
        let range = |api: &protocol::messages::api_versions_response::ApiVersion| {
            (api.api_key, api.min_version..=api.max_version)
        };
        let served = versions.api_keys.iter().map(range).collect();
        let (covered, used, differences) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
        Self { kafka, ottla, served, covered, used, differences }
    }

    /// Does the same to both.
    pub(crate) fn both(&mut self, mut prepare: impl FnMut(&mut World)) {
        prepare(&mut self.kafka);
        prepare(&mut self.ottla);
    }

    /// Asks both in every version served.
    pub(crate) fn every<R: Request>(&mut self, case: &str, build: impl Fn(&World, i16) -> R)
    where
        R::Response: Debug,
    {
        self.ask(case, i16::MIN..=i16::MAX, build);
    }

    /// Asks both in every version served that lies in `versions`.
    pub(crate) fn ask<R: Request>(
        &mut self,
        case: &str,
        versions: RangeInclusive<i16>,
        build: impl Fn(&World, i16) -> R,
    ) where
        R::Response: Debug,
    {
        let served = self.served.get(&R::KEY).unwrap_or_else(|| panic!("API {} is not served: {case}", R::KEY)).clone();
        // Produce is advertised from a version that nobody serves.
        let first = (*served.start()).max(*versions.start()).max(<R as Message>::VERSIONS.min);
        for version in first..=(*served.end()).min(*versions.end()) {
            self.ask_version(case, version, &build);
        }
    }

    fn ask_version<R: Request>(&mut self, case: &str, version: i16, build: &impl Fn(&World, i16) -> R)
    where
        R::Response: Debug,
    {
        let request = build(&self.kafka, version);
        let mut theirs = self.kafka.ask(&request, version);
        let request = build(&self.ottla, version);
        let mut ours = self.ottla.ask(&request, version);
        for (place, allowed) in ALLOWED.iter().enumerate().filter(|(_, allowed)| allowed.concerns(R::KEY, case)) {
            if ours.mask(allowed.field) | theirs.mask(allowed.field) {
                self.used.insert(place);
            }
        }
        ours.drop_own();
        theirs.sort();
        ours.sort();
        for difference in theirs.differences(&ours) {
            self.differences.push(format!("API {} v{version}, {case}: {difference}", R::KEY));
        }
        self.covered.insert((R::KEY, version));
    }

    /// Notes something that should have been alike.
    pub(crate) fn note(&mut self, difference: String) {
        self.differences.push(difference);
    }

    /// # Panics
    /// There was a difference, a version was not asked, or an allowed difference did not come up.
    pub(crate) fn finish(self) {
        let mut complaints = self.differences;
        // Against Kafka itself, which proves the cases, there is more than they cover.
        let served = if self.ottla.broker.is_apache_kafka() { BTreeMap::new() } else { self.served };
        for (key, versions) in &served {
            let first = if *key == 0 { 3 } else { *versions.start() };
            for version in first..=*versions.end() {
                if !self.covered.contains(&(*key, version)) {
                    complaints.push(format!("API {key} v{version} is served and was not compared: give it a case"));
                }
            }
        }
        for (place, allowed) in ALLOWED.iter().enumerate().filter(|(place, _)| !self.used.contains(place)) {
            let (api, field) = (allowed.api, allowed.field);
            complaints.push(format!("allowed difference {place} did not come up: API {api:?}, {field}"));
        }
        assert!(complaints.is_empty(), "{} complaints:\n{}", complaints.len(), complaints.join("\n"));
    }
}
