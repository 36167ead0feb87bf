//! The election thread: hears, decides, speaks.

use std::{
    collections::BTreeMap,
    io,
    net::IpAddr,
    thread::{self, JoinHandle},
    time::Duration,
};

use tokio::{
    io::{Interest, unix::AsyncFd},
    sync::mpsc::{UnboundedReceiver, UnboundedSender, error::TryRecvError},
};
use tracing::error;

use super::{
    clock,
    messages::{Command, Mismatch, Notice, RouterView, Takeover},
    realtime,
    timer::Timer,
    voice::{Failure, Voice},
};
use crate::{
    datapath::{Datapath, EventRecord, Events},
    proto::{Action, AddressList, Event, Heard, Node, Router, Slot, State},
    units::Time,
};

/// How many events are taken before timers get their turn.
const EVENTS_A_TURN: usize = 64;

/// How long after a reported difference the next one is reported at the earliest.
const MISMATCH_PAUSE: Duration = Duration::from_secs(1);

/// What the election thread works with.
pub(crate) struct Parts<D> {
    /// Leases and peers.
    pub(crate) datapath: D,
    /// The ring buffer.
    pub(crate) events: Events,
    /// Orders from the supervisor; its end ends the thread.
    pub(crate) commands: UnboundedReceiver<Command>,
    /// What the supervisor is told.
    pub(crate) notices: UnboundedSender<Notice>,
}

/// Starts the election thread.
///
/// # Errors
///
/// When the thread, its sockets or its timer cannot be created.
pub(crate) fn spawn<D: Datapath + Send + 'static>(parts: Parts<D>) -> io::Result<JoinHandle<()>> {
    let voice = Voice::open()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    thread::Builder::new().name("election".to_owned()).spawn(move || {
        realtime::enter();
        let Parts { datapath, events, commands, notices } = parts;
        let driver = Driver {
            node: Node::default(),
            routers: BTreeMap::new(),
            datapath,
            voice,
            actions: Vec::with_capacity(64),
            heard: Vec::with_capacity(16),
            notices,
            stopping: Stopping::No,
        };
        if let Err(error) = runtime.block_on(driver.run(events, commands)) {
            error!(%error, "election thread failed; leases run out and the Backups take over");
        }
    })
}

/// One router's surroundings; its state machine is in the node.
#[derive(Default)]
struct Attached {
    /// The last advert already told to the state machine.
    fed: Time,
    /// The last difference reported, so that it is reported once.
    mismatch: Option<(IpAddr, Mismatch)>,
    /// When the next one may be reported.
    mismatch_after: Time,
    /// The lease as it was last stored.
    lease: Time,
    /// How the last takeover went.
    takeover: Option<Takeover>,
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Stopping {
    No,
    HandingOver,
}

struct Driver<D> {
    node: Node,
    routers: BTreeMap<Slot, Attached>,
    datapath: D,
    voice: Voice,
    actions: Vec<(Slot, Action)>,
    heard: Vec<Heard>,
    notices: UnboundedSender<Notice>,
    stopping: Stopping,
}

impl<D: Datapath> Driver<D> {
    async fn run(mut self, events: Events, mut commands: UnboundedReceiver<Command>) -> io::Result<()> {
        let mut timer = Timer::new()?;
        // SAFETY: `Events` owns its ring buffer and returns the same descriptor for as long as it lives.
        let mut ring = unsafe { AsyncFd::register_with_interest(events, Interest::READABLE) }?;
        loop {
            let drained = self.hear(ring.get_mut());
            self.expire();
            if let Some(failure) = self.voice.speak() {
                self.tell_failure(failure);
            }
            if self.stopping == Stopping::HandingOver && self.all_stopped() {
                self.tell(Notice::Stopped);
                return Ok(());
            }
            let speaks = self.voice.next();
            if drained == EVENTS_A_TURN || speaks == Some(Time::ZERO) {
                match commands.try_recv() {
                    Ok(command) => self.obey(command),
                    Err(TryRecvError::Empty) => {}
                    Err(TryRecvError::Disconnected) => return Ok(()),
                }
                continue;
            }
            timer.arm([self.node.next_deadline(), speaks].into_iter().flatten().min())?;
            tokio::select! {
                biased;
                fired = timer.fired() => fired?,
                ready = ring.readable() => ready?.clear_ready(),
                command = commands.recv() => match command {
                    Some(command) => self.obey(command),
                    None => return Ok(()),
                },
            }
        }
    }

    /// Takes what XDP reported, and returns how much that was.
    fn hear(&mut self, events: &mut Events) -> usize {
        events.drain(EVENTS_A_TURN, |record| match record {
            EventRecord::Advert { slot, heard, .. } => self.feed(slot, heard),
            EventRecord::Conflict { slot, addr, mac, .. } => self.tell(Notice::Conflict { slot, addr, mac }),
            EventRecord::Rejected { ifindex, from, mac, vrid, reason, .. } => {
                self.tell(Notice::Rejected { ifindex, from, mac, vrid, reason });
            }
        })
    }

