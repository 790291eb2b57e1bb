//! Values of configuration keys: parsed and checked as Kafka does, refused in Kafka's words. Source: `ConfigDef`.

use std::net::IpAddr;

use super::definitions::{Bounds, Definition, Kind};

/// What is shown in place of a secret (`Password.HIDDEN`).
pub const HIDDEN: &str = "[hidden]";

/// A value that has its key's type and is within its bounds.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Boolean(bool),
    /// Short, Int and Long.
    Number(i64),
    Double(f64),
    Text(String),
    List(Vec<String>),
}

/// Why a configuration is refused, in Kafka's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// One value (`ConfigException(name, value, message)`).
    #[error("Invalid value {value} for configuration {name}: {reason}")]
    Invalid { name: String, value: String, reason: String },
    /// A topic's key that does not exist.
    #[error("Unknown topic config name: {0}")]
    UnknownTopicKey(String),
    /// Several values that contradict each other, or a value that another part of the system refuses.
    #[error("{0}")]
    Conflict(String),
}

impl ConfigError {
    /// `value` of `name` is refused for `reason`.
    pub fn invalid(name: &str, value: impl ToString, reason: impl Into<String>) -> Self {
        Self::Invalid { name: name.to_owned(), value: value.to_string(), reason: reason.into() }
    }

    fn without_value(self) -> Self {
        match self {
            Self::Invalid { name, reason, .. } => Self::Invalid { name, value: HIDDEN.to_owned(), reason },
            other => other,
        }
    }
}

impl Value {
    /// Parses `text` and checks it against the key's bounds.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`].
    pub fn parse(definition: &Definition, text: &str) -> Result<Self, ConfigError> {
        let parsed = parse(definition.name, definition.kind, text).and_then(|value| {
            check(definition, &value)?;
            Ok(value)
        });
        parsed.map_err(|error| if definition.is_secret() { error.without_value() } else { error })
    }

    /// As [`Value::parse`], and a key that is refused must have its default.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`].
    pub fn parse_supported(definition: &Definition, text: &str) -> Result<Self, ConfigError> {
        let value = Self::parse(definition, text)?;
        match definition.refusal() {
            Some(reason) if !is_default(definition, &value) => {
                Err(ConfigError::invalid(definition.name, value, reason))
            }
            _ => Ok(value),
        }
    }

    /// The number of a key of type Short, Int or Long, else 0.
    pub fn number(&self) -> i64 {
        if let Self::Number(number) = self { *number } else { 0 }
    }

    /// The number of a key of type Double, else 0.
    pub fn double(&self) -> f64 {
        if let Self::Double(number) = self { *number } else { 0.0 }
    }

    /// The truth of a key of type Boolean, else false.
    pub fn is_true(&self) -> bool {
        matches!(self, Self::Boolean(true))
    }

    /// The elements of a key of type List, the text of one of type String.
    pub fn elements(&self) -> &[String] {
        match self {
            Self::List(elements) => elements,
            Self::Text(text) => std::slice::from_ref(text),
            Self::Boolean(_) | Self::Number(_) | Self::Double(_) => &[],
        }
    }

    /// The text of a key of type String, else "".
    pub fn text(&self) -> &str {
        if let Self::Text(text) = self { text } else { "" }
    }
}

/// As `ConfigDef.convertToString` prints it.
impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Boolean(value) => write!(f, "{value}"),
            Self::Number(value) => write!(f, "{value}"),
            Self::Double(value) => f.write_str(&java_double(*value)),
            Self::Text(value) => f.write_str(value),
            Self::List(values) => f.write_str(&values.join(",")),
        }
    }
}

/// As `Double.toString`: always with a fraction, the exponent without a sign.
fn java_double(value: f64) -> String {
    let plain = value == 0.0 || (1e-3..1e7).contains(&value.abs());
    if plain || !value.is_finite() {
        return format!("{value:?}");
    }
    let text = format!("{value:E}");
    match text.split_once('E') {
        Some((digits, exponent)) if !digits.contains('.') => format!("{digits}.0E{exponent}"),
        _ => text,
    }
}

