//! The heartbeat's loop: wait, send, renew.

use std::{
    collections::BTreeMap,
    io,
    os::fd::{AsFd as _, BorrowedFd},
    sync::mpsc::TryRecvError,
    thread::{self, JoinHandle},
    time::Duration,
};

use nix::{
    poll::{PollFd, PollFlags, ppoll},
    sys::time::{TimeSpec, TimeValLike as _},
};
use tracing::error;

use super::{
    beat::{Beat, Outcome},
    ear::{Authentic, Ear},
    order::{Heard, Heartbeat, Inbox, Order, channels},
};
use crate::{
    model::Realtime,
    net::bfd_receive::{BfdReceiver, MAX_PACKET},
    proto::bfd::{Luck, Promises, Received, SessionId, Transmission, Verdict},
    shell::{
        clock,
        realtime::{self, Role},
    },
    units::Time,
};

/// How long the thread sleeps between any two packets, at the least.
const REST: Duration = Duration::from_micros(30);

/// Where guards are stored.
pub(crate) trait GuardTable: Send {
    /// Stores when a guard lapses: one store, no system call.
    fn renew(&self, guard: u32, until: Time);
}

impl GuardTable for crate::datapath::Guards {
    fn renew(&self, guard: u32, until: Time) {
        Self::renew(self, guard, until);
    }
}

/// Where authenticated packets are recorded.
pub(crate) trait Record: Send {
    /// Records a session's last packet.
    fn record(&self, session: SessionId, received: Received);
}

impl Record for crate::datapath::BfdSessions {
    fn record(&self, session: SessionId, received: Received) {
        Self::record(self, session, received);
    }
}

/// How many packets are taken from a socket before others get their turn.
const PACKETS_A_TURN: usize = 16;
/// How many sockets there are: two ports in two families.
const SOCKETS: usize = 4;

/// What the heartbeat tells.
#[derive(Debug)]
pub(crate) enum News {
    /// A guard has lapsed: every Active router of it must step down, and then the guard is to be re-armed.
    Lapsed(u32),
    /// A session's packets do not leave any more.
    Failing(SessionId, io::Error),
    /// An authenticated packet changes something, or polls.
    Packet(SessionId, Received),
}

/// What the heartbeat works with.
pub(crate) struct Parts<G, H> {
    /// `GUARDS`.
    pub(crate) guards: G,
    /// `BFD_SESSIONS`, for packets that are authenticated.
    pub(crate) heard: H,
    /// Who is told; must not wait.
    pub(crate) news: Box<dyn Fn(News) + Send>,
    /// How the thread is scheduled.
    pub(crate) realtime: Realtime,
}

/// Starts the heartbeat; it ends with [`Order::Stop`].
///
/// # Errors
///
/// When the thread or its descriptor cannot be created.
pub(crate) fn spawn<G: GuardTable + 'static, H: Record + 'static>(
    parts: Parts<G, H>,
) -> io::Result<(Heartbeat, JoinHandle<()>)> {
    let (heartbeat, inbox) = channels()?;
    let thread = thread::Builder::new().name("heartbeat".to_owned()).spawn(move || {
        realtime::enter(Role::Heartbeat, &parts.realtime);
        let thread = Thread {
            inbox,
            beats: BTreeMap::new(),
            promises: Promises::default(),
            ears: Vec::new(),
            receivers: Vec::new(),
            table: parts.guards,
            heard: parts.heard,
            news: parts.news,
            dice: Dice(clock::now().as_nanos() | 1),
        };
        if let Err(error) = thread.run() {
            error!(%error, "the heartbeat failed; neighbours find this node dead, and guards lapse");
        }
    })?;
    Ok((heartbeat, thread))
}

struct Thread<G, H> {
    inbox: Inbox,
    beats: BTreeMap<SessionId, Beat>,
    promises: Promises,
    ears: Vec<Ear>,
    receivers: Vec<BfdReceiver>,
    table: G,
    heard: H,
    news: Box<dyn Fn(News) + Send>,
    dice: Dice,
}

impl<G: GuardTable, H: Record> Thread<G, H> {
    fn run(mut self) -> io::Result<()> {
        loop {
            self.send_due();
            loop {
                match self.inbox.orders.try_recv() {
                    Ok(Order::Stop) | Err(TryRecvError::Disconnected) => return Ok(()),
                    Ok(order) => self.obey(order),
                    Err(TryRecvError::Empty) => break,
                }
            }
            let next = self.beats.values().filter_map(Beat::next).min();
            // Behind already, as where packets take longer to send than their interval: a thread above all others that never
            // sleeps would stop the rest of the machine, elections included.
            let rested = clock::now() + REST;
            self.wait(next.map(|next| next.max(rested)))?;
        }
    }

