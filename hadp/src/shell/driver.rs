//! The election thread: hears, decides, speaks.
//!
//! ```text
//!   a turn:  hear, expire, obey ──► feed: a state machine decides, and its lease is stored at once
//!                                     │ adverts                  │ the rest
//!            advertise ◄──────────────┘ (one batch)              │
//!            carry out ◄─────────────────────────────────────────┘  announcements, addresses (the placer is woken), notices
//!            speak                      (one batch of announcements)
//!            ring, tell                 (other threads are woken: heartbeat, supervisor)
//! ```
//!
//! However many routers a wake-up concerns, all their leases are stored before the first of them speaks, and no advert
//! waits for more than a batch of anything else.

use std::{
    collections::BTreeSet,
    io,
    sync::Arc,
    thread::{self, JoinHandle},
};

use tokio::{
    io::{Interest, unix::AsyncFd},
    sync::mpsc::{UnboundedReceiver, UnboundedSender},
};

use super::{
    attached::Attached,
    clock,
    lateness::Lateness,
    messages::{Command, Notice},
    orders::{Due, Orders},
    placer::{Placed, Placer},
    realtime::{self, Role, Turns},
    recorder::Recorder,
    stopping::Stopping,
    timer::Timer,
    vital::{Alarm, Vital},
    voice::{Advertised, Failure, Voice},
    watch::{Senses, Watch},
};
use crate::{
    companion::Lifeline,
    datapath::{Datapath, Events, Renewal},
    model::Realtime,
    proto::{Action, BySlot, Event, Heard, Node, Router, Slot, State},
    units::Time,
};

/// How many events are taken before timers get their turn.
pub(super) const EVENTS_A_TURN: usize = 64;

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
    /// How the thread is scheduled.
    pub(crate) realtime: Realtime,
    /// What its BFD sessions need.
    pub(crate) senses: Senses,
    /// Where it counts how late its timer wakes it up.
    pub(crate) lateness: Arc<Lateness>,
    /// Puts addresses on and takes them off.
    pub(crate) placer: Placer,
    /// How far it has come.
    pub(crate) placed: UnboundedReceiver<Placed>,
    /// Tells the companion of the thread's end.
    pub(crate) lifeline: Lifeline,
    /// Writes down what happens, if that is wanted.
    pub(crate) recorder: Option<Recorder>,
}

/// Starts the election thread.
///
/// # Errors
///
/// When the thread, its sockets or its timer cannot be created.
pub(crate) fn spawn<D: Datapath + Send + 'static>(parts: Parts<D>) -> io::Result<JoinHandle<()>> {
    let voice = Voice::open()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    Alarm::new(Vital::Election, parts.notices.clone()).spawn("election", move || {
        let Parts {
            datapath,
            events,
            commands,
            notices,
            realtime,
            senses,
            lateness,
            placer,
            placed,
            lifeline,
            recorder,
        } = parts;
        lifeline.hold();
        realtime::enter(Role::Election, &realtime);
        let turns = Turns::of_election(&realtime);
        let driver = Driver {
            node: Node::default(),
            routers: BySlot::default(),
            datapath,
            voice,
            orders: Orders::default(),
            actions: Vec::with_capacity(64),
            heard: Vec::with_capacity(16),
            batch: Vec::with_capacity(64),
            advertised: Vec::with_capacity(64),
            notices,
            told: Vec::with_capacity(64),
            placer,
            stopping: Stopping::No,
            leaving: BTreeSet::new(),
            watch: Watch::new(senses),
            lateness,
            recorder,
            turns,
        };
        runtime.block_on(driver.run(events, commands, placed))
    })
}

pub(super) struct Driver<D> {
    pub(super) node: Node,
    pub(super) routers: BySlot<Attached>,
    pub(super) datapath: D,
    pub(super) voice: Voice,
    pub(super) orders: Orders,
    pub(super) stopping: Stopping,
    /// Routers that have left the configuration and are being handed over.
    pub(super) leaving: BTreeSet<Slot>,
    pub(super) watch: Watch,
    lateness: Arc<Lateness>,
    pub(super) actions: Vec<(Slot, Action)>,
    /// Kept for its memory.
    pub(super) heard: Vec<Heard>,
    pub(super) batch: Vec<Due>,
    pub(super) advertised: Vec<Advertised>,
    notices: UnboundedSender<Notice>,
    /// What the supervisor has yet to be told.
    told: Vec<Notice>,
    pub(super) placer: Placer,
    pub(super) recorder: Option<Recorder>,
    /// Urgent, but where there is more to do than a turn.
    turns: Turns,
}

