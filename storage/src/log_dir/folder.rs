//! Names of the folders in a log directory. Source: `LocalLog.parseTopicPartitionName`, `logDeleteDirName` and its
//! like.

use protocol::ids::{TopicPartition, Uuid};

const DELETE_SUFFIX: &str = "-delete";
const FUTURE_SUFFIX: &str = "-future";
const STRAY_SUFFIX: &str = "-stray";
/// The longest name that a file may have.
const MAX_NAME_SIZE: usize = 255;

/// What the name of a folder says about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Folder {
    /// `topic-3`: a replica's log.
    Partition(TopicPartition),
    /// `topic-3.<unique>-future`: a log that is being moved here from another directory.
    Future(TopicPartition),
    /// `topic-3.<unique>-delete`: to be removed once its delay is over. The topic may be cut short.
    Deleted(TopicPartition),
    /// `topic-3.<unique>-stray`: a log that the cluster does not know. The topic may be cut short.
    Stray(TopicPartition),
}

impl Folder {
    /// Understands a name; `None` if it is none that Kafka gives to a partition's folder.
    pub fn parse(name: &str) -> Option<Self> {
        let suffixed = |suffix: &str, kind: fn(TopicPartition) -> Self| {
            let (partition, unique) = name.strip_suffix(suffix)?.rsplit_once('.')?;
            if unique.is_empty() || name.contains(char::is_whitespace) {
                return None;
            }
            TopicPartition::parse(partition).map(kind)
        };
        suffixed(DELETE_SUFFIX, Folder::Deleted)
            .or_else(|| suffixed(FUTURE_SUFFIX, Folder::Future))
            .or_else(|| suffixed(STRAY_SUFFIX, Folder::Stray))
            .or_else(|| TopicPartition::parse(name).map(Folder::Partition))
    }
}

/// `topic-3.<unique>-delete`, the topic cut short where the name would be too long.
pub fn deleted_name(partition: &TopicPartition, unique: Uuid) -> String {
    capped_name(partition, unique, DELETE_SUFFIX)
}

/// `topic-3.<unique>-stray`, the topic cut short where the name would be too long.
pub fn stray_name(partition: &TopicPartition, unique: Uuid) -> String {
    capped_name(partition, unique, STRAY_SUFFIX)
}

/// `topic-3.<unique>-future`.
pub fn future_name(partition: &TopicPartition, unique: Uuid) -> String {
    format!("{partition}.{}{FUTURE_SUFFIX}", unique.simple())
}

fn capped_name(partition: &TopicPartition, unique: Uuid, suffix: &str) -> String {
    let tail = format!("-{}.{}{suffix}", partition.partition, unique.simple());
    let room = MAX_NAME_SIZE - tail.len();
    let topic = &partition.topic[..partition.topic.floor_char_boundary(room)];
    format!("{topic}{tail}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_understood() {
        let partition = || TopicPartition::new("a.b-c", 7);
        let cases = [
            ("a.b-c-7", Some(Folder::Partition(partition()))),
            ("a.b-c-7.0011-delete", Some(Folder::Deleted(partition()))),
            ("a.b-c-7.0011-future", Some(Folder::Future(partition()))),
            ("a.b-c-7.0011-stray", Some(Folder::Stray(partition()))),
            ("a.b-c-7-delete", None),
            ("a.b-c-7.-delete", None),
            ("a.b-c-x.1-delete", None),
            ("lost+found", None),
            ("remote-log-index-cache", None),
            ("-delete", None),
            ("", None),
        ];
        for (name, expected) in cases {
            assert_eq!(Folder::parse(name), expected, "{name}");
        }
    }

    #[test]
    fn long_topics_are_cut_where_a_suffix_is_added() {
        let partition = TopicPartition::new("t".repeat(249), 123);
        let unique = Uuid::from_u128(5);
        for name in [deleted_name(&partition, unique), stray_name(&partition, unique)] {
            assert_eq!(name.len(), 255);
            assert!(Folder::parse(&name).is_some());
        }
        let short = TopicPartition::new("t", 1);
        assert_eq!(deleted_name(&short, unique), "t-1.00000000000000000000000000000005-delete");
        assert_eq!(future_name(&short, unique), "t-1.00000000000000000000000000000005-future");
    }

    proptest! {
        #[test]
        fn any_name_never_panics(name in "\\PC{0,300}") {
            let _ = Folder::parse(&name);
            let _ = deleted_name(&TopicPartition::new(name, 1), Uuid::nil());
        }
    }
}
