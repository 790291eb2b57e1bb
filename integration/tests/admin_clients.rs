//! The admin clients of Java, librdkafka, kafka-python, sarama and franz-go, against Apache Kafka and against Ottla: what every call
//! answers is the same, word for word.

use std::path::Path;

use integration::broker::{Broker, Setup};
use integration::process::Finished;
use integration::{clients, kafka};

/// Both brokers, each with two log directories.
struct Both {
    folder: tempfile::TempDir,
    kafka: Broker,
    ottla: Broker,
}

fn setup(folder: &Path) -> Setup {
    std::fs::create_dir_all(folder).expect("the folder can be made");
    Setup::new()
        .folder(folder)
        .set("log.dirs", format!("{0}/a,{0}/b", folder.display()))
        .set("auto.create.topics.enable", false)
        .set("offsets.topic.num.partitions", 1)
}

impl Both {
    fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("admin.").tempdir().expect("a temporary folder");
        let kafka = setup(&folder.path().join("kafka")).apache_kafka().start();
        let ottla = setup(&folder.path().join("ottla")).start();
        Self { folder, kafka, ottla }
    }

    fn log_dirs(&self, broker: &str) -> [String; 2] {
        ["a", "b"].map(|name| self.folder.path().join(broker).join(name).display().to_string())
    }

    /// What a client says, without the words that are each broker's own.
    fn said(&self, broker: &str, client: &str, finished: Finished) -> Vec<String> {
        let shown = finished.everything();
        let output = finished.ok();
        let address = if broker == "kafka" { self.kafka.bootstrap() } else { self.ottla.bootstrap() };
        let own = self.folder.path().join(broker).display().to_string();
        // A client may log beside what its program prints.
        let printed = output.lines().filter(|line| line.contains(" | ") || line.starts_with("OK "));
        let mut lines: Vec<String> =
            printed.map(|line| line.replace(&own, "FOLDER").replace(&address, "HOST:PORT")).collect();
        let last = lines.last().map(String::as_str).unwrap_or_default();
        assert!(last.starts_with(&format!("OK {client} ")), "no verdict of {client} with {broker}:\n{shown}");
        // The order of topics in an answer is nobody's promise, and some clients keep it.
        lines.sort();
        lines
    }

    fn compare(&self, client: &str, run: impl Fn(&str, &[String; 2]) -> Finished) {
        let theirs = self.said("kafka", client, run(&self.kafka.bootstrap(), &self.log_dirs("kafka")));
        let ours = self.said("ottla", client, run(&self.ottla.bootstrap(), &self.log_dirs("ottla")));
        let differ: Vec<String> = theirs
            .iter()
            .zip(&ours)
            .filter(|(theirs, ours)| theirs != ours)
            .map(|(theirs, ours)| format!("{client}\n  Kafka: {theirs}\n  Ottla: {ours}"))
            .collect();
        assert!(differ.is_empty() && theirs.len() == ours.len(), "{}\n{ours:#?}", differ.join("\n"));
    }
}

#[test]
fn admin_clients_hear_from_ottla_what_they_hear_from_kafka() {
    let both = Both::start();
    both.compare("java", |bootstrap, dirs| kafka::java("Admin.java", &[bootstrap, &dirs[0], &dirs[1]]));
    both.compare("confluent-kafka", |bootstrap, _| clients::python("confluent_admin.py", &[bootstrap]));
    both.compare("kafka-python", |bootstrap, dirs| clients::python("kafka_python_admin.py", &[bootstrap, &dirs[0]]));
    both.compare("sarama", |bootstrap, _| clients::go(&["sarama", bootstrap]));
    both.compare("kadm", |bootstrap, _| clients::go(&["kadm", bootstrap]));
}
