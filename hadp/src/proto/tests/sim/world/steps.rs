//! What happens to the nodes, one thing after another.

use super::*;

impl World {
    /// Lets the next thing happen, unless it is later than `end`.
    pub(super) fn step(&mut self, end: Time) -> bool {
        let Some(Reverse((at, sequence))) = self.queue.peek().copied() else { return false };
        if at > end {
            return false;
        }
        self.queue.pop();
        self.now = at;
        let (host, happening) = self.happenings.remove(&sequence).unwrap();
        match happening {
            Happening::Wake(alarm) if alarm == self.hosts[host].alarms => self.wake(host),
            Happening::Wake(_) => {}
            Happening::Arrival(heard) => self.arrive(host, heard),
            Happening::Event(heard) => match self.hosts[host].process {
                Process::Running => self.tell(host, Event::Advert(heard)),
                Process::Paused => self.hosts[host].ring.push(heard),
                Process::Dead => {}
            },
            Happening::Respawn => self.respawn(host),
            Happening::Fault(fault) => self.befall(host, fault),
            Happening::Resume => self.resume(host),
            Happening::LinkUp => {
                self.hosts[host].link = true;
                self.start(host);
            }
            Happening::Unmute => self.hosts[host].mute = false,
            Happening::Restart => self.start(host),
        }
        true
    }

    /// Starts the protocol, which a node does only with its link up.
    pub(in super::super) fn start(&mut self, host: usize) {
        if self.hosts[host].link {
            self.tell(host, Event::Startup { source: address(host) });
        }
    }

    /// The datapath hears an advert: it records it, yields to a higher rank by itself, and raises an event if an
    /// election may change.
    fn arrive(&mut self, host: usize, heard: Heard) {
        let now = self.now;
        let this = &mut self.hosts[host];
        if !this.link {
            return;
        }
        let last = this.peers.insert(heard.from, heard);
        let owner = this.owns(now);
        if owner && (heard.priority, heard.from) > (this.priority(), address(host)) {
            this.revoke(now);
        }
        if owner || last.is_none_or(|last| last.priority != heard.priority) {
            let late = self.random(self.max_delay.as_nanos() as u64 / 8);
            self.push(now + Duration::from_nanos(late), host, Happening::Event(heard));
        }
    }

    /// The driver's loop.
    pub(in super::super) fn wake(&mut self, host: usize) {
        self.hosts[host].alarm = None;
        let mut turns = 0;
        while self.hosts[host].process == Process::Running && self.hosts[host].node.due(self.now).is_some() {
            turns += 1;
            assert!(turns < 4, "no progress");
            // An advert can arrive right after they were read.
            if self.hosts[host].state() != "Active" || self.random(2) == 0 {
                for heard in self.recorded(host) {
                    self.tell(host, Event::Advert(heard));
                }
            }
            self.tell(host, Event::Timeout);
        }
        self.set_alarm(host);
    }

    /// Returns what the datapath has recorded of every sender, oldest first.
    fn recorded(&self, host: usize) -> Vec<Heard> {
        let mut peers: Vec<Heard> = self.hosts[host].peers.values().copied().collect();
        peers.sort_by_key(|heard| heard.at);
        peers
    }

    fn set_alarm(&mut self, host: usize) {
        let deadline = self.hosts[host].node.next_deadline();
        if self.hosts[host].process == Process::Running && deadline != self.hosts[host].alarm {
            self.hosts[host].alarm = deadline;
            self.hosts[host].alarms += 1;
            let alarm = self.hosts[host].alarms;
            if let Some(at) = deadline {
                let late = self.random(self.max_delay.as_nanos() as u64 / 4);
                self.push(at.max(self.now) + Duration::from_nanos(late), host, Happening::Wake(alarm));
            }
        }
    }

    pub(in super::super) fn tell(&mut self, host: usize, event: Event) {
        if self.hosts[host].process != Process::Running {
            return;
        }
        let mut out = Vec::new();
        self.hosts[host].node.handle(self.now, SLOT, event, &mut out);
        let mut next = 0;
        // As in the driver, what an answer orders comes behind what is under way.
        while let Some((_, action)) = out.get(next).cloned() {
            next += 1;
            self.trace.push((self.now, host, action.clone()));
            self.perform(host, action, &mut out);
        }
        let now = self.now;
        let this = &mut self.hosts[host];
        if std::mem::take(&mut this.announcing) {
            assert!(this.lease != Time::ZERO, "announced without a lease");
        }
        let owns = ["Active", "Resigning"].contains(&this.state());
        assert_eq!(this.vips, owns || this.router().drain.is_some(), "{:?}", this.router());
        assert!(owns || !this.owns(now), "a lease outlives its state");
        assert!(this.vips || this.drain <= now, "traffic is admitted to addresses that are gone");
        self.set_alarm(host);
    }

    fn perform(&mut self, host: usize, action: Action, out: &mut Vec<(Slot, Action)>) {
        let now = self.now;
        let this = &mut self.hosts[host];
        match action {
            Action::SetLease { until } => {
                this.set_lease(now, until);
                this.announcing &= until != Time::ZERO;
            }
            Action::RenewLease { until } => {
                if !this.renew_lease(now, until) {
                    self.refused(host, out);
                }
            }
            Action::Drain { until } => this.drain = until,
            Action::SendAdvert { priority } => {
                this.announcing &= priority > 0;
                let answer = self.send(host, priority);
                if priority > 0 {
                    self.hosts[host].node.handle(now, SLOT, answer, out);
                }
            }
            Action::Announce { .. } => this.announcing = true,
            Action::AcquireVips => {
                // Before it owns, it only makes itself ready to.
                assert!(
                    !this.mute
                        || this.lease == Time::ZERO
                        || out.iter().any(|(_, other)| *other == resumed()),
                    "taken over without a word"
                );
                this.vips = true;
            }
            Action::ReleaseVips => this.vips = false,
            Action::Notify(_) => {}
        }
    }

    /// Tells a router whose renewal the datapath refused what it heard, and, unless that is enough, that its lease is gone.
    fn refused(&mut self, host: usize, out: &mut Vec<(Slot, Action)>) {
        self.refusals += 1;
        let mut events: Vec<Event> = self.recorded(host).into_iter().map(Event::Advert).collect();
        if self.random(4) == 0 {
            events.clear();
        }
        for event in events {
            self.hosts[host].node.handle(self.now, SLOT, event, out);
        }
        if ["Active", "Resigning"].contains(&self.hosts[host].state()) {
            self.hosts[host].node.handle(self.now, SLOT, Event::Revoked, out);
        }
    }

    /// Sends an advert, and returns what the router is told of it.
    fn send(&mut self, host: usize, priority: u8) -> Event {
        if self.hosts[host].mute {
            return Event::AdvertFailed;
        }
        let sent = Event::AdvertSent { at: self.now };
        if !self.hosts[host].link {
            return sent;
        }
        for other in (0..self.hosts.len()).filter(|other| *other != host) {
            let delay = self.max_delay.as_nanos() as u64 * 3 / 4;
            let delay = Duration::from_nanos(delay / 4 + self.random(delay * 3 / 4));
            if self.random(100) >= self.loss {
                // A link does not reorder what one node sends to another.
                let last = self.link.entry((host, other)).or_default();
                let at = (self.now + delay).max(*last + Duration::from_nanos(1));
                *last = at;
                let heard =
                    Heard { at, from: address(host), interval: self.interval, ..heard(at, 0, priority) };
                self.push(at, other, Happening::Arrival(heard));
            }
        }
        sent
    }
}