/// An empty text is the default of a key whose default is null.
fn is_default(definition: &Definition, value: &Value) -> bool {
    let default = definition.default.unwrap_or("");
    parse(definition.name, definition.kind, default).is_ok_and(|default| default == *value)
}

fn parse(name: &str, kind: Kind, text: &str) -> Result<Value, ConfigError> {
    let trimmed = text.trim();
    let invalid = |reason: &str| ConfigError::invalid(name, text, reason);
    match kind {
        Kind::Boolean if trimmed.eq_ignore_ascii_case("true") => Ok(Value::Boolean(true)),
        Kind::Boolean if trimmed.eq_ignore_ascii_case("false") => Ok(Value::Boolean(false)),
        Kind::Boolean => Err(invalid("Expected value to be either true or false")),
        Kind::String | Kind::Class => Ok(Value::Text(trimmed.to_owned())),
        // Blanks may be a part of a secret.
        Kind::Password => Ok(Value::Text(text.to_owned())),
        Kind::Short => match trimmed.parse::<i16>() {
            Ok(number) => Ok(Value::Number(number.into())),
            Err(_) => Err(invalid("Not a number of type SHORT")),
        },
        Kind::Int => match trimmed.parse::<i32>() {
            Ok(number) => Ok(Value::Number(number.into())),
            Err(_) => Err(invalid("Not a number of type INT")),
        },
        Kind::Long => trimmed.parse().map(Value::Number).map_err(|_| invalid("Not a number of type LONG")),
        Kind::Double => trimmed.parse().map(Value::Double).map_err(|_| invalid("Not a number of type DOUBLE")),
        Kind::List if trimmed.is_empty() => Ok(Value::List(Vec::new())),
        Kind::List => Ok(Value::List(trimmed.split(',').map(|element| element.trim().to_owned()).collect())),
    }
}

fn check(definition: &Definition, value: &Value) -> Result<(), ConfigError> {
    let name = definition.name;
    let refuse = |reason: String| Err(ConfigError::invalid(name, value, reason));
    match definition.bounds {
        Bounds::Any => Ok(()),
        Bounds::AtLeast(min) if value.number() < min => refuse(format!("Value must be at least {min}")),
        Bounds::AtLeast(_) => Ok(()),
        Bounds::Between(min, max) => {
            let (is_low, is_high) = match value {
                Value::Double(number) => (*number < min as f64 || number.is_nan(), *number > max as f64),
                _ => (value.number() < min, value.number() > max),
            };
            match (is_low, is_high) {
                (true, _) => refuse(format!("Value must be at least {min}")),
                (_, true) => refuse(format!("Value must be no more than {max}")),
                _ => Ok(()),
            }
        }
        Bounds::BetweenOr(min, max, or) => {
            let number = value.number();
            let is_within = (min..=max).contains(&number) || number == or;
            if is_within { Ok(()) } else { refuse(format!("Value must be between {min} and {max} or equal to {or}")) }
        }
        Bounds::UpTo(max) => match value {
            Value::Double(number) if *number < 0.0 || number.is_nan() => refuse("Value must be at least 0".to_owned()),
            Value::Double(number) if *number > max => refuse(format!("Value must be no more than {max}")),
            _ => Ok(()),
        },
        Bounds::NonEmpty if value.text().is_empty() => refuse("String must be non-empty".to_owned()),
        Bounds::NonEmpty => Ok(()),
        Bounds::OneOfAnyCase(choices) => {
            let is_choice = choices.iter().any(|choice| choice.eq_ignore_ascii_case(value.text()));
            let reason = || format!("String must be one of (case insensitive): {}", choices.join(", "));
            if is_choice { Ok(()) } else { refuse(reason()) }
        }
        Bounds::AddressCounts => address_counts(value.text()).map(|_| ()).or_else(refuse),
        Bounds::OffsetReset if is_offset_reset(value.text()) => Ok(()),
        Bounds::OffsetReset => refuse(format!(
            "Invalid value `{value}` for configuration {name}. The value must be either 'earliest', 'latest' or of the \
             format 'by_duration:<PnDTnHnMn.nS>'."
        )),
        Bounds::OneOf(choices) | Bounds::EachOneOf(choices) => {
            match value.elements().iter().find(|element| !choices.contains(&element.as_str())) {
                Some(element) => {
                    let reason = format!("String must be one of: {}", choices.join(", "));
                    Err(ConfigError::invalid(name, element, reason))
                }
                None => Ok(()),
            }
        }
        Bounds::ThrottledReplicas => check_throttled_replicas(name, value.elements()),
    }
}

