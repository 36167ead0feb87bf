//! Comments.

/// Returns the line up to its comment: the first `!` or `#` that is neither between double quotes nor escaped.
///
/// Between quotes a backslash escapes only where the line is a `script`'s: elsewhere the next quote is the end.
pub(super) fn strip(line: &str, script: bool) -> &str {
    let mut quoted = false;
    let mut chars = line.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => quoted = !quoted,
            '\\' if script || !quoted => {
                chars.next();
            }
            '!' | '#' if !quoted => return line.get(..at).unwrap_or(line),
            _ => {}
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_end_a_line() {
        for (line, code) in [
            ("! all of it", ""),
            ("ops@example.test #one recipient", "ops@example.test "),
            ("auth_pass \"a#b!c\" # d", "auth_pass \"a#b!c\" "),
            (r"auth_pass a\#b\!c ! d", r"auth_pass a\#b\!c "),
            (r#"script "echo \"a # b\"" # c"#, r#"script "echo \"a # b\"" "#),
            (r#"path "a\" # c"#, r#"path "a\" "#),
            ("state MASTER\\", "state MASTER\\"),
            ("no comment", "no comment"),
        ] {
            assert_eq!(strip(line, line.starts_with("script")), code);
        }
    }
}
