//! The slow half of the daemon: interfaces, addresses, signals, the control socket.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    thread::JoinHandle,
    time::Duration,
};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use rtnetlink::Handle;
use tokio::{
    sync::{
        mpsc::{self, UnboundedReceiver, UnboundedSender},
        oneshot,
    },
    time,
};
use tracing::{error, info, warn};

use super::{
    handover, holdings,
    launch::Launched,
    ledger::Ledger,
    messages::{Command, Notice},
    program_log, report,
    roster::Roster,
    signals::{Heard, Signals},
    start::{Paths, StartError, failed},
    virtual_macs::VirtualMacs,
};
use crate::{
    companion::{self, Phase, Will},
    datapath::{Legacy, PinLock, Xdp},
    dir_lock::DirLock,
    model::Config,
    net::{
        addr::Placed,
        link::{Links, Monitor, Seen},
    },
    observe::control::{self, Answer, Asked, Request},
    proto::Slot,
};

/// How long after a refusal an interface is tried again.
pub(super) const RETRY: Duration = Duration::from_secs(2);

/// Runs the daemon until it is told to stop, and leaves nothing behind.
///
/// Where another daemon died, or this one was replaced while it ran, it goes on within the leases that it finds. `will` is
/// what this one leaves to its companion, should it die too.
///
/// # Errors
///
/// When it could not start, and nothing on the machine has changed then, or what another daemon left is as it was; or
/// when the election failed.
pub fn run(config: Config, paths: &Paths, will: Will) -> Result<(), StartError> {
    let lock = PinLock::take(&paths.pins)?;
    raise_descriptor_limit();
    let _run_dir = DirLock::take(&paths.run)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(failed("start the runtime"))?;
    runtime.block_on(async {
        let supervisor = Supervisor::start(config, lock, paths.clone(), will).await?;
        supervisor.run().await
    })
}

/// Raises the limit on open files as far as allowed: every router has a socket.
fn raise_descriptor_limit() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard));
    if let Err(errno) = raised {
        warn!(%errno, "cannot raise the limit on open files");
    }
}

pub(super) struct Supervisor {
    pub(super) global: crate::model::Global,
    pub(super) roster: Roster,
    pub(super) datapath: Xdp,
    pub(super) paths: Paths,
    pub(super) links: Links,
    /// Interfaces the datapath is attached to, by index: name and mode.
    pub(super) attached: BTreeMap<u32, (String, String)>,
    /// Interfaces that refused it, by index.
    pub(super) refused: BTreeSet<u32>,
    /// Routers that could not be started: their frames could not be built, or the datapath did not take the tables.
    pub(super) unstarted: BTreeSet<Slot>,
    /// Whether the tables of the datapath are those of this configuration.
    pub(super) in_force: bool,
    /// Routers that own addresses which could not all be put on their interfaces.
    pub(super) incomplete: BTreeSet<Slot>,
    /// Addresses that could not be taken off.
    pub(super) stuck: Vec<Placed>,
    /// Keeps the interfaces receiving to virtual MACs, each with its interface.
    pub(super) virtual_macs: VirtualMacs,
    pub(super) ledger: Ledger,
    pub(super) addresses: Handle,
    /// What the companion needs to know, should this process die.
    pub(super) will: Will,
    commands: UnboundedSender<Command>,
    election: JoinHandle<()>,
    inputs: Option<Inputs>,
}

/// What the supervisor waits for.
struct Inputs {
    monitor: Monitor,
    notices: UnboundedReceiver<Notice>,
    requests: mpsc::Receiver<Asked>,
    signals: Signals,
}

/// What a start has to begin with.
enum Ground {
    /// The right to the pins.
    Bare(PinLock),
    /// An election that goes on where another daemon ended.
    Launched(Box<Launched>),
}

impl Supervisor {
    async fn start(config: Config, lock: PinLock, paths: Paths, will: Will) -> Result<Self, StartError> {
        let Config { global, routers, .. } = config;
        let signals = Signals::catch()?;
        will.set_policy(global.on_daemon_death);
        let legacy = lock.legacy();
        let mut ground = Ground::Bare(lock);
        if legacy == Legacy::Adoptable
            && let Ground::Bare(lock) = ground
        {
            // What runs goes on first; all else can wait.
            ground = Ground::Launched(Box::new(Launched::new(lock, routers.clone(), &will).await?));
        }
        companion::calm();
        let (monitor, links) = Monitor::open().await.map_err(failed("follow the interfaces over netlink"))?;
        let (connection, addresses, _) =
            rtnetlink::new_connection().map_err(failed("open a netlink connection"))?;
        tokio::spawn(connection);
        let (asked, requests) = mpsc::channel(16);
        control::serve(&paths.control(), asked)
            .map_err(failed(format!("listen on {}", paths.control().display())))?;
        let (launched, kept) = match ground {
            Ground::Launched(launched) => {
                let kept =
                    holdings::sweep(&addresses, &links, &launched.roster, &paths, &launched.resumed).await;
                (*launched, kept)
            }
            Ground::Bare(lock) => {
                if let Legacy::Foreign { layout } = legacy {
                    handover::hand_over(&lock, layout, &routers, &links, &paths);
                }
                // Before a dead daemon's programs are replaced: until then they keep silent what it left on the interfaces.
                let roster = Roster::new(routers.clone(), &[], |_| None)?;
                let kept = holdings::sweep(&addresses, &links, &roster, &paths, &BTreeSet::new()).await;
                (Launched::new(lock, routers, &will).await?, kept)
            }
        };
        let Launched { mut datapath, roster, commands, notices, election, resumed } = launched;
        datapath.load()?;
        program_log::follow(&mut datapath);
        let ledger = Ledger::new(paths.ledger());
        let mut supervisor = Self {
            global,
            roster,
            datapath,
            paths,
            links,
            attached: BTreeMap::new(),
            refused: BTreeSet::new(),
            unstarted: BTreeSet::new(),
            in_force: false,
            incomplete: BTreeSet::new(),
            stuck: Vec::new(),
            virtual_macs: VirtualMacs::default(),
            ledger,
            addresses,
            will,
            commands,
            election,
            inputs: Some(Inputs { monitor, notices, requests, signals }),
        };
        supervisor.keep(resumed, &kept);
        supervisor.replace();
        if let Err(error) = supervisor.datapath.retire() {
            warn!(%error, "something of the former daemon's datapath stays");
        }
        Ok(supervisor)
    }

