//! Escapes in script keywords, as keepalived's manual lists them.

use std::{iter::Peekable, str::CharIndices};

/// Reads what follows a backslash: `\a \b \E \f \n \r \t \v`, `\nnn` octal, `\xXX`, `\cC`, or any character as itself.
pub(super) fn read(chars: &mut Peekable<CharIndices<'_>>) -> Option<char> {
    let (_, c) = chars.next()?;
    Some(match c {
        'a' => '\x07',
        'b' => '\x08',
        'E' => '\x1b',
        'f' => '\x0c',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\x0b',
        'c' => chars.next().and_then(|(_, c)| u8::try_from(c).ok()).map_or('c', |c| char::from(c & 0x1f)),
        'x' => number(chars, 16, 2, 0).unwrap_or('x'),
        '0'..='7' => number(chars, 8, 2, c.to_digit(8).unwrap_or(0)).unwrap_or(c),
        c => c,
    })
}

/// Reads up to `most` digits behind those that make `value`.
fn number(chars: &mut Peekable<CharIndices<'_>>, radix: u32, most: usize, value: u32) -> Option<char> {
    let (mut value, mut count) = (value, 0);
    while count < most
        && let Some(digit) = chars.peek().and_then(|&(_, c)| c.to_digit(radix))
    {
        chars.next();
        value = value * radix + digit;
        count += 1;
    }
    if count == 0 && radix == 16 { None } else { char::from_u32(value & 0xff) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes() {
        for (text, expected) in [
            ("n", '\n'),
            ("x41", 'A'),
            ("101", 'A'),
            ("cA", '\x01'),
            ("\\", '\\'),
            ("q", 'q'),
            ("xzz", 'x'),
            ("7", '\x07'),
        ] {
            assert_eq!(read(&mut text.char_indices().peekable()), Some(expected), "{text}");
        }
        assert_eq!(read(&mut "".char_indices().peekable()), None);
    }
}
