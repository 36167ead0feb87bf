//! The slow half of the daemon: interfaces, addresses, signals, the control socket.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    thread::JoinHandle,
    time::Duration,
};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::mpsc::{self, UnboundedReceiver, UnboundedSender},
    time,
};
use tracing::{error, info, warn};

use super::{
    driver::{self, Parts},
    holdings,
    ledger::Ledger,
    messages::{Command, Notice},
    placer::Placer,
    program_log,
    recorder::{Recorder, Recording},
    report,
    roster::Roster,
    start::{Paths, StartError, failed},
    virtual_macs::VirtualMacs,
};
use crate::{
    datapath::{PinLock, Xdp},
    dir_lock::DirLock,
    model::Config,
    net::link::{Links, Monitor, Seen},
    observe::control::{self, Asked},
    proto::{self, Slot},
};

/// How long after a refusal an interface is tried again.
pub(super) const RETRY: Duration = Duration::from_secs(2);

/// Runs the daemon until it is told to stop, and leaves nothing behind.
///
/// # Errors
///
/// When it could not start, and nothing on the machine has changed then; or when the election failed.
pub fn run(config: Config, paths: &Paths) -> Result<(), StartError> {
    let lock = PinLock::take(&paths.pins)?;
    let roster = Roster::new(config.routers)?;
    raise_descriptor_limit();
    let _run_dir = DirLock::take(&paths.run)?;
    let (recording, recorder) = paths.record.as_deref().map(Recording::start).transpose()?.unzip();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(failed("start the runtime"))?;
    let outcome = runtime.block_on(async {
        let supervisor = Supervisor::start(config.global, roster, lock, paths.clone(), recorder).await?;
        supervisor.run().await
    });
    if let Some(recording) = recording {
        recording.finish();
    }
    outcome
}

/// Raises the limit on open files as far as allowed: every router has a socket.
fn raise_descriptor_limit() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard));
    if let Err(errno) = raised {
        warn!(%errno, "cannot raise the limit on open files");
    }
}

