//! Keeps idle CPUs quick to wake up while fast BFD sessions run (PM QoS).
//!
//! An idle CPU sleeps, and wakes up late: by some 100 us from the deep states of a processor. While `/dev/cpu_dma_latency` is
//! held open with a number of microseconds, the kernel lets no CPU go into a state that takes longer to leave
//! (Documentation/power/pm_qos_interface.rst).
//!
//! In a guest every sleep is a halt, and a CPU that may not halt polls. The host takes it for busy, and where it rations
//! CPU time it stops all of them for 8 to 18 ms every few seconds, which no fast session survives: so there it is left to
//! the operator, who knows whether the CPUs are the guest's own.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File, OpenOptions},
    io::{self, BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};

use tracing::{info, warn};

use crate::{
    model::{BfdInstance, IdleLatency},
    proto::bfd::{SessionId, SessionState},
};

const DEVICE: &str = "/dev/cpu_dma_latency";
const DRIVER: &str = "/sys/devices/system/cpu/cpuidle/current_driver";
const CPUS: &str = "/proc/cpuinfo";
/// Sessions that detect silence within less are helped. Being woken up from idleness takes up to 2 ms in a guest, and far
/// less elsewhere: a longer detection time survives it, and is not worth the power.
const FAST: Duration = Duration::from_millis(5);
/// The share of an interval that waking up may take, as a divisor: 4 % is lost in what jitter takes off (RFC 5880 §6.8.7).
const SHARE: u32 = 25;
/// The longest that it may take, in microseconds: C1 of common processors is left within 2 us, C1E within 10, C6 within 85
/// and more (drivers/idle/intel_idle.c, Linux 6.6).
const MOST: u32 = 10;

/// Holds the latency of idle CPUs down while that is of use.
#[derive(Debug)]
pub(crate) struct Idle {
    device: PathBuf,
    limit: IdleLatency,
    is_guest: bool,
    /// The fast sessions: how often each sends or hears at most.
    fast: BTreeMap<SessionId, Duration>,
    up: BTreeSet<SessionId>,
    held: Option<File>,
    /// Whether the log has it.
    told: bool,
}

impl Idle {
    /// Finds out which sessions are worth it.
    pub(crate) fn new<'a>(
        limit: IdleLatency,
        sessions: impl Iterator<Item = (SessionId, &'a BfdInstance)>,
    ) -> Self {
        Self::with(PathBuf::from(DEVICE), limit, is_guest(Path::new(DRIVER), Path::new(CPUS)), sessions)
    }

    fn with<'a>(
        device: PathBuf,
        limit: IdleLatency,
        is_guest: bool,
        sessions: impl Iterator<Item = (SessionId, &'a BfdInstance)>,
    ) -> Self {
        let fast = sessions.filter_map(|(id, instance)| Some((id, fast(instance)?))).collect();
        Self { device, limit, is_guest, fast, up: BTreeSet::new(), held: None, told: false }
    }

    /// Notes a session's new state; the first fast one that comes up has the limit put in force.
    pub(crate) fn changed(&mut self, id: SessionId, to: SessionState) {
        if to != SessionState::Up {
            self.up.remove(&id);
            return;
        }
        self.up.insert(id);
        if self.fast.contains_key(&id) {
            self.hold();
        }
    }

    /// Goes by another limit and other sessions.
    pub(crate) fn reconfigure<'a>(
        &mut self,
        limit: IdleLatency,
        sessions: impl Iterator<Item = (SessionId, &'a BfdInstance)>,
    ) {
        let fast: BTreeMap<_, _> =
            sessions.filter_map(|(id, instance)| Some((id, fast(instance)?))).collect();
        if (self.limit, &self.fast) == (limit, &fast) {
            return;
        }
        (self.limit, self.fast) = (limit, fast);
        // Not let go before the other limit is held.
        let held = self.held.take();
        if self.is_wanted() {
            self.hold();
        }
        drop(held);
    }

    /// Forgets a session that is no more.
    pub(crate) fn forget(&mut self, id: SessionId) {
        self.up.remove(&id);
    }

    fn is_wanted(&self) -> bool {
        self.up.iter().any(|id| self.fast.contains_key(id))
    }

    /// Lets the CPUs sleep again if no fast session is up. Not at once when the last one goes down: one that flaps is back
    /// soon.
    pub(crate) fn relax(&mut self) {
        if !self.is_wanted() {
            self.held = None;
        }
    }

    fn hold(&mut self) {
        let Some(micros) = limit(self.limit, self.is_guest, self.fast.values().min().copied()) else {
            return;
        };
        if self.held.is_some() {
            return;
        }
        let held = hold(&self.device, micros);
        // Once, not with every session that comes and goes.
        if !std::mem::replace(&mut self.told, true) {
            match &held {
                Ok(_) => info!(
                    micros,
                    "while fast BFD sessions are up, idle CPUs stay quick to wake up, which costs power{}; \
                     see cpu_dma_latency",
                    if self.is_guest { ", and they look busy to the host" } else { "" }
                ),
                Err(error) => warn!(
                    device = %self.device.display(), %error,
                    "idle CPUs may wake up late, and fast BFD sessions may fall by it"
                ),
            }
        }
        self.held = held.ok();
    }
}

/// Returns how often a session may send or hear, if it may detect silence fast; as if the neighbour were configured alike.
fn fast(instance: &BfdInstance) -> Option<Duration> {
    let every = instance.min_tx.min(instance.min_rx);
    (every * u32::from(instance.multiplier) < FAST).then_some(every)
}

