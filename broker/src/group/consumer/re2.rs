//! RE2/J's syntax, read as its parser does and written in that of the crate `regex`. Source: `com.google.re2j.Parser`.

/// What is wrong with an expression, in RE2/J's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum SyntaxError {
    #[error("invalid nested repetition operator")]
    NestedRepetition,
    #[error("missing argument to repetition operator")]
    NothingToRepeat,
    #[error("invalid repeat count")]
    RepeatCount,
    #[error("invalid escape sequence")]
    Escape,
    #[error("invalid or unsupported Perl syntax")]
    PerlSyntax,
    #[error("invalid named capture")]
    GroupName,
    #[error("duplicate capture group name")]
    DuplicateGroupName,
    #[error("invalid character class range")]
    ClassRange,
    #[error("missing closing )")]
    OpenGroup,
    #[error("missing closing ]")]
    OpenClass,
    /// RE2/J has no better word for a parenthesis too many.
    #[error("regexp/syntax: internal error")]
    UnopenedGroup,
    #[error("trailing backslash at end of expression")]
    TrailingBackslash,
    /// RE2/J would take the memory.
    #[error("expression too large")]
    TooLarge,
}

/// Most repetitions of one operator.
const MAX_REPEAT: u32 = 1000;
/// Classes inside brackets.
const POSIX_CLASSES: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space", "upper", "word",
    "xdigit",
];

/// The same expression in the syntax of the crate `regex`.
pub(super) fn translate(pattern: &str) -> Result<String, SyntaxError> {
    let chars: Vec<char> = pattern.chars().collect();
    let mut parser =
        Parser { chars: &chars, at: 0, out: String::new(), depth: 0, last: Last::Nothing, names: Vec::new() };
    while parser.peek().is_some() {
        parser.element()?;
    }
    if parser.depth > 0 { Err(SyntaxError::OpenGroup) } else { Ok(parser.out) }
}

/// What an operator that repeats would repeat.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Last {
    Nothing,
    Something,
    Repetition,
}

struct Parser<'a> {
    chars: &'a [char],
    at: usize,
    out: String,
    depth: usize,
    last: Last,
    names: Vec<String>,
}

