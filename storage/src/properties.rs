//! The syntax of Java's `Properties`, which `server.properties` and `meta.properties` have.
//! Source: `java.util.Properties.load` and `store`.

use std::iter::Peekable;
use std::str::Chars;

/// A `\u` without four hexadecimal digits behind it. The text is Java's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Malformed \\uxxxx encoding: \\u{digits}")]
pub struct PropertiesError {
    /// The digits there are.
    digits: String,
}

/// Keys and values of a file in their order. A key may stand in it twice; then the last one counts.
///
/// # Errors
/// A `\u` without four hexadecimal digits behind it, as in Java.
pub fn parse(text: &str) -> Result<Vec<(String, String)>, PropertiesError> {
    logical_lines(text).iter().map(|line| split(line)).collect()
}

/// As [`parse`], from a file's bytes: UTF-8, or else Latin-1, which is what Java reads.
///
/// # Errors
/// As [`parse`].
pub fn parse_bytes(bytes: &[u8]) -> Result<Vec<(String, String)>, PropertiesError> {
    match std::str::from_utf8(bytes) {
        Ok(text) => parse(text.strip_prefix('\u{feff}').unwrap_or(text)),
        Err(_) => parse(&bytes.iter().copied().map(char::from).collect::<String>()),
    }
}

/// A value as Java writes it: it comes back from [`parse`] as it was.
pub fn escape_value(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for (index, unit) in value.encode_utf16().enumerate() {
        match u8::try_from(unit) {
            Ok(b'\t') => escaped.push_str("\\t"),
            Ok(b'\n') => escaped.push_str("\\n"),
            Ok(b'\r') => escaped.push_str("\\r"),
            Ok(b'\x0c') => escaped.push_str("\\f"),
            Ok(b' ') if index > 0 => escaped.push(' '),
            Ok(byte @ (b' ' | b'\\' | b'=' | b':' | b'#' | b'!')) => escaped.extend(['\\', char::from(byte)]),
            Ok(byte @ b'!'..=b'~') => escaped.push(char::from(byte)),
            _ => escaped.push_str(&format!("\\u{unit:04X}")),
        }
    }
    escaped
}

/// Lines without comments and blank ones; a line that ends in an odd number of backslashes goes on in the next, whatever that is.
fn logical_lines(text: &str) -> Vec<String> {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut logical = Vec::new();
    let mut lines = text.split('\n').map(|line| line.trim_start_matches(is_blank));
    while let Some(line) = lines.next() {
        if line.is_empty() || line.starts_with(['#', '!']) {
            continue;
        }
        let mut joined = line.to_owned();
        while continues(&joined) {
            joined.pop();
            let Some(next) = lines.next() else { break };
            joined.push_str(next);
        }
        logical.push(joined);
    }
    logical
}

fn is_blank(char: char) -> bool {
    matches!(char, ' ' | '\t' | '\u{c}')
}

fn continues(line: &str) -> bool {
    line.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1
}

/// The key ends at the first unescaped `=`, `:` or blank.
fn split(line: &str) -> Result<(String, String), PropertiesError> {
    let mut chars = line.chars().peekable();
    let mut key = String::new();
    while let Some(char) = chars.next_if(|char| !matches!(char, '=' | ':') && !is_blank(*char)) {
        push_unescaped(&mut key, char, &mut chars)?;
    }
    while chars.next_if(|char| is_blank(*char)).is_some() {}
    if chars.next_if(|char| matches!(char, '=' | ':')).is_some() {
        while chars.next_if(|char| is_blank(*char)).is_some() {}
    }
    let mut value = String::new();
    while let Some(char) = chars.next() {
        push_unescaped(&mut value, char, &mut chars)?;
    }
    Ok((key, value))
}

