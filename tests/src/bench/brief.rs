//! Errors in one line: what they quote, a daemon's log for instance, is left out.

use anyhow::Error;

/// The most that a line may have.
const LENGTH: usize = 200;

/// Returns the reasons of an error, the first line of each.
pub fn brief(error: &Error) -> String {
    let reasons = error.chain().map(|reason| reason.to_string());
    // A reason that quotes more lines announces them with a colon.
    let lines = reasons.filter_map(|reason| reason.lines().next().map(str::to_owned));
    let reasons: Vec<String> = lines.filter(|line| !line.ends_with(':')).collect();
    let mut text = if reasons.is_empty() { "it failed".to_owned() } else { reasons.join(": ") };
    if let Some((end, _)) = text.char_indices().nth(LENGTH) {
        text.truncate(end);
        text.push_str("...");
    }
    text
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn logs_are_left_out() {
        let error =
            anyhow!("n1 Active: not within 15s").context("log of n1:\nstarted\nfailed").context("starting");
        assert_eq!(brief(&error), "starting: n1 Active: not within 15s");
        assert_eq!(brief(&anyhow!("the log was:\nnothing")), "it failed");
        assert_eq!(brief(&anyhow!("ä".repeat(300))).chars().count(), LENGTH + 3);
    }
}