    /// Waits for an order, for the next packet's time, or for a packet.
    ///
    /// The time left is read right before it begins; ppoll(2) rounds nothing up for a real-time thread, nor for one whose
    /// timer slack is a nanosecond.
    fn wait(&mut self, next: Option<Time>) -> io::Result<()> {
        let left = next.map(|next| next.since(clock::now()));
        let timeout =
            left.map(|left| TimeSpec::nanoseconds(i64::try_from(left.as_nanos()).unwrap_or(i64::MAX)));
        let mut sources: [BorrowedFd<'_>; 1 + SOCKETS] = [self.inbox.as_fd(); 1 + SOCKETS];
        for (source, receiver) in sources.iter_mut().skip(1).zip(&self.receivers) {
            *source = receiver.as_fd();
        }
        let mut fds = sources.map(|source| PollFd::new(source, PollFlags::POLLIN));
        let count = 1 + self.receivers.len().min(SOCKETS);
        let ready = match ppoll(fds.get_mut(..count).unwrap_or_default(), timeout, None) {
            Ok(0) | Err(nix::errno::Errno::EINTR) => return Ok(()),
            Ok(_) => fds.map(|fd| fd.any().unwrap_or_default()),
            Err(errno) => return Err(errno.into()),
        };
        let [orders, packets @ ..] = ready;
        if orders {
            self.inbox.woken();
        }
        if packets.contains(&true) {
            self.hear();
        }
        Ok(())
    }

    /// Sends every packet whose time has come.
    fn send_due(&mut self) {
        for beat in self.beats.values_mut() {
            let at = clock::now();
            let Some(due) = beat.next().filter(|due| *due <= at) else { continue };
            self.inbox.shown.lateness.record(at.since(due));
            let outcome = beat.send_due(self.dice.roll(), at);
            let left = matches!(outcome, Outcome::Left);
            settle(&self.inbox, &self.news, beat.id, outcome);
            if beat.guards.is_empty() {
                continue;
            }
            // Behind the packet: whether it left in time is known only now.
            let now = clock::now();
            for &guard in &beat.guards {
                let verdict = match left {
                    true => self.promises.sent(guard, beat.id, at, beat.detected_after(), now),
                    false => self.promises.look(guard, now),
                };
                carry_out(&self.table, &self.news, guard, verdict);
            }
        }
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
                    carry_out(&self.table, &self.news, guard, verdict);
                }
            }
            Order::SendNow(session, control) => {
                let outcome = self.beat(session).send_now(&control, now);
                settle(&self.inbox, &self.news, session, outcome);
            }
            Order::Rearm(guard) => {
                let verdict = self.promises.rearm(guard, now);
                carry_out(&self.table, &self.news, guard, verdict);
            }
            Order::Listen(receivers) => self.receivers = receivers,
            Order::Authenticate(session, heard) => self.authenticate(session, *heard),
            Order::Stop => {}
        }
    }

    fn change_guards(&mut self, session: SessionId, guards: Vec<u32>, now: Time) {
        let before = std::mem::replace(&mut self.beat(session).guards, guards.clone());
        for &guard in &guards {
            self.promises.join(guard, session);
        }
        for guard in before.into_iter().filter(|guard| !guards.contains(guard)) {
            let verdict = self.promises.leave(guard, session, now);
            carry_out(&self.table, &self.news, guard, verdict);
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
        for receiver in &self.receivers {
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

/// Random numbers (xorshift): jitter keeps nodes out of step, no more.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> Luck {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 32) as Luck
    }
}

/// Counts a packet, and tells if it is news that it did not leave.
fn settle(inbox: &Inbox, news: &dyn Fn(News), session: SessionId, outcome: Outcome) {
    inbox.shown.count(session, matches!(outcome, Outcome::Left));
    if let Outcome::Failed(error) = outcome {
        news(News::Failing(session, error));
    }
}

fn carry_out<G: GuardTable>(table: &G, news: &dyn Fn(News), guard: u32, verdict: Verdict) {
    match verdict {
        Verdict::Store(until) => table.renew(guard, until),
        Verdict::Lapsed => news(News::Lapsed(guard)),
        Verdict::Keep => {}
    }
}

#[cfg(test)]
mod tests;
