//! The election thread: hears, decides, speaks.

use std::{
    collections::BTreeMap,
    io,
    net::IpAddr,
    thread::{self, JoinHandle},
};

use tokio::{
    io::{Interest, unix::AsyncFd},
    sync::mpsc::{UnboundedReceiver, UnboundedSender, error::TryRecvError},
};
use tracing::error;

use super::{
    attached::Attached,
    clock,
    messages::{Command, Notice, RouterView},
    realtime,
    timer::Timer,
    voice::{Failure, Voice},
};
use crate::{
    companion::Lifeline,
    datapath::{Datapath, EventRecord, Events, Renewal},
    proto::{Action, Cause, Event, Heard, Node, Router, Slot, State},
    units::Time,
};

/// How many events are taken before timers get their turn.
const EVENTS_A_TURN: usize = 64;

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
    /// Tells the companion of the thread's end.
    pub(crate) lifeline: Lifeline,
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
        let Parts { datapath, events, commands, notices, lifeline } = parts;
        lifeline.hold();
        realtime::enter();
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
            // One a turn, whatever else is going on: neither waits for the other.
            match commands.try_recv() {
                Ok(command) => {
                    self.obey(command);
                    continue;
                }
                Err(TryRecvError::Empty) => {}
                Err(TryRecvError::Disconnected) => return Ok(()),
            }
            let speaks = self.voice.next();
            if drained == EVENTS_A_TURN || speaks == Some(Time::ZERO) {
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
            EventRecord::Conflict { slot, addr, mac, .. } => self.defend(slot, addr, mac),
            EventRecord::Rejected { ifindex, from, mac, vrid, reason, .. } => {
                self.tell(Notice::Rejected { ifindex, from, mac, vrid, reason });
            }
            EventRecord::Bfd { .. } => {}
        })
    }

    /// Defends an address that somebody claims while this node is Active (RFC 5227 §2.4): the claim may have reached
    /// the neighbours' caches. In a handover the successor's claim is as it should be.
    fn defend(&mut self, slot: Slot, addr: IpAddr, mac: [u8; 6]) {
        if self.node.get(slot).is_some_and(|router| matches!(router.state(), State::Active { .. })) {
            self.voice.announce_address(slot, addr);
            self.tell(Notice::Conflict { slot, addr, mac });
        }
    }

    /// Tells a state machine of an advert; one that it knows changes nothing.
    fn feed(&mut self, slot: Slot, heard: Heard) {
        let Some(attached) = self.routers.get_mut(&slot) else { return };
        let interval = self.node.get(slot).map(|router| router.config().interval);
        if let Some(what) = attached.note_mismatch(&heard, interval) {
            self.tell(Notice::Mismatch { slot, from: heard.from, what });
        }
        self.step(slot, Event::Advert(heard));
    }

    /// Runs every deadline that has passed.
    fn expire(&mut self) {
        while let Some(slot) = self.node.due(clock::now()) {
            let since = self.routers.get(&slot).map_or(Time::ZERO, |attached| attached.since());
            let mut heard = std::mem::take(&mut self.heard);
            heard.clear();
            self.datapath.heard_since(slot, since, &mut heard);
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
                if let Some(attached) = self.routers.get_mut(&slot) {
                    attached.note_lease(until, decided);
                }
                if until == Time::ZERO {
                    self.voice.hush(slot);
                }
            }
            Action::RenewLease { until } => {
                if self.datapath.renew_lease(slot, until) == Renewal::Revoked {
                    self.revoked(slot, actions);
                }
            }
            Action::Drain { until } => self.datapath.set_drain(slot, until),
            Action::SendAdvert { priority } => self.advertise(slot, priority, actions),
            Action::Announce { vips, rounds } => self.voice.announce(slot, vips, rounds),
            Action::AcquireVips => self.tell(Notice::AcquireVips(slot)),
            Action::ReleaseVips => self.tell(Notice::ReleaseVips(slot)),
            Action::Notify(transition) => self.tell(Notice::Transition { slot, transition }),
        }
    }

    /// Tells a state machine that its lease is gone: first what the datapath heard, since who yields to a router it
    /// knows of hands over without losing a packet.
    fn revoked(&mut self, slot: Slot, actions: &mut Vec<(Slot, Action)>) {
        let now = clock::now();
        let since = self.routers.get(&slot).map_or(Time::ZERO, |attached| attached.since());
        let mut heard = std::mem::take(&mut self.heard);
        heard.clear();
        self.datapath.heard_since(slot, since, &mut heard);
        for advert in &heard {
            self.node.handle(now, slot, Event::Advert(*advert), actions);
        }
        self.heard = heard;
        let owns = |router: &Router| matches!(router.state(), State::Active { .. } | State::Resigning { .. });
        if self.node.get(slot).is_some_and(owns) {
            self.node.handle(now, slot, Event::Revoked, actions);
        }
    }

    /// Sends an advert, and tells the state machine when it left.
    fn advertise(&mut self, slot: Slot, priority: u8, actions: &mut Vec<(Slot, Action)>) {
        if priority == 0 {
            // An announcement behind the resignation could follow the successor's.
            self.voice.hush(slot);
        }
        // Read before it leaves: the lease must not run from later than the peers' timers do.
        let at = clock::now();
        match self.voice.advertise(slot, priority) {
            Ok(()) if priority > 0 => {
                if let Some(attached) = self.routers.get_mut(&slot) {
                    attached.note_advert(clock::now());
                }
                self.node.handle(at, slot, Event::AdvertSent { at }, actions);
            }
            Ok(()) => {}
            Err(news) => {
                if priority > 0 {
                    self.node.handle(clock::now(), slot, Event::AdvertFailed, actions);
                }
                if let Some(failure) = news {
                    self.tell_failure(failure);
                }
            }
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Insert { slot, config, since } => {
                self.node.insert(slot, Router::new(config, clock::now()));
                self.routers.insert(slot, Attached::new(since));
            }
            Command::Resume { slot, source, lease, outlet } => {
                drop(self.voice.set(slot, outlet)); // there was none
                if let Some(attached) = self.routers.get_mut(&slot) {
                    attached.resume(lease);
                }
                self.step(slot, Event::Resume { source, lease });
            }
            Command::Start { slot, source, outlet } => {
                if let Some(outlet) = self.voice.set(slot, outlet) {
                    // Closing its socket leaves a group, which may wait for other users of netlink.
                    self.tell(Notice::Retired(outlet));
                }
                if self.stopping == Stopping::No {
                    self.step(slot, Event::Startup { source });
                    self.catch_up(slot);
                }
            }
            Command::Fault { slot, cause } => self.step(slot, Event::Fault(cause)),
            Command::Shutdown => {
                // Told a second time, nobody is waited for any more.
                let event = match std::mem::replace(&mut self.stopping, Stopping::HandingOver) {
                    Stopping::No => Event::Shutdown,
                    Stopping::HandingOver => Event::Fault(Cause::Stopped),
                };
                let slots: Vec<_> = self.routers.keys().copied().collect();
                for slot in slots {
                    self.step(slot, event);
                }
            }
            // The asker may have gone.
            Command::Inspect(answer) => drop(answer.send(self.views())),
        }
    }

    /// Tells a router that listens of the senders that were heard while no daemon ran: it knows at once whom it follows,
    /// and waits no longer than it would have. Those that have been silent for long are history.
    fn catch_up(&mut self, slot: Slot) {
        let Some(since) = self.routers.get(&slot).map(Attached::since) else { return };
        if self.node.get(slot).is_none_or(|router| !matches!(router.state(), State::Backup { .. })) {
            return;
        }
        let mut heard = Vec::new();
        self.datapath.heard_since(slot, since, &mut heard);
        let now = clock::now();
        for advert in heard.into_iter().filter(|advert| advert.at + 3 * advert.interval.duration() > now) {
            self.feed(slot, advert);
        }
    }

    fn views(&self) -> Vec<RouterView> {
        let takeover = |slot| self.routers.get(&slot).and_then(Attached::takeover);
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
        self.node.is_idle()
    }

    fn tell_failure(&self, Failure { slot, what, error }: Failure) {
        self.tell(Notice::SendFailed { slot, what, error });
    }

    fn tell(&self, notice: Notice) {
        // The supervisor outlives this thread; if it does not, there is nobody to tell.
        drop(self.notices.send(notice));
    }
}
