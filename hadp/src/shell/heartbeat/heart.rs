//! What is sent, and by whom it is decided: the state that both threads have turns with.

use std::{
    collections::BTreeMap,
    sync::{Arc, mpsc::TryRecvError},
    time::Duration,
};

use super::{
    beat::{Beat, Outcome},
    dice::Dice,
    ear::{Authentic, Ear},
    order::{Heard, Inbox, Order},
    relief::Relief,
    telling::{GuardTable, News, Record, carry_out, end, settle, show_pace},
};
use crate::{
    net::bfd_receive::{BfdReceiver, MAX_PACKET},
    proto::bfd::{Promises, SessionId, Transmission, Verdict},
    shell::clock,
    units::Time,
};

/// How long nothing is sent at its pace after something was sent, at the least, and as long as sending took. Real-time
/// threads that never sleep, as where packets take longer to send than their interval, would stop the rest of the machine,
/// elections included: so packets never take more than half of one CPU's time, unless answers alone take more.
pub(super) const REST: Duration = Duration::from_micros(30);
/// How many packets are taken from a socket before others get their turn.
const PACKETS_A_TURN: usize = 16;

/// Which of the two threads has a turn.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Hand {
    /// The one that sends.
    First,
    /// The one that sends what the first does not.
    Reserve,
}

/// How a turn ended.
#[derive(Debug)]
pub(super) struct Turn {
    /// When the next one is due, if no order comes before.
    pub(super) next: Option<Time>,
    /// Whether it was the last one.
    pub(super) is_last: bool,
}

/// The sessions, the guards, and what they need.
///
/// Each turn is under one lock, with all the times that [`Promises`] needs in their order: a thread that is
/// stopped within one keeps the other out, and both are late; one that is stopped outside keeps nobody from anything.
pub(super) struct Heart<G, H> {
    inbox: Inbox,
    beats: BTreeMap<SessionId, Beat>,
    promises: Promises,
    ears: Vec<Ear>,
    receivers: Arc<[BfdReceiver]>,
    table: G,
    heard: H,
    news: Box<dyn Fn(News) + Send>,
    dice: Dice,
    relief: Arc<Relief>,
    /// Nothing is sent before.
    rested: Time,
}

impl<G: GuardTable, H: Record> Heart<G, H> {
    /// Starts without sessions.
    pub(super) fn new(
        inbox: Inbox,
        table: G,
        heard: H,
        news: Box<dyn Fn(News) + Send>,
        relief: Arc<Relief>,
    ) -> Self {
        Self {
            inbox,
            beats: BTreeMap::new(),
            promises: Promises::default(),
            ears: Vec::new(),
            receivers: Arc::default(),
            table,
            heard,
            news,
            dice: Dice::new(clock::now().as_nanos()),
            relief,
            rested: Time::ZERO,
        }
    }

    /// Sends what is due, obeys what was ordered, and takes what the sockets have heard if they have.
    pub(super) fn turn(&mut self, hand: Hand, heard: bool) -> Turn {
        self.send_due(hand);
        let is_last = self.relief.is_stopped() || self.obey_waiting();
        if heard || (hand == Hand::Reserve && !self.ears.is_empty()) {
            self.hear();
        }
        self.look_at_guards();
        // Behind already, as where packets take longer to send than their interval: the rest comes first.
        let next = self.beats.values().filter_map(Beat::next).min().map(|next| next.max(self.rested));
        let next = next.into_iter().chain(self.promises.next_lapse()).min();
        let overdue = self.beats.values().filter_map(Beat::overdue).min();
        self.relief.expect(overdue.map(|overdue| overdue.max(self.rested + REST)));
        Turn { next, is_last }
    }

    /// Obeys what is waiting in the place of the thread that would.
    pub(super) fn obey_for_another(&mut self) {
        if self.obey_waiting() {
            self.relief.stop();
        }
    }

    /// Returns the sockets to wait for.
    pub(super) fn receivers(&self) -> &Arc<[BfdReceiver]> {
        &self.receivers
    }

    /// Sends every packet whose time has come.
    fn send_due(&mut self, hand: Hand) {
        let began = clock::now();
        if began < self.rested {
            return;
        }
        let mut sent = false;
        for beat in self.beats.values_mut() {
            let at = clock::now();
            let Some(due) = beat.next().filter(|due| *due <= at) else { continue };
            sent = true;
            let shown = &self.inbox.shown;
            shown.lateness.record(at.since(due));
            if hand == Hand::Reserve {
                shown.count_relief();
            }
            let outcome = beat.send_due(self.dice.roll(), at);
            let left = matches!(outcome, Outcome::Left);
            settle(&self.inbox, &self.news, beat.id, outcome);
            if !beat.guards.is_empty() {
                // Behind the packet: whether it left in time is known only now.
                let now = clock::now();
                for &guard in &beat.guards {
                    let verdict = match left {
                        true => self.promises.sent(guard, beat.id, at, beat.detected_after(), now),
                        false => self.promises.look(guard, now),
                    };
                    carry_out(&self.table, &self.news, &mut self.promises, guard, verdict);
                }
            }
            if let Some((asked, kept)) = beat.keep(at) {
                show_pace(&self.inbox, &self.news, beat.id, asked, kept);
            }
        }
        if sent {
            self.rest(began);
        }
    }