/// Returns how many microseconds an idle CPU may take to wake up, if that is to be limited.
fn limit(limit: IdleLatency, is_guest: bool, every: Option<Duration>) -> Option<u32> {
    match limit {
        IdleLatency::Unlimited => None,
        IdleLatency::Micros(micros) => Some(micros),
        IdleLatency::Auto if is_guest => None,
        IdleLatency::Auto => {
            let share = every? / SHARE;
            Some(u32::try_from(share.as_micros()).map_or(MOST, |micros| micros.min(MOST)))
        }
    }
}

/// Puts a limit in force, until the file is closed; nothing that is executed inherits it.
fn hold(device: &Path, micros: u32) -> io::Result<File> {
    let mut file = OpenOptions::new().write(true).open(device)?;
    // A signed 32-bit number in the machine's order.
    file.write_all(&i32::try_from(micros).unwrap_or(i32::MAX).to_ne_bytes())?;
    Ok(file)
}

/// Tells whether this machine is virtual: its idle driver was made for guests, or the processor says so (x86).
fn is_guest(driver: &Path, cpus: &Path) -> bool {
    if fs::read_to_string(driver).is_ok_and(|driver| driver.trim() == "haltpoll") {
        return true;
    }
    let Ok(cpus) = File::open(cpus) else { return false };
    let mut lines = BufReader::new(cpus).lines().map_while(Result::ok);
    let flags = lines.find(|line| line.starts_with("flags"));
    flags.is_some_and(|flags| flags.split_whitespace().any(|flag| flag == "hypervisor"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn us(micros: u64) -> Duration {
        Duration::from_micros(micros)
    }

    fn instance(every: Duration, multiplier: u8) -> BfdInstance {
        BfdInstance {
            name: "PEER".to_owned(),
            neighbor: [10, 77, 0, 2].into(),
            source: None,
            interface: None,
            min_tx: every,
            min_rx: every,
            idle_tx: Duration::from_secs(1),
            multiplier,
            passive: false,
            ttl: 255,
            min_ttl: 255,
            multihop: false,
            auth: None,
            flap_damping: true,
        }
    }

    fn id(index: u32) -> SessionId {
        SessionId::new(index).unwrap()
    }

    #[test]
    fn there_is_no_limit_in_a_guest_and_a_share_of_the_interval_elsewhere() {
        let auto = |guest, micros| limit(IdleLatency::Auto, guest, Some(us(micros)));
        assert_eq!([auto(true, 250), auto(true, 10)], [None, None]);
        assert_eq!([auto(false, 250), auto(false, 1000)], [Some(10), Some(10)], "C1 and C1E, not C6");
        assert_eq!([auto(false, 100), auto(false, 10)], [Some(4), Some(0)]);
        for guest in [false, true] {
            assert_eq!(limit(IdleLatency::Unlimited, guest, Some(us(250))), None);
            assert_eq!(limit(IdleLatency::Micros(70), guest, Some(us(250))), Some(70));
        }
    }

    #[test]
    fn sessions_are_fast_by_their_detection_time() {
        assert_eq!(fast(&instance(us(250), 3)), Some(us(250)));
        assert_eq!(fast(&instance(us(1000), 4)), Some(us(1000)));
        assert_eq!(fast(&instance(us(1000), 5)), None);
        assert_eq!(fast(&instance(us(10_000), 5)), None, "the default");
        let one_way = BfdInstance { min_rx: us(250), ..instance(us(10_000), 3) };
        assert_eq!(fast(&one_way), Some(us(250)));
    }

    #[test]
    fn a_guest_is_told_by_its_idle_driver_or_its_processor() {
        let dir = tempfile::tempdir().unwrap();
        let (driver, cpus) = (dir.path().join("current_driver"), dir.path().join("cpuinfo"));
        for (name, flags, expected) in [
            ("haltpoll", "fpu vme", true),
            ("intel_idle", "fpu vme", false),
            ("none", "fpu hypervisor vme", true),
            ("acpi_idle", "fpu hypervisors", false),
        ] {
            fs::write(&driver, format!("{name}\n")).unwrap();
            fs::write(&cpus, format!("processor\t: 0\nflags\t\t: {flags}\nbugs\t\t: none\n")).unwrap();
            assert_eq!(is_guest(&driver, &cpus), expected, "{name}, {flags}");
        }
        assert!(!is_guest(&dir.path().join("none"), &dir.path().join("none")));
    }

    #[test]
    fn the_limit_is_held_while_a_fast_session_is_up() {
        let dir = tempfile::tempdir().unwrap();
        let device = dir.path().join("latency");
        fs::write(&device, []).unwrap();
        let sessions = [instance(us(250), 3), instance(us(10_000), 5), instance(us(500), 3)];
        let mut idle = Idle::with(device.clone(), IdleLatency::Micros(7), true, (1..).map(id).zip(&sessions));
        let mut holds = |index, to| {
            idle.changed(id(index), to);
            idle.held.is_some()
        };
        assert!(!holds(2, SessionState::Up), "a slow one");
        assert!(!holds(1, SessionState::Init));
        assert!(holds(1, SessionState::Up));
        assert_eq!(fs::read(&device).unwrap(), 7_i32.to_ne_bytes());
        assert!(holds(3, SessionState::Up));
        assert!(holds(1, SessionState::Down));
        assert!(holds(3, SessionState::Down), "it may be back soon");
        idle.relax();
        assert!(idle.held.is_none());
        idle.changed(id(3), SessionState::Up);
        idle.relax();
        assert!(idle.held.is_some());
    }

    #[test]
    fn without_the_device_all_goes_on() {
        let sessions = [instance(us(250), 3)];
        let device = PathBuf::from("/nonexistent/latency");
        let mut idle = Idle::with(device, IdleLatency::Micros(0), true, (1..).map(id).zip(&sessions));
        idle.changed(id(1), SessionState::Up);
        assert!(idle.held.is_none() && idle.told);
    }
}