/// The addresses and counts of `address:count,address:count`; an IPv6 address may stand in brackets.
///
/// # Errors
/// The pair that is none.
pub(super) fn address_counts(text: &str) -> Result<Vec<(IpAddr, usize)>, String> {
    let pairs = text.split(',').map(str::trim).filter(|pair| !pair.is_empty());
    let parsed = pairs.map(|pair| {
        let (address, count) = pair.rsplit_once(':')?;
        let address = address.strip_prefix('[').and_then(|address| address.strip_suffix(']')).unwrap_or(address);
        Some((address.parse().ok()?, count.trim().parse().ok()?))
    });
    let refused = || "Expected pairs of an IP address and a count, address:count,address:count".to_owned();
    parsed.collect::<Option<_>>().ok_or_else(refused)
}

/// Source: `ShareGroupAutoOffsetResetStrategy`. A duration is of days, hours, minutes and seconds, and not negative.
fn is_offset_reset(text: &str) -> bool {
    if let Some(duration) = text.strip_prefix("by_duration:") {
        return is_duration(duration);
    }
    matches!(text, "latest" | "earliest")
}

/// Whether `text` is `PnDTnHnMn.nS` with at least one number.
fn is_duration(text: &str) -> bool {
    let upper = text.to_ascii_uppercase();
    let Some(rest) = upper.strip_prefix('P') else { return false };
    let (days, time) = rest.split_once('T').map_or((rest, None), |(days, time)| (days, Some(time)));
    let is_in_order = |text: &str, units: &str| {
        let (mut left, mut units) = (text, units.chars());
        while !left.is_empty() {
            let Some(end) = left.find(|char: char| !char.is_ascii_digit() && char != '.') else { return false };
            let unit = left[end..].chars().next().unwrap_or_default();
            let is_number =
                end > 0 && (!left[..end].contains('.') || unit == 'S') && left[..end].parse::<f64>().is_ok();
            if !is_number || !units.any(|next| next == unit) {
                return false;
            }
            left = &left[end + unit.len_utf8()..];
        }
        true
    };
    let has_time = time.is_some_and(|time| !time.is_empty());
    is_in_order(days, "D")
        && time.is_none_or(|time| is_in_order(time, "HMS"))
        && (has_time || (!days.is_empty() && time.is_none()))
}

