//! What the election thread does at the supervisor's command.

use tokio::sync::mpsc::{UnboundedReceiver, error::TryRecvError};

use super::{
    attached::Attached,
    clock,
    driver::{Driver, Stopping},
    messages::{Command, Notice, RouterView},
};
use crate::{
    datapath::Datapath,
    proto::{Cause, Event, Router, State},
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
            Command::Insert { slot, config } => {
                let now = clock::now();
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

    fn views(&self) -> Vec<RouterView> {
        let takeover = |slot| self.routers.get(&slot).and_then(Attached::takeover);
        self.node
            .iter()
            .map(|(slot, router)| RouterView {
                slot,
                state: router.state(),
                since: router.since(),
                source: router.source(),
                following: router
                    .last_heard()
                    .filter(|_| matches!(router.state(), State::Backup { .. }))
                    .map(|heard| (heard.from, heard.priority)),
                takeover: takeover(slot),
            })
            .collect()
    }
}
