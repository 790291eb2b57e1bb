//! The order in which Java's `HashMap` gives its keys: Kafka's tools print in it, so whoever compares outputs sees it.

/// Sorts `items` as a `HashMap` of their names would give them. `capacity` is the one that the map is made with (16 by default).
pub(super) fn sort<T>(items: &mut [T], capacity: usize, name: impl Fn(&T) -> &str) {
    let mut buckets = capacity.next_power_of_two();
    while items.len() * 4 > buckets * 3 {
        buckets *= 2;
    }
    let mask = u32::try_from(buckets - 1).unwrap_or(u32::MAX);
    // Stable: inside a bucket the order is that of insertion.
    items.sort_by_key(|item| {
        let hash = string_hash(name(item));
        (hash ^ hash >> 16) & mask
    });
}

/// `String.hashCode`, over UTF-16.
fn string_hash(text: &str) -> u32 {
    text.encode_utf16().fold(0u32, |hash, unit| hash.wrapping_mul(31).wrapping_add(u32::from(unit)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_java() {
        // jshell: "hello".hashCode(), "retention.ms".hashCode()
        assert_eq!(string_hash("hello"), 99_162_322);
        assert_eq!(string_hash(""), 0);
    }

    #[test]
    fn few_names_lie_in_sixteen_buckets() {
        let mut names = ["b", "a", "q"];
        sort(&mut names, 16, |name| name);
        // 'a' is 97 = 6·16 + 1, 'q' is 113 = 7·16 + 1, 'b' is 98: the first two share a bucket.
        assert_eq!(names, ["a", "q", "b"]);
    }
}
