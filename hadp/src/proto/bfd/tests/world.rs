//! Two ends on a virtual clock: sessions, the datapath's record of each, the threads that send, and the link.

use std::collections::BTreeMap;

use hadp_common::wire::bfd::check;

use super::*;
use crate::proto::bfd::jitter;

/// One end.
pub(super) struct End {
    pub(super) session: Session,
    /// A process that does not run neither sends nor handles events; its datapath goes on recording.
    pub(super) frozen: bool,
    pub(super) changes: Vec<(Time, SessionState, SessionState, Diag)>,
    /// Until when the other end believes in this one, if packets are not lost: that of the last one sent.
    pub(super) promise: Option<Time>,
    pub(super) sent: usize,
    transmission: Option<Transmission>,
    last_sent: Time,
    next_send: Option<Time>,
    record: Option<Received>,
    missed: bool,
    last_arrival: Time,
}

impl End {
    fn reading(&self) -> Option<Event> {
        self.session.reading(self.record?)
    }
}

pub(super) struct World {
    pub(super) now: Time,
    pub(super) ends: [End; 2],
    /// How many of a hundred packets to each end are lost.
    pub(super) loss: [u64; 2],
    /// How many of the next packets to each end are lost.
    pub(super) drop_next: [usize; 2],
    /// How many of the next Finals to each end are lost.
    pub(super) drop_finals: [usize; 2],
    /// The longest a packet is under way.
    pub(super) delay: Duration,
    flights: BTreeMap<(Time, u64), (usize, Control)>,
    serial: u64,
    seed: u64,
}

impl World {
    pub(super) fn new(seed: u64, configs: [Config; 2]) -> Self {
        let [first, second] = configs;
        let end = |config, discriminator| End {
            session: Session::new(config, discriminator, T0),
            frozen: false,
            changes: Vec::new(),
            promise: None,
            sent: 0,
            transmission: None,
            last_sent: T0,
            next_send: None,
            record: None,
            missed: false,
            last_arrival: T0,
        };
        let mut world = Self {
            now: T0,
            ends: [end(first, 0x101), end(second, 0x201)],
            loss: [0; 2],
            drop_next: [0; 2],
            drop_finals: [0; 2],
            delay: us(50),
            flights: BTreeMap::new(),
            serial: 0,
            seed: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
        };
        for end in 0..2 {
            world.tell(end, Event::Start);
        }
        world
    }

    /// Returns a number below `bound`, by xorshift.
    pub(super) fn random(&mut self, bound: u64) -> u64 {
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 7;
        self.seed ^= self.seed << 17;
        (self.seed >> 11) % bound.max(1)
    }

    pub(super) fn tell(&mut self, end: usize, event: Event) {
        let actions = tell(&mut self.ends[end].session, self.now, event);
        self.carry_out(end, actions);
    }

    pub(super) fn reconfigure(&mut self, end: usize, config: Config) {
        let mut actions = Vec::new();
        self.ends[end].session.reconfigure(self.now, config, &mut actions);
        self.carry_out(end, actions);
    }

    /// A new process with a new discriminator; whether its datapath remembers the neighbour's last packet.
    pub(super) fn restart(&mut self, end: usize, remembers: bool) {
        let this = &mut self.ends[end];
        let discriminator = this.session.discriminator() + 0x1_0000;
        this.session = Session::new(this.session.config().clone(), discriminator, self.now);
        (this.transmission, this.next_send, this.frozen) = (None, None, false);
        this.missed = false;
        if !remembers {
            this.record = None;
        }
        self.tell(end, Event::Start);
    }

    pub(super) fn thaw(&mut self, end: usize) {
        self.ends[end].frozen = false;
        // The events of all packets that were missed read the same record.
        if std::mem::take(&mut self.ends[end].missed)
            && let Some(received) = self.ends[end].record
        {
            self.tell(end, Event::Packet(received));
        }
    }

    /// Lets everything up to `until` happen.
    pub(super) fn run(&mut self, until: Time) {
        loop {
            let flight = self.flights.keys().next().map(|(at, _)| *at);
            let running = || self.ends.iter().filter(|end| !end.frozen);
            let send = running().filter_map(|end| end.next_send).min();
            let due = running().filter_map(|end| end.session.next_deadline()).min();
            let next = [flight, send, due].into_iter().flatten().min();
            let Some(at) = next.filter(|at| *at <= until) else { break };
            self.now = self.now.max(at);
            self.step();
        }
        self.now = until;
    }