    /// Tells a state machine of an advert it has not been told of yet.
    fn feed(&mut self, slot: Slot, heard: Heard) {
        let Some(attached) = self.routers.get_mut(&slot) else { return };
        // Peers are also read from the map; what came in between was already overtaken there.
        if heard.at <= attached.fed {
            return;
        }
        attached.fed = heard.at;
        let expected = self.node.get(slot).map(|router| router.config().interval);
        let differs = if heard.addresses == AddressList::Differs {
            Some(Mismatch::Addresses)
        } else if expected.is_some_and(|interval| interval != heard.interval) {
            Some(Mismatch::Interval { theirs_cs: heard.interval.get() })
        } else {
            None
        };
        let seen = differs.map(|what| (heard.from, what));
        // Once for each difference, and not as often as somebody may alternate them.
        if heard.priority > 0 && seen != attached.mismatch && heard.at >= attached.mismatch_after {
            attached.mismatch = seen;
            attached.mismatch_after = heard.at + MISMATCH_PAUSE;
            if let Some((from, what)) = seen {
                self.tell(Notice::Mismatch { slot, from, what });
            }
        }
        self.step(slot, Event::Advert(heard));
    }

    /// Runs every deadline that has passed.
    fn expire(&mut self) {
        while let Some(slot) = self.node.due(clock::now()) {
            let fed = self.routers.get(&slot).map_or(Time::ZERO, |attached| attached.fed);
            let mut heard = std::mem::take(&mut self.heard);
            heard.clear();
            self.datapath.heard_since(slot, fed, &mut heard);
            for advert in &heard {
                self.feed(slot, *advert);
            }
            self.heard = heard;
            self.step(slot, Event::Timeout);
        }
    }

    /// Applies one event to one router, and carries out what it orders.
    fn step(&mut self, slot: Slot, event: Event) {
        let mut actions = std::mem::take(&mut self.actions);
        let decided = clock::now();
        self.node.handle(decided, slot, event, &mut actions);
        let mut next = 0;
        // Sending an advert appends the orders of its `AdvertSent` behind those that are under way.
        while let Some((slot, action)) = actions.get(next).cloned() {
            next += 1;
            self.perform(slot, action, decided, &mut actions);
        }
        actions.clear();
        self.actions = actions;
    }

    fn perform(&mut self, slot: Slot, action: Action, decided: Time, actions: &mut Vec<(Slot, Action)>) {
        match action {
            Action::SetLease { until } => {
                self.datapath.set_lease(slot, until);
                self.note_lease(slot, until, decided);
                if until == Time::ZERO {
                    self.voice.hush(slot);
                }
            }
            Action::SendAdvert { priority } => match self.voice.advertise(slot, priority) {
                Ok(()) if priority > 0 => {
                    let at = clock::now();
                    self.note_advert(slot, at);
                    self.node.handle(at, slot, Event::AdvertSent { at }, actions);
                }
                Ok(()) => {}
                Err(news) => {
                    if priority > 0 {
                        self.node.handle(clock::now(), slot, Event::AdvertFailed, actions);
                    }
                    news.into_iter().for_each(|failure| self.tell_failure(failure));
                }
            },
            Action::Announce { vips, rounds } => self.voice.announce(slot, vips, rounds),
            Action::AcquireVips => self.tell(Notice::AcquireVips(slot)),
            Action::ReleaseVips => self.tell(Notice::ReleaseVips(slot)),
            Action::Notify(transition) => self.tell(Notice::Transition { slot, transition }),
        }
    }

    /// Notes when a takeover was decided and stored; a renewal is none.
    fn note_lease(&mut self, slot: Slot, until: Time, decided: Time) {
        let Some(attached) = self.routers.get_mut(&slot) else { return };
        if attached.lease == Time::ZERO && until != Time::ZERO {
            attached.takeover = Some(Takeover { decided, stored: clock::now(), advertised: None });
        }
        attached.lease = until;
    }

    /// Notes when the first advert of a takeover had left.
    fn note_advert(&mut self, slot: Slot, at: Time) {
        if let Some(takeover) = self.routers.get_mut(&slot).and_then(|attached| attached.takeover.as_mut()) {
            takeover.advertised.get_or_insert(at);
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Insert { slot, config } => {
                self.node.insert(slot, Router::new(config, clock::now()));
                self.routers.insert(slot, Attached { fed: clock::now(), ..Attached::default() });
            }
            Command::Start { slot, source, outlet } => {
                self.voice.set(slot, outlet);
                if self.stopping == Stopping::No {
                    self.step(slot, Event::Startup { source });
                }
            }
            Command::Fault { slot, cause } => self.step(slot, Event::Fault(cause)),
            Command::Shutdown => {
                self.stopping = Stopping::HandingOver;
                let slots: Vec<_> = self.routers.keys().copied().collect();
                for slot in slots {
                    self.step(slot, Event::Shutdown);
                }
            }
            // The asker may have gone.
            Command::Inspect(answer) => drop(answer.send(self.views())),
        }
    }

    fn views(&self) -> Vec<RouterView> {
        let takeover = |slot| self.routers.get(&slot).and_then(|attached: &Attached| attached.takeover);
        self.node
            .iter()
            .map(|(slot, router)| RouterView {
                slot,
                state: router.state(),
                since: router.since(),
                source: router.source(),
                following: router
                    .last_heard()
                    .filter(|_| matches!(router.state(), State::Backup { .. }))
                    .map(|heard| (heard.from, heard.priority)),
                takeover: takeover(slot),
            })
            .collect()
    }

    fn all_stopped(&self) -> bool {
        self.node.iter().all(|(_, router)| matches!(router.state(), State::Initialize { .. }))
    }

    fn tell_failure(&self, Failure { slot, what, error }: Failure) {
        self.tell(Notice::SendFailed { slot, what, error });
    }

    fn tell(&self, notice: Notice) {
        // The supervisor outlives this thread; if it does not, there is nobody to tell.
        drop(self.notices.send(notice));
    }
}
