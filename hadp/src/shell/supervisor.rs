//! The slow half of the daemon: interfaces, addresses, signals, the control socket.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    time::Duration,
};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::{
    sync::mpsc::{self, UnboundedReceiver},
    time,
};
use tracing::{info, warn};

use super::{
    handover, holdings,
    interfaces::OnInterface,
    launch::{Cargo, Launched},
    ledger::Ledger,
    messages::{Command, Notice},
    neighbors::Neighbors,
    program_log,
    reach::Reach,
    realtime,
    recorder::{self, Recorder},
    reload::{Read, Reload},
    report,
    resume::Resumed,
    roster::Roster,
    signals::{Heard, Signals},
    start::{Paths, StartError, failed},
    threads::Threads,
    virtual_macs::VirtualMacs,
    vital::{self, Vital},
};
use crate::{
    companion::{self, Phase, Will},
    config,
    datapath::{Legacy, PinLock, Xdp},
    dir_lock::DirLock,
    model::Config,
    net::link::{Links, Monitor, Seen},
    observe::control::{self, Asked, Reloaded},
    proto::Slot,
};

/// How long after a refusal an interface is tried again.
pub(super) const RETRY: Duration = Duration::from_secs(2);

/// Runs the daemon until it is told to stop, and leaves nothing behind.
///
/// Where another daemon died, or this one was replaced while it ran, it goes on within the leases that it finds. `will` is
/// what this one leaves to its companion, should it die too. By `options` the configuration is read again.
///
/// # Errors
///
/// When it could not start, and nothing on the machine has changed then, or what another daemon left is as it was; or when
/// a thread failed that it cannot do without: then everything is left as by a daemon that was killed.
pub fn run(config: Config, options: config::Options, paths: &Paths, will: Will) -> Result<(), StartError> {
    let lock = PinLock::take(&paths.pins)?;
    let neighbors = Neighbors::new(config.bfd.clone())?;
    raise_descriptor_limit();
    let (election, bfd) = (&config.global.election, &config.global.bfd);
    if insists_on_memory(&config.global) {
        lock_memory(true)?;
    }
    if let Some(limit) = realtime::run_time(election, bfd) {
        realtime::limit_run_time(limit);
    }
    let _run_dir = DirLock::take(&paths.run)?;
    let deaths = will.deaths().unwrap_or(0);
    let recording = paths.record.as_deref().map(|path| recorder::begin(path, deaths)).transpose()?;
    let (recording, recorder) = recording.flatten().unzip();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(failed("start the runtime"))?;
    let (reload, loaded) = Reload::new(options, paths.clone());
    let outcome = runtime.block_on(async {
        let supervisor =
            Supervisor::start(config, neighbors, lock, paths.clone(), will, (recorder, reload, loaded))
                .await?;
        supervisor.run().await
    });
    // One that is still being read is not waited for.
    runtime.shutdown_background();
    if let Some(recording) = recording {
        recording.finish();
    }
    outcome
}

/// Tells whether the configuration has the daemon end where its memory cannot be locked.
fn insists_on_memory(global: &crate::model::Global) -> bool {
    global.election.no_swap || global.bfd.no_swap
}

/// Locks the memory, which takes longer than all that going on with a lease does.
fn lock_memory(insists: bool) -> Result<(), StartError> {
    realtime::lock_memory(insists).map_err(failed("lock memory, which vrrp_no_swap or bfd_no_swap asks for"))
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
    /// Interfaces the datapath is attached to, by index.
    pub(super) attached: BTreeMap<u32, OnInterface>,
    /// Interfaces that refused it, by index.
    pub(super) refused: BTreeSet<u32>,
    /// Routers that could not be started: their frames could not be built, or the datapath did not take the tables.
    pub(super) unstarted: BTreeSet<Slot>,
    /// Whether the tables of the datapath are those of this configuration.
    pub(super) in_force: bool,
    /// Routers some of whose addresses could not be put on their interfaces, or taken off.
    pub(super) troubled: BTreeSet<Slot>,
    /// Keeps the interfaces receiving to virtual MACs, each with its interface.
    pub(super) virtual_macs: VirtualMacs,
    pub(super) ledger: Ledger,
    /// BFD sessions, and what routers track.
    pub(super) reach: Reach,
    pub(super) threads: Threads,
    /// What the companion needs to know, should this process die.
    pub(super) will: Will,
    pub(super) reload: Reload,
    /// Routers of which nothing is left, and whose slots are to be freed.
    gone: Vec<Slot>,
    /// Whether something has left since it was looked at what waits for that.
    pub(super) unblocked: bool,
    inputs: Option<Inputs>,
}