/// Waits for one of several signals, and returns its name.
async fn any(signals: &mut [(&'static str, Signal); 3]) -> &'static str {
    let [(a, first), (b, second), (c, third)] = signals;
    tokio::select! {
        _ = first.recv() => a,
        _ = second.recv() => b,
        _ = third.recv() => c,
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
    /// Routers some of whose addresses could not be put on their interfaces, or taken off.
    pub(super) troubled: BTreeSet<Slot>,
    /// Keeps the interfaces receiving to virtual MACs, each with its interface.
    pub(super) virtual_macs: VirtualMacs,
    pub(super) ledger: Ledger,
    pub(super) placer: Placer,
    commands: UnboundedSender<Command>,
    election: JoinHandle<()>,
    inputs: Option<Inputs>,
}

/// What the supervisor waits for.
struct Inputs {
    monitor: Monitor,
    notices: UnboundedReceiver<Notice>,
    requests: mpsc::Receiver<Asked>,
    terminate: Signal,
    interrupt: Signal,
    /// Signals that keepalived gives a meaning, and that would end a process that does not handle them.
    unused: [(&'static str, Signal); 3],
}

/// Starts the election thread on the datapath, and the one it orders addresses from.
fn start_election(
    datapath: &mut Xdp,
    commands: UnboundedReceiver<Command>,
    notices: UnboundedSender<Notice>,
    recorder: Option<Recorder>,
) -> Result<(JoinHandle<()>, Placer), StartError> {
    let events = datapath.events().map_err(|error| StartError::Events(error.into()))?;
    let events = events.ok_or_else(|| StartError::Events("it is in use already".into()))?;
    let (progress, placed) = mpsc::unbounded_channel();
    let placer =
        Placer::spawn(progress, notices.clone()).map_err(failed("start the thread for addresses"))?;
    let datapath = datapath.election();
    let parts = Parts { datapath, events, commands, notices, placer: placer.clone(), placed, recorder };
    Ok((driver::spawn(parts).map_err(failed("start the election thread"))?, placer))
}

impl Supervisor {
    async fn start(
        global: crate::model::Global,
        roster: Roster,
        lock: PinLock,
        paths: Paths,
        recorder: Option<Recorder>,
    ) -> Result<Self, StartError> {
        let (monitor, links) = Monitor::open().await.map_err(failed("follow the interfaces over netlink"))?;
        let (connection, addresses, _) =
            rtnetlink::new_connection().map_err(failed("open a netlink connection"))?;
        tokio::spawn(connection);
        let terminate = signal(SignalKind::terminate()).map_err(failed("handle SIGTERM"))?;
        let interrupt = signal(SignalKind::interrupt()).map_err(failed("handle SIGINT"))?;
        let catch =
            |name, kind| signal(kind).map(|signal| (name, signal)).map_err(failed(format!("handle {name}")));
        let unused = [
            catch("SIGHUP", SignalKind::hangup())?,
            catch("SIGUSR1", SignalKind::user_defined1())?,
            catch("SIGUSR2", SignalKind::user_defined2())?,
        ];
        let (asked, requests) = mpsc::channel(16);
        control::serve(&paths.control(), asked)
            .map_err(failed(format!("listen on {}", paths.control().display())))?;
        // Before a dead daemon's programs are replaced: until then they keep silent what it left on the interfaces.
        holdings::sweep(&addresses, &links, &roster, &paths).await;
        let (commands, obeyed) = mpsc::unbounded_channel();
        let (told, notices) = mpsc::unbounded_channel();
        let mut datapath = Xdp::open(lock)?;
        program_log::follow(&mut datapath);
        let (election, placer) = match start_election(&mut datapath, obeyed, told, recorder) {
            Ok(threads) => threads,
            Err(error) => {
                datapath.remove()?;
                return Err(error);
            }
        };
        let inputs = Some(Inputs { monitor, notices, requests, terminate, interrupt, unused });
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
            troubled: BTreeSet::new(),
            virtual_macs: VirtualMacs::default(),
            ledger,
            placer,
            commands,
            election,
            inputs,
        };
        for (slot, entry) in supervisor.roster.iter() {
            let config = proto::Config::from(&entry.router);
            let name = entry.router.name.as_str().into();
            supervisor.command(Command::Insert { slot, name, config });
        }
        supervisor.replace();
        Ok(supervisor)
    }

    async fn run(mut self) -> Result<(), StartError> {
        let Some(mut inputs) = self.inputs.take() else { return Ok(()) };
        let mut retry = time::interval(RETRY);
        let mut outcome = Ok(());
        report::ready(self.roster.iter().count());
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
                    Some(Notice::Stopped) => break,
                    Some(notice) => self.noticed(notice),
                    None => {
                        outcome = Err(StartError::ElectionEnded);
                        break;
                    }
                },
                Some((request, reply)) = inputs.requests.recv() => {
                    self.answer(request, reply).await;
                }
                _ = inputs.terminate.recv() => self.hand_over(),
                _ = inputs.interrupt.recv() => self.hand_over(),
                name = any(&mut inputs.unused) => warn!("{name} does nothing yet: restart hadp to read the configuration again"),
                _ = retry.tick() => self.retry(),
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
        if !self.refused.is_empty() || !self.unstarted.is_empty() {
            self.refused.clear();
            self.replace();
        }
        for slot in std::mem::take(&mut self.troubled) {
            self.placer.repair(slot);
        }
    }

    fn hand_over(&self) {
        info!("stopping: handing over every virtual router");
        report::stopping();
        self.command(Command::Shutdown);
    }

    /// Removes everything from the machine.
    async fn leave(self) -> Result<(), StartError> {
        self.take_off().await;
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

    fn noticed(&mut self, notice: Notice) {
        match notice {
            Notice::AcquiredVips(slot) => self.ledger.acquire(slot),
            Notice::ReleasedVips(slot) => self.ledger.release(slot),
            Notice::AddressesFailed { slot, errors } => self.addresses_failed(slot, &errors),
            Notice::Retired(outlet) => drop(outlet),
            told @ (Notice::Transition { .. }
            | Notice::PutBack { .. }
            | Notice::Conflict { .. }
            | Notice::Rejected { .. }
            | Notice::Mismatch { .. }
            | Notice::SendFailed { .. }
            | Notice::Stopped) => report::notice(&self.roster, &self.links, &told),
        }
    }
}
