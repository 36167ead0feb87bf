//! `cargo xtask bench failover`: how long the virtual address is gone, hadp beside keepalived.

use std::{collections::BTreeMap, fs, path::PathBuf, thread};

use anyhow::{Context, Result, anyhow};
use clap::Args;

use super::{
    course, plot,
    run::{Course, Fault, Sample, measure},
    setting::Setting,
    table::{Row, Summary, markdown, show},
};
use crate::lab::Software;

/// What to measure, and how often.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Runs of each failure with adverts every 10 ms, and with BFD
    #[arg(long, default_value_t = Self::default().runs)]
    runs: usize,
    /// Runs of each failure with adverts every second
    #[arg(long, default_value_t = Self::default().slow_runs)]
    slow_runs: usize,
    /// Measures one program alone: hadp or keepalived
    #[arg(long, value_parser = software)]
    only: Option<Software>,
    /// Measures one part alone
    #[arg(long)]
    part: Option<Part>,
    /// Writes failover.md and failover.svg to this directory too
    #[arg(long)]
    out: Option<PathBuf>,
}

/// A part of the benchmark.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
pub enum Part {
    /// Every failure with VRRP's own timers
    Timers,
    /// Silent death with BFD, beside keepalived at its fastest
    Bfd,
    /// Many addresses, many instances
    Scale,
    /// A machine with other work
    Load,
    /// From the decision to the last announcement
    Course,
}

impl Default for Options {
    /// As many runs as fit into a quarter of an hour.
    fn default() -> Self {
        Self { runs: 7, slow_runs: 3, only: None, part: None, out: None }
    }
}

fn software(name: &str) -> Result<Software, String> {
    let all = [Software::Hadp, Software::Keepalived];
    all.into_iter()
        .find(|software| software.to_string() == name)
        .ok_or_else(|| "hadp or keepalived".to_owned())
}

/// One line of the table before it is measured: keepalived has it where `keepalived` names a setting.
struct Plan {
    name: &'static str,
    fault: Fault,
    hadp: Option<Setting>,
    keepalived: Option<Setting>,
    loaded: bool,
    runs: usize,
}

/// Measures, reports progress on standard error, and returns the tables.
///
/// # Errors
///
/// When a program does not start or two nodes elect nobody.
pub fn run(options: &Options) -> Result<String> {
    let wanted = |part| options.part.is_none_or(|only| only == part);
    let mut rows = Vec::new();
    let mut text = String::new();
    for part in [Part::Bfd, Part::Timers, Part::Scale, Part::Load] {
        if wanted(part) {
            let part_rows = measure_rows(&plans(part, options), options)?;
            text.push_str(&format!("\n### {}\n\n{}", title(part), markdown(&part_rows)));
            rows.extend(part_rows);
        }
    }
    if wanted(Part::Course) && options.only != Some(Software::Keepalived) {
        text.push_str(&format!("\n### {}\n\n{}", title(Part::Course), course::run(options.runs)?));
    }
    if let Some(dir) = &options.out {
        fs::create_dir_all(dir).with_context(|| format!("making {}", dir.display()))?;
        let head = "# Failover, measured\n\n`cargo xtask bench failover --out docs`: hadp and keepalived in turn on the same LAN.\n\
                    `lost` is the number of probes without an answer, `both` how long two machines answered ARP, asked every ms.\n\
                    \n![Outages](failover.svg)\n";
        for (file, content) in [("failover.md", format!("{head}{text}")), ("failover.svg", plot::svg(&rows))]
        {
            let path = dir.join(file);
            fs::write(&path, content).with_context(|| format!("writing {}", path.display()))?;
        }
    }
    Ok(text)
}

fn title(part: Part) -> &'static str {
    match part {
        Part::Bfd => "With BFD, beside keepalived at its fastest (v3, 10 ms, Backup priority 253)",
        Part::Timers => "With VRRP's own timers",
        Part::Scale => "Many addresses, many instances: silent death",
        Part::Load => "On a machine that is busy: every processor, and 32,000 frames a second",
        Part::Course => "From the decision on: hadp, BFD 250 us x 3, silent death",
    }
}