impl<D: Datapath> Driver<D> {
    async fn run(
        mut self,
        events: Events,
        mut commands: UnboundedReceiver<Command>,
        mut placed: UnboundedReceiver<Placed>,
    ) -> io::Result<()> {
        let mut timer = Timer::new()?;
        // SAFETY: `Events` owns its ring buffer and returns the same descriptor for as long as it lives.
        let mut ring = unsafe { AsyncFd::register_with_interest(events, Interest::READABLE) }?;
        loop {
            let heard = self.hear(ring.get_mut());
            self.expire_sessions();
            self.expire();
            let Some(obeyed) = self.obey_waiting(&mut commands) else { return Ok(()) };
            self.advertise();
            self.carry_out();
            self.let_leave();
            while let Ok(placed) = placed.try_recv() {
                self.note_placed(placed);
            }
            self.speak();
            self.watch.ring();
            if self.has_stopped() {
                self.tell(Notice::Stopped);
                self.tell_all();
                return Ok(());
            }
            let speaks = self.voice.next();
            let more = heard == EVENTS_A_TURN || obeyed > 0 || !self.orders.is_empty();
            if more || speaks == Some(Time::ZERO) {
                // The heartbeat sends at the same priority, and perhaps on this CPU, where the placer's first addresses may
                // wait too.
                self.turns.hurry(false);
                thread::yield_now();
                continue;
            }
            self.turns.hurry(true);
            self.tell_all();
            let farewell = match self.stopping {
                Stopping::Farewell(until) => Some(until),
                Stopping::No | Stopping::HandingOver => None,
            };
            let deadlines = [self.node.next_deadline(), self.watch.next_deadline(), speaks, farewell];
            timer.arm(deadlines.into_iter().flatten().min())?;
            tokio::select! {
                biased;
                fired = timer.fired() => if let Some(due) = fired? {
                    self.lateness.record(clock::now().since(due));
                },
                ready = ring.readable() => ready?.clear_ready(),
                Some(placed) = placed.recv() => self.note_placed(placed),
                command = commands.recv() => match command {
                    Some(command) => self.obey(command),
                    None => return Ok(()),
                },
            }
        }
    }

    /// Lets a thread go on that this one may keep from it on this CPU, once.
    pub(super) fn let_others_go_on(&mut self) {
        let hurried = self.turns.hurry(false);
        thread::yield_now();
        self.turns.hurry(hurried);
    }

    pub(super) fn is_active(&self, slot: Slot) -> bool {
        self.node.get(slot).is_some_and(|router| matches!(router.state(), State::Active { .. }))
    }

    /// Tells whether a router has a lease to lose: it is Active, or was until it resigned.
    pub(super) fn has_lease(&self, slot: Slot) -> bool {
        let has = |router: &Router| matches!(router.state(), State::Active { .. } | State::Resigning { .. });
        self.node.get(slot).is_some_and(has)
    }

    /// Runs every deadline that has passed by now; each router has one turn.
    fn expire(&mut self) {
        let now = clock::now();
        while let Some(slot) = self.node.due(now) {
            self.tell_heard(slot);
            self.feed(slot, Event::Timeout);
        }
    }

    /// Tells one router one event: stores what it decides about its lease, and queues the rest.
    ///
    /// Its last advert leaves first if it has not: what became of that the state machine is told before anything else.
    pub(super) fn feed(&mut self, slot: Slot, event: Event) {
        self.settle(slot);
        // Before it goes on as Active on the strength of a promise that was broken.
        if event != Event::Revoked && self.is_active(slot) && !self.outlives_until(slot, event) {
            self.handle(slot, Event::Revoked, clock::now());
        }
        self.handle(slot, event, clock::now());
    }

