//! What goes wrong in a run.

use super::{
    host::{Process, SLOT},
    world::{Happening, World, address},
    *,
};
use crate::proto::Cause;

/// What a run consists of.
#[derive(Clone, Copy)]
pub(super) struct Plan {
    /// How many of a hundred adverts are lost, until the last fault.
    pub(super) loss: u64,
    /// What befalls nodes.
    pub(super) faults: &'static [Fault],
    /// Whether priorities differ by more than the delay is worth.
    pub(super) distinct: bool,
}

/// What befalls a node.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fault {
    /// The process does not run for a while.
    Pause,
    /// The process dies; the datapath stays.
    Kill,
    /// The protocol is shut down, and started again later: perhaps while it still resigns.
    Shutdown,
    /// The link is down for a while.
    LinkDown,
    /// Nothing it sends leaves, for a while.
    Mute,
    /// It is told to start once more.
    Startup,
    /// The process dies, and another one goes on with what the datapath has.
    Respawn,
    /// The operator wants another router to be Active.
    Failover,
    /// Something tracked changes its priority.
    Priority,
    /// The guard of its lease lapses.
    Unguarded,
}

impl World {
    /// Draws what befalls whom, and when it passes.
    pub(super) fn plan_faults(&mut self, faults: &[Fault]) {
        // Steps of up to four intervals: some before the last fault has been dealt with, some long after.
        let step = self.interval.duration().as_nanos() as u64 * 4;
        let mut at = T0 + self.interval.duration() * 8;
        let survivor = self.random(self.hosts.len() as u64) as usize;
        for _ in 0..self.random(8) {
            if faults.is_empty() {
                break;
            }
            let host = self.random(self.hosts.len() as u64) as usize;
            let fault = faults[self.random(faults.len() as u64) as usize];
            at = at + Duration::from_nanos(self.random(step));
            let end = at + Duration::from_nanos(self.random(step * 2));
            match fault {
                Fault::Kill if host == survivor => continue,
                Fault::Kill | Fault::Startup | Fault::Failover | Fault::Priority | Fault::Unguarded => {}
                Fault::Respawn => self.push(end, host, Happening::Respawn),
                Fault::Pause => self.push(end, host, Happening::Resume),
                Fault::Shutdown => self.push(end, host, Happening::Restart),
                Fault::LinkDown => self.push(end, host, Happening::LinkUp),
                Fault::Mute => self.push(end, host, Happening::Unmute),
            }
            self.push(at, host, Happening::Fault(fault));
            self.quiet_at = self.quiet_at.max(end).max(at);
        }
    }

    pub(super) fn befall(&mut self, host: usize, fault: Fault) {
        let now = self.now;
        match fault {
            Fault::Pause | Fault::Kill | Fault::Respawn if self.hosts[host].process == Process::Running => {
                self.hosts[host].process =
                    if matches!(fault, Fault::Pause) { Process::Paused } else { Process::Dead };
                self.hosts[host].stalls.push(now..Time::from_nanos(u64::MAX));
            }
            Fault::Kill => self.hosts[host].process = Process::Dead,
            Fault::Pause | Fault::Respawn => {}
            Fault::Failover => self.tell(host, Event::Resign),
            Fault::Priority => {
                let priority = priority(self.random(254) as u8 + 1);
                self.tell(host, Event::Priority(priority));
            }
            Fault::Unguarded => {
                if self.hosts[host].process == Process::Running {
                    self.hosts[host].set_lease(now, Time::ZERO);
                    self.tell(host, Event::Revoked);
                }
            }
            Fault::Shutdown => self.tell(host, Event::Shutdown),
            Fault::Startup => self.start(host),
            Fault::Mute => self.hosts[host].mute = true,
            Fault::LinkDown => {
                self.hosts[host].link = false;
                self.tell(host, Event::Fault(Cause::LinkDown));
            }
        }
    }

    /// Starts another process on a node whose process has died.
    pub(super) fn respawn(&mut self, host: usize) {
        let now = self.now;
        let this = &mut self.hosts[host];
        if this.process != Process::Dead {
            return;
        }
        this.process = Process::Running;
        this.stalls.last_mut().unwrap().end = now;
        this.ring.clear();
        this.announcing = false;
        let config = this.router().config().clone();
        this.node.insert(SLOT, Router::new(config, now));
        let lease = this.lease;
        if lease <= now {
            this.vips = false; // swept up
            this.drain = Time::ZERO;
        }
        if this.link {
            let told = self.told();
            self.tell(host, Event::Resume { source: address(host), lease });
            let resumed = Reason::Resumed;
            assert!(lease <= now || self.notified(told) == [notify("Active", "Active", resumed)]);
            self.wake(host);
        } else {
            self.hosts[host].vips = false;
            self.hosts[host].set_lease(now, Time::ZERO);
        }
    }

    pub(super) fn resume(&mut self, host: usize) {
        let now = self.now;
        let this = &mut self.hosts[host];
        if this.process != Process::Paused {
            return;
        }
        this.process = Process::Running;
        this.stalls.last_mut().unwrap().end = now;
        let ring = std::mem::take(&mut this.ring);
        let (up, timers_first) = (this.link, self.random(2) == 0);
        if timers_first {
            self.wake(host);
        }
        for heard in ring {
            self.tell(host, Event::Advert(heard));
        }
        // What the process was told while it did not run.
        let told = if up { Event::Startup { source: address(host) } } else { Event::Fault(Cause::LinkDown) };
        self.tell(host, told);
        self.wake(host);
    }
}
