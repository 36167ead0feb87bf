//! What happened when: the daemons' logs and the client's view in one order.

use std::time::Instant;

use crate::{client::Report, lab::Log};

/// Words that mark a line of a log as part of the story.
const WORDS: [&str; 8] =
    ["Active", "Backup", "Initialize", "Resigning", "Fault", "Entering", "priority 0", "shutting down"];

/// Something that happened.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) at: Instant,
    pub(super) who: String,
    pub(super) what: String,
}

impl Entry {
    pub(super) fn new(at: Instant, who: &str, what: impl Into<String>) -> Self {
        Self { at, who: who.to_owned(), what: what.into() }
    }
}

/// Returns what a node's log tells of its states.
pub(super) fn from_log(node: &str, log: &Log) -> Vec<Entry> {
    let lines = log.lines().into_iter().map(|line| (line.at, message(&line.text)));
    let story = lines.filter(|(_, text)| WORDS.iter().any(|word| text.contains(word)));
    story.map(|(at, text)| Entry::new(at, node, text)).collect()
}

/// Returns what the client saw: its first answer, each change of who answers, and the outage around `fault`.
pub(super) fn from_client(
    report: &Report,
    fault: Instant,
    name: impl Fn(crate::client::Mac) -> String,
) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut answering = None;
    for probe in &report.probes {
        if let Some(mac) = probe.answered_by.filter(|mac| answering != Some(*mac)) {
            entries.push(Entry::new(probe.at, "client", format!("is answered by {}", name(mac))));
            answering = Some(mac);
        }
    }
    let mut claimed = None;
    for claim in &report.claims {
        if claimed != Some(claim.mac) {
            entries.push(Entry::new(
                claim.at,
                "client",
                format!("hears that the address is at {}", name(claim.mac)),
            ));
            claimed = Some(claim.mac);
        }
    }
    if let Some(outage) = report.outage(fault) {
        entries.push(Entry::new(outage.from, "client", "has its last answer before the outage"));
    }
    entries
}

/// Returns a log line's message: without colours, time and level.
fn message(line: &str) -> String {
    let mut plain = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("\x1b[") {
        plain.push_str(before);
        rest = after.split_once('m').map_or("", |(_, after)| after);
    }
    plain.push_str(rest);
    for level in [" INFO ", " WARN ", " ERROR "] {
        if let Some((_, message)) = plain.split_once(level) {
            return message.trim().to_owned();
        }
    }
    // keepalived: `Mon Jan  1 00:00:00 2024: message`, with microseconds or without.
    let message =
        plain.split_once(": ").filter(|(time, _)| time.matches(':').count() >= 2).map(|(_, message)| message);
    message.unwrap_or(&plain).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_free_of_colour_time_and_level() {
        let table = [
            ("\x1b[2m2024-01-01T00:00:00.1Z\x1b[0m \x1b[32m INFO\x1b[0m VI_1: Active", "VI_1: Active"),
            ("Mon Jan  1 00:00:00 2024: (VI_1) Entering MASTER STATE", "(VI_1) Entering MASTER STATE"),
            ("plain words: here", "plain words: here"),
        ];
        for (line, expected) in table {
            assert_eq!(message(line), expected);
        }
    }
}
