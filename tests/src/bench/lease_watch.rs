//! Reads from two nodes' datapaths until when each owns a router, again and again.

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

use crate::{client::hurry, lab::Node};

/// How often the maps are read: how exactly a revocation is known. Each reading takes some microseconds.
const EVERY: Duration = Duration::from_micros(50);
/// Before the daemons and their companions: what they do next must not come between.
const PRIORITY: i32 = 80;
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
    /// When it was last read that the node owns the router.
    last_owned: u64,
}

impl Reading {
    /// Tells whether the lease was in force when it was read.
    fn owns(&self) -> bool {
        self.ended < self.until
    }
}

/// When a node ceased to own a router: a lease that runs out says so exactly, a revocation lies between two readings.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Lapse {
    /// The earliest that it may have been, in nanoseconds of CLOCK_MONOTONIC.
    pub earliest: u64,
    /// The latest.
    pub latest: u64,
}

/// What was read of two nodes.
#[derive(Debug, Default)]
pub struct Watched {
    /// The first node's readings, those that differ.
    readings: Vec<Reading>,
    /// When both nodes' leases were in force at once: the first and the last time that was read, and how often.
    both: Option<(u64, u64, usize)>,
}

/// The maps of two nodes whose daemons may come and go: pins outlive them.
#[derive(Debug)]
pub struct LeaseWatch {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<Watched>>>,
}

/// One node's maps.
struct Maps {
    routers: Array<MapData, Router>,
    guards: Array<MapData, u64>,
}

impl LeaseWatch {
    /// Starts to read the maps of two nodes with one router each.
    ///
    /// # Errors
    ///
    /// When a daemon has not pinned them.
    pub fn start(nodes: [&Node; 2]) -> Result<Self> {
        let [first, second] = [Maps::open(nodes[0])?, Maps::open(nodes[1])?];
        let stop = Arc::<AtomicBool>::default();
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            hurry(PRIORITY);
            let (mut watched, mut owned) = (Watched::default(), 0);
            while !stopped.load(Ordering::Relaxed) {
                let reading = first.read(owned)?;
                if reading.owns() {
                    owned = reading.begun;
                    let other = second.read(0)?;
                    // Owned before the other one was read, and after: then it was meanwhile.
                    if other.owns() && first.read(0)?.owns() {
                        watched.owned_by_both(other.begun);
                    }
                }
                watched.push(reading);
                thread::sleep(EVERY);
            }
            Ok(watched)
        });
        Ok(Self { stop, thread: Some(thread) })
    }

    /// Ends, and returns what was read.
    ///
    /// # Errors
    ///
    /// When the maps could not be read.
    pub fn end(mut self) -> Result<Watched> {
        self.stop.store(true, Ordering::Relaxed);
        let thread = self.thread.take().context("the maps are no longer read")?;
        thread.join().map_err(|_| anyhow!("the reader of the maps panicked"))?
    }
}

impl Watched {
    fn push(&mut self, reading: Reading) {
        // One that is past is kept although it is the same: it was not renewed in time.
        let differs = |last: &Reading| last.until != reading.until || last.owns() && !reading.owns();
        if self.readings.last().is_none_or(differs) {
            self.readings.push(reading);
        }
    }

    fn owned_by_both(&mut self, at: u64) {
        self.both = Some(self.both.map_or((at, at, 1), |(first, _, count)| (first, at, count + 1)));
    }

    /// Returns when both nodes' leases were in force at once: the first and the last time that was read, and how often.
    pub fn both(&self) -> Option<(u64, u64, usize)> {
        self.both
    }

    /// Returns when the first node ceased to own the router after `since`; `None` if it never did.
    ///
    /// # Errors
    ///
    /// When it did not own the router at `since`.
    pub fn lapse(&self, since: u64) -> Result<Option<Lapse>> {
        lapse(&self.readings, since)
    }
}

impl Maps {
    fn open(node: &Node) -> Result<Self> {
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
        Ok(Self { routers, guards })
    }

    fn read(&self, last_owned: u64) -> Result<Reading> {
        let begun = clock::now().as_nanos();
        let router = self.routers.get(&SLOT, 0).context("reading ROUTERS")?;
        let guard = match router.guard {
            0 => u64::MAX,
            guard => self.guards.get(&guard, 0).context("reading GUARDS")?,
        };
        let ended = clock::now().as_nanos();
        Ok(Reading { begun, ended, until: guard.min(router.lease_until_ns & !LEASE_RESIGNED), last_owned })
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

fn lapse(readings: &[Reading], since: u64) -> Result<Option<Lapse>> {
    let before =
        readings.iter().rfind(|reading| reading.begun <= since).filter(|reading| reading.until > since);
    let mut last = *before.context("the node did not own the router at the fault")?;
    for reading in readings.iter().filter(|reading| reading.begun > since) {
        if reading.begun < reading.until {
            last = *reading;
        } else if reading.until > since {
            return Ok(Some(Lapse { earliest: reading.until, latest: reading.until }));
        } else {
            // What was read before was in force until it ran out, or until it was replaced: whichever came first.
            let latest = last.until.min(reading.ended);
            return Ok(Some(Lapse { earliest: reading.last_owned.clamp(since, latest), latest }));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each reading: when, until when the node owns the router by it, and when it was last read to.
    fn lapse_of(picture: &[(u64, u64, u64)], since: u64) -> Result<Option<(u64, u64)>> {
        let reading = |(at, until, last_owned): &(u64, u64, u64)| Reading {
            begun: *at,
            ended: at + 1,
            until: *until,
            last_owned: *last_owned,
        };
        let readings: Vec<_> = picture.iter().map(reading).collect();
        Ok(lapse(&readings, since)?.map(|lapse| (lapse.earliest, lapse.latest)))
    }

    #[test]
    fn ownership_ends_when_the_lease_runs_out_or_is_revoked() {
        // Renewed in time, again and again.
        assert_eq!(lapse_of(&[(100, 400, 0), (200, 500, 199), (450, 800, 449)], 150).unwrap(), None);
        // Not renewed after 500: seen at 520.
        let ran_out = [(100, 400, 0), (200, 500, 199), (520, 500, 499), (700, 900, 499)];
        assert_eq!(lapse_of(&ran_out, 150).unwrap(), Some((500, 500)));
        // Revoked after 280, and seen at 300.
        assert_eq!(
            lapse_of(&[(100, 400, 0), (200, 500, 199), (300, 0, 280)], 150).unwrap(),
            Some((280, 301))
        );
        // Revoked while nobody read: not after 500, when it would have run out.
        assert_eq!(
            lapse_of(&[(100, 400, 0), (200, 500, 199), (900, 0, 280)], 150).unwrap(),
            Some((280, 500))
        );
        // Revoked right after the fault, and last read before it.
        assert_eq!(lapse_of(&[(100, 400, 0), (160, 0, 140)], 150).unwrap(), Some((150, 161)));
        assert!(lapse_of(&[(100, 120, 0), (130, 120, 100)], 150).is_err());
        assert!(lapse_of(&[], 150).is_err());
    }
}
