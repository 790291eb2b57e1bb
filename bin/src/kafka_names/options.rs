//! Options as Kafka's tools take them (`joptsimple` without abbreviations): `--name value`, `--name=value`, `--flag`.

use std::collections::BTreeMap;

/// Which options a tool has.
pub(super) struct Options {
    /// Without a value.
    pub(super) flags: &'static [&'static str],
    /// With one.
    pub(super) values: &'static [&'static str],
    /// With one or without.
    pub(super) optional: &'static [&'static str],
}

/// A command line that is none, in joptsimple's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum OptionError {
    #[error("{0} is not a recognized option")]
    Unknown(String),
    #[error("Option {0} requires an argument")]
    MissingValue(String),
    #[error("Option {0} does not expect an argument")]
    UnexpectedValue(String),
}

/// What was given.
#[derive(Clone, Debug, Default)]
pub(super) struct Parsed {
    given: BTreeMap<&'static str, Vec<String>>,
    /// Words that are no options.
    pub(super) rest: Vec<String>,
}

impl Options {
    /// # Errors
    /// [`OptionError`].
    pub(super) fn parse(&self, arguments: &[String]) -> Result<Parsed, OptionError> {
        let mut parsed = Parsed::default();
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let Some(option) = argument.strip_prefix("--").filter(|option| !option.is_empty()) else {
                parsed.rest.push(argument.clone());
                continue;
            };
            let (name, inline) = match option.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (option, None),
            };
            let known = |names: &[&'static str]| names.iter().copied().find(|known| *known == name);
            if let Some(flag) = known(self.flags) {
                if inline.is_some() {
                    return Err(OptionError::UnexpectedValue(name.to_owned()));
                }
                parsed.given.entry(flag).or_default();
            } else if let Some(option) = known(self.optional) {
                let following = arguments.as_slice().first().filter(|next| inline.is_none() && !next.starts_with('-'));
                let value = inline.or_else(|| following.cloned());
                if following.is_some() {
                    arguments.next();
                }
                parsed.given.entry(option).or_default().extend(value);
            } else if let Some(option) = known(self.values) {
                // A following option is no value, unless it is negative: a number.
                let next = || arguments.next().filter(|next| !next.starts_with("--")).cloned();
                let value = inline.or_else(next).ok_or_else(|| OptionError::MissingValue(name.to_owned()))?;
                parsed.given.entry(option).or_default().push(value);
            } else {
                return Err(OptionError::Unknown(name.to_owned()));
            }
        }
        Ok(parsed)
    }
}

impl Parsed {
    pub(super) fn has(&self, name: &str) -> bool {
        self.given.contains_key(name)
    }

    /// The only value, or the first of several.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.values(name).first().map(String::as_str)
    }

    pub(super) fn values(&self, name: &str) -> &[String] {
        self.given.get(name).map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPTIONS: Options = Options { flags: &["list"], values: &["topic", "config"], optional: &["state"] };

    fn parse(arguments: &[&str]) -> Result<Parsed, OptionError> {
        OPTIONS.parse(&arguments.iter().map(|argument| (*argument).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn values_follow_or_stand_behind_an_equals_sign() {
        let parsed = parse(&["--list", "--topic", "a", "--config=b=c", "--config", "d=e", "rest"]).unwrap();
        assert!(parsed.has("list") && parsed.has("topic"));
        assert_eq!(parsed.value("topic"), Some("a"));
        assert_eq!(parsed.values("config"), ["b=c", "d=e"]);
        assert_eq!(parsed.rest, ["rest"]);
    }

    #[test]
    fn an_optional_value_is_no_option() {
        let of = |arguments: &[&str]| {
            let parsed = parse(arguments).unwrap();
            (parsed.has("state"), parsed.value("state").map(str::to_owned), parsed.has("list"))
        };
        assert_eq!(of(&["--state", "--list"]), (true, None, true));
        assert_eq!(of(&["--state", "empty", "--list"]), (true, Some("empty".to_owned()), true));
        assert_eq!(of(&["--list", "--state=dead"]), (true, Some("dead".to_owned()), true));
    }

    #[test]
    fn errors_are_worded_as_kafkas_tools_word_them() {
        let text = |arguments: &[&str]| parse(arguments).unwrap_err().to_string();
        assert_eq!(text(&["--lis"]), "lis is not a recognized option");
        assert_eq!(text(&["--topic"]), "Option topic requires an argument");
        assert_eq!(text(&["--topic", "--list"]), "Option topic requires an argument");
        assert_eq!(text(&["--list=a"]), "Option list does not expect an argument");
    }
}
