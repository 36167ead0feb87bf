//! One failover, measured.

use std::{
    fmt::{self, Display},
    net::Ipv4Addr,
    thread,
    time::{Duration, Instant},
};

use anyhow::Result;

use crate::{
    client::{ArpProber, Capture, Prober},
    lab::{Lan, Pair, Software},
};

/// The virtual address.
const VIP: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 100);
/// How long and how often the client asks who answers, once all is over.
const ASKING: (Duration, Duration) = (Duration::from_millis(250), Duration::from_millis(10));
/// What is added to an expected time so that the outage is over for certain, and the daemon has done all it does.
const MARGIN: Duration = Duration::from_millis(500);

/// What happens to the Active node.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Fault {
    /// Its port on the switch stops forwarding; it notices nothing.
    Silent,
    /// Its daemon is killed (SIGKILL); its kernel goes on.
    Kill,
    /// Its daemon is asked to end (SIGTERM).
    Term,
    /// Its interface goes down.
    LinkDown,
}

impl Fault {
    pub(super) const ALL: [Self; 4] = [Self::Silent, Self::Kill, Self::Term, Self::LinkDown];
}

impl Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Silent => "silent",
            Self::Kill => "kill",
            Self::Term => "term",
            Self::LinkDown => "linkdown",
        })
    }
}

/// How the two nodes are configured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Setting {
    pub(super) name: &'static str,
    /// The adverts' interval, and as the configuration has it.
    interval: Duration,
    advert_int: &'static str,
    version: u8,
    /// The priorities of the Active node and the Backup.
    priorities: [u8; 2],
    /// How often the client probes.
    probe: Duration,
    /// How many LANs fit on two cores at once without disturbing what is measured.
    pub(super) parallel: bool,
}

impl Setting {
    const FAST: Self = Self {
        name: "v3, 10 ms, Backup priority 100",
        interval: Duration::from_millis(10),
        advert_int: "0.01",
        version: 3,
        priorities: [150, 100],
        probe: Duration::from_micros(100),
        parallel: false,
    };

    pub(super) const ALL: [Self; 3] = [
        Self::FAST,
        Self { name: "v3, 10 ms, Backup priority 253", priorities: [254, 253], ..Self::FAST },
        Self {
            name: "v2, 1 s, Backup priority 100",
            interval: Duration::from_secs(1),
            advert_int: "1",
            version: 2,
            priorities: [150, 100],
            probe: Duration::from_millis(1),
            parallel: true,
        },
    ];

    fn conf(&self, priority: u8) -> String {
        let Self { advert_int, version, .. } = self;
        format!(
            "vrrp_instance VI_1 {{
    state BACKUP
    interface eth0
    version {version}
    virtual_router_id 55
    priority {priority}
    advert_int {advert_int}
    virtual_ipaddress {{
        {VIP}/16 dev eth0
    }}
}}
"
        )
    }
}

/// What one failover did to the client.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    /// The time without answers; zero if every probe was answered.
    pub(super) outage: Duration,
    /// Whether the address was served again at the end.
    pub(super) recovered: bool,
    /// How many machines answer ARP requests for the address afterwards.
    pub(super) answering: usize,
}

/// Makes a LAN with two nodes, lets `fault` happen to the Active one and measures.
///
/// `phase` says when between two adverts, from 0 to 1: an outage is the shorter the longer ago the last advert was, so
/// only outages of the same phases compare.
///
/// # Errors
///
/// When the nodes do not elect one in the first place.
pub(super) fn measure(software: Software, setting: &Setting, fault: Fault, phase: f64) -> Result<Sample> {
    let lan = Lan::new(2)?;
    let (n1, n2) = lan.pair()?;
    let [active, backup] = setting.priorities;
    let conf = |priority| setting.conf(priority);
    let files = [n1.write("daemon.conf", &conf(active))?, n2.write("daemon.conf", &conf(backup))?];
    let mut pair = Pair::start(&lan, software, files.each_ref().map(|file| file.as_path()))?;
    pair.wait_elected(&lan, VIP)?;
    let prober = Prober::start(lan.client(), VIP, setting.probe)?;
    prober.wait_served(Duration::from_secs(5))?;
    let capture = Capture::start(lan.client())?;
    // The Backup must have heard adverts.
    thread::sleep(setting.interval + Duration::from_millis(200));
    capture.wait_next(2 * setting.interval + MARGIN)?;
    thread::sleep(setting.interval.mul_f64(phase));

    let at = Instant::now();
    match fault {
        Fault::Silent => n1.cut()?,
        Fault::Kill => pair.first.crash()?,
        Fault::Term => pair.first.terminate()?,
        Fault::LinkDown => n1.link_down()?,
    }
    thread::sleep(4 * setting.interval + MARGIN);
    let answers = ArpProber::start(lan.client(), VIP, ASKING.1)?;
    thread::sleep(ASKING.0);
    let answering = answers.answering_since(at).len();
    let outage = prober.stop().outage(at);
    Ok(Sample {
        outage: outage.as_ref().map_or(Duration::ZERO, |outage| outage.duration),
        recovered: outage.is_none_or(|outage| outage.until.is_some()),
        answering,
    })
}
