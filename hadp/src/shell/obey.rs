//! What the election thread does at the supervisor's command.

use tokio::sync::mpsc::{UnboundedReceiver, error::TryRecvError};

use super::{
    attached::Attached,
    clock,
    driver::{Driver, Stopping},
    messages::{Command, Notice, RouterView, Views},
};
use crate::{
    datapath::Datapath,
    proto::{
        Cause, Event, Router, State,
        bfd::{self, Standing},
    },
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
                self.reconsider(slot, now);
            }
            Command::Start { slot, source, outlet } => {
                if let Some(outlet) = self.voice.set(slot, outlet) {
                    // Closing its socket leaves a group, which may wait for other users of netlink.
                    self.tell(Notice::Retired(outlet));
                }
                if self.stopping == Stopping::No {
                    // What it tracks may have failed since the supervisor looked.
                    let event = match self.standing(slot, clock::now()) {
                        Some(Standing::Fault) => Event::Fault(Cause::Tracked),
                        Some(Standing::Runs(_)) | None => Event::Startup { source },
                    };
                    self.feed(slot, event);
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
            Command::Session { id, config, discriminator } => self.start_session(id, config, discriminator),
            Command::PathDown(id) => self.feed_session(id, bfd::Event::PathDown),
            Command::Link { name, up } => self.link_changed(name, up),
            Command::GuardLapsed(guard) => self.guard_lapsed(guard),
            Command::Unheard { id, error } => self.tell(Notice::Unheard { id, error }),
            Command::Packet { id, received } => self.hear_session(id, received),
            Command::Shutdown => {
                // Told a second time, nobody is waited for any more.
                let event = match self.stopping {
                    Stopping::No => Event::Shutdown,
                    Stopping::HandingOver | Stopping::Farewell(_) => Event::Fault(Cause::Stopped),
                };
                if self.stopping == Stopping::No {
                    self.stopping = Stopping::HandingOver;
                }
                let slots: Vec<_> = self.routers.keys().copied().collect();
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
