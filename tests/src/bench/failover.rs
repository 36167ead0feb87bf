//! `cargo xtask bench failover`: how long the virtual address is gone, hadp beside keepalived.

use std::{fs, path::PathBuf};

use anyhow::{Context, Result};
use clap::Args;

use super::{
    course,
    plan::{Part, Plan, plans, title},
    plot,
    rows::Rows,
    sample::RULE,
    series, shares,
    table::markdown,
};
use crate::{lab::Software, witness::Witness};

/// What to measure, and how often.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Runs of each failure with adverts every 10 ms, and with BFD
    #[arg(long, default_value_t = Self::default().runs)]
    pub(super) runs: usize,
    /// Runs of each failure with adverts every second
    #[arg(long, default_value_t = Self::default().slow_runs)]
    pub(super) slow_runs: usize,
    /// Measures one program alone: hadp or keepalived
    #[arg(long, value_parser = software)]
    pub(super) only: Option<Software>,
    /// Measures this part alone; given several times, these parts
    #[arg(long)]
    part: Vec<Part>,
    #[command(flatten)]
    rows: Rows,
    /// Writes failover.md and failover.svg to this directory too
    #[arg(long)]
    out: Option<PathBuf>,
}

impl Default for Options {
    /// As many runs as fit into a quarter of an hour.
    fn default() -> Self {
        Self { runs: 7, slow_runs: 3, only: None, part: Vec::new(), rows: Rows::default(), out: None }
    }
}

/// How everything is measured.
const CONDITIONS: &str = "\
`outage` is what a client sees that sends a probe every 100 us (1 ms where adverts come every second), `lost` the number of \
probes without an answer, `both` how long two machines answered ARP in turn, asked every ms (every 10 ms where the line is cut). Silent death: the node's \
port on the switch stops forwarding, and its processes stand still; cut off: the port alone. A run counts if the node that fails was \
the only one that answered until then; otherwise it is done again, and listed below the table. No run that was measured is \
left out. keepalived runs with `vrrp_rt_priority 12`, as hadp runs under SCHED_FIFO by itself, and with a CPU limit \
(`vrrp_rlimit_rttime`) that stolen time does not exceed. A witness on each processor, woken every ms, notes when the \
machine stands still.";

fn software(name: &str) -> Result<Software, String> {
    let all = [Software::Hadp, Software::Keepalived];
    all.into_iter()
        .find(|software| software.to_string() == name)
        .ok_or_else(|| "hadp or keepalived".to_owned())
}

/// Measures, reports progress on standard error, and returns the tables.
///
/// # Errors
///
/// When the machine cannot be watched (this needs root), or a file not be written. A run that fails is counted.
pub fn run(options: &Options) -> Result<String> {
    let wanted = |part| options.part.is_empty() || options.part.contains(&part);
    let witness = Witness::start()?;
    let mut rows = Vec::new();
    let mut text = String::new();
    let plans = [Part::Bfd, Part::Timers, Part::Scale, Part::Load]
        .into_iter()
        .filter(|part| wanted(*part))
        .flat_map(|part| plans(part, options).into_iter().map(move |plan| (part, plan)));
    let plans = options.rows.choose(plans.collect(), |(_, plan)| format!("{}, {}", plan.name, plan.fault))?;
    for group in plans.chunk_by(|(one, _), (other, _)| one == other) {
        let Some((part, _)) = group.first() else { continue };
        let plans: Vec<&Plan> = group.iter().map(|(_, plan)| plan).collect();
        let part_rows = series::measure(&plans, &witness);
        text.push_str(&format!("\n### {}\n\n{}", title(*part), markdown(&part_rows)));
        text.push_str(&shares::markdown(&part_rows));
        rows.extend(part_rows);
    }
    if wanted(Part::Course) && options.rows.are_all() && options.only != Some(Software::Keepalived) {
        text.push_str(&format!("\n### {}\n\n{}", title(Part::Course), course::run(options.runs, &witness)));
    }
    let text = format!("{CONDITIONS}\n\n{RULE}\n{text}");
    if let Some(dir) = &options.out {
        fs::create_dir_all(dir).with_context(|| format!("making {}", dir.display()))?;
        let head = "# Failover, measured\n\n`cargo xtask bench failover --out docs`: hadp and keepalived in turn on the same LAN.\n\
                    \n![Outages](failover.svg)\n";
        for (file, content) in
            [("failover.md", format!("{head}\n{text}")), ("failover.svg", plot::svg(&rows))]
        {
            let path = dir.join(file);
            fs::write(&path, content).with_context(|| format!("writing {}", path.display()))?;
        }
    }
    Ok(text)
}
