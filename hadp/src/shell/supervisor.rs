//! The slow half of the daemon: interfaces, addresses, signals, the control socket.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::PathBuf,
    thread::JoinHandle,
    time::Duration,
};

use rtnetlink::Handle;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::{
        mpsc::{self, UnboundedReceiver, UnboundedSender},
        oneshot,
    },
    time,
};
use tracing::{error, info, warn};

use super::{
    driver::{self, Parts},
    holdings,
    ledger::Ledger,
    messages::{Command, Notice},
    report,
    roster::{Roster, TooManyRouters},
    run_dir::RunDir,
};
use crate::{
    datapath::{CleanupError, OpenError, PinLock, Xdp},
    model::Config,
    net::link::{Links, Monitor, Seen},
    observe::control::{self, Answer, Asked, Request},
    proto::{self, Slot},
};

/// How long after a refusal an interface is tried again.
pub(super) const RETRY: Duration = Duration::from_secs(2);

/// Where the daemon keeps what outlives it.
#[derive(Clone, Debug)]
pub struct Paths {
    /// The pins, on a BPF filesystem.
    pub pins: PathBuf,
    /// The control socket and the ledger of addresses.
    pub run: PathBuf,
    /// The configuration file, as shown in the status.
    pub config: PathBuf,
}

impl Paths {
    /// Returns the control socket's path.
    pub fn control(&self) -> PathBuf {
        self.run.join("control")
    }

    /// Returns the path of the ledger of addresses.
    pub fn ledger(&self) -> PathBuf {
        self.run.join("addresses")
    }
}

/// Why the daemon did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The kernel did not take the datapath, or another daemon has it.
    #[error(transparent)]
    Datapath(#[from] OpenError),
    /// The datapath could not be removed.
    #[error(transparent)]
    Cleanup(#[from] CleanupError),
    /// The election thread ended by itself.
    #[error("the election thread ended by itself; its routers were given up")]
    ElectionEnded,
    /// The ring buffer could not be mapped.
    #[error("cannot map the ring buffer EVENTS")]
    Events(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The configuration does not fit.
    #[error(transparent)]
    TooManyRouters(#[from] TooManyRouters),
    /// A file, a socket or a thread could not be had.
    #[error("cannot {what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// What failed.
        source: io::Error,
    },
}

pub(super) fn failed(what: impl Into<String>) -> impl FnOnce(io::Error) -> StartError {
    move |source| StartError::Io { what: what.into(), source }
}

/// Runs the daemon until it is told to stop, and leaves nothing behind.
///
/// # Errors
///
/// When it could not start, and nothing on the machine has changed then; or when the election failed.
pub fn run(config: Config, paths: &Paths) -> Result<(), StartError> {
    let lock = PinLock::take(&paths.pins)?;
    let roster = Roster::new(config.routers)?;
    let _run_dir = RunDir::take(&paths.run).map_err(failed(format!("use {}", paths.run.display())))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(failed("start the runtime"))?;
    runtime.block_on(async {
        let supervisor = Supervisor::start(config.global, roster, lock, paths.clone()).await?;
        supervisor.run().await
    })
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
    /// Routers whose frames could not be built.
    pub(super) unbuilt: BTreeSet<Slot>,
    pub(super) ledger: Ledger,
    pub(super) addresses: Handle,
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

impl Supervisor {
    async fn start(
        global: crate::model::Global,
        roster: Roster,
        lock: PinLock,
        paths: Paths,
    ) -> Result<Self, StartError> {
        let (monitor, links) = Monitor::open().await.map_err(failed("follow the interfaces over netlink"))?;
        let (connection, addresses, _) =
            rtnetlink::new_connection().map_err(failed("open a netlink connection"))?;
        tokio::spawn(connection);
        // Before a dead daemon's programs are replaced: until then they keep silent what it left on the interfaces.
        holdings::sweep(&addresses, &links, &roster, &paths).await;
        let mut datapath = Xdp::open(lock)?;
        let (asked, requests) = mpsc::channel(16);
        control::serve(&paths.control(), asked)
            .map_err(failed(format!("listen on {}", paths.control().display())))?;
        let (commands, obeyed) = mpsc::unbounded_channel();
        let (told, notices) = mpsc::unbounded_channel();
        let events = datapath.events().map_err(|error| StartError::Events(error.into()))?;
        let events = events.ok_or_else(|| StartError::Events("it is in use already".into()))?;
        let parts = Parts { datapath: datapath.election(), events, commands: obeyed, notices: told };
        let election = driver::spawn(parts).map_err(failed("start the election thread"))?;
        let terminate = signal(SignalKind::terminate()).map_err(failed("handle SIGTERM"))?;
        let interrupt = signal(SignalKind::interrupt()).map_err(failed("handle SIGINT"))?;
        let catch =
            |name, kind| signal(kind).map(|signal| (name, signal)).map_err(failed(format!("handle {name}")));
        let unused = [
            catch("SIGHUP", SignalKind::hangup())?,
            catch("SIGUSR1", SignalKind::user_defined1())?,
            catch("SIGUSR2", SignalKind::user_defined2())?,
        ];
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
            unbuilt: BTreeSet::new(),
            ledger,
            addresses,
            commands,
            election,
            inputs,
        };
        for (slot, entry) in supervisor.roster.iter() {
            let config = proto::Config::from(&entry.router);
            supervisor.command(Command::Insert { slot, config });
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
                _ = inputs.terminate.recv() => self.hand_over(),
                _ = inputs.interrupt.recv() => self.hand_over(),
                name = any(&mut inputs.unused) => warn!("{name} does nothing yet: restart hadp to read the configuration again"),
                _ = retry.tick() => if !self.refused.is_empty() || !self.unbuilt.is_empty() {
                    self.refused.clear();
                    self.replace();
                },
            }
        }
        // Whatever the election ordered before it stopped.
        while let Ok(notice) = inputs.notices.try_recv() {
            self.noticed(notice).await;
        }
        self.leave().await.and(outcome)
    }

    fn hand_over(&self) {
        info!("stopping: handing over every virtual router");
        report::stopping();
        self.command(Command::Shutdown);
    }

    /// Removes everything from the machine.
    async fn leave(mut self) -> Result<(), StartError> {
        let slots: Vec<_> = self.roster.iter().map(|(slot, _)| slot).collect();
        for slot in slots {
            self.release(slot).await;
        }
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
