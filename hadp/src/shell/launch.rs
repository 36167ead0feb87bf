//! Opening the datapath and starting the election on it: anew, or where another daemon ended.

use std::{collections::BTreeSet, thread::JoinHandle};

use nix::net::if_::if_nametoindex;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

use super::{
    clock,
    driver::{self, Parts},
    messages::{Command, Notice},
    resume::Resumption,
    roster::{Roster, TooManyRouters},
    start::{StartError, failed},
};
use crate::{
    companion::{Lifeline, Will},
    datapath::{Inherited, Legacy, PinLock, Xdp},
    model::Router,
    proto::{Config, Slot},
    units::Time,
};

/// A datapath with an election that runs on it.
pub(super) struct Launched {
    pub(super) datapath: Xdp,
    pub(super) roster: Roster,
    pub(super) commands: UnboundedSender<Command>,
    pub(super) notices: UnboundedReceiver<Notice>,
    pub(super) election: JoinHandle<()>,
    /// The routers that have gone on as Active.
    pub(super) resumed: BTreeSet<Slot>,
}

impl Launched {
    /// Opens the datapath, starts the election, and goes on with every lease that still runs.
    pub(super) async fn new(lock: PinLock, routers: Vec<Router>, will: &Will) -> Result<Self, StartError> {
        let adopts = lock.legacy() == Legacy::Adoptable;
        if !adopts {
            roster(routers.clone(), &[])?; // nothing is replaced for a configuration that does not fit
        }
        let mut datapath = Xdp::open(lock)?;
        let inherited = datapath.inherited();
        let mut roster = roster(routers, &inherited)?;
        let (commands, obeyed) = mpsc::unbounded_channel();
        let (told, notices) = mpsc::unbounded_channel();
        let election = match start_election(&mut datapath, obeyed, told, will.lifeline()) {
            Ok(election) => election,
            // What keeps silent the addresses of a dead daemon stays.
            Err(error) if adopts => return Err(error),
            Err(error) => {
                datapath.remove()?;
                return Err(error);
            }
        };
        let now = clock::now();
        for (slot, entry) in roster.iter() {
            let config = Config::from(&entry.router);
            let kept = inherited.iter().any(|left| left.slot == slot && is_former(left, &entry.router));
            // Senders that the datapath has heard for a router while no daemon ran count; a slot's former router's do not.
            let since = if kept { Time::ZERO } else { now };
            // An election that is gone is noticed when it is waited for.
            drop(commands.send(Command::Insert { slot, config, since }));
        }
        let resumption = Resumption {
            datapath: &mut datapath,
            roster: &mut roster,
            inherited: &inherited,
            commands: &commands,
            will,
        };
        let resumed = resumption.run().await;
        Ok(Self { datapath, roster, commands, notices, election, resumed })
    }
}

fn roster(routers: Vec<Router>, inherited: &[Inherited]) -> Result<Roster, TooManyRouters> {
    Roster::new(routers, inherited, |name| if_nametoindex(name).ok())
}

/// Tells whether the router of a slot is the one that another daemon had there.
fn is_former(left: &Inherited, router: &Router) -> bool {
    (left.vrid, left.family) == (router.vrid.get(), router.family as u8)
}

/// Starts the election thread on the datapath.
fn start_election(
    datapath: &mut Xdp,
    commands: UnboundedReceiver<Command>,
    notices: UnboundedSender<Notice>,
    lifeline: Lifeline,
) -> Result<JoinHandle<()>, StartError> {
    let events = datapath.events().map_err(|error| StartError::Events(error.into()))?;
    let events = events.ok_or_else(|| StartError::Events("it is in use already".into()))?;
    driver::spawn(Parts { datapath: datapath.election(), events, commands, notices, lifeline })
        .map_err(failed("start the election thread"))
}
