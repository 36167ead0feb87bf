//! What a failover bench measures, part by part.

use super::{failover::Options, fault::Fault, setting::Setting};
use crate::lab::Software;

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

/// One line of the table before it is measured: keepalived has it where `keepalived` names a setting.
pub(super) struct Plan {
    pub(super) name: &'static str,
    pub(super) fault: Fault,
    pub(super) hadp: Option<Setting>,
    pub(super) keepalived: Option<Setting>,
    pub(super) loaded: bool,
    pub(super) runs: usize,
}

/// Returns the heading of a part.
pub(super) fn title(part: Part) -> &'static str {
    match part {
        Part::Bfd => "With BFD, beside keepalived at its fastest (v3, 10 ms, Backup priority 253)",
        Part::Timers => "With VRRP's own timers",
        Part::Scale => "Many addresses, many instances: silent death",
        Part::Load => "On a machine that is busy: every processor, and 32,000 frames a second",
        Part::Course => "From the decision on: hadp, BFD 250 us x 3, silent death",
    }
}

/// Returns the lines of a part.
pub(super) fn plans(part: Part, options: &Options) -> Vec<Plan> {
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
                [Fault::Silent, Fault::CutOff, Fault::LinkDown, Fault::Stop, Fault::Kill]
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
