//! Comments.

/// Returns the line up to its comment: the first `!` or `#` that is neither between double quotes nor escaped.
pub(super) fn strip(line: &str) -> &str {
    let mut quoted = false;
    let mut chars = line.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => quoted = !quoted,
            '\\' => {
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
            ("state MASTER\\", "state MASTER\\"),
            ("no comment", "no comment"),
        ] {
            assert_eq!(strip(line), code);
        }
    }
}
