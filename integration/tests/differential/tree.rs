//! An answer as a tree of fields, read from how it prints itself, so that any two answers can be compared field by field.

use std::iter::Peekable;
use std::str::Lines;

/// A value in an answer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Value {
    Leaf(String),
    Struct(Vec<(String, Value)>),
    List(Vec<Value>),
}

impl Value {
    /// Reads what `{:#?}` prints.
    pub(crate) fn parse(printed: &str) -> Self {
        let mut lines = printed.lines().peekable();
        let first = lines.next().unwrap_or_default();
        parse_value(first.trim(), &mut lines)
    }

    /// Puts lists into an order of their own: Kafka's own order is that of hash tables in many answers.
    pub(crate) fn sort(&mut self) {
        match self {
            Self::Leaf(_) => {}
            Self::Struct(fields) => fields.iter_mut().for_each(|(_, value)| value.sort()),
            Self::List(values) => {
                values.iter_mut().for_each(Value::sort);
                values.sort();
            }
        }
    }

    /// Takes out list elements that Kafka cannot have: keys of Ottla's own, and of Kafka 4.4.
    pub(crate) fn drop_own(&mut self) {
        let is_own = |value: &Self| match value {
            Self::Struct(fields) => fields.iter().any(|(name, value)| name == "name" && value.is_own_key()),
            _ => false,
        };
        match self {
            Self::Leaf(_) => {}
            Self::Struct(fields) => fields.iter_mut().for_each(|(_, value)| value.drop_own()),
            Self::List(values) => {
                values.retain(|value| !is_own(value));
                values.iter_mut().for_each(Value::drop_own);
            }
        }
    }

    fn is_own_key(&self) -> bool {
        const OWN: [&str; 3] = ["\"ottla.", "\"remote.copy.lag.", "\"log.remote.copy.lag."];
        matches!(self, Self::Leaf(text) if OWN.iter().any(|own| text.starts_with(own)))
    }

    /// Blanks the fields of that name, wherever they are; says whether there was one.
    pub(crate) fn mask(&mut self, name: &str) -> bool {
        match self {
            Self::Leaf(_) => false,
            Self::List(values) => values.iter_mut().fold(false, |found, value| value.mask(name) | found),
            Self::Struct(fields) => {
                let mut found = false;
                for (field, value) in fields {
                    if field == name {
                        *value = Self::Leaf("*".to_owned());
                        found = true;
                    } else {
                        found |= value.mask(name);
                    }
                }
                found
            }
        }
    }

    /// Every place in which the two differ.
    pub(crate) fn differences(&self, other: &Self) -> Vec<String> {
        let mut found = Vec::new();
        self.compare(other, "", &mut found);
        found
    }

    fn compare(&self, other: &Self, path: &str, found: &mut Vec<String>) {
        match (self, other) {
            (Self::Struct(ours), Self::Struct(theirs)) if names(ours) == names(theirs) => {
                for ((name, our), (_, their)) in ours.iter().zip(theirs) {
                    our.compare(their, &format!("{path}.{name}"), found);
                }
            }
            (Self::List(ours), Self::List(theirs)) if ours.len() == theirs.len() => {
                for (place, (our, their)) in ours.iter().zip(theirs).enumerate() {
                    our.compare(their, &format!("{path}[{place}]"), found);
                }
            }
            _ if self == other => {}
            _ => found.push(format!("{path}: Kafka {}, Ottla {}", self.short(), other.short())),
        }
    }

    fn short(&self) -> String {
        let text = match self {
            Self::Leaf(text) => text.clone(),
            other => format!("{other:?}"),
        };
        text.chars().take(600).collect()
    }
}

fn names(fields: &[(String, Value)]) -> Vec<&str> {
    fields.iter().map(|(name, _)| name.as_str()).collect()
}

fn parse_value(text: &str, lines: &mut Peekable<Lines<'_>>) -> Value {
    match text.chars().last() {
        Some('{') => Value::Struct(
            block(lines, '}').into_iter().map(|(name, value)| (name.unwrap_or_default(), value)).collect(),
        ),
        Some('[') => Value::List(block(lines, ']').into_iter().map(|(_, value)| value).collect()),
        // A tuple or an option around one value says no more than the value.
        Some('(') => match block(lines, ')').pop() {
            Some((_, value)) => value,
            None => Value::Leaf("()".to_owned()),
        },
        _ => match text.strip_suffix(',').unwrap_or(text) {
            "[]" => Value::List(Vec::new()),
            text => Value::Leaf(text.to_owned()),
        },
    }
}

/// The lines up to the closing one, as values with the names of their fields.
fn block(lines: &mut Peekable<Lines<'_>>, close: char) -> Vec<(Option<String>, Value)> {
    let mut values = Vec::new();
    while let Some(line) = lines.next() {
        let line = line.trim();
        if line.trim_end_matches(',') == close.to_string() {
            break;
        }
        let (name, rest) = match line.split_once(": ") {
            Some((name, rest)) if name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') => {
                (Some(name.to_owned()), rest)
            }
            _ => (None, line),
        };
        values.push((name, parse_value(rest, lines)));
    }
    values
}

#[test]
fn what_prints_itself_is_read_back() {
    #[derive(Debug)]
    #[expect(dead_code, reason = "only printed")]
    struct Answer {
        code: i16,
        message: Option<&'static str>,
        parts: Vec<Part>,
        none: Vec<i32>,
    }
    #[derive(Debug)]
    #[expect(dead_code, reason = "only printed")]
    struct Part(i32);
    let answer = |message, parts: &[i32]| Answer {
        code: 3,
        message,
        parts: parts.iter().map(|part| Part(*part)).collect(),
        none: vec![],
    };
    let parse = |answer: &Answer| {
        let mut value = Value::parse(&format!("{answer:#?}"));
        value.sort();
        value
    };
    let one = parse(&answer(Some("a: b, c"), &[1, 2]));
    assert_eq!(one.differences(&parse(&answer(Some("a: b, c"), &[2, 1]))), [""; 0]);
    let differences = one.differences(&parse(&answer(None, &[2, 3])));
    assert_eq!(differences.len(), 3, "{differences:?}");
    assert!(differences[0].starts_with(".message: Kafka \"a: b, c\", Ottla None"), "{differences:?}");
    let mut masked = one.clone();
    assert!(masked.mask("message") && !masked.mask("massage"));
}
