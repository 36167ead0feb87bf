//! Going on where another daemon ended.
//!
//! ```text
//!  pins ── open ──► slots ── Insert ──► Resume ──► first advert     nothing before this waits for the machine
//!                                          │
//!        netlink, control socket, programs, sweep, tables ◄────┘    then all that a start does
//! ```

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    time::Duration,
};

use tokio::{
    sync::{mpsc::UnboundedSender, oneshot},
    time,
};
use tracing::{debug, info, warn};

use super::{
    clock,
    messages::Command,
    placement::{self, Placement},
    report,
    roster::Roster,
};
use crate::{
    companion::{Phase, Will},
    datapath::{Inherited, Xdp},
    net::{
        frames::Outlet,
        glimpse::Glimpse,
        link::{Link, Links},
    },
    proto::{Slot, State},
};

/// How long the election thread may take to go on, before the start does.
const PATIENCE: Duration = Duration::from_millis(500);

/// What is gone on with.
pub(super) struct Resumption<'a> {
    pub(super) datapath: &'a mut Xdp,
    pub(super) roster: &'a mut Roster,
    pub(super) inherited: &'a [Inherited],
    pub(super) commands: &'a UnboundedSender<Command>,
    pub(super) will: &'a Will,
}

impl Resumption<'_> {
    /// Tells the election of every router whose lease still runs, waits until it has gone on, and returns those.
    ///
    /// A router that cannot go on as it was gives its lease up, as does one that is not configured any more.
    pub(super) async fn run(mut self) -> BTreeSet<Slot> {
        let mut resumed = BTreeSet::new();
        let owned: Vec<_> = self.inherited.iter().filter(|left| left.lease > clock::now()).collect();
        if owned.is_empty() {
            return resumed;
        }
        let mut sight = Sight::open();
        for left in owned {
            if self.resume(left, &mut sight) {
                resumed.insert(left.slot);
            } else {
                self.datapath.give_up(left.slot);
            }
        }
        let (reply, replied) = oneshot::channel();
        // The election obeys in order: its answer comes after the adverts.
        if self.commands.send(Command::Inspect(reply)).is_ok()
            && let Ok(Ok(views)) = time::timeout(PATIENCE, replied).await
        {
            self.will.announce(Phase::Resumed);
            let active = views.iter().filter(|view| matches!(view.state, State::Active { .. })).count();
            let after_us = self.will.since_start(clock::now()).map(|after| after.as_micros());
            info!(routers = active, after_us, "going on as Active, within the leases of the former daemon");
        }
        resumed
    }

    fn resume(&mut self, left: &Inherited, sight: &mut Sight) -> bool {
        let Some(entry) = self.roster.get(left.slot) else {
            let (vrid, ifindex) = (left.vrid, left.ifindex);
            warn!(vrid, ifindex, "giving up a virtual router that is not configured any more");
            return false;
        };
        let router = &entry.router;
        let Some(source) = left.source else { return false };
        let links = sight.around(placement::interfaces(router), source);
        let found = placement::place(router, &links, self.roster.virtual_addresses());
        let (Some(site), None) = (&found.port, found.obstacle) else {
            debug!(router = router.name, obstacle = ?found.obstacle, "cannot go on as it was");
            return false;
        };
        let outlet = match Outlet::build(router, site.port(), placement::carriers(router, site)) {
            Ok(outlet) => outlet,
            Err(error) => {
                warn!(router = router.name, error = report::chain(&error), "cannot go on as it was");
                return false;
            }
        };
        self.datapath.expect(&placement::plan(left.slot, router, site));
        self.will.write(left.slot, router, site.port(), &outlet);
        let command = Command::Resume {
            slot: left.slot,
            source: IpAddr::V4(site.source),
            lease: left.lease,
            outlet: Box::new(outlet),
        };
        let sent = self.commands.send(command).is_ok();
        self.roster.settle(left.slot, found);
        sent
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
            let link = match self.links.get(name) {
                Some(link) => link.clone(),
                None => {
                    let link = self.glimpse.as_ref().and_then(|glimpse| glimpse.link(name));
                    self.links.insert(name.to_owned(), link.clone());
                    link
                }
            };
            if let (Some(link), IpAddr::V4(source)) = (link, source) {
                links.insert(Link { addresses: vec![(source, 32)], ..link });
            }
        }
        links
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
