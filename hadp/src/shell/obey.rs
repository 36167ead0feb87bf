//! What the election thread does at the supervisor's command.

use std::net::IpAddr;

use tokio::sync::{
    mpsc::{UnboundedReceiver, error::TryRecvError},
    oneshot,
};

use super::{
    attached::Attached,
    clock,
    driver::Driver,
    messages::{Command, Handover, Notice, RouterView, Views},
    stopping::Stopping,
};
use crate::{
    datapath::Datapath,
    proto::{
        Cause, Event, Router, Slot, State,
        bfd::{self, Standing},
    },
    units::Time,
};

/// How many commands are obeyed in a turn: a link that goes takes many routers with it.
const COMMANDS_A_TURN: usize = 64;

impl<D: Datapath> Driver<D> {
    /// Obeys what waits, and returns how much that was; `None` when the supervisor is gone.
    pub(super) fn obey_waiting(&mut self, commands: &mut UnboundedReceiver<Command>) -> Option<usize> {
        for obeyed in 0..COMMANDS_A_TURN {
            match commands.try_recv() {
                Ok(command) => self.obey(command),
                Err(TryRecvError::Empty) => return Some(obeyed),
                Err(TryRecvError::Disconnected) => return None,
            }
        }
        Some(COMMANDS_A_TURN)
    }

    pub(super) fn obey(&mut self, command: Command) {
        match command {
            Command::Insert { slot, name, config, since } => {
                let now = clock::now();
                if let Some(recorder) = &mut self.recorder {
                    recorder.joined(now, slot, &name, &config);
                }
                self.node.insert(slot, Router::new(config, now));
                self.routers.insert(slot, Attached::new(since));
                self.orders.reserve(self.routers.extent());
                self.reconsider(slot, now);
            }
            Command::Resume { slot, source, lease, outlet, addresses } => {
                drop(self.voice.set(slot, outlet)); // there was none
                if let Some(attached) = self.routers.get_mut(slot) {
                    attached.addresses = Some(addresses);
                    attached.resume(lease);
                }
                self.feed(slot, Event::Resume { source, lease });
                if self.standing(slot, clock::now()) == Some(Standing::Fault) {
                    // A session that it tracks has yet to come up again: it hands over meanwhile, and loses nothing.
                    self.feed(slot, Event::Fault(Cause::Tracked));
                }
            }
            Command::Start { slot, source, outlet, addresses } => {
                if let Some(attached) = self.routers.get_mut(slot) {
                    attached.addresses = Some(addresses);
                }
                if let Some(outlet) = self.voice.set(slot, outlet) {
                    // Closing its socket leaves a group, which may wait for other users of netlink.
                    self.tell(Notice::Retired(outlet));
                }
                if self.stopping == Stopping::No && !self.leaving.contains(&slot) {
                    // What it tracks may have failed since the supervisor looked.
                    let event = match self.standing(slot, clock::now()) {
                        Some(Standing::Fault) => Event::Fault(Cause::Tracked),
                        Some(Standing::Runs(_)) | None => Event::Startup { source },
                    };
                    self.feed(slot, event);
                    self.catch_up(slot);
                }
            }
            Command::Fault { slot, cause } => {
                let was_active = self.is_active(slot);
                self.feed(slot, Event::Fault(cause));
                if was_active {
                    self.say_farewell(slot, cause);
                }
            }
            Command::Priority { slot, priority, outlet } => {
                if let Some(outlet) = self.voice.set(slot, outlet) {
                    self.tell(Notice::Retired(outlet));
                }
                self.feed(slot, Event::Priority(priority));
            }
            Command::Reconfigure(order) => self.reconfigure(*order),
            Command::Leave(slot) => self.dismiss(slot),
            // The asker may have given up.
            Command::Follow { followers, reply } => drop(reply.send(self.follow(*followers))),
            Command::SessionChanged { id, config } => self.change_session(id, config),
            Command::EndSession(id) => self.part_with(id),
            Command::Session { id, name, config, discriminator } => {
                self.start_session(id, &name, config, discriminator);
            }
            Command::PathDown(id) => self.feed_session(id, bfd::Event::PathDown),
            Command::Link { name, up } => self.link_changed(name, up),
            Command::GuardLapsed(guard) => self.guard_lapsed(guard),
            Command::Behind { id, asked, kept } => self.tell(Notice::Behind { id, asked, kept }),
            Command::Unheard { id, error } => self.tell(Notice::Unheard { id, error }),
            Command::Packet { id, received } => self.hear_session(id, received),
            Command::Resign { slot, reply } => self.resign(slot, reply),
            Command::Shutdown => {
                // Told a second time, nobody is waited for any more.
                let event = match self.stopping {
                    Stopping::No => Event::Shutdown,
                    Stopping::HandingOver | Stopping::Farewell(_) => Event::Fault(Cause::Stopped),
                };
                if self.stopping == Stopping::No {
                    self.stopping = Stopping::HandingOver;
                }
                let slots: Vec<_> = self.routers.slots().collect();
                for slot in slots {
                    self.feed(slot, event);
                }
            }
            // The asker may have gone.
            Command::Inspect(answer) => {
                drop(answer.send(Views { routers: self.views(), sessions: self.watch.views(clock::now()) }))
            }
        }
    }

