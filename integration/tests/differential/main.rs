//! The same requests, good and bad, to Apache Kafka and to Ottla, in every version served: the answers are equal field by field but
//! for what `allowed` names with a reason. An API that is served and has no case here fails the test.

mod admin;
mod allowed;
mod cluster;
mod consumer_groups;
mod data;
mod groups;
mod quotas;
mod topics;
mod tree;
mod world;

use std::path::Path;

use integration::broker::{Broker, Setup};

use world::{Differential, World};

fn setup(folder: &Path) -> Setup {
    let log_dirs = format!("{0}/a,{0}/b", folder.display());
    std::fs::create_dir_all(folder).expect("the folder can be made");
    Setup::new()
        .folder(folder)
        .set("log.dirs", log_dirs)
        .set("auto.create.topics.enable", false)
        .set("group.initial.rebalance.delay.ms", 0)
        .set("group.consumer.assignment.interval.ms", 0)
        .set("offsets.topic.num.partitions", 1)
        .set("transaction.state.log.num.partitions", 1)
}

fn world(broker: Broker, folder: &Path) -> World {
    World::new(broker, &folder.display().to_string())
}

#[test]
fn kafka_and_ottla_answer_alike() {
    let folder = tempfile::Builder::new().prefix("differential.").tempdir().expect("a temporary folder");
    let (kafka, ottla) = (folder.path().join("kafka"), folder.path().join("ottla"));
    let kafka = world(setup(&kafka).apache_kafka().start(), &kafka);
    let ottla = world(setup(&ottla).start(), &ottla);
    let mut differential = Differential::new(kafka, ottla);

    topics::compare(&mut differential);
    data::compare(&mut differential);
    admin::compare(&mut differential);
    cluster::compare(&mut differential);
    quotas::compare(&mut differential);
    groups::compare(&mut differential);
    consumer_groups::compare(&mut differential);
    differential.finish();
}
