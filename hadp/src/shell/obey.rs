//! What the election thread does at the supervisor's command.

use std::net::IpAddr;

use tokio::sync::{
    mpsc::{UnboundedReceiver, error::TryRecvError},
    oneshot,
};

use super::{
    attached::Attached,
    clock,
    driver::{Driver, Stopping},
    messages::{Command, Handover, Notice, RouterView},
};
use crate::{
    datapath::Datapath,
    proto::{Cause, Event, Router, Slot, State},
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
            Command::Insert { slot, name, config } => {
                let now = clock::now();
                if let Some(recorder) = &mut self.recorder {
                    recorder.joined(now, slot, &name, &config);
                }
                self.node.insert(slot, Router::new(config, now));
                self.routers.insert(slot, Attached::new(now));
            }
            Command::Start { slot, source, outlet, addresses } => {
                if let Some(attached) = self.routers.get_mut(&slot) {
                    attached.addresses = Some(addresses);
                }
                if let Some(outlet) = self.voice.set(slot, outlet) {
                    // Closing its socket leaves a group, which may wait for other users of netlink.
                    self.tell(Notice::Retired(outlet));
                }
                if self.stopping == Stopping::No {
                    self.feed(slot, Event::Startup { source });
                }
            }
            Command::Fault { slot, cause } => self.feed(slot, Event::Fault(cause)),
            Command::Resign { slot, reply } => self.resign(slot, reply),
            Command::Shutdown => {
                // Told a second time, nobody is waited for any more.
                let event = match std::mem::replace(&mut self.stopping, Stopping::HandingOver) {
                    Stopping::No => Event::Shutdown,
                    Stopping::HandingOver => Event::Fault(Cause::Stopped),
                };
                let slots: Vec<_> = self.routers.keys().copied().collect();
                for slot in slots {
                    self.feed(slot, event);
                }
            }
            // The asker may have gone.
            Command::Inspect(answer) => drop(answer.send(self.views())),
        }
    }

    /// Hands a router over, if it is Active.
    fn resign(&mut self, slot: Slot, reply: oneshot::Sender<Handover>) {
        if self.is_active(slot)
            && let Some(attached) = self.routers.get_mut(&slot)
        {
            attached.asked = Some((clock::now(), reply));
            self.feed(slot, Event::Resign);
        } else if let Some(handover) = self.outcome(slot, Time::ZERO) {
            // The asker may have gone.
            let _ = reply.send(handover);
        }
    }

    /// Tells who asked for a handover what became of it, once it is over.
    pub(super) fn answer(&mut self, slot: Slot) {
        let asked = self.routers.get(&slot).and_then(|attached| attached.asked.as_ref());
        let Some(handover) = asked.and_then(|(since, _)| self.outcome(slot, *since)) else { return };
        if let Some((_, reply)) = self.routers.get_mut(&slot).and_then(|attached| attached.asked.take()) {
            let _ = reply.send(handover); // as above
        }
    }

    /// Returns what became of a handover that began at `since`; nothing yet while it goes on.
    fn outcome(&self, slot: Slot, since: Time) -> Option<Handover> {
        let router = self.node.get(slot)?;
        let state = router.state();
        let last = router.last_heard().filter(|heard| heard.priority > 0);
        Some(match (state, last) {
            (State::Resigning { .. }, _) => return None,
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
        let takeover = |slot| self.routers.get(&slot).and_then(Attached::takeover);
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