impl Parser<'_> {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += 1;
        Some(next)
    }

    /// Goes past that text if it is what comes now.
    fn take(&mut self, text: &str) -> bool {
        let is_next = text.chars().eq(self.chars[self.at..].iter().copied().take(text.chars().count()));
        self.at += if is_next { text.chars().count() } else { 0 };
        is_next
    }

    fn element(&mut self) -> Result<(), SyntaxError> {
        match self.next() {
            Some('(') => return self.open(),
            Some(')') => return self.close(),
            Some('|') => {
                self.out.push('|');
                self.last = Last::Nothing;
                return Ok(());
            }
            Some(operator @ ('*' | '+' | '?')) => return self.repeat(&operator.to_string()),
            Some('{') => {
                let start = self.at;
                if let Some(counts) = self.counts()? {
                    return self.repeat(&counts);
                }
                self.at = start;
                literal(&mut self.out, '{');
            }
            Some('[') => self.class()?,
            Some('\\') => return self.escape(),
            Some(special @ ('.' | '^' | '$')) => self.out.push(special),
            Some(other) => literal(&mut self.out, other),
            None => {}
        }
        self.last = Last::Something;
        Ok(())
    }

    fn open(&mut self) -> Result<(), SyntaxError> {
        if self.take("?P<") || self.take("?<") {
            self.name()?;
            self.out.push('(');
        } else if self.take("?") {
            return self.flags();
        } else {
            self.out.push('(');
        }
        self.depth += 1;
        self.last = Last::Nothing;
        Ok(())
    }

    /// The name of a group, which nothing here asks for: it only has to be one.
    fn name(&mut self) -> Result<(), SyntaxError> {
        let mut name = String::new();
        loop {
            match self.next() {
                Some('>') => break,
                Some(other) if other.is_ascii_alphanumeric() || other == '_' => name.push(other),
                _ => return Err(SyntaxError::GroupName),
            }
        }
        if name.is_empty() {
            return Err(SyntaxError::GroupName);
        }
        if self.names.contains(&name) {
            return Err(SyntaxError::DuplicateGroupName);
        }
        self.names.push(name);
        Ok(())
    }

    /// `(?flags)` and `(?flags:`, after the question mark.
    fn flags(&mut self) -> Result<(), SyntaxError> {
        let mut flags = String::new();
        let (mut is_negated, mut has_flag) = (false, false);
        loop {
            match self.next() {
                Some(flag @ ('i' | 'm' | 's' | 'U')) => {
                    flags.push(flag);
                    has_flag = true;
                }
                Some('-') if !is_negated => {
                    flags.push('-');
                    (is_negated, has_flag) = (true, false);
                }
                Some(end @ (':' | ')')) if has_flag || !is_negated => {
                    if end == ':' {
                        self.depth += 1;
                    }
                    // The crate takes no empty list of flags, nor one flag twice.
                    let flags = settled(&flags);
                    match (end, flags.is_empty()) {
                        (')', true) => {}
                        _ => self.out.push_str(&format!("(?{flags}{end}")),
                    }
                    self.last = Last::Nothing;
                    return Ok(());
                }
                _ => return Err(SyntaxError::PerlSyntax),
            }
        }
    }

    fn close(&mut self) -> Result<(), SyntaxError> {
        self.depth = self.depth.checked_sub(1).ok_or(SyntaxError::UnopenedGroup)?;
        self.out.push(')');
        self.last = Last::Something;
        Ok(())
    }

    /// What stands between braces, if it is a number of repetitions.
    fn counts(&mut self) -> Result<Option<String>, SyntaxError> {
        let Some(min) = self.number() else { return Ok(None) };
        let max = match self.take(",") {
            true if self.peek() == Some('}') => None,
            true => match self.number() {
                Some(max) => Some(max),
                None => return Ok(None),
            },
            false => Some(min),
        };
        if !self.take("}") {
            return Ok(None);
        }
        if min > MAX_REPEAT || max.is_some_and(|max| max > MAX_REPEAT || max < min) {
            return Err(SyntaxError::RepeatCount);
        }
        Ok(Some(max.map_or_else(|| format!("{{{min},}}"), |max| format!("{{{min},{max}}}"))))
    }

    /// A decimal number; one that is too large for a repetition in any case counts as just that.
    fn number(&mut self) -> Option<u32> {
        let digits: String = self.chars[self.at..].iter().take_while(|digit| digit.is_ascii_digit()).collect();
        self.at += digits.len();
        let has_leading_zero = digits.len() > 1 && digits.starts_with('0');
        (!digits.is_empty() && !has_leading_zero).then(|| digits.parse().unwrap_or(u32::MAX))
    }

    fn repeat(&mut self, operator: &str) -> Result<(), SyntaxError> {
        match self.last {
            Last::Nothing => return Err(SyntaxError::NothingToRepeat),
            Last::Repetition => return Err(SyntaxError::NestedRepetition),
            Last::Something => {}
        }
        self.out.push_str(operator);
        if self.take("?") {
            self.out.push('?');
        }
        self.last = Last::Repetition;
        Ok(())
    }

    /// An escape outside of brackets, after the backslash.
    fn escape(&mut self) -> Result<(), SyntaxError> {
        match self.peek() {
            Some(anchor @ ('A' | 'b' | 'B' | 'z')) => {
                self.at += 1;
                // In parentheses, since the crate gives braces after it a meaning of their own.
                self.out.push_str(&format!(r"(?:\{anchor})"));
            }
            Some('Q') => {
                self.at += 1;
                while self.peek().is_some() && !self.take(r"\E") {
                    if let Some(quoted) = self.next() {
                        literal(&mut self.out, quoted);
                        self.last = Last::Something;
                    }
                }
                return Ok(());
            }
            _ if self.named_class()? => {}
            _ => {
                let escaped = self.escaped()?;
                literal(&mut self.out, escaped);
            }
        }
        self.last = Last::Something;
        Ok(())
    }

    /// `\d` and its like, `\p` and `\P`, after the backslash; false if something else comes.
    fn named_class(&mut self) -> Result<bool, SyntaxError> {
        match self.peek() {
            Some(class @ ('d' | 'D' | 's' | 'S' | 'w' | 'W')) => self.out.push_str(&format!(r"\{class}")),
            Some(class @ ('p' | 'P')) => {
                self.at += 1;
                let name: String = match self.next() {
                    Some('{') => {
                        let rest = &self.chars[self.at..];
                        let end = rest.iter().position(|end| *end == '}').ok_or(SyntaxError::ClassRange)?;
                        self.at += end + 1;
                        rest[..end].iter().collect()
                    }
                    Some(name) => name.to_string(),
                    None => return Err(SyntaxError::ClassRange),
                };
                let (is_inverted, name) = match name.strip_prefix('^') {
                    Some(name) => (true, name),
                    None => (false, &*name),
                };
                if name.is_empty() || !name.chars().all(|part| part.is_ascii_alphanumeric() || part == '_') {
                    return Err(SyntaxError::ClassRange);
                }
                let class = if (class == 'P') == is_inverted { 'p' } else { 'P' };
                self.out.push_str(&format!(r"\{class}{{{name}}}"));
                return Ok(true);
            }
            _ => return Ok(false),
        }
        self.at += 1;
        Ok(true)
    }

    /// A character that is written with a backslash, after that.
    fn escaped(&mut self) -> Result<char, SyntaxError> {
        let first = self.next().ok_or(SyntaxError::TrailingBackslash)?;
        match first {
            '1'..='7' if !self.peek().is_some_and(|next| ('0'..='7').contains(&next)) => Err(SyntaxError::Escape),
            '0'..='7' => {
                let more = self.chars[self.at..].iter().take(2).take_while(|digit| ('0'..='7').contains(*digit));
                let digits: String = std::iter::once(&first).chain(more).collect();
                self.at += digits.len() - 1;
                character(&digits, 8)
            }
            'x' => self.hexadecimal(),
            'a' => Ok('\u{7}'),
            'f' => Ok('\u{c}'),
            'n' => Ok('\n'),
            'r' => Ok('\r'),
            't' => Ok('\t'),
            'v' => Ok('\u{b}'),
            other if other.is_ascii() && !other.is_ascii_alphanumeric() => Ok(other),
            _ => Err(SyntaxError::Escape),
        }
    }

    fn hexadecimal(&mut self) -> Result<char, SyntaxError> {
        let rest = &self.chars[self.at..];
        let (digits, length) = if rest.first() == Some(&'{') {
            let end = rest.iter().position(|end| *end == '}').ok_or(SyntaxError::Escape)?;
            (&rest[1..end], end + 1)
        } else {
            (rest.get(..2).ok_or(SyntaxError::Escape)?, 2)
        };
        if !digits.iter().all(char::is_ascii_hexdigit) {
            return Err(SyntaxError::Escape);
        }
        let digits: String = digits.iter().collect();
        self.at += length;
        character(&digits, 16)
    }

    /// What stands in brackets, after the first.
    fn class(&mut self) -> Result<(), SyntaxError> {
        self.out.push('[');
        if self.take("^") {
            self.out.push('^');
        }
        let mut is_first = true;
        loop {
            match self.peek() {
                None => return Err(SyntaxError::OpenClass),
                Some(']') if !is_first => break,
                Some('[') if self.posix_class()? => {}
                Some('\\') if self.class_in_brackets()? => {}
                Some(_) => self.range()?,
            }
            is_first = false;
        }
        self.at += 1;
        self.out.push(']');
        Ok(())
    }

    /// `[:alpha:]` and its like; false if it is none.
    fn posix_class(&mut self) -> Result<bool, SyntaxError> {
        let rest: String = self.chars[self.at..].iter().collect();
        let Some(end) = rest.strip_prefix("[:").and_then(|rest| rest.find(":]")) else { return Ok(false) };
        let name = &rest[2..2 + end];
        if !POSIX_CLASSES.contains(&name.strip_prefix('^').unwrap_or(name)) {
            return Err(SyntaxError::ClassRange);
        }
        self.out.push_str(&format!("[:{name}:]"));
        self.at += name.len() + 4;
        Ok(true)
    }

    fn class_in_brackets(&mut self) -> Result<bool, SyntaxError> {
        self.at += 1;
        let is_class = self.named_class()?;
        self.at -= usize::from(!is_class);
        Ok(is_class)
    }

    /// A character or a range of them.
    fn range(&mut self) -> Result<(), SyntaxError> {
        let low = self.class_character()?;
        let is_range = self.peek() == Some('-') && self.chars.get(self.at + 1).is_some_and(|next| *next != ']');
        let high = if is_range {
            self.at += 1;
            self.class_character()?
        } else {
            low
        };
        if high < low {
            return Err(SyntaxError::ClassRange);
        }
        let (low, high) = (u32::from(low), u32::from(high));
        self.out.push_str(&format!(r"\x{{{low:x}}}-\x{{{high:x}}}"));
        Ok(())
    }

    fn class_character(&mut self) -> Result<char, SyntaxError> {
        match self.next() {
            Some('\\') => self.escaped(),
            Some(other) => Ok(other),
            None => Err(SyntaxError::OpenClass),
        }
    }
}

/// Each flag once, as it was said last.
fn settled(flags: &str) -> String {
    let (on, off) = flags.split_once('-').unwrap_or((flags, ""));
    let is_off = |flag: &char| off.contains(*flag);
    let on: String = ['i', 'm', 's', 'U'].into_iter().filter(|flag| on.contains(*flag) && !is_off(flag)).collect();
    let off: String = ['i', 'm', 's', 'U'].into_iter().filter(is_off).collect();
    if off.is_empty() { on } else { format!("{on}-{off}") }
}

/// Writes a character that stands for itself.
fn literal(out: &mut String, character: char) {
    if character.is_ascii() && !character.is_ascii_alphanumeric() {
        out.push_str(&format!(r"\x{{{:x}}}", u32::from(character)));
    } else {
        out.push(character);
    }
}

fn character(digits: &str, radix: u32) -> Result<char, SyntaxError> {
    let code = u32::from_str_radix(digits, radix).map_err(|_| SyntaxError::Escape)?;
    char::from_u32(code).ok_or(SyntaxError::Escape)
}
