//! Faults, as they come and pass.

use std::time::Duration;

use hadp::{
    proto::{Cause, Event},
    units::{Priority, Time},
};

use super::{
    faults::{Fault, Planned},
    host::Power,
    mutation::Mutation,
    plan::address,
    world::World,
};

impl World {
    /// A fault comes.
    pub(super) fn befall(&mut self, index: usize) {
        let Some(Planned { host, fault, .. }) = self.planned(index) else { return };
        let now = self.local(host);
        let hosts = self.hosts.len();
        match fault {
            Fault::Stop => {
                self.stop_while_sending(host);
                if let Some(this) = self.hosts.get_mut(host).filter(|host| host.daemon.is_some()) {
                    this.stopped.get_or_insert(now);
                    this.heart_stopped = true;
                }
            }
            Fault::Starve => {
                if let Some(this) = self.hosts.get_mut(host).filter(|host| host.daemon.is_some()) {
                    this.stopped.get_or_insert(now);
                }
            }
            Fault::HeartStop => {
                if let Some(this) = self.hosts.get_mut(host) {
                    this.heart_stopped = true;
                }
            }
            Fault::LoseBfd => self.network.lose_bfd(host, hosts, false, true),
            Fault::LoseAllBfd => self.network.lose_bfd(host, hosts, true, true),
            Fault::Kill => self.kill(host),
            Fault::KillAll => {
                if let Some(this) = self.hosts.get_mut(host) {
                    this.companion = false;
                    this.life += 1;
                }
                self.kill(host);
            }
            Fault::Freeze => self.set_power(host, Power::Frozen),
            Fault::Reboot => {
                self.set_power(host, Power::Off);
                if let Some(this) = self.hosts.get_mut(host) {
                    this.daemon = None;
                    this.heart = None;
                    this.given_up.clear();
                    this.stopped = None;
                    this.companion = false;
                    this.life += 1;
                    this.reset();
                }
            }
            Fault::Shutdown => self.tell_all(host, Event::Shutdown),
            Fault::LinkDown => {
                if let Some(this) = self.hosts.get_mut(host) {
                    this.link = false;
                }
                self.tell_all(host, Event::Fault(Cause::LinkDown));
            }
            Fault::Mute => {
                if let Some(this) = self.hosts.get_mut(host) {
                    this.mute = true;
                }
            }
            Fault::Jam => self.jam(host),
            Fault::Tracked => self.tell_all(host, Event::Fault(Cause::Tracked)),
            Fault::Resign => {
                self.resigned = true;
                self.tell_all(host, Event::Resign);
            }
            Fault::Reload => self.set_priority(host, true),
            Fault::Startup => self.startup(host),
            Fault::Partition => self.network.partition(1 << host, hosts, true, true),
            Fault::Deafen => self.network.partition(1 << host, hosts, false, true),
        }
    }

    /// A fault passes.
    pub(super) fn pass(&mut self, index: usize) {
        let Some(Planned { host, fault, .. }) = self.planned(index) else { return };
        let hosts = self.hosts.len();
        match fault {
            Fault::Stop => {
                self.heart_goes_on(host);
                self.go_on(host);
            }
            Fault::Starve => self.go_on(host),
            Fault::HeartStop => self.heart_goes_on(host),
            Fault::LoseBfd => self.network.lose_bfd(host, hosts, false, false),
            Fault::LoseAllBfd => self.network.lose_bfd(host, hosts, true, false),
            Fault::Kill | Fault::Resign | Fault::Startup => {}
            Fault::KillAll | Fault::Reboot => {
                if fault == Fault::Reboot {
                    self.set_power(host, Power::On);
                }
                if self.hosts.get(host).is_some_and(|host| host.daemon.is_none() && !host.companion) {
                    self.spawn(host);
                }
            }
            Fault::Freeze => {
                if self.hosts.get(host).is_some_and(|host| host.power == Power::Frozen) {
                    self.thaw(host);
                }
            }
            Fault::LinkDown => {
                if let Some(this) = self.hosts.get_mut(host) {
                    this.link = true;
                }
                self.startup(host);
            }
            Fault::Mute => {
                if let Some(this) = self.hosts.get_mut(host) {
                    this.mute = false;
                }
            }
            Fault::Jam => self.unjam(host),
            Fault::Shutdown | Fault::Tracked => self.startup(host),
            Fault::Reload => self.set_priority(host, false),
            Fault::Partition => self.network.partition(1 << host, hosts, true, false),
            Fault::Deafen => self.network.partition(1 << host, hosts, false, false),
        }
    }

    /// Tells every router of a host's daemon; one that does not run hears of it later, see `go_on`.
    fn tell_all(&mut self, host: usize, event: Event) {
        for slot in 0..self.plan.routers.len() {
            self.tell(host, slot, event);
        }
    }

