//! The intervals of BFD: milliseconds as keepalived has them, and down to microseconds.

use std::{ops::RangeInclusive, time::Duration};

use crate::config::{ast::Word, diag::Problems};

/// The longest interval, which is keepalived's: what 32 bits of microseconds hold, in whole milliseconds.
const LONGEST: Duration = Duration::from_millis(4_294_967);
/// `min_rx` and `min_tx`; keepalived's begin at a millisecond.
pub(super) const ACTIVE: RangeInclusive<Duration> = Duration::from_micros(10)..=LONGEST;
/// `idle_tx`: a session that is not Up sends no faster than once a second (RFC 5880 §6.8.3).
pub(super) const IDLE: RangeInclusive<Duration> = Duration::from_secs(1)..=LONGEST;

/// Reads an interval: milliseconds with up to three decimal places, also with `ms` behind them, or microseconds with `us`.
pub(super) fn interval(
    keyword: &str,
    word: &Word,
    range: RangeInclusive<Duration>,
    problems: &mut Problems,
) -> Option<Duration> {
    let Some(value) = micros(&word.text).map(Duration::from_micros) else {
        let message = format!("{keyword} takes milliseconds, not `{}`", word.text);
        let problem = problems.error(word.span, message);
        problem.label("not an interval").help("for example 0.25 or 250us; three decimal places at most");
        return None;
    };
    if !range.contains(&value) {
        let problem = problems.error(word.span, format!("{keyword} {} is out of range", word.text));
        problem.label(format!("from {} to {}", shown(*range.start()), shown(*range.end())));
        return None;
    }
    Some(value)
}

/// Returns an interval in milliseconds, for people.
pub(super) fn shown(interval: Duration) -> String {
    format!("{} ms", interval.as_secs_f64() * 1e3)
}

fn micros(text: &str) -> Option<u64> {
    let digits = |text: &str| text.bytes().all(|c| c.is_ascii_digit());
    if let Some(whole) = text.strip_suffix("us") {
        return digits(whole).then(|| whole.parse().ok()).flatten();
    }
    let text = text.strip_suffix("ms").unwrap_or(text);
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if !digits(whole) || !digits(fraction) || fraction.len() > 3 || (whole.is_empty() && fraction.is_empty())
    {
        return None;
    }
    let millis: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    millis.checked_mul(1000)?.checked_add(format!("{fraction:0<3}").parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals() {
        for (text, expected) in [
            ("10", Some(10_000)),
            ("10ms", Some(10_000)),
            ("0.25", Some(250)),
            ("0.25ms", Some(250)),
            (".5", Some(500)),
            ("3.312", Some(3_312)),
            ("250us", Some(250)),
            ("0us", Some(0)),
            ("0.2505", None),
            ("0.5us", None),
            ("us", None),
            ("ms", None),
            (".", None),
            ("", None),
            ("1s", None),
            ("-1", None),
            ("+1", None),
            ("1 ms", None),
            ("99999999999999999999", None),
            ("9999999999999999999", None),
            ("99999999999999999999us", None),
        ] {
            assert_eq!(micros(text), expected, "{text}");
        }
    }

    #[test]
    fn intervals_are_shown_in_milliseconds() {
        assert_eq!([*ACTIVE.start(), *ACTIVE.end()].map(shown), ["0.01 ms", "4294967 ms"]);
    }
}