    /// Sends the advert of a router that waits, if one does, and tells the state machine what became of it.
    pub(super) fn settle(&mut self, slot: Slot) {
        if let Some(due) = self.orders.take(slot) {
            self.batch.push(due);
            self.send_batch();
        }
    }

    /// Applies an event.
    pub(super) fn handle(&mut self, slot: Slot, event: Event, now: Time) {
        let mut actions = std::mem::take(&mut self.actions);
        self.node.handle(now, slot, event, &mut actions);
        if let Some(recorder) = &mut self.recorder {
            recorder.told(now, slot, event, &actions, &self.node);
        }
        self.conduct(slot, actions, now);
    }

    /// Stores what a state machine has decided about its lease, and queues the rest.
    pub(super) fn conduct(&mut self, slot: Slot, mut actions: Vec<(Slot, Action)>, now: Time) {
        let (mut lost, mut gained) = (false, false);
        for (slot, action) in actions.drain(..) {
            gained |= matches!(action, Action::SetLease { until } if until > Time::ZERO);
            lost |= self.order(slot, action, now) == Renewal::Revoked;
        }
        self.actions = actions;
        if gained {
            // Of a lapse from before the takeover, it would serve nobody. Where it does not outlive that, it soon hears of it.
            self.outlives(slot);
        }
        if lost {
            self.revoked(slot);
        }
        self.answer(slot);
    }

    /// Tells a state machine that its lease is gone: first what the datapath heard, since who yields to a router it
    /// knows of hands over without losing a packet.
    pub(super) fn revoked(&mut self, slot: Slot) {
        let heard = self.take_heard(slot);
        for advert in &heard {
            self.handle(slot, Event::Advert(*advert), clock::now());
        }
        self.heard = heard;
        if self.has_lease(slot) {
            self.handle(slot, Event::Revoked, clock::now());
        }
    }

    /// Carries an order out if it is a store, which costs less than to remember it; queues any other one.
    fn order(&mut self, slot: Slot, action: Action, decided: Time) -> Renewal {
        match action {
            Action::SetLease { until } => {
                self.datapath.set_lease(slot, until);
                if let Some(attached) = self.routers.get_mut(slot) {
                    attached.note_lease(until, decided);
                }
                if until == Time::ZERO {
                    self.voice.hush(slot);
                }
            }
            Action::RenewLease { until } => return self.datapath.renew_lease(slot, until),
            Action::Drain { until } => self.datapath.set_drain(slot, until),
            Action::SendAdvert { priority: 0 } => {
                self.datapath.resign(slot);
                // An announcement behind the resignation could follow the successor's.
                self.voice.hush(slot);
                self.orders.change(Due { slot, priority: 0 });
            }
            Action::SendAdvert { priority } => {
                let due = Due { slot, priority };
                let takes_over = self.routers.get_mut(slot).is_some_and(|attached| {
                    attached.alone = attached.is_taking_over();
                    attached.alone
                });
                if takes_over { self.orders.change(due) } else { self.orders.go_on(due) }
            }
            Action::Announce { .. } | Action::AcquireVips | Action::ReleaseVips | Action::Notify(_) => {
                let precedes = action == Action::AcquireVips
                    && self.routers.get(slot).is_some_and(|attached| !attached.has_lease());
                self.orders.later(slot, action);
                if precedes {
                    // It is to own them from the advert on, which is still to leave; what was ordered before comes before.
                    self.carry_out();
                }
            }
        }
        Renewal::Stored
    }

    pub(super) fn tell_failure(&mut self, Failure { slot, what, error }: Failure) {
        self.tell(Notice::SendFailed { slot, what, error });
    }

    /// Has the supervisor told, once there is nothing else to do: to wake it takes longer than to send an advert.
    pub(super) fn tell(&mut self, notice: Notice) {
        self.told.push(notice);
    }

    fn tell_all(&mut self) {
        for notice in self.told.drain(..) {
            // The supervisor outlives this thread; if it does not, there is nobody to tell.
            drop(self.notices.send(notice));
        }
    }
}