    fn startup(&mut self, host: usize) {
        if self.hosts.get(host).is_some_and(|host| host.link) {
            self.tell_all(host, Event::Startup { source: address(host) });
        }
    }

    /// A reload: the priority falls below all others, or comes back.
    fn set_priority(&mut self, host: usize, low: bool) {
        for slot in 0..self.plan.routers.len() {
            let configured =
                self.plan.routers.get(slot).and_then(|hosts| hosts.get(host)).map(|c| c.priority);
            let wanted = if low { Priority::new(20 + 30 * (slot as u8 % 2)) } else { configured };
            let (Some(wanted), Some(this)) = (wanted, self.hosts.get_mut(host)) else { continue };
            if let Some(config) = this.configs.get_mut(slot) {
                config.priority = wanted;
            }
        }
        self.reload(host);
    }

    /// The daemon, if it runs, reads its configuration again.
    pub(super) fn reload(&mut self, host: usize) {
        for slot in 0..self.plan.routers.len() {
            let Some(this) = self.hosts.get_mut(host).filter(|host| host.runs()) else { return };
            let Some(config) = this.configs.get(slot).cloned() else { continue };
            if let Some(entry) = this.datapath.slots.get_mut(slot) {
                entry.priority = config.priority.get();
            }
            self.reconfigure(host, slot, config);
        }
    }

    fn set_power(&mut self, host: usize, power: Power) {
        let Some(this) = self.hosts.get_mut(host) else { return };
        if this.power == Power::Off && power == Power::Frozen {
            return;
        }
        this.power = power;
        for slot in 0..self.plan.routers.len() {
            self.note(host, slot, None);
        }
    }

    /// The machine goes on: first its kernel, with what had arrived, or the daemon's timers.
    fn thaw(&mut self, host: usize) {
        let Some(this) = self.hosts.get_mut(host) else { return };
        this.power = Power::On;
        // What has arrived is handled before anything that comes later is answered.
        let backlog = std::mem::take(&mut this.backlog);
        for (slot, mut heard) in backlog {
            // One after the other, each at a time of its own.
            self.now = self.now + Duration::from_nanos(200);
            heard.at = self.local(host);
            self.hear(host, slot, heard);
        }
        let packets = self.hosts.get_mut(host).map(|host| std::mem::take(&mut host.packets));
        for (from, control) in packets.into_iter().flatten() {
            self.now = self.now + Duration::from_nanos(200);
            self.record_bfd(host, from, control);
        }
        self.set_power(host, Power::On);
        self.run_heart(host);
        self.resume(host);
    }

    /// The heartbeat goes on.
    fn heart_goes_on(&mut self, host: usize) {
        if let Some(this) = self.hosts.get_mut(host) {
            this.heart_stopped = false;
        }
        self.run_heart(host);
    }

    /// Lets a daemon that is about to be stopped have sent an advert just before, without having been told.
    fn stop_while_sending(&mut self, host: usize) {
        for slot in 0..self.plan.routers.len() {
            let Some(this) = self.hosts.get(host).filter(|host| host.runs()) else { return };
            let at = this.clock.shows(self.now);
            let Some(priority) = this.configs.get(slot).map(|config| config.priority.get()) else { continue };
            let is_active = this.state(slot) == "Active" && this.datapath.owns(slot, at);
            if is_active
                && self.rng.below(2) == 0
                && self.send(host, slot, priority)
                && let Some(this) = self.hosts.get_mut(host)
            {
                this.unreported.push((slot, at));
            }
        }
    }

    /// The daemon goes on.
    fn go_on(&mut self, host: usize) {
        let Some(this) = self.hosts.get_mut(host) else { return };
        let Some(since) = this.stopped.take() else { return };
        for (slot, at) in std::mem::take(&mut this.unreported) {
            self.tell(host, slot, Event::AdvertSent { at });
        }
        if self.mutation == Some(Mutation::StaleClock) {
            for slot in 0..self.plan.routers.len() {
                self.tell_at(host, slot, Event::Timeout, since);
                self.tell_at(host, slot, Event::Startup { source: address(host) }, since);
            }
        }
        self.resume(host);
    }

    /// The daemon gets to run again: events or timers first, and what it was told meanwhile.
    fn resume(&mut self, host: usize) {
        let Some(this) = self.hosts.get_mut(host) else { return };
        if let Some(daemon) = &mut this.daemon {
            daemon.alarm = Some(Time::ZERO);
        }
        let link = this.link;
        if self.rng.below(2) == 0 {
            self.wake(host);
        }
        self.read_events(host);
        self.read_lapses(host);
        if link {
            self.startup(host);
        } else {
            self.tell_all(host, Event::Fault(Cause::LinkDown));
        }
        self.reload(host);
        self.wake(host);
        self.set_alarm(host);
    }
}
