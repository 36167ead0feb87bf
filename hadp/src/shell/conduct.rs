//! What follows from a session's change, in the order that keeps two nodes from owning one router.
//!
//! ```text
//!   a session falls ──► what it tells the routers   nothing has changed yet
//!                   ──► BFD_GUARDS                  the neighbour's word ends nothing of what is about to be taken over
//!                   ──► Down leaves                 it ends what the neighbour owns
//!                   ──► leases are stored
//!                   ──► adverts, in batches
//! ```

use hadp_common::wire::bfd::Control;

use super::{clock, driver::Driver, heartbeat::Order, messages::Notice};
use crate::{
    datapath::Datapath,
    proto::{
        Event, Slot,
        bfd::{self, SessionId},
    },
    units::Time,
};

impl<D: Datapath> Driver<D> {
    /// Tells one session one event, and its routers what that means to them.
    ///
    /// Every router's lease is stored here; their adverts follow in batches.
    pub(super) fn feed_session(&mut self, id: SessionId, event: bfd::Event) {
        let now = clock::now();
        let mut actions = std::mem::take(&mut self.watch.actions);
        self.watch.sessions.handle(now, id, event, &mut actions);
        if let Some(recorder) = &mut self.recorder {
            recorder.session_told(now, id, event, &actions, &self.watch.sessions);
        }
        self.conduct_session(id, actions, now);
    }

    /// Takes up a changed configuration of a session.
    pub(super) fn change_session(&mut self, id: SessionId, config: bfd::Config) {
        let now = clock::now();
        let mut actions = std::mem::take(&mut self.watch.actions);
        self.watch.sessions.reconfigure(now, id, config, &mut actions);
        if let Some(recorder) = &mut self.recorder {
            recorder.session_reconfigured(now, id, &actions, &self.watch.sessions);
        }
        self.conduct_session(id, actions, now);
    }

    /// Has the heartbeat send what a session orders, and tells its routers what it means to them.
    fn conduct_session(&mut self, id: SessionId, mut actions: Vec<(SessionId, bfd::Action)>, now: Time) {
        for (id, action) in &actions {
            match action {
                bfd::Action::Transmit(what) => self.watch.order(Order::Transmit(*id, *what)),
                bfd::Action::SendNow(control) => self.watch.order(Order::SendNow(*id, *control)),
                bfd::Action::Changed { .. } | bfd::Action::Settled => {}
            }
        }
        let events = self.foresee(&actions, now);
        let gives_up = actions.iter().any(|(_, action)| action.gives_up());
        if gives_up && self.watch.senses.followers.is_followed(id) {
            // The neighbour may be alive, and only its packets lost: its datapath gives up what it owns when it hears
            // this, which must be before this node owns it.
            for (id, action) in &actions {
                if let bfd::Action::SendNow(control) = action {
                    match self.hasten(*id, control) {
                        true => self.watch.untold.remove(id),
                        false => self.watch.untold.insert(*id),
                    };
                }
            }
        }
        self.conclude(events);
        for (id, action) in actions.drain(..) {
            match action {
                bfd::Action::Changed { .. } | bfd::Action::Settled => self.note_change(id, &action, now),
                bfd::Action::Transmit(_) | bfd::Action::SendNow(_) => {}
            }
        }
        self.watch.actions = actions;
    }

    /// Returns what a session's change tells the routers that follow it, and prepares the datapath for it.
    ///
    /// The neighbour of a session that takes routers over may say the same of this node, in a packet that comes at any moment.
    /// What is taken over is not to end with that packet: so its guards end no more by this session *before* the neighbour is
    /// told, let alone before the leases are stored, or the takeover would be undone by a neighbour that has given its
    /// routers up because of it, and nobody would own them.
    ///
    /// A router that is Active here already, under such a guard, does not end with that packet either, but with the advert of
    /// its successor, from now on as well as after the takeover. For that the neighbour must have heard nothing for its
    /// detection time and not have been heard for as long: two own where packets are lost both ways, or lost one way and not sent the other way, and nowhere else. A
    /// neighbour that went down on purpose takes nothing over.
    fn foresee(&mut self, actions: &[(SessionId, bfd::Action)], now: Time) -> Vec<(Slot, Event)> {
        let mut events = std::mem::take(&mut self.watch.events);
        let watch = &self.watch;
        for (id, action) in actions {
            if action.is_at_neighbor_too() {
                watch.set_ends(*id, now);
            }
            let before = events.len();
            watch.senses.followers.fail_over(now, (*id, action), &watch.sessions, &self.node, &mut events);
            let told = events.iter().skip(before);
            if told.into_iter().any(|(_, event)| matches!(event, Event::ActiveDown { .. })) {
                watch.senses.heard.set_ends(*id, []);
            }
        }
        events
    }

    /// Has a packet that was queued leave before anything else happens; false if it is not known to have left.
    pub(super) fn hasten(&mut self, id: SessionId, control: &Control) -> bool {
        if self.watch.senses.heartbeat.hasten(id, control) {
            return true;
        }
        self.let_others_go_on();
        self.watch.senses.heartbeat.hasten(id, control)
    }

    /// Tells the routers what was foreseen.
    fn conclude(&mut self, mut events: Vec<(Slot, Event)>) {
        // Who is Active now may have said so in an advert whose event is still under way, or was lost. Of all of them first,
        // so that their leases are stored in a row.
        for (slot, event) in &events {
            if matches!(event, Event::ActiveDown { .. }) {
                self.tell_heard(*slot);
            }
        }
        for (slot, event) in events.drain(..) {
            self.feed(slot, event);
        }
        self.watch.events = events;
    }

    /// Looks again at the routers that track a session, and tells of its change.
    fn note_change(&mut self, id: SessionId, action: &bfd::Action, now: Time) {
        let trackers = self.watch.senses.followers.trackers(id).to_vec();
        for slot in trackers {
            self.reconsider(slot, now);
        }
        if let bfd::Action::Changed { from, to, diag } = *action {
            self.tell(Notice::Session { id, from, to, diag });
        }
    }
}