/// What the supervisor waits for.
struct Inputs {
    monitor: Monitor,
    notices: UnboundedReceiver<Notice>,
    requests: mpsc::Receiver<Asked>,
    signals: Signals,
    loaded: mpsc::Receiver<Read>,
}

/// What a start has to begin with.
enum Ground<'a> {
    /// The right to the pins, and what is to run on them.
    Bare(PinLock, Box<Cargo<'a>>),
    /// An election that goes on where another daemon ended.
    Launched(Box<Launched>),
}

impl Supervisor {
    async fn start(
        config: Config,
        neighbors: Neighbors,
        lock: PinLock,
        paths: Paths,
        will: Will,
        (recorder, reload, loaded): (Option<Recorder>, Reload, mpsc::Receiver<Read>),
    ) -> Result<Self, StartError> {
        let Config { global, routers, .. } = config;
        let signals = Signals::catch()?;
        will.set_policy(global.on_daemon_death);
        let legacy = lock.legacy();
        let cargo = Cargo { global: &global, routers, neighbors, paths: &paths, will: &will, recorder };
        let ground = match legacy {
            // What runs goes on first; all else can wait.
            Legacy::Adoptable => Ground::Launched(Box::new(Launched::new(lock, cargo).await?)),
            Legacy::Nothing | Legacy::Foreign { .. } => Ground::Bare(lock, Box::new(cargo)),
        };
        companion::calm();
        if !insists_on_memory(&global) {
            lock_memory(false)?; // of what runs already, too
        }
        let (monitor, links) = Monitor::open().await.map_err(failed("follow the interfaces over netlink"))?;
        let (connection, addresses, _) =
            rtnetlink::new_connection().map_err(failed("open a netlink connection"))?;
        tokio::spawn(connection);
        let (asked, requests) = mpsc::channel(16);
        control::serve(&paths.control(), asked)
            .map_err(failed(format!("listen on {}", paths.control().display())))?;
        let launched = match ground {
            Ground::Launched(launched) => {
                holdings::sweep(&addresses, &links, &launched.roster, &paths, &launched.resumed).await;
                *launched
            }
            Ground::Bare(lock, cargo) => {
                let roster = Roster::new(cargo.routers.clone(), &[], |_| None)?;
                if let Legacy::Foreign { layout } = legacy {
                    handover::hand_over(&lock, layout, &cargo.routers, &links, &paths);
                }
                // Before a dead daemon's programs are replaced: until then they keep silent what it left on the interfaces.
                holdings::sweep(&addresses, &links, &roster, &paths, &Resumed::new()).await;
                Launched::new(lock, *cargo).await?
            }
        };
        let Launched { mut datapath, roster, reach, threads, notices, resumed } = launched;
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
            troubled: BTreeSet::new(),
            virtual_macs: VirtualMacs::default(),
            ledger,
            reach,
            threads,
            will,
            reload,
            gone: Vec::new(),
            unblocked: false,
            inputs: Some(Inputs { monitor, notices, requests, signals, loaded }),
        };
        supervisor.keep(resumed);
        supervisor.assign_guards();
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
                        self.changed(change);
                    }
                    Seen::Lost => self.resync(&mut inputs.monitor).await,
                },
                notice = inputs.notices.recv() => match notice {
                    // Somebody can speak as long as there is a placer, which this thread holds.
                    Some(Notice::Stopped) | None => break,
                    Some(Notice::Ended { vital, cause }) => {
                        if !self.reload.has_ended() {
                            return Err(self.abandon(vital, cause));
                        }
                        // It stops in any case, and goes on with that as long as somebody hands over.
                        outcome = Err(vital::lost(vital, cause));
                        if vital == Vital::Election {
                            break;
                        }
                    }
                    Some(notice) => self.noticed(notice),
                },
                Some((request, reply)) = inputs.requests.recv() => {
                    self.answer(request, reply).await;
                }
                heard = inputs.signals.next() => match heard {
                    Heard::Stop => self.hand_over(),
                    Heard::Reload => self.reload.ask(None),
                    Heard::Unused(name) => warn!("{name} has no meaning here"),
                },
                Some(loaded) = inputs.loaded.recv() => self.reload(loaded).await,
                () = companion.ended(), if !alone => {
                    alone = true;
                    warn!("the companion is gone: should this daemon die, nobody starts it again");
                }
                _ = retry.tick() => self.retry(),
            }
            if inputs.notices.is_empty() {
                self.go_on_reloading().await;
            }
        }
        // Whatever the election ordered before it stopped.
        while let Ok(notice) = inputs.notices.try_recv() {
            self.noticed(notice);
        }
        self.leave().await.and(outcome)
    }

    /// Tries again what was refused or failed.
    fn retry(&mut self) {
        let waits = !self.refused.is_empty() || !self.unstarted.is_empty() || self.has_waiting_sessions();
        if waits || !self.in_force || !self.reload.untold.is_empty() {
            self.refused.clear();
            self.replace();
        }
        self.settle_addresses();
        for slot in std::mem::take(&mut self.troubled) {
            self.threads.placer.repair(slot);
        }
        self.reach.idle.relax();
        self.settle_intervals();
    }

    /// Frees what has left, and does what has waited for that.
    async fn go_on_reloading(&mut self) {
        let gone = std::mem::take(&mut self.gone);
        if !gone.is_empty() {
            self.forget_routers(&gone);
        }
        if std::mem::take(&mut self.unblocked) {
            self.fit(&mut Reloaded::default()).await;
            self.detach_unneeded();
        }
    }

    fn hand_over(&mut self) {
        self.reload.end();
        info!("stopping: handing over every virtual router");
        report::stopping();
        self.will.announce(Phase::Stopping);
        self.command(Command::Shutdown);
    }

    /// Removes everything from the machine.
    async fn leave(self) -> Result<(), StartError> {
        self.take_off().await;
        self.threads.end();
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
        self.threads.command(command);
    }

    fn noticed(&mut self, notice: Notice) {
        if let Notice::Session { id, to, .. } = &notice {
            self.reach.idle.changed(*id, *to);
        }
        match notice {
            Notice::AcquiredVips(slot) => self.ledger.acquire(slot),
            Notice::ReleasedVips(slot) => self.ledger.release(slot),
            Notice::AddressesFailed { slot, errors } => self.addresses_failed(slot, &errors),
            Notice::Retired(outlet) => drop(outlet),
            // Until its addresses are off, XDP has to know whose they are.
            Notice::Left(slot) => self.threads.placer.forget(slot),
            Notice::Forgotten(slot) => {
                self.gone.push(slot);
                self.unblocked = true;
            }
            Notice::SessionEnded(id) => self.forget_session(id),
            Notice::Standing { slot, standing } => self.bring_to(slot, standing),
            told @ (Notice::Transition { .. }
            | Notice::PutBack { .. }
            | Notice::Conflict { .. }
            | Notice::Rejected { .. }
            | Notice::Mismatch { .. }
            | Notice::SendFailed { .. }
            | Notice::AdvertsStuck(_)
            | Notice::AdvertsLost(_)
            | Notice::Session { .. }
            | Notice::GuardLapsed(_)
            | Notice::GuardOutlived(_)
            | Notice::Unheard { .. }
            | Notice::Behind { .. }
            | Notice::Ended { .. }
            | Notice::Stopped) => report::notice(self, &told),
        }
    }
}
