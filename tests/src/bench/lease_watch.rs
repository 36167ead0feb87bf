//! Reads from a node's datapath until when it owns a router, again and again.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Context, Result, anyhow, ensure};
use aya::maps::{Array, Map, MapData};
use hadp::shell::clock;
use hadp_common::router::{LEASE_RESIGNED, Router};

use crate::lab::Node;

/// How often the maps are read. Each reading takes about a microsecond.
const EVERY: Duration = Duration::from_micros(100);
/// Where the daemon pins its maps.
const PINS: &str = "sys/fs/bpf/hadp";
/// The slot of a node's only router.
const SLOT: u32 = 0;

/// One reading that differs from the one before, in nanoseconds of CLOCK_MONOTONIC.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Reading {
    /// When the maps were read: before the first, and after the last of them.
    begun: u64,
    ended: u64,
    /// Until when the node owns the router by what was read; 0 if it was revoked.
    until: u64,
}

/// The maps of a node whose daemon may come and go: pins outlive it.
#[derive(Debug)]
pub(super) struct LeaseWatch {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<Vec<Reading>>>>,
}

impl LeaseWatch {
    /// Starts to read the maps of a node with one router.
    ///
    /// # Errors
    ///
    /// When its daemon has not pinned them.
    pub(super) fn start(node: &Node) -> Result<Self> {
        // The node's own BPF file system, through the process that holds its namespaces.
        let pins = Path::new("/proc").join(node.holder().pid().to_string()).join("root").join(PINS);
        let open = |name: &str| -> Result<Map> {
            let path = pins.join(name);
            let data = MapData::from_pin(&path).with_context(|| format!("opening {}", path.display()))?;
            Ok(Map::from_map_data(data)?)
        };
        let routers = Array::<_, Router>::try_from(open("ROUTERS")?)?;
        let guards = Array::<_, u64>::try_from(open("GUARDS")?)?;
        ensure!(routers.get(&SLOT, 0)?.ifindex != 0, "slot {SLOT} of {} has no router", node.name());
        let stop = Arc::<AtomicBool>::default();
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let mut readings = Vec::<Reading>::new();
            while !stopped.load(Ordering::Relaxed) {
                let reading = read(&routers, &guards)?;
                // One that is past is kept although it is the same: it was not renewed in time.
                let past = |reading: &Reading| reading.begun >= reading.until;
                if readings
                    .last()
                    .is_none_or(|last| last.until != reading.until || !past(last) && past(&reading))
                {
                    readings.push(reading);
                }
                thread::sleep(EVERY);
            }
            Ok(readings)
        });
        Ok(Self { stop, thread: Some(thread) })
    }

    /// Ends, and returns when the node ceased to own the router after `since`; `None` if it never did.
    ///
    /// A revocation counts as late as it was read, so that the time is never too early.
    ///
    /// # Errors
    ///
    /// When the maps could not be read, or the node did not own the router at `since`.
    pub(super) fn lapse(mut self, since: u64) -> Result<Option<u64>> {
        self.stop.store(true, Ordering::Relaxed);
        let thread = self.thread.take().context("the maps are no longer read")?;
        let readings = thread.join().map_err(|_| anyhow!("the reader of the maps panicked"))??;
        lapse(&readings, since)
    }
}

impl Drop for LeaseWatch {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // a panic there has been printed
        }
    }
}

fn read(routers: &Array<MapData, Router>, guards: &Array<MapData, u64>) -> Result<Reading> {
    let begun = clock::now().as_nanos();
    let router = routers.get(&SLOT, 0).context("reading ROUTERS")?;
    let guard = match router.guard {
        0 => u64::MAX,
        guard => guards.get(&guard, 0).context("reading GUARDS")?,
    };
    let ended = clock::now().as_nanos();
    Ok(Reading { begun, ended, until: guard.min(router.lease_until_ns & !LEASE_RESIGNED) })
}

fn lapse(readings: &[Reading], since: u64) -> Result<Option<u64>> {
    let before = readings.iter().rfind(|reading| reading.begun <= since);
    ensure!(
        before.is_some_and(|reading| reading.until > since),
        "the node did not own the router at the fault"
    );
    let mut last = before.map_or(0, |reading| reading.until);
    for reading in readings.iter().filter(|reading| reading.begun > since) {
        if reading.begun >= reading.until {
            // What was read before may have been in force until it ran out, or until it was replaced.
            return Ok(Some(if reading.until > since { reading.until } else { last.min(reading.ended) }));
        }
        last = reading.until;
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn readings(picture: &[(u64, u64)]) -> Vec<Reading> {
        picture.iter().map(|(at, until)| Reading { begun: *at, ended: at + 1, until: *until }).collect()
    }

    #[test]
    fn ownership_ends_when_the_lease_runs_out_or_is_revoked() {
        // Renewed in time, again and again.
        let kept = readings(&[(100, 400), (200, 500), (450, 800)]);
        assert_eq!(lapse(&kept, 150).unwrap(), None);
        // Not renewed after 500: seen at 520.
        let ran_out = readings(&[(100, 400), (200, 500), (520, 500), (700, 900)]);
        assert_eq!(lapse(&ran_out, 150).unwrap(), Some(500));
        // Revoked between 200 and 300, or in the time that a late reader has not seen.
        assert_eq!(lapse(&readings(&[(100, 400), (200, 500), (300, 0)]), 150).unwrap(), Some(301));
        assert_eq!(lapse(&readings(&[(100, 400), (200, 500), (900, 0)]), 150).unwrap(), Some(500));
        assert!(lapse(&readings(&[(100, 120), (130, 120)]), 150).is_err());
        assert!(lapse(&[], 150).is_err());
    }
}