    /// Tells a router that listens of the senders that were heard while no daemon ran: it knows at once whom it follows,
    /// and waits no longer than it would have. Those that have been silent for long are history.
    fn catch_up(&mut self, slot: Slot) {
        if self.node.get(slot).is_none_or(|router| !matches!(router.state(), State::Backup { .. })) {
            return;
        }
        let heard = self.take_heard(slot);
        let now = clock::now();
        for advert in heard.iter().filter(|advert| advert.at + 3 * advert.interval.duration() > now) {
            self.feed_advert(slot, *advert);
        }
        self.heard = heard;
    }

    /// Hands a router over, if it is Active. Who asks while it is being handed over is told with whoever asked for that.
    fn resign(&mut self, slot: Slot, reply: oneshot::Sender<Handover>) {
        if !self.has_lease(slot) {
            if let Some(handover) = self.outcome(slot, Time::ZERO) {
                let _ = reply.send(handover); // the asker may have gone
            }
            return;
        }
        let begins = self.is_active(slot) && self.node.get(slot).is_some_and(|router| !router.is_leaving());
        if let Some(attached) = self.routers.get_mut(slot) {
            attached.asked.push((clock::now(), reply));
        }
        if begins {
            self.feed(slot, Event::Resign);
        }
    }

    /// Tells all who asked for a handover what became of it, once it is over.
    pub(super) fn answer(&mut self, slot: Slot) {
        let asked = self.routers.get(slot).and_then(|attached| attached.asked.first());
        if asked.is_none_or(|(since, _)| self.outcome(slot, *since).is_none()) {
            return;
        }
        let asked = self.routers.get_mut(slot).map(|attached| std::mem::take(&mut attached.asked));
        for (since, reply) in asked.into_iter().flatten() {
            if let Some(handover) = self.outcome(slot, since) {
                let _ = reply.send(handover); // as above
            }
        }
    }

    /// Returns what became of a handover that began at `since`; nothing yet while it goes on.
    fn outcome(&self, slot: Slot, since: Time) -> Option<Handover> {
        let router = self.node.get(slot)?;
        let state = router.state();
        let last = router.last_heard().filter(|heard| heard.priority > 0);
        Some(match (state, last) {
            (State::Resigning { .. }, _) => return None,
            (State::Active { .. }, _) if router.is_leaving() => return None,
            (State::Active { .. }, _) => Handover::Kept,
            (State::Backup { .. }, Some(heard)) if since > Time::ZERO && heard.at >= since => {
                Handover::Done { to: heard.from, took: heard.at.since(since) }
            }
            (State::Backup { .. } | State::Initialize { .. }, _) => {
                Handover::NotActive { state, following: following(router) }
            }
        })
    }

    fn views(&self) -> Vec<RouterView> {
        let takeover = |slot| self.routers.get(slot).and_then(Attached::takeover);
        self.node
            .iter()
            .map(|(slot, router)| RouterView {
                slot,
                state: router.state(),
                since: router.since(),
                source: router.source(),
                following: following(router),
                takeover: takeover(slot),
            })
            .collect()
    }
}

/// Returns the Active router that one follows as Backup.
fn following(router: &Router) -> Option<(IpAddr, u8)> {
    let heard = router.last_heard().filter(|_| matches!(router.state(), State::Backup { .. }));
    heard.map(|heard| (heard.from, heard.priority))
}
