//! BFD packets through the XDP program: whose they are, why they are dropped, what is recorded, what is told.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test fails by panicking")]

mod heard;
mod refused;
mod sessions;

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::Duration,
};

use hadp::{
    datapath::{EventRecord, Guards, Plan, PlannedSession},
    proto::bfd::{Received, SessionId},
    units::Time,
};
use hadp_common::{
    bfd::MAX_BFD_SESSIONS,
    router::MAX_GUARDS,
    stats::{Counter, DropReason},
    wire::bfd::{AUTHENTICATED, Control, DEMAND, FINAL, MULTIPOINT, POLL, PORT, PORT_MULTIHOP, SessionState},
};
use hadp_tests::prog::{
    Action, Frame, Ip, Outcome, Runner,
    bfd::{Bfd, ipv6, session, up},
    plans::router,
};
use nix::time::{ClockId, clock_gettime};

const V4: (IpAddr, IpAddr) =
    (IpAddr::V4(Ipv4Addr::new(10, 77, 0, 2)), IpAddr::V4(Ipv4Addr::new(10, 77, 0, 1)));
const V6: (IpAddr, IpAddr) = (
    IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 2)),
    IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1)),
);
const STRANGER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 77, 0, 3));

/// The sessions of both families: single hop, authenticated, multihop.
struct Family {
    own: IpAddr,
    single: PlannedSession,
    authenticated: PlannedSession,
    multihop: PlannedSession,
}

impl Family {
    /// A packet of the single-hop session, Up.
    fn good(&self) -> Bfd {
        self.of(&self.single)
    }

    /// A packet of a session, Up, as its neighbour sends it.
    fn of(&self, session: &PlannedSession) -> Bfd {
        let port = if session.multihop { PORT_MULTIHOP } else { PORT };
        Bfd { port, ..Bfd::new(session.remote, self.own, &up(session)) }
    }

    /// A packet of the authenticated session, with a section of Keyed SHA1.
    fn sealed(&self) -> Bfd {
        self.of(&self.authenticated).edited(|packet| {
            packet[1] |= AUTHENTICATED;
            packet[3] = 52;
            packet.extend([4, 28, 1, 0]);
            packet.extend([0; 24]);
        })
    }
}

/// The sessions with neighbours at `remote` and the two addresses behind it.
fn family(first: u32, (remote, own): (IpAddr, IpAddr)) -> Family {
    let after = |n: u8| match remote {
        IpAddr::V4(addr) => IpAddr::V4(Ipv4Addr::from_bits(addr.to_bits() + u32::from(n) * 256)),
        IpAddr::V6(addr) => IpAddr::V6(Ipv6Addr::from_bits(addr.to_bits() + u128::from(n) * 256)),
    };
    Family {
        own,
        single: session(first, remote),
        authenticated: PlannedSession { authenticated: true, ..session(first + 1, after(1)) },
        multihop: PlannedSession {
            multihop: true,
            ifindex: 0,
            min_ttl: 250,
            local: Some(own),
            ..session(first + 2, after(2))
        },
    }
}

/// Loads the program with sessions of both families.
fn runner() -> (Runner, [Family; 2]) {
    let families = [family(1, V4), family(101, V6)];
    let mut runner = Runner::new().unwrap();
    let sessions = families.iter().flat_map(|family| [family.single, family.authenticated, family.multihop]);
    runner.xdp.apply_bfd(&sessions.collect::<Vec<_>>()).unwrap();
    (runner, families)
}

fn run(runner: &mut Runner, bfd: &Bfd) -> Outcome {
    runner.run(&bfd.frame().octets()).unwrap()
}

fn ids() -> impl Iterator<Item = SessionId> {
    (0..MAX_BFD_SESSIONS).filter_map(SessionId::new)
}

/// Returns the sessions that have heard something.
fn heard(runner: &Runner) -> Vec<u32> {
    let sessions = runner.xdp.bfd_sessions();
    ids().filter(|id| sessions.received(*id).is_some()).map(SessionId::index).collect()
}

fn now() -> Time {
    let now = Duration::from(clock_gettime(ClockId::CLOCK_MONOTONIC).unwrap());
    Time::from_nanos(u64::try_from(now.as_nanos()).unwrap())
}
