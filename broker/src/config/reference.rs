//! The reference page of all keys, made from their rows: `docs/configuration.md`.

use std::fmt::Write;

use super::definitions::{AREAS, Area, Bounds, CLIENT_METRICS, Definition, Effect, GROUP, Kind, TOPIC, Update};

const HEAD: &str = "\
# Configuration

Made by `ottla config list --markdown`: every key that is known, from the same rows that values are checked by.

Ottla reads Apache Kafka's `server.properties`, the environment variables of the images of Apache, Confluent and Bitnami, and the command line:

```
ottla server server.properties --override log.dirs=/data
KAFKA_LOG_DIRS=/data ottla
```

Precedence: command line > environment > file > default. A key of the environment is `KAFKA_` and the key in capitals, with `_` for a dot, `__` for an
underscore and `___` for a dash; Bitnami's `KAFKA_CFG_` does the same. With `_FILE` behind it a variable names a file that holds the value. Keys that
can change without a restart (`broker` for one broker, `cluster` for one or all) are set with `kafka-configs.sh` or `ottla config set`; what is set so is
stored in the cluster and stronger than all of the above.

An unknown key gets a warning; a bad value keeps the broker from starting. The column *here* says what a key does in Ottla:

- **yes**: what it does in Kafka.
- **no**: it is accepted and changes nothing, for the reason given.
- **refused**: only its default is accepted, because whoever sets it relies on something that would not be kept.
";

/// The page.
pub fn page() -> String {
    let mut page = HEAD.to_owned();
    for Area { title, rows, .. } in AREAS {
        push_table(&mut page, title, rows);
    }
    push_table(&mut page, "Topics' own keys", TOPIC);
    push_table(&mut page, "Groups' own keys", GROUP);
    push_table(&mut page, "Subscriptions to clients' metrics", CLIENT_METRICS);
    page
}

fn push_table(page: &mut String, title: &str, rows: &[Definition]) {
    let _ = write!(
        page,
        "\n## {title}\n\n| key | type | default | values | change | here | |\n| --- | --- | --- | --- | --- | --- | --- |\n"
    );
    for row in rows {
        let _ = writeln!(
            page,
            "| `{}` | {} | {} | {} | {} | {} | {} |",
            row.name,
            kind(row.kind),
            row.default.map_or("null".to_owned(), |default| format!("`{default}`")).replace("``", ""),
            bounds(&row.bounds),
            update(row.update),
            effect(row.effect),
            row.documentation.replace('|', "\\|"),
        );
    }
}

/// The type's name, in Kafka's words.
pub fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Boolean => "boolean",
        Kind::String => "string",
        Kind::Short => "short",
        Kind::Int => "int",
        Kind::Long => "long",
        Kind::Double => "double",
        Kind::List => "list",
        Kind::Class => "class",
        Kind::Password => "password",
    }
}

/// What a value may be, for people; empty if anything.
pub fn bounds(bounds: &Bounds) -> String {
    match bounds {
        Bounds::Any => String::new(),
        Bounds::AtLeast(min) => format!("{min} or more"),
        Bounds::Between(min, max) => format!("{min} to {max}"),
        Bounds::BetweenOr(min, max, or) => format!("{min} to {max}, or {or}"),
        Bounds::UpTo(max) => format!("0 to {max}"),
        Bounds::NonEmpty => "not empty".to_owned(),
        Bounds::OneOf(choices) | Bounds::OneOfAnyCase(choices) | Bounds::EachOneOf(choices) => choices.join(", "),
        Bounds::ThrottledReplicas => "*, or partition:broker,…".to_owned(),
        Bounds::AddressCounts => "address:count,…".to_owned(),
        Bounds::OffsetReset => "earliest, latest, by_duration:PnDTnHnMn.nS".to_owned(),
    }
}

/// How the key may change.
pub fn update(update: Update) -> &'static str {
    match update {
        Update::ReadOnly => "restart",
        Update::PerBroker => "broker",
        Update::ClusterWide => "cluster",
    }
}

/// What the key does.
pub fn effect(effect: Effect) -> &'static str {
    match effect {
        Effect::Acts => "yes",
        Effect::None => "no",
        Effect::Refused => "refused",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_in_the_tree_is_current() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/configuration.md");
        let page = page();
        if std::env::var_os("OTTLA_WRITE_DOCS").is_some() {
            std::fs::write(path, &page).unwrap();
        }
        let found = std::fs::read_to_string(path).unwrap_or_default();
        assert!(found == page, "run: ottla config list --markdown > docs/configuration.md");
    }
}
