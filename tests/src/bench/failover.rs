//! `cargo xtask bench failover`: how long the virtual address is gone, hadp beside keepalived.

use std::{collections::BTreeMap, fs, path::PathBuf, thread};

use anyhow::{Context, Result, anyhow};
use clap::Args;

use super::{
    run::{Fault, Sample, Setting, measure},
    table::{Row, Summary, markdown, show},
};
use crate::lab::Software;

/// What to measure, and how often.
#[derive(Args, Debug)]
pub struct Options {
    /// Runs of each failure with adverts every 10 ms
    #[arg(long, default_value_t = Self::default().runs)]
    runs: usize,
    /// Runs of each failure with adverts every second
    #[arg(long, default_value_t = Self::default().slow_runs)]
    slow_runs: usize,
    /// Measures one program alone: hadp or keepalived
    #[arg(long, value_parser = software)]
    only: Option<Software>,
    /// Writes the table to this file too
    #[arg(long)]
    out: Option<PathBuf>,
}

impl Default for Options {
    /// As many runs as fit into six minutes.
    fn default() -> Self {
        Self { runs: 7, slow_runs: 3, only: None, out: None }
    }
}

fn software(name: &str) -> Result<Software, String> {
    let all = [Software::Hadp, Software::Keepalived];
    all.into_iter()
        .find(|software| software.to_string() == name)
        .ok_or_else(|| "hadp or keepalived".to_owned())
}

/// Measures, reports progress on standard error, and returns the table.
///
/// # Errors
///
/// When a program does not start or two nodes elect nobody.
pub fn run(options: &Options) -> Result<String> {
    let programs: Vec<Software> = match options.only {
        Some(software) => vec![software],
        None => vec![Software::Keepalived, Software::Hadp],
    };
    let mut rows = Vec::new();
    for setting in Setting::ALL {
        let runs = if setting.parallel { options.slow_runs } else { options.runs };
        let mut samples: BTreeMap<(usize, String), Vec<Sample>> = BTreeMap::new();
        for run in 1..=runs {
            // Alternating, so that whatever else the machine does disturbs both alike.
            for software in &programs {
                let phase = (run as f64 - 0.5) / runs as f64;
                for (number, fault, sample) in faults(*software, &setting, phase)? {
                    let outage = show(sample.outage);
                    eprintln!("{}, run {run}/{runs}: {fault:<8} {software:<10} {outage}", setting.name);
                    samples.entry((number, software.to_string())).or_default().push(sample);
                }
            }
        }
        rows.extend(Fault::ALL.into_iter().enumerate().map(|(number, fault)| {
            let summary = |software: Software| Summary::of(samples.get(&(number, software.to_string()))?);
            Row {
                setting: setting.name,
                fault: fault.to_string(),
                keepalived: summary(Software::Keepalived),
                hadp: summary(Software::Hadp),
            }
        }));
    }
    let table = markdown(&rows);
    if let Some(file) = &options.out {
        fs::write(file, &table).with_context(|| format!("writing {}", file.display()))?;
    }
    Ok(table)
}

/// Measures each fault once: one after the other, or all at once on LANs of their own where the times are long.
fn faults(software: Software, setting: &Setting, phase: f64) -> Result<Vec<(usize, Fault, Sample)>> {
    let one = |(number, fault): (usize, Fault)| -> Result<_> {
        let sample =
            measure(software, setting, fault, phase).with_context(|| format!("{software}, {fault}"))?;
        Ok((number, fault, sample))
    };
    let faults = Fault::ALL.into_iter().enumerate();
    if !setting.parallel {
        return faults.map(one).collect();
    }
    thread::scope(|scope| {
        let threads: Vec<_> = faults.map(|fault| scope.spawn(move || one(fault))).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().map_err(|_| anyhow!("a measurement panicked"))?)
            .collect()
    })
}
