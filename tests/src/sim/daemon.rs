//! What the daemon does: told, woken and obeyed as `shell::driver` does it.

use std::time::Duration;

use hadp::{
    proto::{Action, Addresses, Config, Event, Reason, Reconfiguration, Router, Slot},
    units::Time,
};

use super::{
    datapath::Report,
    mutation::Mutation,
    plan::VIPS,
    world::{Happening, World},
};

impl World {
    /// An alarm rings, unless another one was set since.
    pub(super) fn alarm(&mut self, host: usize, alarm: u32) {
        let Some(this) = self.hosts.get_mut(host) else { return };
        if !this.runs() {
            return;
        }
        let Some(daemon) = this.daemon.as_mut().filter(|daemon| daemon.alarms == alarm) else { return };
        daemon.alarm = None;
        self.wake(host);
    }

    /// Runs every deadline that has passed.
    pub(super) fn wake(&mut self, host: usize) {
        if self.mutation == Some(Mutation::TimerNever) && self.now > self.plan.quiet_at {
            return;
        }
        self.wake_early(host);
        self.expire_sessions(host);
        for _ in 0..64 {
            let now = self.local(host);
            let Some(this) = self.hosts.get(host).filter(|host| host.runs()) else { return };
            let Some(daemon) = &this.daemon else { return };
            let Some(slot) = daemon.node.due(now) else { return self.set_alarm(host) };
            let index = slot.index() as usize;
            self.catch_up(host, index);
            self.tell(host, index, Event::Timeout);
        }
        self.broken.push(format!("host {host} makes no progress"));
    }

    /// Tells a router of what the datapath has heard and may not have told.
    pub(super) fn catch_up(&mut self, host: usize, slot: usize) {
        let Some(this) = self.hosts.get(host) else { return };
        let Some(since) = this.daemon.as_ref().map(|daemon| daemon.since) else { return };
        for heard in this.datapath.heard_since(slot, since) {
            self.tell(host, slot, Event::Advert(heard));
        }
    }

    /// How much too early a mutation lets Active_Down_Timer fire.
    fn earliness(&self, host: usize, slot: usize) -> Duration {
        let config = self.hosts.get(host).and_then(|host| host.configs.get(slot));
        match (self.mutation, config) {
            (Some(Mutation::TimerEarly), _) => self.plan.interval(),
            (Some(Mutation::SkewForgotten), Some(config)) => config.skew(config.interval),
            _ => Duration::ZERO,
        }
    }

    /// Lets the timers of Backups fire that a mutation takes for due.
    fn wake_early(&mut self, host: usize) {
        for slot in 0..self.plan.routers.len() {
            let early = self.earliness(host, slot);
            let now = self.local(host) + early;
            let Some(this) = self.hosts.get(host).filter(|host| host.runs() && !early.is_zero()) else {
                return;
            };
            let due = this.router(slot).and_then(Router::next_deadline).is_some_and(|at| at <= now);
            let Some(since) = this.daemon.as_ref().map(|daemon| daemon.since) else { return };
            if due && this.state(slot) == "Backup" {
                for heard in this.datapath.heard_since(slot, since) {
                    self.tell(host, slot, Event::Advert(heard));
                }
                self.tell_at(host, slot, Event::Timeout, now);
            }
        }
    }

    /// Takes what the datapath reported.
    pub(super) fn read_events(&mut self, host: usize) {
        loop {
            let Some(this) = self.hosts.get_mut(host).filter(|host| host.runs()) else { return };
            match this.datapath.ring.pop_front() {
                Some(Report::Advert(slot, heard)) => self.tell(host, slot, Event::Advert(heard)),
                Some(Report::Bfd(id, received)) => self.hear_session(host, id, received),
                None => return,
            }
        }
    }

    /// Tells a router something, and carries out what it orders.
    pub(super) fn tell(&mut self, host: usize, slot: usize, event: Event) {
        let now = self.local(host);
        let active = self.hosts.get(host).is_some_and(|host| host.state(slot) == "Active");
        // Before it goes on as Active on the strength of a promise that was broken.
        if event != Event::Revoked && active && !self.outlives_until(host, slot, event) {
            self.tell_at(host, slot, Event::Revoked, now);
        }
        self.tell_at(host, slot, event, now);
    }

    /// Tells a router something at what it takes for now.
    pub(super) fn tell_at(&mut self, host: usize, slot: usize, event: Event, now: Time) {
        let Some(place) = Slot::new(slot as u32) else { return };
        let Some(this) = self.hosts.get_mut(host).filter(|host| host.runs()) else { return };
        let before = this.state(slot);
        let Some(daemon) = &mut this.daemon else { return };
        let mut out = Vec::new();
        daemon.node.handle(now, place, event, &mut out);
        self.carry_through(host, slot, (event, before), out, now);
    }

