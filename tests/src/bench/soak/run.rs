//! The course of a soak.

use std::{
    collections::BTreeMap,
    fmt::Write,
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::Value;

use super::{
    befall::{Fault, Kind, LASTS, heal},
    judge::{Change, LOOK_BACK, Verdict, relative},
};
use crate::{
    bench::{
        brief::brief,
        setting::{Setting, VIP},
        table::show,
    },
    client::{ArpProber, Mac},
    lab::{Daemon, Lan, Node, Software, hadp_status},
    witness::{Seen, Witness},
};

/// How long to go on.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// For how many minutes
    #[arg(long, default_value_t = 30)]
    minutes: u64,
    /// The seed of the faults
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// With BFD, 250 us x 3, between the two nodes that everything befalls
    #[arg(long)]
    bfd: bool,
}

/// How often the client asks who has the address.
const ASKING: Duration = Duration::from_millis(1);
/// The time from one fault to the next, and until the first.
const EVERY: Duration = Duration::from_secs(4);
const SETTLING: Duration = Duration::from_secs(3);
/// How often progress is reported.
const REPORT: Duration = Duration::from_secs(60);
/// In which part of the time stalls may explain something: beyond, they would explain what has other reasons.
const MOST_STALLED: f64 = 0.2;
/// How many incidents of a kind are listed.
const LISTED: usize = 20;

/// What came of a soak.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The summary.
    pub text: String,
    /// What should not have been, if anything.
    pub failed: Option<String>,
}

/// How often the machine stood still for longer than anybody can bear.
struct Stalls {
    least: Duration,
    seen: Seen,
    /// In this time.
    of: Duration,
}

impl Stalls {
    fn part(&self) -> f64 {
        self.seen.near.as_secs_f64() / self.of.as_secs_f64()
    }
}

/// What has been done and noted so far.
#[derive(Default)]
struct Log {
    faults: Vec<Fault>,
    /// Resident memory of the undisturbed node's daemon, in KiB.
    memory: Vec<u64>,
    /// What could not be done, and how often.
    errors: BTreeMap<String, usize>,
}

impl Log {
    /// Notes what went wrong, and tells whether all went well.
    fn note(&mut self, what: &str, result: Result<()>) -> bool {
        if let Err(error) = &result {
            let why = format!("{what}: {}", brief(error));
            eprintln!("{why}");
            *self.errors.entry(why).or_default() += 1;
        }
        result.is_ok()
    }
}

/// Runs two nodes that everything befalls, and a third that is left alone, whose memory is watched. What cannot be done is
/// counted, and the rest goes on.
///
/// # Errors
///
/// When the nodes cannot be started, or the machine not be watched.
pub fn run(options: &Options) -> Result<Outcome> {
    let witness = Witness::start()?;
    let lan = Lan::new(3)?;
    let bfd_us = options.bfd.then_some(250);
    let setting = Setting { on_daemon_death: "restart", bfd_us, ..Setting::FAST };
    let [n1, n2, n3] = lan.nodes() else { bail!("the LAN has no three nodes") };
    let third = Setting { bfd_us: None, priorities: [120, 120], ..setting };
    let second = Setting { priorities: [150, 160], ..setting };
    let texts =
        [setting.conf(0, Software::Hadp), second.conf(1, Software::Hadp), third.conf(0, Software::Hadp)];
    let (mut files, mut daemons): (Vec<PathBuf>, Vec<Daemon>) = Default::default();
    for (node, text) in [n1, n2, n3].into_iter().zip(&texts) {
        let file = node.write("daemon.conf", text)?;
        daemons.push(Software::Hadp.start(node, &file)?);
        files.push(file);
    }
    std::thread::sleep(SETTLING);
    let asker = ArpProber::start(lan.client(), VIP, ASKING)?;
    let mut random = options.seed;
    let mut log = Log::default();
    let start = Instant::now();
    let end = start + Duration::from_secs(options.minutes * 60);
    let mut report = start + REPORT;
    let answers =
        || -> Vec<(Instant, Mac)> { asker.answers().iter().map(|answer| (answer.at, answer.mac)).collect() };
    // The next advert, or packet, comes an interval after the last, and what that renewed lasts for three.
    let by_adverts = 2 * setting.interval;
    let by_bfd = bfd_us.map(|every| 2 * Duration::from_micros(every.into()));
    let bearable = |node: Mac| by_bfd.filter(|_| node != Mac(n3.mac())).unwrap_or(by_adverts);
    let judge = |log: &Log| {
        let stalled = |at: Instant, old| {
            let since = at.checked_sub(LOOK_BACK).unwrap_or(at);
            witness.longest_until(since, at) >= bearable(old)
        };
        Verdict::of(&answers(), &log.faults, stalled)
    };
    while Instant::now() < end {
        let next = Instant::now() + EVERY;
        random = random.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        let victim = (random >> 40) as usize % 2;
        let kind = Kind::ALL.get((random >> 33) as usize % Kind::ALL.len()).copied();
        let (node, file, daemon) = (lan.nodes().get(victim), files.get(victim), daemons.get_mut(victim));
        let (Some(kind), Some(node), Some(file), Some(daemon)) = (kind, node, file, daemon) else {
            bail!("there is nobody to befall");
        };
        let came = Instant::now();
        let mut well = log.note(&format!("{kind:?} did not come"), kind.befall(node, daemon));
        std::thread::sleep(LASTS);
        let passing = Instant::now();
        well &= log.note(&format!("{kind:?} did not pass"), kind.pass(node, file, daemon));
        if !well {
            log.note("a node is not well again", heal(node, file, daemon));
        }
        log.faults.push(Fault { kind, victim: Mac(node.mac()), came, passing, passed: Instant::now() });
        match resident(n3) {
            Ok(memory) => log.memory.push(memory),
            Err(error) => drop(log.note("memory is not known", Err(error))),
        }
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
        if Instant::now() >= report {
            report += REPORT;
            let verdict = judge(&log);
            eprintln!("{:.0} s: {}", start.elapsed().as_secs_f64(), progress(&verdict, &log));
        }
    }
    std::thread::sleep(SETTLING);
    let verdict = judge(&log);
    let least = by_bfd.unwrap_or(by_adverts);
    let stalls = Stalls { least, seen: witness.of_at_least(least, start, LOOK_BACK), of: start.elapsed() };
    Ok(summary(&verdict, &log, &witness, (asker.requests(), answers().len()), &stalls))
}

