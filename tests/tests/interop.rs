//! hadp and keepalived on one LAN: each Active and Backup in turn, and one owner at every moment after convergence.

#![expect(clippy::disallowed_methods, reason = "real daemons take real time")]

use std::{
    net::Ipv4Addr,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use hadp_tests::{
    checks::{mac, overlap, owners_since, wait_owner},
    client::{ArpProber, Capture},
    lab::{Lan, Node, Software},
};

const VIP: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 100);
const SECOND: Duration = Duration::from_secs(1);
const TAKEOVER: Duration = Duration::from_secs(8);
/// How long a preempted router may take to yield, on a machine with other things to do.
const OVERLAP: Duration = Duration::from_millis(60);

/// The protocols the two agree on.
#[derive(Clone, Copy, Debug)]
enum Protocol {
    V2,
    V3,
}

impl Protocol {
    /// Returns the configuration of one router with this priority.
    fn conf(self, priority: u8) -> String {
        let special = match self {
            Self::V2 => {
                "version 2\n    advert_int 1\n    authentication { auth_type PASS\n        auth_pass 1111 }"
            }
            Self::V3 => "version 3\n    advert_int 0.1",
        };
        format!(
            "vrrp_instance VI_1 {{
    state BACKUP
    interface eth0
    virtual_router_id 55
    priority {priority}
    {special}
    virtual_ipaddress {{
        {VIP}/16 dev eth0 label eth0:1
    }}
}}
"
        )
    }

    /// Returns for longer than how long a Backup waits that hears nobody.
    fn patience(self) -> Duration {
        match self {
            Self::V2 => 4 * SECOND,
            Self::V3 => SECOND,
        }
    }

    fn number(self) -> u8 {
        match self {
            Self::V2 => 2,
            Self::V3 => 3,
        }
    }
}

/// `high` runs on n1 with the higher priority, `low` on n2.
///
/// low is alone, high preempts it, high hands over, high preempts again, low goes (nothing moves), low returns, high
/// hands over, low hands over to nobody.
fn all_turns(protocol: Protocol, high: Software, low: Software) -> Result<()> {
    let lan = Lan::new(2)?;
    let (n1, n2) = lan.pair()?;
    let prober = ArpProber::start(lan.client(), VIP, Duration::from_millis(5))?;
    let capture = Capture::start(lan.client())?;
    let (strong, weak) = (protocol.conf(150), protocol.conf(100));

    let mut second = low.start_with(n2, &weak)?;
    wait_owner(&lan, n2, VIP, TAKEOVER)?;
    thread::sleep(SECOND / 4);

    let preempted = settled();
    let mut first = high.start_with(n1, &strong)?;
    wait_owner(&lan, n1, VIP, TAKEOVER)?;
    thread::sleep(SECOND / 4);
    moved(&prober, preempted, n2, n1, &format!("preemption by {high}"))?;

    let handed_over = settled();
    first.stop()?;
    wait_owner(&lan, n2, VIP, TAKEOVER)?;
    thread::sleep(SECOND / 4);
    moved(&prober, handed_over, n1, n2, &format!("handover by {high}"))?;

    let preempted = settled();
    let mut first = high.start_with(n1, &strong)?;
    wait_owner(&lan, n1, VIP, TAKEOVER)?;
    thread::sleep(SECOND / 4);
    moved(&prober, preempted, n2, n1, &format!("second preemption by {high}"))?;

    let quiet = Instant::now();
    second.stop()?;
    let mut second = low.start_with(n2, &weak)?;
    thread::sleep(protocol.patience());
    assert_eq!(owners_since(&prober, quiet), [mac(n1)], "{low} comes and goes as Backup");
    assert!(!n2.holds(VIP)?);

    let handed_over = settled();
    first.stop()?;
    wait_owner(&lan, n2, VIP, TAKEOVER)?;
    thread::sleep(SECOND / 4);
    moved(&prober, handed_over, n1, n2, &format!("second handover by {high}"))?;
    second.stop()?;
    assert!(!n2.holds(VIP)? && !n1.holds(VIP)?);

    let adverts = capture.adverts();
    assert!(adverts.iter().all(|advert| advert.version == protocol.number()));
    for node in [n1, n2] {
        assert!(
            adverts.iter().any(|advert| advert.from == node.address() && advert.priority == 0),
            "{} resigned with priority 0",
            node.name()
        );
    }
    Ok(())
}

/// Returns a moment from which on some answers come before what happens next.
fn settled() -> Instant {
    let start = Instant::now();
    thread::sleep(SECOND / 10);
    start
}

/// Checks that the address moved once.
fn moved(prober: &ArpProber, start: Instant, from: &Node, to: &Node, what: &str) -> Result<()> {
    let both = overlap(prober, start, from, to).with_context(|| what.to_owned())?;
    ensure!(both < OVERLAP, "{what}: both answered for {both:?}");
    Ok(())
}

#[test]
fn v3_hadp_above_keepalived() -> Result<()> {
    all_turns(Protocol::V3, Software::Hadp, Software::Keepalived)
}

#[test]
fn v3_keepalived_above_hadp() -> Result<()> {
    all_turns(Protocol::V3, Software::Keepalived, Software::Hadp)
}

#[test]
fn v2_hadp_above_keepalived() -> Result<()> {
    all_turns(Protocol::V2, Software::Hadp, Software::Keepalived)
}

#[test]
fn v2_keepalived_above_hadp() -> Result<()> {
    all_turns(Protocol::V2, Software::Keepalived, Software::Hadp)
}

#[test]
fn v3_hadp_above_hadp() -> Result<()> {
    all_turns(Protocol::V3, Software::Hadp, Software::Hadp)
}
