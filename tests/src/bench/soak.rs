//! `cargo xtask bench soak`: half an hour of random faults, and nothing else to be seen.

use std::{
    collections::BTreeMap,
    fmt::Write,
    fs,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

use super::setting::{Setting, VIP};
use crate::{
    client::{ArpProber, Mac},
    lab::{Daemon, Lan, Node, Software, hadp_binary, hadp_status},
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
}

/// How often the client asks who has the address.
const ASKING: Duration = Duration::from_millis(1);
/// The time from one fault to the next, and how long one lasts.
const EVERY: Duration = Duration::from_secs(4);
const LASTS: Duration = Duration::from_millis(1500);
/// How long after a fault has come, or passed, the owner may change.
const CONSEQUENCE: Duration = Duration::from_millis(1200);
/// An owner that is another one for less than this and then itself again was never the only one.
const FLICKER: Duration = Duration::from_millis(5);

/// How long two that were cut off from each other may take to agree, and how late a fault is noted.
const HEALING: Duration = Duration::from_millis(20);

/// What befalls a node.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Fault {
    Silent,
    LinkDown,
    Carrier,
    Kill,
    KillDaemon,
    Freeze,
    Restart,
    Failover,
}

const FAULTS: [Fault; 8] = [
    Fault::Silent,
    Fault::LinkDown,
    Fault::Carrier,
    Fault::Kill,
    Fault::KillDaemon,
    Fault::Freeze,
    Fault::Restart,
    Fault::Failover,
];