    /// Has a router take up another configuration, as a reload does.
    pub(super) fn reconfigure(&mut self, host: usize, slot: usize, config: Config) {
        let now = self.local(host);
        let active = self.hosts.get(host).is_some_and(|host| host.state(slot) == "Active");
        if active && !self.outlives(host, slot) {
            self.tell_at(host, slot, Event::Revoked, now);
        }
        let Some(place) = Slot::new(slot as u32) else { return };
        let Some(this) = self.hosts.get_mut(host).filter(|host| host.runs()) else { return };
        let before = this.state(slot);
        let Some(daemon) = &mut this.daemon else { return };
        if daemon.node.get(place).is_none_or(|router| *router.config() == config) {
            return;
        }
        let mut out = Vec::new();
        let event = Event::Priority(config.priority);
        let change = Reconfiguration { config, addresses: Addresses::Same };
        daemon.node.reconfigure(now, place, change, &mut out);
        self.carry_through(host, slot, (event, before), out, now);
    }

    /// Carries out what a router has ordered.
    fn carry_through(
        &mut self,
        host: usize,
        slot: usize,
        (event, before): (Event, &'static str),
        mut out: Vec<(Slot, Action)>,
        now: Time,
    ) {
        let Some(place) = Slot::new(slot as u32) else { return };
        if std::env::var_os("HADP_SIM_TRACE").is_some() {
            eprintln!(
                "{:12.6} host {host} router {slot} {before}: {event:?} -> {out:?}",
                self.now.as_nanos() as f64 / 1e6
            );
        }
        let mut done = Done::default();
        let mut next = 0;
        // As in the driver, what an answer orders comes behind what is under way.
        while let Some((_, action)) = out.get(next).cloned() {
            next += 1;
            if let Some(answer) = self.perform(host, slot, action, now, &mut done)
                && let Some(daemon) = self.hosts.get_mut(host).and_then(|host| host.daemon.as_mut())
            {
                daemon.node.handle(now, place, answer, &mut out);
            }
        }
        self.check(host, slot, event, before, &done);
        if done.lost {
            self.revoked(host, slot, now);
        }
        if done.leased {
            self.outlives(host, slot);
        }
        self.set_alarm(host);
    }

    /// Tells a router that its lease is gone: first what the datapath heard.
    fn revoked(&mut self, host: usize, slot: usize, now: Time) {
        let Some(this) = self.hosts.get(host) else { return };
        let Some(since) = this.daemon.as_ref().map(|daemon| daemon.since) else { return };
        self.hushed = true;
        for heard in this.datapath.heard_since(slot, since) {
            self.tell_at(host, slot, Event::Advert(heard), now);
        }
        self.hushed = false;
        if self.hosts.get(host).is_some_and(|host| ["Active", "Resigning"].contains(&host.state(slot))) {
            self.tell_at(host, slot, Event::Revoked, now);
        }
    }

    /// Carries an order out, and returns what the router is told of it.
    fn perform(
        &mut self,
        host: usize,
        slot: usize,
        action: Action,
        now: Time,
        done: &mut Done,
    ) -> Option<Event> {
        let mutation = self.mutation;
        let interval = self.plan.interval();
        let longer = |until: Time| match mutation {
            Some(Mutation::LeaseTooLong) => until + interval * 2,
            _ => until,
        };
        let this = self.hosts.get_mut(host)?;
        match action {
            Action::SetLease { until } => {
                let until = if until == Time::ZERO { until } else { longer(until) };
                done.leased |= until > Time::ZERO;
                let entry = this.datapath.slots.get_mut(slot)?;
                (entry.lease, entry.resigned) = (until, false);
                self.note(host, slot, None);
                None
            }
            Action::RenewLease { until } => {
                let renewed = this.datapath.renew(slot, longer(until), false);
                self.note(host, slot, None);
                done.lost |= !renewed;
                None
            }
            Action::Drain { until } => {
                let until = match mutation {
                    Some(Mutation::DrainEndless) if until > Time::ZERO => Time::from_nanos(u64::MAX),
                    Some(Mutation::DrainForgotten) => Time::ZERO,
                    _ => until,
                };
                this.datapath.slots.get_mut(slot)?.drain = until;
                None
            }
            Action::SendAdvert { priority: 0 } => {
                done.resigned = true;
                if mutation != Some(Mutation::ResignationUnmarked) {
                    this.datapath.slots.get_mut(slot)?.resigned = true;
                }
                if mutation != Some(Mutation::ResignationForgotten) {
                    self.send(host, slot, 0);
                } else {
                    done.resigned = false;
                }
                None
            }
            Action::SendAdvert { priority } => {
                let sent = self.send(host, slot, priority);
                if let Some(stuck) = self.stuck(host, slot, now) {
                    return Some(stuck);
                }
                if sent || mutation == Some(Mutation::RenewalWithoutAdvert) {
                    done.advertised = true;
                    Some(Event::AdvertSent { at: now })
                } else {
                    Some(Event::AdvertFailed)
                }
            }
            Action::Announce { vips, rounds } => {
                let owns = this.datapath.slots.get(slot)?.is_leased(this.clock.shows(self.now));
                if !owns && !self.hushed && now == this.clock.shows(self.now) {
                    self.broken.push(format!("router {slot}: host {host} announces what it does not own"));
                }
                done.announced |=
                    vips == (0..VIPS) && rounds > 0 && mutation != Some(Mutation::AnnouncementForgotten);
                None
            }
            Action::AcquireVips => {
                if mutation != Some(Mutation::AcquireForgotten) {
                    *this.vips.get_mut(slot)? = true;
                }
                None
            }
            Action::ReleaseVips => {
                if mutation != Some(Mutation::ReleaseForgotten) {
                    *this.vips.get_mut(slot)? = false;
                }
                None
            }
            Action::Notify(transition) => {
                self.transitions.push((
                    self.now,
                    host,
                    format!("router {slot}: {} -> {}: {}", transition.from, transition.to, transition.reason),
                ));
                if transition.reason == Reason::BfdDown {
                    self.summary.bfd_takeovers += 1;
                }
                if transition.from == "Active" {
                    self.taking_over.remove(&(host, slot));
                }
                if transition.to == "Active" {
                    done.active = Some(transition.reason);
                    self.note(host, slot, Some(transition.reason));
                }
                None
            }
        }
    }

    /// Checks what was owed.
    fn check(&mut self, host: usize, slot: usize, event: Event, before: &'static str, done: &Done) {
        let Some(this) = self.hosts.get(host) else { return };
        let now = this.clock.shows(self.now);
        let (after, vips) = (this.state(slot), this.vips.get(slot).copied().unwrap_or_default());
        let entry = this.datapath.slots.get(slot);
        let (owns, admits) = (entry.is_some_and(|e| e.is_leased(now)), entry.is_some_and(|e| e.admits(now)));
        let mut owed = Vec::new();
        match done.active {
            Some(Reason::Resumed) => self.summary.resumed += 1,
            Some(_) if before != "Active" || done.advertised => {
                self.summary.takeovers += 1;
                if !done.announced {
                    owed.push("an announcement of every address");
                }
                if !vips {
                    owed.push("its addresses");
                }
            }
            Some(_) | None => {}
        }
        if before == "Active" && matches!(event, Event::Shutdown | Event::Resign) && after == "Resigning" {
            self.summary.handovers += 1;
            self.handovers.push((self.now, slot, host));
            if !done.resigned {
                owed.push("priority 0");
            }
        }
        // A successor was heard: what is under way is still for this node.
        let heard = matches!(event, Event::Advert(heard) if heard.priority > 0);
        if heard
            && ["Active", "Resigning"].contains(&before)
            && ["Backup", "Initialize"].contains(&after)
            && !admits
            && vips
        {
            owed.push("a drain");
        }
        if ["Backup", "Initialize"].contains(&after) && owns && before != after {
            owed.push("the end of its lease");
        }
        if !vips && after == "Active" && done.active.is_some() {
            owed.push("its addresses");
        }
        for owed in owed {
            self.broken.push(format!(
                "router {slot}: host {host} owes {owed}: {before} -> {after} on {event:?} at {} ns",
                self.now.as_nanos()
            ));
        }
    }

    /// Sets the alarm for the next deadline, a little late as every timer is.
    pub(super) fn set_alarm(&mut self, host: usize) {
        let late = self.rng.below(self.plan.lateness().as_nanos() as u64);
        let slots = 0..self.plan.routers.len();
        let early = slots.map(|slot| self.earliness(host, slot)).max().unwrap_or_default();
        let (now, impatience) = (self.now, self.impatience());
        let Some(this) = self.hosts.get_mut(host).filter(|host| host.runs()) else { return };
        let clock = this.clock;
        let Some(daemon) = &mut this.daemon else { return };
        let silence = daemon.watch.sessions.next_deadline().map(|at| at - impatience);
        let deadline = [daemon.node.next_deadline(), silence].into_iter().flatten().min();
        if deadline == daemon.alarm {
            return;
        }
        daemon.alarm = deadline;
        daemon.alarms += 1;
        let alarm = daemon.alarms;
        if let Some(at) = deadline {
            let at = (clock.when(at) - early).max(now) + Duration::from_nanos(late);
            self.push(at, host, Happening::Wake(alarm));
        }
    }

    /// Returns what a host's clock shows.
    pub(super) fn local(&self, host: usize) -> Time {
        self.hosts.get(host).map_or(Time::ZERO, |host| host.clock.shows(self.now))
    }
}

/// What one event made the daemon do.
#[derive(Debug, Default)]
struct Done {
    advertised: bool,
    announced: bool,
    leased: bool,
    resigned: bool,
    /// The lease was not there any more to be renewed.
    lost: bool,
    active: Option<Reason>,
}
