//! What of a session's records a person wants to know.

use std::time::Duration;

use hadp_common::wire::bfd::{FINAL, POLL, SessionState};

use super::{Quiet, Remark, Saying};
use crate::{
    proto::bfd::{Action, Diag, Event, Session, Transmission},
    units::Time,
};

/// What has been told of a session.
#[derive(Debug, Default)]
pub(super) struct Told {
    said: Option<Saying>,
    every: Option<Duration>,
    is_polling: bool,
    is_damped: bool,
    quiet: Quiet,
}

impl Told {
    /// Returns what is news in an event and in what was ordered; `session` is as it is after that, where it is known, and
    /// `heard` when its neighbour had been heard before.
    pub(super) fn told(
        &mut self,
        at: Time,
        event: &Event,
        actions: &[Action],
        heard: Option<Time>,
        session: Option<&Session>,
    ) -> Vec<Remark> {
        // What says the same as before and comes with news belongs to what follows.
        let before = self.quiet.take();
        let mut news = Vec::new();
        self.news_of_event(at, event, &mut news);
        for action in actions {
            self.news_of_action(at, action, heard, &mut news);
        }
        let is_damped = session.is_some_and(|session| session.is_damped(at));
        if !std::mem::replace(&mut self.is_damped, is_damped) && is_damped {
            news.push(Remark::Flaps);
        }
        match before {
            Some(before) if news.is_empty() => self.quiet.add(before),
            Some(before) => news.insert(0, Remark::Quiet(before)),
            None => {}
        }
        news
    }

    /// Returns what is news in what another configuration had ordered.
    pub(super) fn ordered(&mut self, at: Time, actions: &[Action]) -> Vec<Remark> {
        let mut news = Vec::new();
        for action in actions {
            self.news_of_action(at, action, None, &mut news);
        }
        news
    }

    /// Adds readings that are told as one.
    pub(super) fn read(&mut self, readings: u64, silence: Duration) {
        self.quiet.add(Quiet { readings, silence, packets: 0 });
    }

    /// Returns what went on as before until the end.
    pub(super) fn end(&mut self) -> Option<Remark> {
        self.quiet.take().map(Remark::Quiet)
    }

    fn news_of_event(&mut self, at: Time, event: &Event, news: &mut Vec<Remark>) {
        match event {
            Event::Packet(received) => {
                let saying = Saying::from(&received.control);
                let is_final = received.control.flags & FINAL != 0 && self.is_polling;
                if self.said.replace(saying) != Some(saying) {
                    news.push(Remark::Heard(saying));
                } else if !is_final {
                    self.quiet.packets += 1;
                }
                if is_final {
                    // If the poll goes on, another pace is asked for.
                    self.is_polling = false;
                    news.push(Remark::Agreed);
                }
            }
            Event::Alive { at: heard } => self.read(1, at.since(*heard)),
            // What comes of them says it.
            Event::Start | Event::AdminDown | Event::AdminUp | Event::PathDown | Event::Timeout => {}
        }
    }

    fn news_of_action(&mut self, at: Time, action: &Action, heard: Option<Time>, news: &mut Vec<Remark>) {
        match *action {
            Action::Changed { from, to: SessionState::Down, diag: Diag::DetectionTimeExpired } => {
                let silence = at.since(heard.unwrap_or(at));
                news.push(Remark::Expired { from, silence });
                self.forget_speech();
            }
            Action::Changed { from, to, diag } => {
                news.push(Remark::Changed { from, to, diag });
                self.is_polling = false;
            }
            Action::Settled => news.push(Remark::Settled),
            Action::Transmit(Some(Transmission { control, every, .. })) => {
                let polls = control.flags & POLL != 0;
                if polls && !self.is_polling {
                    news.push(Remark::Polls);
                }
                self.is_polling = polls;
                if self.every.replace(every) != Some(every) {
                    news.push(Remark::Sends { every });
                }
            }
            Action::Transmit(None) => {
                if self.every.take().is_some() {
                    news.push(Remark::SendsNothing);
                }
                self.is_polling = false;
            }
            Action::SendNow(_) => {}
        }
    }

    /// Whatever a neighbour says after it was silent is news.
    fn forget_speech(&mut self) {
        self.said = None;
        self.is_polling = false;
    }
}