fn plans(part: Part, options: &Options) -> Vec<Plan> {
    let line = |setting: Setting, fault, runs| Plan {
        name: setting.name,
        fault,
        hadp: Some(setting),
        keepalived: (setting.bfd_us.is_none() && fault.applies(Software::Keepalived)).then_some(setting),
        loaded: false,
        runs,
    };
    let Options { runs, slow_runs, .. } = *options;
    match part {
        Part::Bfd => [Setting::BFD_250, Setting::BFD_100]
            .into_iter()
            .flat_map(|setting| {
                [Fault::Silent, Fault::LinkDown, Fault::Stop, Fault::Kill]
                    .map(|fault| Plan { keepalived: Some(Setting::FASTEST), ..line(setting, fault, runs) })
            })
            .collect(),
        Part::Timers => {
            let fast = [Setting::FASTEST, Setting::FAST];
            let mut plans: Vec<Plan> =
                fast.iter().flat_map(|s| Fault::ALL.map(|fault| line(*s, fault, runs))).collect();
            let restart = Setting {
                name: "v3, 10 ms, on_daemon_death restart",
                on_daemon_death: "restart",
                ..Setting::FASTEST
            };
            plans.push(line(restart, Fault::KillDaemon, runs));
            plans.extend(Fault::ALL.map(|fault| line(Setting::SLOW, fault, slow_runs)));
            plans
        }
        Part::Scale => {
            let sizes: [(&str, &str, u16, u16); 2] = [
                ("1,000 addresses, v3, 10 ms, 253", "1,000 addresses, BFD 250 us x 3", 1, 1000),
                ("250 instances, v3, 10 ms, 253", "250 instances, BFD 250 us x 3", 250, 1),
            ];
            sizes
                .into_iter()
                .flat_map(|(timers, bfd, instances, vips)| {
                    [
                        line(
                            Setting { name: timers, instances, vips, ..Setting::FASTEST },
                            Fault::Silent,
                            slow_runs,
                        ),
                        line(
                            Setting { name: bfd, instances, vips, ..Setting::BFD_250 },
                            Fault::Silent,
                            slow_runs,
                        ),
                    ]
                })
                .collect()
        }
        Part::Load => [Setting::FASTEST, Setting::BFD_250]
            .into_iter()
            .flat_map(|setting| {
                [Fault::Silent, Fault::Term].map(|fault| Plan { loaded: true, ..line(setting, fault, runs) })
            })
            .collect(),
        Part::Course => Vec::new(),
    }
    .into_iter()
    .map(|plan| Plan {
        hadp: plan.hadp.filter(|_| options.only != Some(Software::Keepalived)),
        keepalived: plan.keepalived.filter(|_| options.only != Some(Software::Hadp)),
        ..plan
    })
    .collect()
}

/// Measures every line, the programs in turn, so that whatever else the machine does disturbs both alike.
fn measure_rows(plans: &[Plan], options: &Options) -> Result<Vec<Row>> {
    let mut samples: BTreeMap<(usize, bool), Vec<Sample>> = BTreeMap::new();
    let most = options.runs.max(options.slow_runs);
    for run in 0..most {
        let due: Vec<(usize, &Plan)> = plans.iter().enumerate().filter(|(_, plan)| run < plan.runs).collect();
        let is_slow = |plan: &Plan| plan.hadp.or(plan.keepalived).is_some_and(|setting| setting.parallel);
        for (index, plan) in due.iter().filter(|(_, plan)| !is_slow(plan)) {
            for (hadp, sample) in pair(plan, run)? {
                samples.entry((*index, hadp)).or_default().push(sample);
            }
        }
        // Slow ones on LANs of their own, all at once: what is measured is seconds.
        let slow = thread::scope(|scope| {
            let threads: Vec<_> = due
                .iter()
                .filter(|(_, plan)| is_slow(plan))
                .map(|(index, plan)| (*index, scope.spawn(move || pair(plan, run))))
                .collect();
            threads
                .into_iter()
                .map(|(index, thread)| {
                    Ok((index, thread.join().map_err(|_| anyhow!("a measurement panicked"))??))
                })
                .collect::<Result<Vec<_>>>()
        })?;
        for (index, measured) in slow {
            for (hadp, sample) in measured {
                samples.entry((index, hadp)).or_default().push(sample);
            }
        }
    }
    let summary = |index, hadp| samples.get(&(index, hadp)).and_then(|samples| Summary::of(samples));
    Ok(plans
        .iter()
        .enumerate()
        .map(|(index, plan)| Row {
            setting: plan.name,
            fault: plan.fault.to_string(),
            keepalived: summary(index, false),
            hadp: summary(index, true),
        })
        .collect())
}

/// How often a measurement is tried: on a machine that stands still for longer than a detection time, sessions come and go.
const TRIES: usize = 6;

/// Measures one line once, with each program that has it.
fn pair(plan: &Plan, run: usize) -> Result<Vec<(bool, Sample)>> {
    let phase = (run as f64 + 0.5) / plan.runs as f64;
    let programs = [(Software::Keepalived, plan.keepalived), (Software::Hadp, plan.hadp)];
    programs
        .into_iter()
        .filter_map(|(software, setting)| Some((software, setting?)))
        .map(|(software, setting)| {
            let Plan { fault, loaded, .. } = *plan;
            let course = Course { software, setting: &setting, fault, phase, loaded };
            let sample = (0..TRIES)
                .find_map(|_| {
                    let tried = measure(course);
                    tried.as_ref().err().into_iter().for_each(|error| eprintln!("again: {error:#}"));
                    tried.ok()
                })
                .with_context(|| format!("{}: {software}, {fault}: {TRIES} tries", plan.name))?;
            let (outage, lost) = (show(sample.outage), sample.lost);
            eprintln!(
                "{}, run {}/{}: {fault:<20} {software:<10} {outage}, {lost} lost",
                plan.name,
                run + 1,
                plan.runs
            );
            Ok((software == Software::Hadp, sample))
        })
        .collect()
}