/// Runs two nodes that everything befalls, and a third that is left alone, whose memory is watched.
///
/// # Errors
///
/// When the owner changed without a fault, two nodes answered, nobody answered for long, or memory grew.
pub fn run(options: &Options) -> Result<String> {
    let lan = Lan::new(3)?;
    let setting = Setting { on_daemon_death: "restart", ..Setting::FAST };
    let [n1, n2, n3] = lan.nodes() else { bail!("the LAN has no three nodes") };
    let conf = |own: usize| {
        setting
            .conf(own.min(1), Software::Hadp)
            .replace("priority 100", &format!("priority {}", 200 - 40 * own))
    };
    let files: Vec<_> = [n1, n2, n3]
        .iter()
        .enumerate()
        .map(|(own, node)| node.write("daemon.conf", &conf(own)))
        .collect::<Result<_>>()?;
    let mut daemons = Vec::new();
    for (node, file) in [n1, n2, n3].into_iter().zip(&files) {
        daemons.push(Software::Hadp.start(node, file)?);
    }
    std::thread::sleep(Duration::from_secs(3));
    let asker = ArpProber::start(lan.client(), VIP, ASKING)?;
    let mut random = options.seed;
    let mut faults: Vec<(Instant, Instant, Fault)> = Vec::new();
    let mut memory = Vec::new();
    let end = Instant::now() + Duration::from_secs(options.minutes * 60);
    while Instant::now() < end {
        let next = Instant::now() + EVERY;
        random = random.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        let victim = (random >> 40) as usize % 2;
        let fault = FAULTS.get((random >> 33) as usize % FAULTS.len()).copied();
        let (node, file, daemon) = (lan.nodes().get(victim), files.get(victim), daemons.get_mut(victim));
        let (Some(fault), Some(node), Some(file), Some(daemon)) = (fault, node, file, daemon) else {
            bail!("there is nobody to befall");
        };
        let came = Instant::now();
        befall(fault, node, daemon)?;
        std::thread::sleep(LASTS);
        pass(fault, node, file, daemon)?;
        faults.push((came, Instant::now(), fault));
        memory.push(resident(n3)?);
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    std::thread::sleep(Duration::from_secs(3));
    let answers: Vec<(Instant, Mac)> = asker.answers().iter().map(|answer| (answer.at, answer.mac)).collect();
    judge(&answers, &faults, &memory, asker.requests())
}

fn befall(fault: Fault, node: &Node, daemon: &mut Daemon) -> Result<()> {
    match fault {
        Fault::Silent => node.cut(),
        Fault::LinkDown => node.link_down(),
        Fault::Carrier => node.carrier(false),
        Fault::Kill => daemon.crash(),
        Fault::KillDaemon => daemon.crash_daemon(),
        Fault::Freeze => daemon.freeze(),
        Fault::Restart => daemon.stop(),
        Fault::Failover => {
            // A Backup has nothing to hand over, and says so.
            let hadp = hadp_binary()?;
            drop(node.run([&hadp.to_string_lossy(), "failover", "VI_0"]));
            Ok(())
        }
    }
}

fn pass(fault: Fault, node: &Node, file: &std::path::Path, daemon: &mut Daemon) -> Result<()> {
    match fault {
        Fault::Silent => node.mend(),
        Fault::LinkDown => node.link_up(),
        Fault::Carrier => node.carrier(true),
        Fault::Kill | Fault::Restart => {
            *daemon = Software::Hadp.start(node, file)?;
            Ok(())
        }
        Fault::Freeze => daemon.thaw(),
        Fault::KillDaemon | Fault::Failover => Ok(()),
    }
}

/// Returns the resident memory of a node's daemon, in KiB.
fn resident(node: &Node) -> Result<u64> {
    let status = hadp_status(node)?;
    let pid = status.get("pid").and_then(serde_json::Value::as_u64).context("a status without a pid")?;
    let text = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

/// Looks at what the client saw.
fn judge(
    answers: &[(Instant, Mac)],
    faults: &[(Instant, Instant, Fault)],
    memory: &[u64],
    requests: usize,
) -> Result<String> {
    let mut changes: Vec<(Instant, Mac, Mac)> = Vec::new();
    let mut longest = Duration::ZERO;
    for pair in answers.windows(2) {
        let [(before, old), (at, new)] = pair else { continue };
        longest = longest.max(*at - *before);
        if old != new {
            changes.push((*at, *old, *new));
        }
    }
    // Two that did not hear each other both answer until the first advert gets through again.
    let heals = |at: Instant| {
        faults.iter().any(|(_, passed, fault)| {
            *fault == Fault::Silent && at + HEALING > *passed && at < *passed + HEALING
        })
    };
    let (mut flickers, mut healed) = (0, 0);
    for pair in changes.windows(2) {
        let [(first, old, between), (second, _, new)] = pair else { continue };
        if old == new && *second - *first < FLICKER && heals(*first) {
            healed += 1;
        } else if old == new && *second - *first < FLICKER {
            flickers += 1;
            let last = faults.iter().rev().find(|(came, ..)| came <= first);
            if let Some((came, passed, fault)) = last {
                eprintln!(
                    "{old} {between} {new} within {:?}: {:?} after {fault:?} came, {:?} after it had passed",
                    *second - *first,
                    *first - *came,
                    first.checked_duration_since(*passed)
                );
            }
        }
    }
    let caused = |at: Instant| {
        faults.iter().any(|(came, passed, _)| {
            (at >= *came && at < *came + CONSEQUENCE + LASTS) || (at >= *passed && at < *passed + CONSEQUENCE)
        })
    };
    let unexplained = changes.iter().filter(|(at, ..)| !caused(*at)).count();
    let mut kinds: BTreeMap<Fault, usize> = BTreeMap::new();
    for (_, _, fault) in faults {
        *kinds.entry(*fault).or_default() += 1;
    }
    let (early, late) = memory.split_at(memory.len() / 2);
    let peak = |part: &[u64]| part.iter().max().copied().unwrap_or_default();
    let mut text = String::from("| | |\n|---|---|\n");
    let _ = writeln!(text, "| faults | {} ({kinds:?}) |", faults.len());
    let _ = writeln!(text, "| ARP requests, answers | {requests}, {} |", answers.len());
    let _ = writeln!(text, "| changes of the owner, without a fault | {}, {unexplained} |", changes.len());
    let _ = writeln!(text, "| times two machines answered | {flickers} |");
    let _ =
        writeln!(text, "| answers by turns until two that were cut off heard each other again | {healed} |");
    let _ = writeln!(text, "| the longest time without an answer | {longest:.1?} |");
    let _ = writeln!(
        text,
        "| memory of the undisturbed node, peak of each half | {} KiB, {} KiB |",
        peak(early),
        peak(late)
    );
    ensure!(
        unexplained == 0 && flickers == 0,
        "the owner changed without a cause, or there were two\n{text}"
    );
    ensure!(peak(late) <= peak(early) + peak(early) / 20, "memory grows\n{text}");
    Ok(text)
}
