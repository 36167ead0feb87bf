//! Values: numbers, spans of time, switches, addresses, names.

use std::{net::IpAddr, ops::RangeInclusive, time::Duration};

use crate::config::{
    ast::{Node, Word},
    diag::{Problems, Span},
    suggest,
};

/// A value and where it was given.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Given<T> {
    /// The value.
    pub(super) value: T,
    /// Where it was given.
    pub(super) span: Span,
}

/// The longest interface name and address label, without the terminating zero (`IFNAMSIZ`).
const MAX_NAME: usize = 15;

/// Reads a whole number.
pub(super) fn number(
    keyword: &str,
    word: &Word,
    range: RangeInclusive<u32>,
    problems: &mut Problems,
) -> Option<u32> {
    let text = &word.text;
    if !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit()) {
        if let Some(value) = text.parse().ok().filter(|value| range.contains(value)) {
            return Some(value);
        }
        let message = format!("{keyword} {text} is out of range");
        problems
            .error(word.span, message)
            .label(between(&range))
            .help(format!("a number {}", between(&range)));
    } else {
        let problem = problems.error(word.span, format!("{keyword} takes a whole number, not `{text}`"));
        problem.label("not a whole number").help(format!("a number {}", between(&range)));
    }
    None
}

fn between(range: &RangeInclusive<u32>) -> String {
    match *range.end() {
        u32::MAX => format!("from {}", range.start()),
        end => format!("from {} to {end}", range.start()),
    }
}

/// Reads a number that fits an octet.
pub(super) fn octet(
    keyword: &str,
    word: &Word,
    range: RangeInclusive<u8>,
    problems: &mut Problems,
) -> Option<u8> {
    let range = u32::from(*range.start())..=u32::from(*range.end());
    number(keyword, word, range, problems).and_then(|value| u8::try_from(value).ok())
}

/// Reads a whole number that may be negative.
pub(super) fn signed(
    keyword: &str,
    word: &Word,
    range: RangeInclusive<i32>,
    problems: &mut Problems,
) -> Option<i32> {
    let text = &word.text;
    let between = format!("from {} to {}", range.start(), range.end());
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|c| c.is_ascii_digit()) {
        let problem = problems.error(word.span, format!("{keyword} takes a whole number, not `{text}`"));
        problem.label("not a whole number").help(format!("a number {between}"));
        return None;
    }
    let value = text.parse().ok().filter(|value| range.contains(value));
    if value.is_none() {
        let problem = problems.error(word.span, format!("{keyword} {text} is out of range"));
        problem.label(&between).help(format!("a number {between}"));
    }
    value
}

/// Reads seconds with up to six decimal places.
pub(super) fn seconds(
    keyword: &str,
    word: &Word,
    range: RangeInclusive<Duration>,
    problems: &mut Problems,
) -> Option<Duration> {
    let (low, high) = (range.start().as_secs_f64(), range.end().as_secs_f64());
    let Some(value) = decimal(&word.text) else {
        let problem = problems.error(word.span, format!("{keyword} takes seconds, not `{}`", word.text));
        problem
            .label("not a decimal number")
            .help(format!("from {low} to {high}, with up to six decimal places"));
        return None;
    };
    if !range.contains(&value) {
        let problem = problems.error(word.span, format!("{keyword} {} is out of range", word.text));
        problem.label(format!("from {low} to {high} seconds"));
        return None;
    }
    Some(value)
}

fn decimal(text: &str) -> Option<Duration> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|c| c.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || fraction.len() > 6 || (whole.is_empty() && fraction.is_empty())
    {
        return None;
    }
    let seconds = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    Some(Duration::new(seconds, format!("{fraction:0<9}").parse().ok()?))
}

/// Reads an optional switch, which is on without a parameter.
pub(super) fn switch(node: &Node, problems: &mut Problems) -> Option<bool> {
    let Some(word) = node.param(0) else { return Some(true) };
    match word.text.as_str() {
        "on" | "true" | "yes" => Some(true),
        "off" | "false" | "no" => Some(false),
        text => {
            let problem = problems.error(word.span, format!("{} takes on or off, not `{text}`", node.name()));
            problem.label("not a switch").help("on, true, yes, off, false or no");
            None
        }
    }
}

/// Reads an address.
pub(super) fn address(keyword: &str, word: &Word, problems: &mut Problems) -> Option<IpAddr> {
    let address = word.text.parse().ok();
    if address.is_none() {
        let problem =
            problems.error(word.span, format!("{keyword} takes an IP address, not `{}`", word.text));
        problem.label("not an address");
    }
    address
}

/// Reads the name of an interface.
pub(super) fn interface(keyword: &str, word: &Word, problems: &mut Problems) -> Option<String> {
    let name = &word.text;
    let valid =
        (1..=MAX_NAME).contains(&name.len()) && !name.contains(|c: char| c == '/' || c.is_whitespace());
    if valid && name != "." && name != ".." {
        return Some(name.clone());
    }
    let problem = problems.error(word.span, format!("{keyword} `{name}` is not an interface's name"));
    problem.label(format!("at most {MAX_NAME} octets, no `/` and no space"));
    None
}

/// Reads the label of an address.
pub(super) fn label(word: &Word, problems: &mut Problems) -> Option<String> {
    if word.text.len() <= MAX_NAME {
        return Some(word.text.clone());
    }
    let problem = problems.error(word.span, format!("label `{}` is too long", word.text));
    problem.label(format!("{} octets, the limit is {MAX_NAME}", word.text.len()));
    None
}

/// Reads one of a few words.
pub(super) fn choice<T: Copy>(
    keyword: &str,
    word: &Word,
    choices: &[(&'static str, T)],
    problems: &mut Problems,
) -> Option<T> {
    if let Some(&(_, value)) = choices.iter().find(|(name, _)| *name == word.text) {
        return Some(value);
    }
    let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
    let problem = problems.error(word.span, format!("unknown {keyword} `{}`", word.text));
    problem.label(format!("one of {}", names.join(", ")));
    let folded = word.text.to_lowercase();
    let alike = names.iter().copied().find(|name| name.to_lowercase() == folded);
    if let Some(near) = alike.or_else(|| suggest::nearest(&word.text, names)) {
        problem.help(format!("did you mean `{near}`?"));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals() {
        for (text, expected) in [
            ("0", Some(0)),
            ("3", Some(3_000_000)),
            ("0.01", Some(10_000)),
            ("4.000001", Some(4_000_001)),
            (".5", Some(500_000)),
            ("2.", Some(2_000_000)),
            ("0.0000001", None),
            (".", None),
            ("", None),
            ("-1", None),
            ("+1", None),
            ("1e3", None),
            ("1.2.3", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(decimal(text), expected.map(Duration::from_micros), "{text}");
        }
    }
}