    pub(super) fn run_for(&mut self, span: Duration) {
        self.run(self.now + span);
    }

    fn step(&mut self) {
        while let Some((key, (end, control))) =
            self.flights.first_key_value().map(|(key, flight)| (*key, *flight))
        {
            if key.0 > self.now {
                break;
            }
            self.flights.remove(&key);
            self.arrive(end, control);
        }
        for end in 0..2 {
            if self.ends[end].frozen {
                continue;
            }
            if let Some(told) = self.ends[end].transmission
                && self.ends[end].next_send.is_some_and(|at| at <= self.now)
            {
                self.send(end, told.control);
                self.schedule(end);
            }
            if self.ends[end].session.next_deadline().is_some_and(|at| at <= self.now) {
                if let Some(event) = self.ends[end].reading() {
                    self.tell(end, event);
                }
                self.tell(end, Event::Timeout);
                assert!(self.ends[end].session.next_deadline().is_none_or(|at| at > self.now), "no progress");
            }
        }
    }

    /// The datapath: checks, records, and tells what changed.
    fn arrive(&mut self, end: usize, control: Control) {
        let now = self.now;
        let this = &mut self.ends[end];
        let [version_diag, state_flags, multiplier, length, ..] = control.encode(24);
        let head = [version_diag, state_flags, multiplier, length];
        assert_eq!(
            check(head, control.my_discriminator, control.your_discriminator, 24),
            Ok(()),
            "{control:?}"
        );
        if control.your_discriminator != 0 && control.your_discriminator != this.session.discriminator() {
            return;
        }
        let plain = |control: Control| Control { flags: control.flags & !(POLL | FINAL), ..control };
        let known = this.record.is_some_and(|last| plain(last.control) == plain(control));
        let received = Received { at: now, control };
        this.record = Some(received);
        if known && control.flags & (POLL | FINAL) == 0 {
            return;
        }
        if this.frozen {
            this.missed = true;
        } else {
            self.tell(end, Event::Packet(received));
        }
    }

    fn carry_out(&mut self, end: usize, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Transmit(transmission) => {
                    self.ends[end].transmission = transmission;
                    self.schedule(end);
                }
                Action::SendNow(control) => self.send(end, control),
                Action::Changed { from, to, diag } => {
                    let now = self.now;
                    self.ends[end].changes.push((now, from, to, diag));
                    self.check_promise(1 - end, from, diag);
                }
                Action::Settled => {}
            }
        }
    }

    /// Whoever is given up for silence had made no promise that still counts; where packets get lost, nothing is promised.
    fn check_promise(&self, silent: usize, from: SessionState, diag: Diag) {
        let lossless = self.loss == [0; 2] && self.drop_next == [0; 2];
        if lossless && from == Up && diag == Diag::DetectionTimeExpired {
            let promise = self.ends[silent].promise;
            assert!(promise.is_none_or(|until| until <= self.now), "{:?}: promised {promise:?}", self.now);
        }
    }

    /// Plans the next packet an interval after the last one, as the sending thread does.
    fn schedule(&mut self, end: usize) {
        let random = self.random(u64::from(u32::MAX)) as u32;
        let now = self.now;
        let this = &mut self.ends[end];
        let wait = |told: Transmission| jitter(told.every, told.control.multiplier, random);
        this.next_send = this.transmission.map(|told| (this.last_sent + wait(told)).max(now));
    }

    fn send(&mut self, end: usize, control: Control) {
        let now = self.now;
        let this = &mut self.ends[end];
        this.sent += 1;
        this.last_sent = now;
        let told = this.session.transmission();
        this.promise = told.and_then(|told| told.detected_after).map(|wait| now + wait);
        let to = 1 - end;
        let lost = self.random(100) < self.loss[to];
        let delay = us(self.random(u64::try_from(self.delay.as_micros()).unwrap()));
        if self.drop_next[to] > 0 {
            self.drop_next[to] -= 1;
        } else if control.flags & FINAL != 0 && self.drop_finals[to] > 0 {
            self.drop_finals[to] -= 1;
        } else if !lost {
            self.serial += 1;
            // A link does not reorder.
            let at = (now + delay).max(self.ends[to].last_arrival);
            self.ends[to].last_arrival = at;
            self.flights.insert((at, self.serial), (to, control));
        }
    }

    pub(super) fn states(&self) -> [SessionState; 2] {
        [self.ends[0].session.state(), self.ends[1].session.state()]
    }
}