/// Source: `ThrottledReplicaListValidator`.
fn check_throttled_replicas(name: &str, replicas: &[String]) -> Result<(), ConfigError> {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_pair = |text: &String| text.split_once(':').is_some_and(|(a, b)| is_number(a) && is_number(b));
    if replicas == ["*"] || replicas.iter().all(is_pair) {
        return Ok(());
    }
    let reason = format!(
        "{name} must be the literal '*' or a list of replicas in the following format: \
         [partitionId]:[brokerId],[partitionId]:[brokerId],..."
    );
    Err(ConfigError::invalid(name, format!("[{}]", replicas.join(", ")), reason))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::definitions::topic_key;

    fn refusal(name: &str, text: &str) -> String {
        Value::parse(topic_key(name).unwrap(), text).unwrap_err().to_string()
    }

    #[test]
    fn refusals_are_in_kafkas_words() {
        // As Apache Kafka 4.3.1 answered CreateTopics.
        let cases = [
            ("retention.ms", "abc", "Invalid value abc for configuration retention.ms: Not a number of type LONG"),
            ("retention.ms", "-2", "Invalid value -2 for configuration retention.ms: Value must be at least -1"),
            ("retention.ms", "", "Invalid value  for configuration retention.ms: Not a number of type LONG"),
            (
                "segment.bytes",
                "99999999999",
                "Invalid value 99999999999 for configuration segment.bytes: Not a number of type INT",
            ),
            (
                "cleanup.policy",
                "compact,foo",
                "Invalid value foo for configuration cleanup.policy: String must be one of: compact, delete",
            ),
            (
                "compression.type",
                "GZIP",
                "Invalid value GZIP for configuration compression.type: String must be one of: uncompressed, zstd, lz4, \
                 snappy, gzip, producer",
            ),
            (
                "compression.gzip.level",
                "0",
                "Invalid value 0 for configuration compression.gzip.level: Value must be between 1 and 9 or equal to -1",
            ),
            (
                "compression.zstd.level",
                "99",
                "Invalid value 99 for configuration compression.zstd.level: Value must be no more than 22",
            ),
            (
                "min.cleanable.dirty.ratio",
                "2",
                "Invalid value 2.0 for configuration min.cleanable.dirty.ratio: Value must be no more than 1",
            ),
            (
                "preallocate",
                "maybe",
                "Invalid value maybe for configuration preallocate: Expected value to be either true or false",
            ),
        ];
        for (name, text, expected) in cases {
            assert_eq!(refusal(name, text), expected);
        }
        let throttled = refusal("leader.replication.throttled.replicas", "x");
        assert!(throttled.starts_with("Invalid value [x] for configuration leader.replication.throttled.replicas: "));
    }

    #[test]
    fn a_secret_is_not_in_the_message() {
        let definition =
            Definition { kind: Kind::Password, bounds: Bounds::NonEmpty, ..*topic_key("preallocate").unwrap() };
        let refused = Value::parse(&definition, "").unwrap_err().to_string();
        assert_eq!(refused, "Invalid value [hidden] for configuration preallocate: String must be non-empty");
    }

    #[test]
    fn doubles_are_printed_as_java_does() {
        let cases =
            [(0.5, "0.5"), (2.0, "2.0"), (f64::MAX, "1.7976931348623157E308"), (1e10, "1.0E10"), (1e-5, "1.0E-5")];
        for (value, expected) in cases {
            assert_eq!(Value::Double(value).to_string(), expected);
        }
    }

    #[test]
    fn addresses_have_counts() {
        let parsed = address_counts("127.0.0.1:5, [::1]:0,fe80::1:7").unwrap();
        let expected = [("127.0.0.1", 5), ("::1", 0), ("fe80::1", 7)];
        assert_eq!(parsed, expected.map(|(address, count)| (address.parse().unwrap(), count)));
        assert_eq!(address_counts("").unwrap(), []);
        for bad in ["foo", "127.0.0.1", "127.0.0.1:-1", "a.host:4", "127.0.0.1:x"] {
            assert!(address_counts(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn offsets_are_reset_by_a_duration() {
        for good in ["latest", "earliest", "by_duration:P3D", "by_duration:PT1H30M", "by_duration:P1DT2.5S"] {
            assert!(is_offset_reset(good), "{good}");
        }
        for bad in [
            "",
            "none",
            "by_duration:",
            "by_duration:P",
            "by_duration:PT",
            "by_duration:P1DT",
            "by_duration:P1H",
            "by_duration:-PT1S",
            "by_duration:PT1M1H",
        ] {
            assert!(!is_offset_reset(bad), "{bad}");
        }
    }

    #[test]
    fn what_kafka_takes_is_taken() {
        let cases = [
            ("retention.ms", " 5 "),
            ("cleanup.policy", " compact , delete "),
            ("cleanup.policy", ""),
            ("preallocate", "TRUE"),
            ("leader.replication.throttled.replicas", "0:1,1:1"),
            ("leader.replication.throttled.replicas", "*"),
            ("retention.bytes", "-5"),
        ];
        for (name, text) in cases {
            Value::parse(topic_key(name).unwrap(), text).unwrap();
        }
    }
}