    async fn run(mut self) -> Result<(), StartError> {
        let Some(mut inputs) = self.inputs.take() else { return Ok(()) };
        let mut retry = time::interval(RETRY);
        let (mut outcome, mut alone) = (Ok(()), false);
        let companion = self.will.companion();
        report::ready(self.roster.iter().count());
        self.will.announce(Phase::Ready);
        loop {
            tokio::select! {
                seen = inputs.monitor.next() => match seen {
                    Seen::Message(message) => {
                        let change = self.links.apply(&message);
                        self.changed(change).await;
                    }
                    Seen::Lost => self.resync(&mut inputs.monitor).await,
                },
                notice = inputs.notices.recv() => match notice {
                    Some(Notice::Stopped) => break,
                    Some(notice) => self.noticed(notice).await,
                    None => {
                        outcome = Err(StartError::ElectionEnded);
                        break;
                    }
                },
                Some((request, reply)) = inputs.requests.recv() => {
                    let answer = self.answer(request).await;
                    // The asker may have gone.
                    drop(reply.send(answer));
                }
                heard = inputs.signals.next() => match heard {
                    Heard::Stop => self.hand_over(),
                    Heard::Unused(name) => warn!("{name} does nothing yet: restart hadp to read the configuration again"),
                },
                () = companion.ended(), if !alone => {
                    alone = true;
                    warn!("the companion is gone: should this daemon die, nobody starts it again");
                }
                _ = retry.tick() => self.retry().await,
            }
        }
        // Whatever the election ordered before it stopped.
        while let Ok(notice) = inputs.notices.try_recv() {
            self.noticed(notice).await;
        }
        self.leave().await.and(outcome)
    }

    /// Tries again what was refused or failed.
    async fn retry(&mut self) {
        if !self.refused.is_empty() || !self.unstarted.is_empty() || !self.in_force {
            self.refused.clear();
            self.replace();
        }
        for slot in std::mem::take(&mut self.incomplete) {
            self.hold(slot).await;
        }
        self.unstick().await;
    }

    fn hand_over(&self) {
        info!("stopping: handing over every virtual router");
        report::stopping();
        self.will.announce(Phase::Stopping);
        self.command(Command::Shutdown);
    }

    /// Removes everything from the machine.
    async fn leave(mut self) -> Result<(), StartError> {
        let slots: Vec<_> = self.roster.iter().map(|(slot, _)| slot).collect();
        for slot in slots {
            self.release(slot).await;
        }
        self.unstick().await;
        drop(self.commands);
        if self.election.join().is_err() {
            error!("the election thread panicked");
        }
        for path in [self.paths.control(), self.paths.ledger()] {
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    warn!(path = %path.display(), %error, "cannot remove");
                }
                _ => {}
            }
        }
        self.datapath.remove()?;
        info!("stopped");
        Ok(())
    }

    pub(super) fn command(&self, command: Command) {
        if self.commands.send(command).is_err() {
            error!("the election thread is gone");
        }
    }

    async fn noticed(&mut self, notice: Notice) {
        match notice {
            Notice::AcquireVips(slot) => self.acquire(slot).await,
            Notice::ReleaseVips(slot) => self.release(slot).await,
            Notice::Retired(outlet) => drop(outlet),
            told @ (Notice::Transition { .. }
            | Notice::Conflict { .. }
            | Notice::Rejected { .. }
            | Notice::Mismatch { .. }
            | Notice::SendFailed { .. }
            | Notice::Stopped) => report::notice(&self.roster, &self.links, &told),
        }
    }

    async fn answer(&self, request: Request) -> Answer {
        match request {
            Request::Status => {
                let (reply, replied) = oneshot::channel();
                self.command(Command::Inspect(reply));
                match time::timeout(Duration::from_secs(1), replied).await {
                    Ok(Ok(views)) => Answer::Status(Box::new(self.snapshot(&views))),
                    _ => Answer::Error("the election thread does not answer".to_owned()),
                }
            }
        }
    }
}
