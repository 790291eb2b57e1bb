//! Regular expressions of topics, as RE2/J reads them, matched in linear time. Source: `TopicRegexResolver`, `com.google.re2j.Pattern`.
//!
//! RE2 and the crate `regex` are of one family, with differences in what they accept: here an expression is read as RE2/J does, with
//! its errors, and written down again in the crate's own syntax.

use regex::{Regex, RegexBuilder};
use std::collections::BTreeSet;
use std::sync::Arc;

use super::Topics;
use super::re2::{self, SyntaxError};
use crate::group::GroupError;

/// The most memory that one expression may take, compiled.
const SIZE_LIMIT: usize = 10 << 20;

/// What an expression matches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResolvedRegex {
    pub topics: BTreeSet<Arc<str>>,
    /// The offset of the metadata in which they were found.
    pub version: i64,
    /// When they were found, in ms since the epoch.
    pub timestamp_ms: i64,
}

/// Goes on only if the expression is one.
///
/// # Errors
/// [`GroupError::InvalidRegex`].
pub fn check(regex: &str) -> Result<(), GroupError> {
    compile(regex)
        .map(drop)
        .map_err(|error| GroupError::InvalidRegex { regex: regex.to_owned(), reason: error.to_string() })
}

/// An expression that matches whole names.
fn compile(regex: &str) -> Result<Regex, SyntaxError> {
    let translated = re2::translate(regex)?;
    let whole = format!(r"\A(?:{translated})\z");
    RegexBuilder::new(&whole).size_limit(SIZE_LIMIT).build().map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => SyntaxError::TooLarge,
        // What has been read as RE2/J does can only name a class of characters that does not exist.
        _ => SyntaxError::ClassRange,
    })
}

/// Finds what each expression matches. Takes time that grows with the topics.
pub fn resolve(regexes: &[Arc<str>], topics: &Topics, now_ms: i64) -> Vec<(Arc<str>, ResolvedRegex)> {
    let (version, timestamp_ms) = (topics.image.offset(), now_ms);
    let resolved = regexes.iter().map(|regex| {
        let matched = match compile(regex) {
            Ok(compiled) => topics.names().filter(|name| compiled.is_match(name)).cloned().collect(),
            // Checked when a member came with it; a log may hold anything.
            Err(error) => {
                tracing::error!(%regex, %error, "passing over a regular expression");
                BTreeSet::new()
            }
        };
        (Arc::clone(regex), ResolvedRegex { topics: matched, version, timestamp_ms })
    });
    resolved.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether RE2/J of Kafka 4.3 accepts each, and if so whether it matches "a"; else its words.
    const RE2J: &[(&str, Result<bool, &str>)] = &[
        ("a**", Err("invalid nested repetition operator")),
        ("a++", Err("invalid nested repetition operator")),
        ("a??", Ok(true)),
        ("a{1001}", Err("invalid repeat count")),
        ("a{1000}", Ok(false)),
        ("(a{100}){100}", Ok(false)),
        ("[[a]", Ok(true)),
        ("[[a]]", Ok(false)),
        ("[a&&b]", Ok(true)),
        ("[]a]", Ok(true)),
        ("[^]a]", Ok(false)),
        ("a{,2}", Ok(false)),
        ("{", Ok(false)),
        ("a{", Ok(false)),
        ("}", Ok(false)),
        ("]", Ok(false)),
        (r"\C", Err("invalid escape sequence")),
        (r"\Qa.b\E", Ok(false)),
        (r"\Qa", Ok(true)),
        (r"\<a", Ok(false)),
        (r"\pL", Ok(true)),
        (r"\p{Greek}", Ok(false)),
        (r"\P{^L}", Ok(true)),
        ("(?x)a b", Err("invalid or unsupported Perl syntax")),
        ("(?R)a", Err("invalid or unsupported Perl syntax")),
        ("(?u)a", Err("invalid or unsupported Perl syntax")),
        ("(?i)A", Ok(true)),
        ("(?U)a*", Ok(true)),
        ("(?P<n>a)", Ok(true)),
        ("(?<n>a)", Ok(true)),
        ("(?=a)", Err("invalid or unsupported Perl syntax")),
        (r"(a)\1", Err("invalid escape sequence")),
        (r"\b", Ok(false)),
        (r"\ba\b", Ok(true)),
        (r"\Z", Err("invalid escape sequence")),
        ("[[:alpha:]]", Ok(true)),
        ("[[:foo:]]", Err("invalid character class range")),
        (r"[a-\d]", Err("invalid escape sequence")),
        ("[z-a]", Err("invalid character class range")),
        ("(", Err("missing closing )")),
        ("*", Err("missing argument to repetition operator")),
        ("a|*", Err("missing argument to repetition operator")),
        ("|a", Ok(true)),
        ("()a", Ok(true)),
        ("^*a", Ok(true)),
        (r"\x61", Ok(true)),
        (r"\x{61}", Ok(true)),
        (r"\141", Ok(true)),
        (r"\8", Err("invalid escape sequence")),
        (r"\e", Err("invalid escape sequence")),
        (r"\_", Ok(false)),
        (r"[\b]", Err("invalid escape sequence")),
        ("[a", Err("missing closing ]")),
        ("a)", Err("regexp/syntax: internal error")),
        ("\\", Err("trailing backslash at end of expression")),
        ("(?i", Err("invalid or unsupported Perl syntax")),
        ("(?:a", Err("missing closing )")),
        (r"[\d-z]", Ok(false)),
        ("(?P=n)", Err("invalid or unsupported Perl syntax")),
        ("a{2}{3}", Err("invalid nested repetition operator")),
        ("(?i)(?-i)a", Ok(true)),
        ("[[:^alpha:]]", Ok(false)),
        (r"\pX", Err("invalid character class range")),
        ("[a-b-c]", Ok(true)),
        ("[--a]", Ok(true)),
        ("x{2,1}", Err("invalid repeat count")),
        ("(?s).", Ok(true)),
        ("(?m)^a$", Ok(true)),
        ("(?P<n>a)(?P<n>b)", Err("duplicate capture group name")),
        ("(?#x)", Err("invalid or unsupported Perl syntax")),
        ("[~~a]", Ok(true)),
        ("[a--b]", Err("invalid character class range")),
        (r"[\Qa]\E]", Err("invalid escape sequence")),
        ("a.*|b", Ok(true)),
        ("", Ok(false)),
    ];

    #[test]
    fn expressions_mean_what_they_mean_to_kafka() {
        for (regex, expected) in RE2J {
            let matched = compile(regex).map(|regex| regex.is_match("a"));
            let matched = matched.map_err(|error| error.to_string());
            assert_eq!(matched.as_ref().copied().map_err(String::as_str), *expected, "{regex}");
        }
    }

    #[test]
    fn an_expression_that_would_take_much_memory_is_refused() {
        assert!(matches!(compile("((a{1000}){1000}){1000}"), Err(SyntaxError::TooLarge)));
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_an_expression_or_none(regex in r"[a-c\[\](){}?*+|^$.\\:=<>PQEpdbx0-9&~,-]{0,24}") {
            let _ = compile(&regex);
        }
    }
}
