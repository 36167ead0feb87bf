//! Routers against each other: several nodes on one virtual clock and one link, with the datapath's semantics.
//!
//! Each node is driven as the daemon drives it: adverts that could change an election come as events, the others are
//! read when a deadline is due.

mod faults;
mod host;
mod world;

use self::{
    faults::{Fault, Plan},
    world::World,
};
use super::*;

/// How many random runs each property gets.
const RUNS: u64 = 700;

/// Everything that can happen to a node.
const ALL: &[Fault] = &[
    Fault::Pause,
    Fault::Kill,
    Fault::Shutdown,
    Fault::LinkDown,
    Fault::Mute,
    Fault::Startup,
    Fault::Respawn,
    Fault::Failover,
    Fault::Priority,
    Fault::Unguarded,
];

/// One node after another dies without a word, and no advert is lost: one router answers, or none, at any time.
#[test]
fn after_a_crash_no_two_leases_overlap() {
    for seed in 0..RUNS {
        let mut world = World::new(seed, Plan { loss: 0, faults: &[Fault::Kill], distinct: true });
        world.run();
        for (first, second, overlap) in world.overlaps() {
            assert!(overlap.is_zero(), "seed {seed}: {first:?} and {second:?} overlap by {overlap:?}");
        }
        world.assert_converged();
    }
}

/// Nodes resign, return, preempt, lose their link, stop and go on, with equal priorities too: while both run, two of
/// them answer no longer than an advert takes from one to the other.
#[test]
fn two_running_routers_answer_no_longer_than_an_advert_takes() {
    // Twice as many: a takeover is given time before its silence counts, and fewer renewals come too late.
    let runs = 2 * RUNS;
    let (mut handovers, mut refusals) = (0, 0);
    for seed in 0..runs {
        let mut world = World::new(seed, Plan { loss: 0, faults: ALL, distinct: false });
        world.run();
        for (first, second, overlap) in world.overlaps() {
            handovers += 1;
            let bound = world.delay() + world.delay();
            assert!(
                overlap <= bound,
                "seed {seed}: {first:?} and {second:?} overlap by {overlap:?} > {bound:?}"
            );
        }
        world.assert_converged();
        refusals += world.refusals();
    }
    assert!(handovers > runs, "the runs have hardly a handover: {handovers}");
    assert!(refusals > RUNS / 50, "hardly a renewal comes too late: {refusals}");
}

/// Up to half of the adverts are lost until the last fault: afterwards one router is Active, and stays so.
#[test]
fn a_lossy_link_converges_once_it_heals() {
    for seed in 0..RUNS {
        let mut world = World::new(seed, Plan { loss: 50, faults: ALL, distinct: seed % 2 == 0 });
        world.run();
        world.assert_converged();
    }
}

/// A planned handover leaves no gap: the successor answers before the resigning router stops, and what was under way to
/// that one is served.
#[test]
fn a_planned_handover_leaves_no_gap() {
    for seed in 0..RUNS {
        let mut world = World::new(seed, Plan { loss: 0, faults: &[], distinct: seed % 2 == 0 });
        if !world.leases_outlast_skew {
            continue;
        }
        world.settle();
        let event = if seed % 3 == 0 { Event::Resign } else { Event::Shutdown };
        let (leader, at) = world.resign_leader(event);
        world.settle();
        let ended = world.owned(leader).last().map(|span| span.end).unwrap();
        let taken = world.first_takeover_after(at, leader).unwrap();
        assert!(taken < ended, "seed {seed}: nobody answers from {ended:?} to {taken:?}");
        assert!(ended.since(taken) <= world.delay(), "seed {seed}: both answer for {:?}", ended.since(taken));
        assert!(world.drained(leader) >= ended + DRAIN, "seed {seed}");
        assert_eq!(world.owned(leader).len(), 1, "seed {seed}: who handed over is Active again");
    }
}

#[test]
fn a_seed_is_a_run() {
    let trace = |seed| {
        let mut world = World::new(seed, Plan { loss: 30, faults: ALL, distinct: false });
        world.run();
        world.into_trace()
    };
    assert_eq!(trace(7), trace(7));
    assert_ne!(trace(7), trace(8));
}