/// Returns the resident memory of a node's daemon, in KiB.
fn resident(node: &Node) -> Result<u64> {
    let status = hadp_status(node)?;
    let pid = status.get("pid").and_then(Value::as_u64).context("a status without a pid")?;
    let text = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

fn progress(verdict: &Verdict, log: &Log) -> String {
    format!(
        "{} faults, {} changes of the owner, {} without a fault, {} behind a stall of the machine, {} times two owners, {} things \
         could not be done, {} KiB",
        log.faults.len(),
        verdict.changes,
        verdict.unexplained.len(),
        verdict.stalled.len(),
        verdict.flickers.len(),
        log.errors.values().sum::<usize>(),
        log.memory.last().copied().unwrap_or_default()
    )
}

fn summary(
    verdict: &Verdict,
    log: &Log,
    witness: &Witness,
    (requests, answers): (usize, usize),
    stalls: &Stalls,
) -> Outcome {
    let mut kinds: BTreeMap<Kind, usize> = BTreeMap::new();
    for fault in &log.faults {
        *kinds.entry(fault.kind).or_default() += 1;
    }
    let Verdict { changes, stalled, unexplained, flickers, healed, longest } = verdict;
    let memory = |value: Option<&u64>| value.map_or("-".to_owned(), u64::to_string);
    let (first, last, most) =
        (memory(log.memory.first()), memory(log.memory.last()), memory(log.memory.iter().max()));
    let mut text = String::from("| | |\n|---|---|\n");
    let _ = writeln!(text, "| faults | {} ({kinds:?}) |", log.faults.len());
    let _ = writeln!(text, "| ARP requests, answers | {requests}, {answers} |");
    let _ = writeln!(text, "| changes of the owner, without a fault | {changes}, {} |", unexplained.len());
    let _ = writeln!(
        text,
        "| changes without a fault of ours, behind a stall of a processor of {} or longer | {} |",
        show(stalls.least),
        stalled.len()
    );
    let _ = writeln!(
        text,
        "| such stalls; the longest of all; the part of the time that lies within {} of one | {}; {}; {:.1} % |",
        show(LOOK_BACK),
        stalls.seen.count,
        show(stalls.seen.longest),
        100.0 * stalls.part()
    );
    let _ = writeln!(text, "| times two machines answered | {} |", flickers.len());
    let _ =
        writeln!(text, "| answers by turns until two that were cut off heard each other again | {healed} |");
    let _ = writeln!(text, "| the longest time without an answer | {longest:.1?} |");
    let _ =
        writeln!(text, "| memory of the undisturbed node: first, last, most | {first}, {last}, {most} KiB |");
    let _ = writeln!(text, "| things that could not be done | {} |", log.errors.values().sum::<usize>());
    text.push('\n');
    let mut list = |title: &str, some: &[Change]| {
        for Change { at, old, new } in some.iter().take(LISTED) {
            let stall = witness.longest_until(at.checked_sub(LOOK_BACK).unwrap_or(*at), *at);
            let when = relative(*at, &log.faults);
            let _ = writeln!(
                text,
                "- {title}: {old} to {new}, {when}; longest stall of a processor before it {}",
                show(stall)
            );
        }
        if some.len() > LISTED {
            let _ = writeln!(text, "- {title}: {} more", some.len() - LISTED);
        }
    };
    list("without a fault", unexplained);
    list("behind a stall of the machine", stalled);
    list("two owners", flickers);
    for (why, times) in &log.errors {
        let _ = writeln!(text, "- {times} x {why}");
    }
    let (early, late) = log.memory.split_at(log.memory.len() / 2);
    let peak = |part: &[u64]| part.iter().max().copied().unwrap_or_default();
    let failed = if !unexplained.is_empty() || !flickers.is_empty() {
        Some("the owner changed without a cause, or there were two".to_owned())
    } else if !stalled.is_empty() && stalls.part() > MOST_STALLED {
        Some("the machine stood still so often that stalls explain anything".to_owned())
    } else if !early.is_empty() && peak(late) > peak(early) + peak(early) / 20 {
        Some(format!(
            "memory grows: at most {} KiB in the first half, {} KiB in the second",
            peak(early),
            peak(late)
        ))
    } else {
        None
    };
    Outcome { text, failed }
}
