//! What goes wrong in a run.

use std::time::Duration;

use hadp::units::Time;

use super::{plan::Plan, rng::Rng};

/// A fault, when it comes and when it passes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Planned {
    pub(super) at: Time,
    pub(super) until: Time,
    pub(super) host: usize,
    pub(super) fault: Fault,
}

/// What befalls a node, or the network.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Fault {
    /// The daemon does not run for a while (SIGSTOP, a frozen cgroup, a starved thread); the kernel does.
    Stop,
    /// The daemon is killed; its companion does what it is told to.
    Kill,
    /// Daemon and companion are killed; they are started again when the fault passes, and adopt what is there.
    KillAll,
    /// The whole machine stands still, as a virtual machine does while it is moved; its clock goes on.
    Freeze,
    /// The machine loses power, and starts again: nothing is left.
    Reboot,
    /// A planned stop, and a start later: perhaps while it still hands over.
    Shutdown,
    /// The link is down for a while.
    LinkDown,
    /// Nothing it sends leaves for a while (a full socket buffer).
    Mute,
    /// What it sends is taken and kept for a while (a queue that is shaped, a driver that has stopped), and then leaves, or
    /// does not.
    Jam,
    /// A tracked object fails for a while.
    Tracked,
    /// `hadp failover` of every router.
    Resign,
    /// A reload changes the priority, and changes it back.
    Reload,
    /// The interface is reported once more.
    Startup,
    /// The node's adverts reach nobody, and it hears nobody.
    Partition,
    /// The node's adverts reach nobody; it hears the others.
    Deafen,
    /// The election thread does not run for a while; the heartbeat does.
    Starve,
    /// The heartbeat does not run for a while; the election thread does.
    HeartStop,
    /// The node's BFD packets reach nobody; everything else arrives.
    LoseBfd,
    /// No BFD packet reaches the node or leaves it.
    LoseAllBfd,
}

const ALL: &[Fault] = &[
    Fault::Stop,
    Fault::Kill,
    Fault::KillAll,
    Fault::Freeze,
    Fault::Reboot,
    Fault::Shutdown,
    Fault::LinkDown,
    Fault::Mute,
    Fault::Tracked,
    Fault::Resign,
    Fault::Reload,
    Fault::Startup,
    Fault::Partition,
    Fault::Deafen,
];

/// Draws what befalls whom, and when it passes.
pub(super) fn draw(plan: &mut Plan, rng: &mut Rng) {
    let interval = plan.interval();
    let step = interval.as_nanos() as u64 * 5;
    let mut at = Time::ZERO + interval * 8 + plan.longest_down();
    plan.quiet_at = at;
    for _ in 0..1 + rng.below(8) {
        let fault = rng.pick(ALL, Fault::Stop);
        at = at + Duration::from_nanos(rng.below(step));
        let until = at + Duration::from_nanos(1 + rng.below(step * 2));
        let host = rng.below(plan.hosts() as u64) as usize;
        plan.faults.push(Planned { at, until, host, fault });
        plan.quiet_at = plan.quiet_at.max(until);
    }
}

/// What befalls nodes with BFD in particular.
const WITH_BFD: &[Fault] = &[Fault::Stop, Fault::Starve, Fault::HeartStop, Fault::LoseBfd, Fault::LoseAllBfd];

/// Draws what befalls whom in a run with BFD: far enough apart for sessions to come up in between, and often no longer than
/// detection takes.
pub(super) fn draw_with_bfd(plan: &mut Plan, rng: &mut Rng) {
    const STEP: u64 = 700_000_000;
    let detection = plan.detection().as_nanos() as u64;
    let mut at = Time::ZERO + plan.interval() * 8 + plan.longest_down();
    plan.quiet_at = at;
    for _ in 0..1 + rng.below(8) {
        let from = if rng.below(3) == 0 { ALL } else { WITH_BFD };
        let fault = rng.pick(from, Fault::Stop);
        at = at + Duration::from_nanos(rng.below(STEP));
        let longest = rng.pick(&[detection * 2, STEP], STEP);
        let until = at + Duration::from_nanos(1 + rng.below(longest));
        let host = rng.below(plan.hosts() as u64) as usize;
        plan.faults.push(Planned { at, until, host, fault });
        plan.quiet_at = plan.quiet_at.max(until);
    }
}
