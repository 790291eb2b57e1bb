//! Files in the syntax of Java's `Properties`, which `server.properties` has. Source: `java.util.Properties.load`.

use std::iter::Peekable;
use std::str::Chars;

/// Keys and values of a file in their order. A key may stand in it twice; then the last one counts.
pub fn parse(text: &str) -> Vec<(String, String)> {
    logical_lines(text).iter().map(|line| split(line)).collect()
}

/// Lines without comments and blank ones; a line that ends in an odd number of backslashes goes on in the next.
fn logical_lines(text: &str) -> Vec<String> {
    let mut logical = Vec::new();
    let mut lines = text.split(['\n', '\r']).map(|line| line.trim_start_matches([' ', '\t', '\u{c}']));
    while let Some(line) = lines.next() {
        if line.is_empty() || line.starts_with(['#', '!']) {
            continue;
        }
        let mut joined = line.to_owned();
        while continues(&joined) {
            joined.pop();
            // "\r\n" gives an empty piece between the two.
            let next = lines.by_ref().find(|next| !next.is_empty());
            let Some(next) = next else { break };
            joined.push_str(next);
        }
        logical.push(joined);
    }
    logical
}

fn continues(line: &str) -> bool {
    line.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1
}

/// The key ends at the first unescaped `=`, `:` or blank.
fn split(line: &str) -> (String, String) {
    let mut chars = line.chars().peekable();
    let mut key = String::new();
    while let Some(char) = chars.next_if(|char| !matches!(char, '=' | ':' | ' ' | '\t' | '\u{c}')) {
        push_unescaped(&mut key, char, &mut chars);
    }
    let is_blank = |char: &char| matches!(char, ' ' | '\t' | '\u{c}');
    while chars.next_if(is_blank).is_some() {}
    if chars.next_if(|char| matches!(char, '=' | ':')).is_some() {
        while chars.next_if(is_blank).is_some() {}
    }
    let mut value = String::new();
    while let Some(char) = chars.next() {
        push_unescaped(&mut value, char, &mut chars);
    }
    (key, value)
}

fn push_unescaped(text: &mut String, char: char, chars: &mut Peekable<Chars<'_>>) {
    if char != '\\' {
        text.push(char);
        return;
    }
    match chars.next() {
        Some('t') => text.push('\t'),
        Some('n') => text.push('\n'),
        Some('r') => text.push('\r'),
        Some('f') => text.push('\u{c}'),
        Some('u') => {
            let digits: String = (0..4).map_while(|_| chars.next_if(char::is_ascii_hexdigit)).collect();
            let code = u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32);
            text.push(code.unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        Some(other) => text.push(other),
        None => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn java_syntax_is_understood() {
        let text = "# comment\r\n! another\n\nnode.id=1\n  log.dirs = /a,\\\n   /b \nlisteners:PLAINTEXT\\://\\u0041:1\n\
                    empty=\nblank value with = inside\nnothing\n";
        let expected = [
            ("node.id", "1"),
            ("log.dirs", "/a,/b "),
            ("listeners", "PLAINTEXT://A:1"),
            ("empty", ""),
            ("blank", "value with = inside"),
            ("nothing", ""),
        ];
        let expected = expected.map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(parse(text), expected);
    }

    proptest! {
        #[test]
        fn any_text_never_panics(text in "[ -~\\\\\n\r\tu=:äß]{0,80}") {
            let _ = parse(&text);
        }
    }
}
