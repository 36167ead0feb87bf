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
    announcements::Announcements,
    clock,
    messages::{Command, Mismatch, Notice, RouterView},
    realtime,
    timer::Timer,
};
use crate::{
    datapath::{Datapath, Events, Record},
    net::{
        frames::{Message, Outlet},
        packet::PacketSocket,
    },
    proto::{Action, AddressList, Event, Heard, Node, Router, Slot, State},
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
}

/// Starts the election thread.
///
/// # Errors
///
/// When the thread, its sockets or its timer cannot be created.
pub(crate) fn spawn<D: Datapath + Send + 'static>(parts: Parts<D>) -> io::Result<JoinHandle<()>> {
    let adverts = PacketSocket::open()?;
    let bursts = PacketSocket::open()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    thread::Builder::new().name("election".to_owned()).spawn(move || {
        realtime::enter();
        let Parts { datapath, events, commands, notices } = parts;
        let driver = Driver {
            node: Node::default(),
            routers: BTreeMap::new(),
            datapath,
            adverts,
            bursts,
            announcements: Announcements::default(),
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
    outlet: Option<Box<Outlet>>,
    /// The last advert already told to the state machine.
    fed: Time,
    /// The last difference reported, so that it is reported once.
    mismatch: Option<(IpAddr, Mismatch)>,
    /// Whether sending fails at present, so that it is reported once.
    failing: bool,
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
    /// Adverts have a socket of their own, so that no burst of announcements can fill their buffer.
    adverts: PacketSocket,
    bursts: PacketSocket,
    announcements: Announcements,
    actions: Vec<(Slot, Action)>,
    heard: Vec<Heard>,
    notices: UnboundedSender<Notice>,
    stopping: Stopping,
}

impl<D: Datapath> Driver<D> {
    async fn run(mut self, events: Events, mut commands: UnboundedReceiver<Command>) -> io::Result<()> {
        let mut timer = Timer::new()?;
        let mut ring = AsyncFd::with_interest(events, Interest::READABLE)?;
        loop {
            let drained = self.hear(ring.get_mut());
            self.expire();
            self.announce();
            if self.stopping == Stopping::HandingOver && self.all_stopped() {
                self.tell(Notice::Stopped);
                return Ok(());
            }
            if drained == EVENTS_A_TURN || !self.announcements.is_empty() {
                match commands.try_recv() {
                    Ok(command) => self.obey(command),
                    Err(TryRecvError::Empty) => {}
                    Err(TryRecvError::Disconnected) => return Ok(()),
                }
                continue;
            }
            timer.arm(self.node.next_deadline())?;
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
        let mut records = 0;
        while records < EVENTS_A_TURN {
            let Some(record) = events.next() else { break };
            records += 1;
            match record {
                Record::Advert { slot, heard } => self.feed(slot, heard),
                Record::Conflict { slot, addr, mac } => self.tell(Notice::Conflict { slot, addr, mac }),
                Record::Rejected { ifindex, from, mac, vrid, reason } => {
                    self.tell(Notice::Rejected { ifindex, from, mac, vrid, reason });
                }
            }
        }
        records
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
        if heard.priority > 0 && seen != attached.mismatch {
            attached.mismatch = seen;
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
        self.node.handle(clock::now(), slot, event, &mut actions);
        let mut next = 0;
        // Sending an advert appends the orders of its `AdvertSent` behind those that are under way.
        while let Some((slot, action)) = actions.get(next).cloned() {
            next += 1;
            self.perform(slot, action, &mut actions);
        }
        actions.clear();
        self.actions = actions;
    }

    fn perform(&mut self, slot: Slot, action: Action, actions: &mut Vec<(Slot, Action)>) {
        match action {
            Action::SetLease { until } => {
                self.datapath.set_lease(slot, until);
                if until == Time::ZERO {
                    self.announcements.cancel(slot);
                }
            }
            Action::SendAdvert { priority } => {
                if self.send(slot, priority) && priority > 0 {
                    let at = clock::now();
                    self.node.handle(at, slot, Event::AdvertSent { at }, actions);
                }
            }
            Action::Announce { vips, rounds } => self.announcements.push(slot, vips, rounds),
            Action::AcquireVips => self.tell(Notice::AcquireVips(slot)),
            Action::ReleaseVips => self.tell(Notice::ReleaseVips(slot)),
            Action::Notify(transition) => self.tell(Notice::Transition { slot, transition }),
        }
    }

    /// Sends an advert; true if it left, by unicast to at least one peer.
    fn send(&mut self, slot: Slot, priority: u8) -> bool {
        let Some(attached) = self.routers.get_mut(&slot) else { return false };
        let Some(outlet) = &attached.outlet else { return false };
        let message = if priority == 0 { &outlet.resign } else { &outlet.advert };
        let result = match message {
            Message::Multicast(frame) => {
                let sent = self.adverts.send([frame]);
                sent.error.map_or(Ok(()), Err)
            }
            Message::Unicast(peers) => {
                let mut result = Err(io::ErrorKind::NotConnected.into());
                for (peer, message) in peers {
                    match outlet.socket.send(message, *peer) {
                        Ok(()) => result = Ok(()),
                        Err(error) if result.is_err() => result = Err(error),
                        Err(_) => {}
                    }
                }
                result
            }
        };
        match result {
            Ok(()) => {
                attached.failing = false;
                true
            }
            Err(error) => {
                let news = !std::mem::replace(&mut attached.failing, true);
                if news {
                    self.tell(Notice::SendFailed { slot, what: "advert", error });
                }
                false
            }
        }
    }

    /// Sends one slice of what waits to be announced.
    fn announce(&mut self) {
        let Some((slot, vips)) = self.announcements.front() else { return };
        let outlet = self.routers.get(&slot).and_then(|attached| attached.outlet.as_ref());
        let Some(frames) = outlet.and_then(|outlet| outlet.announcements.get(vips)) else {
            self.announcements.cancel(slot);
            return;
        };
        let sent = self.bursts.send(frames);
        match sent.error {
            None => self.announcements.sent(sent.count),
            Some(error) if error.kind() == io::ErrorKind::WouldBlock => self.announcements.sent(sent.count),
            Some(error) => {
                // The interface went: its routers are told over netlink.
                self.announcements.cancel(slot);
                self.tell(Notice::SendFailed { slot, what: "announcement", error });
            }
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Insert { slot, config } => {
                self.node.insert(slot, Router::new(config));
                self.routers.insert(slot, Attached { fed: clock::now(), ..Attached::default() });
            }
            Command::Start { slot, source, outlet } => {
                if let Some(attached) = self.routers.get_mut(&slot) {
                    attached.outlet = Some(outlet);
                }
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
            Command::Inspect(answer) => drop(answer.send(self.node.iter().map(|(slot, router)| view(slot, router)).collect())),
        }
    }

    fn all_stopped(&self) -> bool {
        self.node.iter().all(|(_, router)| matches!(router.state(), State::Initialize { .. }))
    }

    fn tell(&self, notice: Notice) {
        // The supervisor outlives this thread; if it does not, there is nobody to tell.
        drop(self.notices.send(notice));
    }
}

fn view(slot: Slot, router: &Router) -> RouterView {
    RouterView {
        slot,
        state: router.state(),
        since: router.since(),
        source: router.source(),
        following: router.active_router(),
    }
}
