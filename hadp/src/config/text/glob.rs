//! File name patterns: `*`, `?`, `[a-z]`, `[!a]` and `{a,b}`.

use std::path::{Component, Path, PathBuf};

use crate::config::source::{Kind, Source};

/// How many names braces may make.
const MAX_ALTERNATIVES: usize = 4096;

/// Returns whether a path holds a wildcard.
pub(super) fn is_wild(pattern: &str) -> bool {
    pattern.contains(['*', '?', '['])
}

/// Returns what a path with braces stands for: itself if it has none.
pub(super) fn braces(pattern: &str) -> Vec<String> {
    let mut todo = vec![pattern.to_owned()];
    let mut done = Vec::new();
    while let Some(next) = todo.pop() {
        match group(&next) {
            Some((before, alternatives, after)) if done.len() + todo.len() < MAX_ALTERNATIVES => {
                todo.extend(alternatives.iter().rev().map(|middle| format!("{before}{middle}{after}")));
            }
            Some(_) | None => done.push(next),
        }
    }
    done
}

/// Splits a pattern at its first `{...}` that has a matching brace.
fn group(pattern: &str) -> Option<(&str, Vec<&str>, &str)> {
    let open = pattern.find('{')?;
    let (mut depth, mut start, mut alternatives) = (0_usize, open + 1, Vec::new());
    for (at, c) in pattern.char_indices().skip_while(|&(at, _)| at < open) {
        match c {
            '{' => depth += 1,
            ',' if depth == 1 => {
                alternatives.push(pattern.get(start..at)?);
                start = at + 1;
            }
            '}' if depth == 1 => {
                alternatives.push(pattern.get(start..at)?);
                return Some((pattern.get(..open)?, alternatives, pattern.get(at + 1..)?));
            }
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    None
}

/// Returns what a pattern without braces leads to, sorted; a path without wildcards leads to itself if it exists.
pub(super) fn expand(source: &dyn Source, pattern: &Path) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::new()];
    for component in pattern.components() {
        match component {
            Component::Normal(name) => {
                let Some(name) = name.to_str() else { return Vec::new() };
                found = found.iter().flat_map(|dir| step(source, dir, name)).collect();
            }
            Component::Prefix(_) | Component::RootDir | Component::CurDir | Component::ParentDir => {
                for dir in &mut found {
                    dir.push(component);
                }
            }
        }
    }
    found.retain(|path| source.kind(path) != Kind::Missing);
    found
}

fn step(source: &dyn Source, dir: &Path, name: &str) -> Vec<PathBuf> {
    if !is_wild(name) {
        return vec![dir.join(name)];
    }
    let names = source.list(dir);
    names.iter().filter(|candidate| matches(name, candidate)).map(|candidate| dir.join(candidate)).collect()
}

/// Returns whether one component of a path matches; a leading dot is matched by a dot alone.
fn matches(pattern: &str, name: &str) -> bool {
    if name.starts_with('.') && !pattern.starts_with('.') {
        return false;
    }
    let (pattern, name): (Vec<Token>, Vec<char>) = (tokens(pattern), name.chars().collect());
    // On a mismatch, the last `*` takes one character more: two indices and no recursion.
    let (mut p, mut n, mut retry) = (0, 0, None);
    while n < name.len() || p < pattern.len() {
        match (pattern.get(p), name.get(n)) {
            (Some(Token::Any), _) => {
                retry = Some((p, n));
                p += 1;
                continue;
            }
            (Some(token), Some(&c)) if token.accepts(c) => {
                (p, n) = (p + 1, n + 1);
                continue;
            }
            (Some(_) | None, Some(_) | None) => {}
        }
        match retry {
            Some((star, taken)) if taken < name.len() => {
                retry = Some((star, taken + 1));
                (p, n) = (star + 1, taken + 1);
            }
            Some(_) | None => return false,
        }
    }
    true
}

#[derive(Debug)]
enum Token {
    Any,
    One,
    Char(char),
    Set { inverted: bool, ranges: Vec<(char, char)> },
}

impl Token {
    fn accepts(&self, c: char) -> bool {
        match self {
            Self::Any => false,
            Self::One => true,
            Self::Char(expected) => *expected == c,
            Self::Set { inverted, ranges } => {
                ranges.iter().any(|&(low, high)| (low..=high).contains(&c)) != *inverted
            }
        }
    }
}

fn tokens(pattern: &str) -> Vec<Token> {
    let mut out = Vec::new();
    let mut rest = pattern.chars();
    while let Some(c) = rest.next() {
        out.push(match c {
            '*' => Token::Any,
            '?' => Token::One,
            '\\' => Token::Char(rest.next().unwrap_or('\\')),
            '[' => match set(rest.as_str()) {
                Some((token, len)) => {
                    rest = rest.as_str().get(len..).unwrap_or("").chars();
                    token
                }
                None => Token::Char('['),
            },
            c => Token::Char(c),
        });
    }
    out
}

/// Reads a set behind its `[` and returns it with its length up to and with the `]`.
fn set(text: &str) -> Option<(Token, usize)> {
    let inverted = text.starts_with(['!', '^']);
    let body_at = usize::from(inverted);
    // A `]` right at the start is a member.
    let len = body_at + 1 + text.get(body_at + 1..)?.find(']')?;
    let members: Vec<char> = text.get(body_at..len)?.chars().collect();
    let mut ranges = Vec::new();
    let mut at = 0;
    while let Some(&low) = members.get(at) {
        match (members.get(at + 1), members.get(at + 2)) {
            (Some('-'), Some(&high)) => {
                ranges.push((low, high));
                at += 3;
            }
            (Some(_) | None, Some(_) | None) => {
                ranges.push((low, low));
                at += 1;
            }
        }
    }
    Some((Token::Set { inverted, ranges }, len + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_patterns() {
        for (pattern, name, expected) in [
            ("*.conf", "a.conf", true),
            ("*.conf", ".conf", false),
            ("*.conf", "a.conf.bak", false),
            ("??-*", "10-vi", true),
            ("??-*", "1-vi", false),
            ("[0-9]*[!~]", "1a", true),
            ("[0-9]*[!~]", "1a~", false),
            ("[]x]", "]", true),
            ("[x", "[x", true),
            ("*a*b*c", "xxaxxbxxc", true),
            ("*a*b*c", "xxaxxcxxb", false),
            (r"\*", "*", true),
            ("", "", true),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn braces_nest() {
        assert_eq!(braces("{foo/{,cat,dog},bar}"), ["foo/", "foo/cat", "foo/dog", "bar"]);
        assert_eq!(braces("a{b"), ["a{b"]);
        assert!(braces(&"{a,b}".repeat(40)).len() <= MAX_ALTERNATIVES + 40);
    }
}