    /// Tells of every guard that has lapsed. A session that fell sends once a second, and what it promised before is over
    /// long before its next packet: a router that takes over meanwhile would serve nobody until then.
    fn look_at_guards(&mut self) {
        let now = clock::now();
        while let Some(guard) = self.promises.lapsed_by(now) {
            let verdict = self.promises.look(guard, now);
            carry_out(&self.table, &self.news, &mut self.promises, guard, verdict);
        }
    }

    /// Sends nothing at its pace for as long as it took to send since then.
    fn rest(&mut self, began: Time) {
        let now = clock::now();
        self.rested = self.rested.max(now + REST.max(now.since(began)));
    }

    /// Obeys every order there is, and tells whether the last one was to stop.
    fn obey_waiting(&mut self) -> bool {
        let began = clock::now();
        let mut sent = false;
        loop {
            match self.inbox.orders.try_recv() {
                Ok(Order::Stop) | Err(TryRecvError::Disconnected) => return true,
                Ok(order) => {
                    sent |= matches!(order, Order::SendNow(..));
                    self.obey(order);
                }
                Err(TryRecvError::Empty) => break,
            }
        }
        if sent {
            self.rest(began);
        }
        false
    }

    fn obey(&mut self, order: Order) {
        let now = clock::now();
        match order {
            Order::Socket(session, socket) => self.beat(session).socket = socket,
            Order::Guards(session, guards) => self.change_guards(session, guards, now),
            Order::Transmit(session, what) => {
                let luck = self.dice.roll();
                let beat = self.beat(session);
                beat.change(what, luck, now);
                let (guards, beside) = (beat.guards.clone(), beat.take_beside());
                for guard in guards {
                    let verdict = match (what, beside) {
                        (None, _) => self.promises.silence(guard, session, now),
                        (Some(Transmission { detected_after: Some(after), .. }), Some(at)) => {
                            self.promises.tighten(guard, session, at, after, now)
                        }
                        (Some(_), _) => Verdict::Keep,
                    };
                    carry_out(&self.table, &self.news, &mut self.promises, guard, verdict);
                }
            }
            Order::SendNow(session, control) => {
                let outcome = self.beat(session).send_now(&control, now);
                settle(&self.inbox, &self.news, session, outcome);
            }
            Order::Rearm(guard) => {
                let verdict = self.promises.rearm(guard, now);
                carry_out(&self.table, &self.news, &mut self.promises, guard, verdict);
            }
            Order::Reopen(guard, by) if now <= by => {
                let verdict = self.promises.reopen(guard, now);
                carry_out(&self.table, &self.news, &mut self.promises, guard, verdict);
            }
            Order::Ended(guard) if self.table.is_ended(guard) => {
                end(&self.table, &self.news, &mut self.promises, guard);
            }
            Order::Ended(_) | Order::Reopen(..) => {}
            Order::Listen(receivers) => self.receivers = receivers.into(),
            Order::Authenticate(session, heard) => self.authenticate(session, *heard),
            Order::Forget(session) => {
                self.change_guards(session, Vec::new(), now);
                self.beats.remove(&session);
                self.ears.retain(|ear| ear.id != session);
                self.inbox.shown.forget(session);
            }
            // The asker may have given up.
            Order::Obeyed(reply) => drop(reply.send(())),
            Order::Stop => {}
        }
    }

    fn change_guards(&mut self, session: SessionId, guards: Vec<u32>, now: Time) {
        let before = std::mem::replace(&mut self.beat(session).guards, guards.clone());
        for &guard in &guards {
            let verdict = self.promises.join(guard, session, now);
            carry_out(&self.table, &self.news, &mut self.promises, guard, verdict);
        }
        for guard in before.into_iter().filter(|guard| !guards.contains(guard)) {
            let verdict = self.promises.leave(guard, session, now);
            carry_out(&self.table, &self.news, &mut self.promises, guard, verdict);
        }
    }

    fn authenticate(&mut self, session: SessionId, heard: Heard) {
        let sequence = self.dice.roll();
        self.beat(session).seal(heard.auth.clone(), sequence);
        match self.ears.iter_mut().find(|ear| ear.id == session) {
            Some(ear) => ear.change(heard),
            None => self.ears.push(Ear::new(session, heard)),
        }
    }

    /// Takes what the sockets have heard.
    fn hear(&mut self) {
        let mut buffer = [0; MAX_PACKET];
        for receiver in &*self.receivers {
            // A flood of forged packets must not keep anything from leaving.
            for _ in 0..PACKETS_A_TURN {
                let Ok(Some(datagram)) = receiver.receive(&mut buffer) else { break };
                let now = clock::now();
                let heard = self.ears.iter_mut().find_map(|ear| Some((ear.id, ear.hear(&datagram, now)?)));
                let Some((id, Authentic { received, is_news })) = heard else { continue };
                self.heard.record(id, received);
                if is_news {
                    (self.news)(News::Packet(id, received));
                }
            }
        }
    }

    /// Returns the session's beat, a new one if it has none.
    fn beat(&mut self, session: SessionId) -> &mut Beat {
        self.beats.entry(session).or_insert_with(|| Beat::new(session))
    }
}
