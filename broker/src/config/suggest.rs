//! "Did you mean": the known key that an unknown one is nearest to.

use super::definitions::{BROKER, TOPIC};

/// A longer name is nobody's typo, and not compared with all keys.
const LONGEST: usize = 100;

/// The broker's key that differs from `name` by the fewest edits, if that is at most a third of it; or the broker's key for a
/// topic's key.
pub(super) fn nearest(name: &str) -> Option<&'static str> {
    if let Some(topic) = TOPIC.iter().find(|definition| definition.name == name) {
        return super::definitions::topic_synonym(topic.name);
    }
    let most = name.len() / 3;
    // Names whose lengths alone differ by more are not compared: a file may hold thousands of lines that are no keys.
    let alike = BROKER.iter().filter(|row| row.name.len().abs_diff(name.len()) <= most && name.len() <= LONGEST);
    let (distance, nearest) = alike.map(|row| (distance(name, row.name), row.name)).min()?;
    (distance <= most).then_some(nearest)
}

/// Insertions, deletions and replacements of bytes between two names (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, a) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in b.bytes().enumerate() {
            let replaced = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_key_is_suggested() {
        assert_eq!(nearest("log.dir"), Some("log.dir"));
        assert_eq!(nearest("num.partition"), Some("num.partitions"));
        assert_eq!(nearest("log.retention.hour"), Some("log.retention.hours"));
        assert_eq!(nearest("retention.ms"), Some("log.retention.ms"), "a topic's key");
        assert_eq!(nearest("entirely.different"), None);
    }

    #[test]
    fn what_is_no_name_is_not_compared() {
        let longest = BROKER.iter().map(|row| row.name.len()).max().unwrap();
        assert!(longest < LONGEST, "{longest}");
        assert_eq!(nearest(&"x".repeat(1 << 20)), None);
        assert_eq!(nearest(""), None);
    }
}
