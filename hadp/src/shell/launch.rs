//! Opening the datapath and starting the election on it: anew, or where another daemon ended.

use nix::net::if_::if_nametoindex;
use tokio::sync::mpsc::UnboundedReceiver;
use tracing::error;

use super::{
    clock,
    messages::{Command, Notice},
    neighbors::Neighbors,
    reach::Reach,
    recorder::Recorder,
    report,
    resume::{Resumed, Resumption},
    roster::{Roster, TooManyRouters},
    start::{Paths, StartError},
    threads::Threads,
};
use crate::{
    companion::Will,
    datapath::{Inherited, Legacy, PinLock, Xdp},
    model::{Global, Router},
    proto::Config,
    units::Time,
};

/// What is launched.
pub(super) struct Cargo<'a> {
    pub(super) global: &'a Global,
    pub(super) routers: Vec<Router>,
    pub(super) neighbors: Neighbors,
    pub(super) paths: &'a Paths,
    pub(super) will: &'a Will,
    /// Writes down what happens, if that is wanted.
    pub(super) recorder: Option<Recorder>,
}

/// A datapath with an election that runs on it.
pub(super) struct Launched {
    pub(super) datapath: Xdp,
    pub(super) roster: Roster,
    pub(super) reach: Reach,
    pub(super) threads: Threads,
    pub(super) notices: UnboundedReceiver<Notice>,
    /// The routers that have gone on as Active.
    pub(super) resumed: Resumed,
}

impl Launched {
    /// Opens the datapath, starts the election, and goes on with every lease that still runs.
    pub(super) async fn new(lock: PinLock, cargo: Cargo<'_>) -> Result<Self, StartError> {
        let Cargo { global, routers, neighbors, paths, will, recorder } = cargo;
        let adopts = lock.legacy() == Legacy::Adoptable;
        if !adopts {
            roster(routers.clone(), &[])?; // nothing is replaced for a configuration that does not fit
        }
        let mut datapath = Xdp::open(lock)?;
        let inherited = datapath.inherited();
        let mut roster = roster(routers, &inherited)?;
        let reach = Reach::new(neighbors, &roster, global.cpu_dma_latency);
        let started =
            Threads::start(&mut datapath, reach.followers.clone(), global, will.lifeline(), recorder);
        let (threads, notices) = match started {
            Ok(started) => started,
            // What keeps silent the addresses of a dead daemon stays.
            Err(error) if adopts => return Err(error),
            Err(error) => {
                datapath.remove()?;
                return Err(error);
            }
        };
        let mut resumption = Resumption::new(&mut datapath, &inherited, &threads, will, paths);
        resumption.tell_tracked(&roster);
        let now = clock::now();
        for (slot, entry) in roster.iter() {
            let config = Config::from(&entry.router);
            let kept = inherited.iter().any(|left| left.slot == slot && is_former(left, &entry.router));
            // Senders that the datapath has heard for a router while no daemon ran count; a slot's former router's do not.
            let since = if kept { Time::ZERO } else { now };
            let name = entry.router.name.as_str().into();
            threads.command(Command::Insert { slot, name, config, since });
        }
        let resumed = resumption.run(&mut roster).await;
        // The sessions of the daemon before went with it; those of this one begin anew.
        if adopts {
            if let Err(error) = datapath.apply_bfd(&[]) {
                error!(
                    error = report::chain(&error),
                    "the datapath keeps the BFD sessions of the former daemon"
                );
            }
            // A neighbour may have given the former daemon up meanwhile, which ended guards that nobody would open.
            datapath.open_guards();
        }
        Ok(Self { datapath, roster, reach, threads, notices, resumed })
    }
}

fn roster(routers: Vec<Router>, inherited: &[Inherited]) -> Result<Roster, TooManyRouters> {
    Roster::new(routers, inherited, |name| if_nametoindex(name).ok())
}

/// Tells whether the router of a slot is the one that another daemon had there.
fn is_former(left: &Inherited, router: &Router) -> bool {
    (left.vrid, left.family) == (router.vrid.get(), router.family as u8)
}
