//! The virtual cluster: random runs of several nodes, every instant of them checked, and faults put into the program
//! itself that the checks have to find.
//!
//! `HADP_SIM_SEED=N` runs one seed alone; `HADP_SIM_SEEDS=N` runs that many. With `HADP_SIM_ALL` set, to whatever, they go on
//! beyond the first one that fails, and every one that does is told on standard error. With `HADP_SIM_TRACE` set, every event
//! that a router is told and what it orders go to standard error, at their true time in milliseconds: for one seed. Both with
//! `--nocapture`.

use std::{
    env,
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

use hadp_tests::sim::{self, Mutation, Summary, Violation};

/// How many runs there are by default.
const SEEDS: u64 = 10_000;
/// In how many runs a mutation has to be found.
const FOUND_WITHIN: u64 = 3_000;
/// In how many one of BFD has to be: few of these runs have it, and a step down that is forgotten shows in very few of those.
const BFD_FOUND_WITHIN: u64 = 40_000;

fn number(name: &str) -> Option<u64> {
    env::var(name).ok()?.parse().ok()
}

/// Runs those of the seeds that count on all processors until one fails, or all of them; the failure is the first one found.
fn run(
    seeds: std::ops::Range<u64>,
    counts: fn(u64) -> bool,
    mutation: Option<Mutation>,
) -> Result<Summary, Violation> {
    let next = AtomicU64::new(seeds.start);
    let all = mutation.is_none() && env::var_os("HADP_SIM_ALL").is_some();
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let work = || {
        let mut total = Summary::default();
        let mut failed = None;
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return failed.map_or(Ok(total), Err);
            }
            if !counts(seed) {
                continue;
            }
            match sim::run(seed, mutation) {
                Ok(summary) => total.add(&summary),
                Err(violation) if all => {
                    eprintln!("{violation}");
                    failed.get_or_insert(violation);
                }
                Err(violation) => {
                    next.store(seeds.end, Ordering::Relaxed);
                    return Err(violation);
                }
            }
        }
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        let mut total = Summary::default();
        for thread in threads {
            total.add(&thread.join().expect("a run panicked")?);
        }
        Ok(total)
    })
}

#[test]
fn no_two_nodes_answer_and_one_does_in_the_end() {
    let seeds = match number("HADP_SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("HADP_SIM_SEEDS").unwrap_or(SEEDS),
    };
    let runs = seeds.end - seeds.start;
    let total = run(seeds, |_| true, None).unwrap_or_else(|violation| panic!("{violation}"));
    println!("{runs} runs: {total:?}");
    if runs >= SEEDS {
        // The runs are worth something: everything that is checked has happened.
        let happened = [total.takeovers, total.partitioned, total.revoked, total.resumed, total.handovers];
        assert!(happened.iter().all(|count| *count as u64 > runs / 100), "{total:?}");
        let with_bfd = [total.bfd_takeovers, total.stepped_down, total.lapsed];
        assert!(with_bfd.iter().all(|count| *count as u64 > runs / 1_000), "{total:?}");
    }
}

#[test]
fn a_run_is_a_function_of_its_seed() {
    for seed in 0..50 {
        let (one, two) = (sim::run(seed, None), sim::run(seed, None));
        assert_eq!(format!("{one:?}"), format!("{two:?}"));
    }
}

#[test]
fn every_mutation_is_found() {
    find(Mutation::ALL, FOUND_WITHIN, |_| true);
}

#[test]
fn every_mutation_of_queues_is_found() {
    find(Mutation::OF_QUEUE, FOUND_WITHIN, sim::has_jam);
}

#[test]
fn every_mutation_of_bfd_is_found() {
    find(Mutation::OF_BFD, BFD_FOUND_WITHIN, sim::has_bfd);
}

#[expect(clippy::print_stdout, reason = "tells by which run each was found")]
fn find(mutations: &[Mutation], within: u64, counts: fn(u64) -> bool) {
    for mutation in mutations {
        match run(0..within, counts, Some(*mutation)) {
            Ok(total) => panic!("{mutation:?} was not noticed in {within} runs: {total:?}"),
            Err(violation) => println!("{mutation:?}: seed {}: {}", violation.seed, violation.what),
        }
    }
}
