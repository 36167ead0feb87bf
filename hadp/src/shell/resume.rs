//! Going on where another daemon ended.
//!
//! ```text
//!  pins ── open ──► slots ── Insert ──► Resume ──► first advert     nothing before this waits for the machine
//!                                          │
//!        netlink, control socket, programs, sweep, tables ◄────┘    then all that a start does
//! ```

use std::{collections::BTreeMap, net::IpAddr, sync::Arc, time::Duration};

use tokio::{sync::oneshot, time};
use tracing::{debug, info, warn};

use super::{
    clock, handover, ledger,
    messages::Command,
    placement::{self, Placement, Site},
    report,
    roster::Roster,
    start::Paths,
    threads::Threads,
};
use crate::{
    companion::{Phase, Will},
    datapath::{Bound, Inherited, Xdp},
    model::Router,
    net::{
        addr::Placed,
        address_set::AddressSet,
        frames::Outlet,
        glimpse::Glimpse,
        link::{Carrier, Link, Links},
    },
    proto::{Slot, State},
    units::{Priority, Time},
};

/// How long the election thread may take to go on, before the start does.
const PATIENCE: Duration = Duration::from_millis(500);

/// How long after a guard has lapsed the neighbours have found out, for any detection time that is waited for.
const AFTER_GUARD: Duration = Duration::from_millis(20);

/// What neighbours are not waited for: adverts are as fast.
const LONG: Duration = Duration::from_millis(300);

/// The routers that have gone on as Active, each with the addresses that it holds.
pub(super) type Resumed = BTreeMap<Slot, Vec<Placed>>;

/// What is gone on with.
pub(super) struct Resumption<'a> {
    datapath: &'a mut Xdp,
    inherited: &'a [Inherited],
    threads: &'a Threads,
    will: &'a Will,
    paths: &'a Paths,
    sight: Option<Sight>,
    /// What the former daemon put on interfaces, once that was asked for.
    left: Option<Vec<Placed>>,
}

impl<'a> Resumption<'a> {
    pub(super) fn new(
        datapath: &'a mut Xdp,
        inherited: &'a [Inherited],
        threads: &'a Threads,
        will: &'a Will,
        paths: &'a Paths,
    ) -> Self {
        let now = clock::now();
        let sight = inherited.iter().any(|left| left.lease > now).then(Sight::open);
        Self { datapath, inherited, threads, will, paths, sight, left: None }
    }

    /// Tells the election of the interfaces that are tracked, so that no router goes on only to be found unfit.
    pub(super) fn tell_tracked(&mut self, roster: &Roster) {
        let Some(sight) = &mut self.sight else { return };
        for name in roster.tracked_interfaces() {
            let up = sight.link(&name).is_some_and(|link| link.carrier == Carrier::Up);
            self.threads.command(Command::Link { name, up });
        }
    }

    /// Tells the election of every router whose lease still runs, waits until it has gone on, and returns those.
    ///
    /// A router that cannot go on as it was gives its lease up, as does one that is not configured any more. So does one
    /// that was being handed over, or whose lease a guard limits: nobody can keep what its sessions have promised. Their
    /// Backups are told.
    pub(super) async fn run(mut self, roster: &mut Roster) -> Resumed {
        let mut resumed = Resumed::new();
        let now = clock::now();
        let (owned, others): (Vec<&Inherited>, Vec<&Inherited>) =
            self.inherited.iter().partition(|left| left.lease > now && left.bound == Bound::Free);
        // No lease that is limited is left behind, also not by a companion that renewed it a moment ago.
        others
            .iter()
            .filter(|left| left.lease != Time::ZERO)
            .for_each(|left| self.datapath.give_up(left.slot));
        self.datapath.open_guards();
        for left in &owned {
            match self.resume(left, roster) {
                Some(placed) => drop(resumed.insert(left.slot, placed)),
                None => self.datapath.give_up(left.slot),
            }
        }
        let given_up: Vec<_> = others.into_iter().filter(|left| left.lease > now).collect();
        if !owned.is_empty() {
            self.await_election().await;
        }
        await_neighbors(&given_up).await;
        given_up.iter().for_each(|left| self.resign(left, roster));
        resumed
    }

    /// Waits until the election has gone on, and tells the companion.
    async fn await_election(&self) {
        let (reply, replied) = oneshot::channel();
        // The election obeys in order: its answer comes after the adverts.
        self.threads.command(Command::Inspect(reply));
        if let Ok(Ok(views)) = time::timeout(PATIENCE, replied).await {
            self.will.announce(Phase::Resumed);
            let active =
                views.routers.iter().filter(|view| matches!(view.state, State::Active { .. })).count();
            let after_us = self.will.since_start(clock::now()).map(|after| after.as_micros());
            info!(routers = active, after_us, "going on as Active, within the leases of the former daemon");
        }
    }

