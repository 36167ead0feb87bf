//! `hadp status`.

use std::{
    fmt::Write as _,
    io::{self, Write as _},
    path::PathBuf,
    process::ExitCode,
};

use anyhow::{Context as _, bail};
use clap::Args;
use hadp::observe::{
    control::{self, Answer, Request},
    snapshot::{Bucket, Session, Snapshot},
};

#[derive(Args, Debug)]
pub(super) struct Status {
    /// The directory of the control socket.
    #[arg(long, value_name = "DIR", default_value = "/run/hadp")]
    run_dir: PathBuf,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

impl Status {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let path = self.run_dir.join("control");
        let answer = control::ask(&path, &Request::Status)
            .with_context(|| format!("asking the daemon at {}; is hadp running?", path.display()))?;
        let snapshot = match answer {
            Answer::Status(snapshot) => snapshot,
            Answer::Error(reason) => bail!("the daemon answers: {reason}"),
            Answer::Failover(_) | Answer::Reload(_) => bail!("the daemon answers another question"),
        };
        let text = if self.json { serde_json::to_string_pretty(&snapshot)? + "\n" } else { table(&snapshot) };
        io::stdout().write_all(text.as_bytes())?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Lays the snapshot out for a person.
fn table(snapshot: &Snapshot) -> String {
    let mut text = String::new();
    let mut rows = vec![
        ["INSTANCE", "STATE", "FOR", "VRID", "PRIO", "INTERFACE", "LEASE", "ADDRESSES"].map(str::to_owned),
    ];
    for router in &snapshot.routers {
        let lease = if router.lease_ms > 0 { format!("{} ms", router.lease_ms) } else { "-".to_owned() };
        let state = match router.state.as_str() {
            "Active" => "Active (MASTER)".to_owned(),
            "Backup" => "Backup (BACKUP)".to_owned(),
            "Initialize" => "Initialize (FAULT)".to_owned(),
            other => other.to_owned(),
        };
        let addresses = match router.vips.as_slice() {
            [first, _, _, rest @ ..] if !rest.is_empty() => {
                format!("{first} and {} more", router.vips.len() - 1)
            }
            few => few.join(" "),
        };
        rows.push([
            router.name.clone(),
            state,
            span(router.since_ms),
            router.vrid.to_string(),
            router.priority.to_string(),
            router.interface.clone(),
            lease,
            addresses,
        ]);
    }
    write_rows(&mut text, &rows);
    for router in &snapshot.routers {
        if let Some(cause) = &router.cause {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "\n{}: {cause}", router.name);
        }
        if let Some(active) = &router.active_router {
            let _ =
                writeln!(text, "\n{}: follows {} (priority {})", router.name, active.addr, active.priority);
        }
    }
    if snapshot.restarts > 0 {
        let _ = writeln!(text, "\nrestarts: {} (the daemon had died)", snapshot.restarts);
    }
    write_sessions(&mut text, &snapshot.bfd);
    for (thread, lateness) in snapshot.lateness.iter().filter(|(_, lateness)| !lateness.buckets.is_empty()) {
        let count: u64 = lateness.buckets.iter().map(|bucket| bucket.count).sum();
        let (half, most) = (within(&lateness.buckets, count, 50), within(&lateness.buckets, count, 99));
        let _ = writeln!(
            text,
            "\n{thread}: {count} wake-ups, half less than {half} us late, 99 % less than {most} us, the latest {} us",
            lateness.longest_us
        );
    }
    if snapshot.relieved > 0 {
        let _ = writeln!(text, "\nheartbeat: {} packets sent by its reserve", snapshot.relieved);
    }
    let dropped: Vec<_> = snapshot.drops.iter().filter(|(_, count)| **count > 0).collect();
    if !dropped.is_empty() {
        let list: Vec<_> = dropped.iter().map(|(name, count)| format!("{name} {count}")).collect();
        let _ = writeln!(text, "\ndropped: {}", list.join(", "));
    }
    text
}

/// Lays the BFD sessions out, if there are any.
fn write_sessions(text: &mut String, sessions: &[Session]) {
    if sessions.is_empty() {
        return;
    }
    let heading = ["BFD", "STATE", "FOR", "NEIGHBOUR", "IS", "SENDS", "DETECTS", "HEARD", "UPS"];
    let mut rows = vec![heading.map(str::to_owned)];
    let every = |micros: u64| if micros > 0 { short(micros) } else { "-".to_owned() };
    for session in sessions {
        rows.push([
            session.name.clone(),
            if session.damped { format!("{} (damped)", session.state) } else { session.state.clone() },
            span(session.since_ms),
            session.neighbor.to_string(),
            session.remote.as_ref().map_or_else(|| "-".to_owned(), |remote| remote.state.clone()),
            every(session.transmit_us),
            every(session.detection_us),
            session
                .last_packet_us
                .map_or_else(|| "never".to_owned(), |micros| format!("{} ago", short(micros))),
            session.ups.to_string(),
        ]);
    }
    text.push('\n');
    write_rows(text, &rows);
    for session in sessions {
        if let Some(reason) = &session.reason {
            let _ = writeln!(text, "\n{}: {reason}", session.name);
        }
        if let Some(kept) = session.kept_us {
            let (name, kept) = (&session.name, short(kept));
            let _ = writeln!(text, "\n{name}: the machine does not keep its pace, and sends every {kept}");
        }
    }
}

/// Returns a bound that this share of all wake-ups keeps, in microseconds.
fn within(buckets: &[Bucket], count: u64, percent: u64) -> u64 {
    let mut seen = 0;
    let reached = buckets.iter().find(|bucket| {
        seen += bucket.count;
        seen * 100 >= count * percent
    });
    reached.map_or(0, |bucket| bucket.below_us)
}

/// Writes microseconds in the unit that suits them.
fn short(micros: u64) -> String {
    match micros {
        0..10_000 => format!("{micros} us"),
        10_000..10_000_000 => format!("{} ms", micros / 1000),
        _ => span(micros / 1000),
    }
}

fn write_rows<const N: usize>(text: &mut String, rows: &[[String; N]]) {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.len());
        }
    }
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            let _ = write!(line, "{cell:<width$}  ");
        }
        let _ = writeln!(text, "{}", line.trim_end());
    }
}

/// Writes a span of time in one or two units.
fn span(millis: u64) -> String {
    match millis / 1000 {
        0 => format!("{millis} ms"),
        seconds @ 1..60 => format!("{seconds} s"),
        seconds @ 60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        seconds @ 3600..86_400 => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
        seconds => format!("{} d {} h", seconds / 86_400, seconds / 3600 % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_that_of_the_bucket_where_the_share_is_reached() {
        let buckets = [(2, 50), (4, 48), (1024, 2)].map(|(below_us, count)| Bucket { below_us, count });
        assert_eq!([50, 51, 98, 99].map(|percent| within(&buckets, 100, percent)), [2, 4, 4, 1024]);
        assert_eq!(within(&[], 0, 99), 0);
    }

    #[test]
    fn spans_read_well() {
        let table =
            [(0, "0 ms"), (999, "999 ms"), (59_999, "59 s"), (61_000, "1 min 1 s"), (90_061_000, "1 d 1 h")];
        for (millis, text) in table {
            assert_eq!(span(millis), text);
        }
    }
}
