//! `hadp replay`.

use std::{
    io::{self, BufWriter, Write},
    path::PathBuf,
    process::ExitCode,
};

use anyhow::bail;
use clap::Args;
use hadp::replay::{Divergence, Entry, Header, Player, Reader, Totals};
use serde::Serialize;

/// What is ordered now differs from what the log has.
const DIVERGES: u8 = 2;

#[derive(Args, Debug)]
pub(super) struct Replay {
    /// The event log, as `hadp run --record FILE` writes it.
    file: PathBuf,
    /// Goes through one router alone: the name of its vrrp_instance.
    #[arg(long, value_name = "NAME")]
    router: Option<String>,
    /// Prints JSON, one object a line.
    #[arg(long)]
    json: bool,
}

/// How it ended.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    /// Everything is as recorded.
    Same {
        #[serde(flatten)]
        totals: Totals,
        cut_off: bool,
    },
    /// Something is not.
    Diverges {
        line: u64,
        #[serde(flatten)]
        what: Box<Divergence>,
    },
}

impl Replay {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let mut out = BufWriter::new(io::stdout().lock());
        let outcome = self.play(&mut out);
        // What came before an error is told before it.
        out.flush()?;
        outcome
    }

    fn play(self, out: &mut impl Write) -> anyhow::Result<ExitCode> {
        let (header, mut reader) = Reader::open(&self.file)?;
        if self.json {
            json(out, &header)?;
        } else {
            let Header { hadp, boot_id, wall, .. } = &header;
            writeln!(out, "recorded by hadp {hadp} from {} (boot {boot_id})", date(*wall))?;
        }
        let mut player = Player::new(header.start, self.router.clone());
        let mut divergence = None;
        while let Some(record) = reader.next_record()? {
            let played = player.play(record).map_err(|reason| reader.malformed(reason))?;
            self.tell(out, &played.entries)?;
            if played.divergence.is_some() {
                divergence = played.divergence;
                break;
            }
        }
        if let Some(router) = self.router.as_deref().filter(|router| !player.names().contains(router)) {
            let names: Vec<_> = player.names().into_iter().collect();
            bail!("no router in {} is called {router}; there are: {}", self.file.display(), names.join(", "));
        }
        if let Some(what) = divergence {
            let line = reader.line();
            if self.json {
                json(out, &Outcome::Diverges { line, what: Box::new(what) })?;
            } else {
                write!(out, "\n{}:{line}: {}", self.file.display(), what.describe(header.start))?;
            }
            return Ok(ExitCode::from(DIVERGES));
        }
        self.tell(out, &player.end())?;
        let (totals, cut_off) = (player.totals(), reader.is_cut_off());
        if self.json {
            json(out, &Outcome::Same { totals, cut_off })?;
        } else {
            out.write_all(summary(&totals, cut_off).as_bytes())?;
        }
        Ok(ExitCode::SUCCESS)
    }

    fn tell(&self, out: &mut impl Write, entries: &[Entry]) -> anyhow::Result<()> {
        for entry in entries {
            if self.json {
                json(out, entry)?;
            } else {
                writeln!(out, "{entry}")?;
            }
        }
        Ok(())
    }
}

fn json(out: &mut impl Write, line: &impl Serialize) -> anyhow::Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    Ok(writeln!(out)?)
}

/// Says that all is well, and what could not be looked at.
fn summary(totals: &Totals, cut_off: bool) -> String {
    let Totals { events, actions, gaps, missing, uncompared } = *totals;
    let mut text = format!("\nas recorded: {events} events, {actions} actions\n");
    if gaps > 0 {
        let lost = format!("{missing} records are missing in {gaps} gaps");
        text += &format!("{lost}, and {uncompared} events behind them could not be compared\n");
    }
    if cut_off {
        text += "the log ends within a line, as after a crash; that line is left out\n";
    }
    text
}

/// Writes a time of the wall clock, given in nanoseconds since 1970.
fn date(nanos: u64) -> String {
    let seconds = nanos / 1_000_000_000;
    let (mut year, mut day) = (1970, seconds / 86_400);
    let is_leap =
        |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    while day >= 365 + u64::from(is_leap(year)) {
        day -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let mut month = 1;
    for days in [31, 28 + u64::from(is_leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if day < days {
            break;
        }
        day -= days;
        month += 1;
    }
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year}-{month:02}-{:02} {hour:02}:{minute:02}:{second:02} UTC", day + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        let table = [
            (0, "1970-01-01 00:00:00 UTC"),
            (951_782_399, "2000-02-28 23:59:59 UTC"),
            (951_782_400, "2000-02-29 00:00:00 UTC"),
            (1_735_689_599, "2024-12-31 23:59:59 UTC"),
            (4_107_542_400, "2100-03-01 00:00:00 UTC"),
        ];
        for (seconds, text) in table {
            assert_eq!(date(seconds * 1_000_000_000), text);
        }
    }

    #[test]
    fn what_could_not_be_looked_at_is_said() {
        let totals = Totals { events: 7, actions: 9, ..Totals::default() };
        assert_eq!(summary(&totals, false), "\nas recorded: 7 events, 9 actions\n");
        let totals = Totals { gaps: 2, missing: 40, uncompared: 3, ..totals };
        let text = summary(&totals, true);
        assert!(text.contains("40 records are missing in 2 gaps, and 3 events"), "{text}");
        assert!(text.contains("within a line"), "{text}");
    }
}