    /// Goes on with a lease, and returns the addresses that come with it.
    fn resume(&mut self, left: &Inherited, roster: &mut Roster) -> Option<Vec<Placed>> {
        let (found, outlet) = self.prepare(left, roster)?;
        let (entry, site) = (roster.get(left.slot)?, found.port.as_ref()?);
        let router = &entry.router;
        let placed = self.held(router, site);
        self.datapath.expect(&placement::plan(left.slot, router, site));
        self.will.write(left.slot, router, entry.before(), site.port(), &outlet);
        self.threads.command(Command::Resume {
            slot: left.slot,
            source: IpAddr::V4(site.source),
            lease: left.lease,
            outlet: Box::new(outlet),
            addresses: Arc::new(AddressSet::new(placed.clone())),
        });
        roster.settle(left.slot, found);
        Some(placed)
    }

    /// Sends priority 0 for a router whose lease was given up, so that nobody waits.
    fn resign(&mut self, left: &Inherited, roster: &Roster) {
        let Some((_, outlet)) = self.prepare(left, roster) else { return };
        let router = roster.get(left.slot).map_or("?", |entry| entry.router.name.as_str());
        match left.bound {
            Bound::Resigned => info!(router, "handed over: the former daemon was about to"),
            Bound::Free | Bound::Guarded { .. } => info!(
                router,
                "handed over: its BFD sessions went with the former daemon, and the neighbours may have taken over"
            ),
        }
        if let Err(error) = handover::say(outlet) {
            warn!(router, %error, "no resignation was sent; the Backups wait for silence");
        }
    }

    /// Finds a router where it was, and builds its frames.
    fn prepare(&mut self, left: &Inherited, roster: &Roster) -> Option<(Placement, Outlet)> {
        let Some(entry) = roster.get(left.slot) else {
            let (vrid, ifindex) = (left.vrid, left.ifindex);
            warn!(vrid, ifindex, "giving up a virtual router that is not configured any more");
            return None;
        };
        let router = &entry.router;
        let links = self.sight.as_mut()?.around(placement::interfaces(router), left.source?);
        let found = placement::place(router, &links, roster.virtual_addresses());
        let (Some(site), None) = (&found.port, found.obstacle) else {
            debug!(router = router.name, obstacle = ?found.obstacle, "cannot go on as it was");
            return None;
        };
        match Outlet::build(router, site.port(), placement::carriers(router, site)) {
            Ok(outlet) => Some((found, outlet)),
            Err(error) => {
                warn!(router = router.name, error = report::chain(&error), "cannot go on as it was");
                None
            }
        }
    }

    /// Returns the addresses that a router holds: of the owner's, which are the interface's own, those alone that the
    /// former daemon noted as put there.
    fn held(&mut self, router: &Router, site: &Site) -> Vec<Placed> {
        let mut placed = placement::placed(router, site);
        if router.priority == Priority::OWNER {
            let ledger = self.paths.ledger();
            let left = self.left.get_or_insert_with(|| ledger::left_behind(&ledger).unwrap_or_default());
            placed.retain(|placed| {
                left.iter().any(|left| (left.ifindex, left.vip.addr) == (placed.ifindex, placed.vip.addr))
            });
        }
        placed
    }
}

/// Waits until the neighbours have found out about the former daemon's end, unless that takes long. A new session that says
/// Down before, or a resignation, would have them leave it to slower timers.
async fn await_neighbors(given_up: &[&Inherited]) {
    let deadline = |left: &&Inherited| match left.bound {
        Bound::Guarded { until } => Some(until + AFTER_GUARD),
        Bound::Free | Bound::Resigned => None,
    };
    let left = given_up.iter().filter_map(deadline).max().map(|until| until.since(clock::now()));
    if let Some(left) = left.filter(|left| *left < LONG) {
        time::sleep(left).await;
    }
}

/// The interfaces of the routers, each looked at once.
struct Sight {
    glimpse: Option<Glimpse>,
    links: BTreeMap<String, Option<Link>>,
}

impl Sight {
    fn open() -> Self {
        let glimpse = Glimpse::open().inspect_err(|error| warn!(%error, "cannot look at the interfaces"));
        Self { glimpse: glimpse.ok(), links: BTreeMap::new() }
    }

    /// Returns these interfaces as if `source` were their only address: it was the one that the router sent from, and
    /// what has changed since is found by the look at everything that follows.
    fn around<'a>(&mut self, names: impl Iterator<Item = &'a str>, source: IpAddr) -> Links {
        let mut links = Links::default();
        for name in names {
            if let (Some(link), IpAddr::V4(source)) = (self.link(name), source) {
                links.insert(Link { addresses: vec![(source, 32)], ..link });
            }
        }
        links
    }

    fn link(&mut self, name: &str) -> Option<Link> {
        if let Some(link) = self.links.get(name) {
            return link.clone();
        }
        let link = self.glimpse.as_ref().and_then(|glimpse| glimpse.link(name));
        self.links.insert(name.to_owned(), link.clone());
        link
    }
}

impl Roster {
    /// Notes where a router goes on, before the interfaces have all been read.
    fn settle(&mut self, slot: Slot, placement: Placement) {
        if let Some(entry) = self.get_mut(slot) {
            entry.placement = placement;
        }
    }
}
