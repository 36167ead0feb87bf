//! `$NAME=value` and the places where it is used.

use std::{collections::BTreeMap, ops::Range};

/// The macros defined so far.
#[derive(Debug, Default)]
pub(super) struct Macros {
    table: BTreeMap<String, Vec<String>>,
}

/// A place where a line uses a macro.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Use {
    /// The use, with `$` and braces.
    pub(super) range: Range<usize>,
    /// The macro's name.
    pub(super) name: String,
    /// What follows the name between the braces, trimmed.
    pub(super) args: String,
}

impl Macros {
    /// Defines a macro, of one line or more; a later definition replaces an earlier one.
    pub(super) fn define(&mut self, name: &str, value: Vec<String>) {
        self.table.insert(name.into(), value);
    }

    /// Returns a macro's value.
    pub(super) fn value(&self, name: &str) -> Option<&[String]> {
        self.table.get(name).map(Vec::as_slice)
    }

    /// Returns the names, in order.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.table.keys().map(String::as_str)
    }
}

/// Splits `$NAME=value`, and returns the name and where the value begins.
pub(super) fn definition(text: &str) -> Option<(&str, usize)> {
    let name = name(text.strip_prefix('$')?);
    let equals = 1 + name.len();
    (!name.is_empty() && text.get(equals..)?.starts_with('=')).then_some((name, equals + 1))
}

/// Returns the first use at or behind `from`, whether or not the macro is defined.
///
/// A use is `${NAME}`, `${NAME ARGS}`, or `$NAME` up to the first character that is in no name: the manual asks for white
/// space there, keepalived 2.2 does not.
pub(super) fn find(text: &str, from: usize) -> Option<Use> {
    let mut from = from;
    loop {
        let start = from + text.get(from..)?.find('$')?;
        let rest = text.get(start + 1..)?;
        if let Some(found) = braced(rest, start).or_else(|| bare(rest, start)) {
            return Some(found);
        }
        from = start + 1;
    }
}

fn braced(rest: &str, start: usize) -> Option<Use> {
    let body = rest.strip_prefix('{')?;
    let inner = body.get(..body.find('}')?)?;
    let name = name(inner);
    let args = inner.get(name.len()..)?;
    let named = !name.is_empty() && (args.is_empty() || args.starts_with(char::is_whitespace));
    let range = start..start + inner.len() + 3;
    named.then(|| Use { range, name: name.into(), args: args.trim().into() })
}

fn bare(rest: &str, start: usize) -> Option<Use> {
    let name = name(rest);
    let range = start..start + 1 + name.len();
    (!name.is_empty()).then(|| Use { range, name: name.into(), args: String::new() })
}

/// Returns the name at the start of a text: letters, digits and `_`, not starting with a digit.
fn name(text: &str) -> &str {
    let len = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    if text.starts_with(|c: char| c.is_ascii_digit()) { "" } else { text.get(..len).unwrap_or("") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions() {
        assert_eq!(definition("$A=1"), Some(("A", 3)));
        assert_eq!(definition("$A_1="), Some(("A_1", 5)));
        for text in ["$A = 1", "A=1", "$1A=2", "$=1", "$A"] {
            assert_eq!(definition(text), None, "{text}");
        }
    }

    #[test]
    fn uses() {
        let found = |text| find(text, 0).map(|found| (found.range, found.name, found.args));
        let plain = |range, name: &str| Some((range, name.to_owned(), String::new()));
        assert_eq!(found("priority $P"), plain(9..11, "P"));
        assert_eq!(found("a $P b"), plain(2..4, "P"));
        assert_eq!(found("10.${B}.1"), plain(3..7, "B"));
        assert_eq!(found("x ${_ENV HOME} y"), Some((2..14, "_ENV".into(), "HOME".into())));
        assert_eq!(found("$P$Q"), plain(0..2, "P"));
        assert_eq!(found("($P)"), plain(1..3, "P"));
        for text in ["$", "$1", "${", "${}", "${A", "${A-B}", "cost: 5$"] {
            assert_eq!(found(text), None, "{text}");
        }
    }
}