fn push_unescaped(text: &mut String, char: char, chars: &mut Peekable<Chars<'_>>) -> Result<(), PropertiesError> {
    if char != '\\' {
        text.push(char);
        return Ok(());
    }
    match chars.next() {
        Some('t') => text.push('\t'),
        Some('n') => text.push('\n'),
        Some('r') => text.push('\r'),
        Some('f') => text.push('\u{c}'),
        Some('u') => {
            let mut units = vec![unit(chars)?];
            // Two of them are one character beyond the first 65,536.
            while next_is_unit(chars) {
                chars.nth(1);
                units.push(unit(chars)?);
            }
            text.extend(char::decode_utf16(units).map(|char| char.unwrap_or(char::REPLACEMENT_CHARACTER)));
        }
        Some(other) => text.push(other),
        None => {}
    }
    Ok(())
}

fn next_is_unit(chars: &Peekable<Chars<'_>>) -> bool {
    let mut ahead = chars.clone();
    ahead.next() == Some('\\') && ahead.next() == Some('u')
}

fn unit(chars: &mut Peekable<Chars<'_>>) -> Result<u16, PropertiesError> {
    let digits: String = (0..4).map_while(|_| chars.next_if(char::is_ascii_hexdigit)).collect();
    match u16::from_str_radix(&digits, 16) {
        Ok(unit) if digits.len() == 4 => Ok(unit),
        _ => Err(PropertiesError { digits }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn java_syntax_is_understood() {
        let text = "# comment\r\n! another\n\nnode.id=1\n  log.dirs = /a,\\\n   /b \nlisteners:PLAINTEXT\\://\\u0041:1\n\
                    empty=\nblank value with = inside\nnothing\nfeed\u{c}=\u{c}x\\\\\nlast=y\\";
        let expected = [
            ("node.id", "1"),
            ("log.dirs", "/a,/b "),
            ("listeners", "PLAINTEXT://A:1"),
            ("empty", ""),
            ("blank", "value with = inside"),
            ("nothing", ""),
            ("feed", "x\\"),
            ("last", "y"),
        ];
        assert_eq!(parse(text).unwrap(), pairs(&expected));
    }

    /// As `java.util.Properties` of Java 17 reads them.
    #[test]
    fn odd_files_are_read_as_java_does() {
        let cases: [(&str, &[(&str, &str)]); 8] = [
            ("a=b\\\n\nc=d", &[("a", "b"), ("c", "d")]),
            ("a=b,\\\n#c", &[("a", "b,#c")]),
            ("a=b,\\\r\n  c", &[("a", "b,c")]),
            ("a\\ b\\=c=d", &[("a b=c", "d")]),
            ("a==b", &[("a", "=b")]),
            ("a\\tb=c\\nd\\q", &[("a\tb", "c\ndq")]),
            ("=b", &[("", "b")]),
            ("a=\\uD83D\\uDE00\\u00e4", &[("a", "😀ä")]),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text).unwrap(), pairs(expected), "{text:?}");
        }
        assert_eq!(parse("a=\\u12").unwrap_err().to_string(), "Malformed \\uxxxx encoding: \\u12");
    }

    #[test]
    fn an_older_files_bytes_are_latin_1() {
        assert_eq!(parse_bytes(b"# gr\xfc\xdfe\na=\xe4").unwrap(), pairs(&[("a", "ä")]));
        assert_eq!(parse_bytes("\u{feff}a=ä".as_bytes()).unwrap(), pairs(&[("a", "ä")]));
    }

    proptest! {
        #[test]
        fn any_text_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..80), text in "[ -~\\\\\n\r\tu=:äß]{0,80}") {
            let _ = (parse(&text), parse_bytes(&bytes));
        }

        #[test]
        fn an_escaped_value_comes_back(value in any::<String>(), blanks in "[ \t\x0b\x0c\r\n\u{85}\u{a0}]{0,3}") {
            let value = blanks + &value;
            let line = format!("key={}\n", escape_value(&value));
            prop_assert!(line.is_ascii());
            prop_assert_eq!(parse(&line).unwrap(), vec![("key".to_owned(), value)]);
        }

        /// A key may be written with any character escaped.
        #[test]
        fn an_escaped_key_comes_back(key in "[a-zA-Z.\\\\=: #!äß€]{1,20}") {
            let escaped: String = key.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
            prop_assert_eq!(parse(&format!("{escaped}=")).unwrap(), vec![(key, String::new())]);
        }
    }
}
