//! What of a log a person wants to know.

use std::{collections::BTreeMap, fmt, net::IpAddr, time::Duration};

use serde::Serialize;

use super::{Remark, Steady, What};
use crate::{
    proto::{Action, Config, Event, Heard, Slot},
    units::{Time, nanos},
};

/// One line of the timeline.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Entry {
    /// When.
    pub at: Time,
    /// How long after the log was begun.
    #[serde(with = "nanos")]
    pub after: Duration,
    /// Which router; `None` for what concerns a BFD session, or all.
    pub router: Option<String>,
    /// Which BFD session, if it concerns one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// What happened.
    pub what: What,
}

/// Tells news from what goes on as before.
#[derive(Debug)]
pub(super) struct Timeline {
    start: Time,
    last: Time,
    routers: BTreeMap<Slot, Told>,
}

/// What has been told of a router.
#[derive(Debug, Default)]
struct Told {
    name: String,
    senders: BTreeMap<IpAddr, Heard>,
    is_mute: bool,
    renewed: Option<Time>,
    steady: Steady,
}

impl Timeline {
    pub(super) fn new(start: Time) -> Self {
        Self { start, last: start, routers: BTreeMap::new() }
    }

    pub(super) fn joined(&mut self, at: Time, slot: Slot, name: &str, config: &Config, out: &mut Vec<Entry>) {
        self.last = self.last.max(at);
        let told = Told { name: name.to_owned(), ..Told::default() };
        let (priority, interval) = (config.priority, config.interval);
        let what = What::Joined { priority, interval, version: config.version.number() };
        out.push(told.entry(self.start, at, what));
        self.routers.insert(slot, told);
    }

    pub(super) fn reconfigured(
        &mut self,
        at: Time,
        slot: Slot,
        name: &str,
        (config, actions): (&Config, &[Action]),
        out: &mut Vec<Entry>,
    ) {
        let (priority, interval) = (config.priority, config.interval);
        let what = What::Reconfigured { priority, interval, version: config.version.number() };
        self.news(at, slot, name, Some(what), actions, out);
        if let Some(told) = self.routers.get_mut(&slot) {
            name.clone_into(&mut told.name);
        }
    }

    pub(super) fn left(&mut self, at: Time, slot: Slot, name: &str, out: &mut Vec<Entry>) {
        self.news(at, slot, name, Some(What::Left), &[], out);
        self.routers.remove(&slot);
    }

    /// Tells what is news in an event and in what was ordered.
    pub(super) fn told(
        &mut self,
        at: Time,
        slot: Slot,
        name: &str,
        event: &Event,
        actions: &[Action],
        out: &mut Vec<Entry>,
    ) {
        let told = self.routers.entry(slot);
        let told = told.or_insert_with(|| Told { name: name.to_owned(), ..Told::default() });
        let what = told.news_of_event(event);
        self.news(at, slot, name, what, actions, out);
    }

    fn news(
        &mut self,
        at: Time,
        slot: Slot,
        name: &str,
        what: Option<What>,
        actions: &[Action],
        out: &mut Vec<Entry>,
    ) {
        self.last = self.last.max(at);
        let told =
            self.routers.entry(slot).or_insert_with(|| Told { name: name.to_owned(), ..Told::default() });
        // A renewal that comes with news belongs to what follows.
        let before = told.steady.take();
        let mut news = Vec::from_iter(what);
        news.extend(actions.iter().filter_map(|action| told.news_of_action(at, action)));
        match before {
            Some(before) if news.is_empty() => told.steady.add(before),
            Some(before) => news.insert(0, What::Steady(before)),
            None => {}
        }
        out.extend(news.into_iter().map(|what| told.entry(self.start, at, what)));
    }

    pub(super) fn gap(&mut self, missing: u64, out: &mut Vec<Entry>) {
        out.extend(self.end());
        self.routers.clear();
        let after = self.last.since(self.start);
        out.push(Entry { at: self.last, after, router: None, session: None, what: What::Gap { missing } });
    }

    /// Returns what went on as before until the end.
    pub(super) fn end(&mut self) -> Vec<Entry> {
        let (start, last) = (self.start, self.last);
        let rest = self.routers.values_mut().filter_map(|told| {
            let steady = told.steady.take()?;
            Some(told.entry(start, last, What::Steady(steady)))
        });
        rest.collect()
    }
}

impl Told {
    fn entry(&self, start: Time, at: Time, what: What) -> Entry {
        Entry { at, after: at.since(start), router: Some(self.name.clone()), session: None, what }
    }

    fn news_of_event(&mut self, event: &Event) -> Option<What> {
        Some(match *event {
            Event::Startup { source } => What::Started { source },
            Event::Resume { source, lease } => What::Resumed { source, lease },
            Event::Fault(cause) => What::Fault(cause),
            Event::Shutdown => What::ShutDown,
            Event::Resign => What::Requested,
            Event::ActiveDown { from, wait } => What::FoundDead { from, wait },
            Event::Revoked => What::Revoked,
            Event::Priority(priority) => What::Priority(priority),
            Event::Advert(heard) => return self.news_of_advert(heard),
            Event::AdvertFailed | Event::AdvertStuck { .. } if !self.is_mute => {
                self.is_mute = true;
                What::Unsent
            }
            Event::AdvertSent { .. } => {
                self.is_mute = false;
                return None;
            }
            Event::AdvertFailed | Event::AdvertStuck { .. } | Event::Timeout => return None,
        })
    }

    fn news_of_advert(&mut self, heard: Heard) -> Option<What> {
        let Heard { from, priority, interval, .. } = heard;
        let last = self.senders.insert(from, heard);
        if last.is_some_and(|last| (last.priority, last.interval) == (priority, interval)) {
            // Read twice, it counts once.
            self.steady.adverts += u64::from(last.is_some_and(|last| last.at != heard.at));
            return None;
        }
        Some(What::Heard { from, priority, interval })
    }

    fn news_of_action(&mut self, at: Time, action: &Action) -> Option<What> {
        Some(match *action {
            Action::SetLease { until: Time::ZERO } => {
                self.renewed = None;
                What::LeaseEnded
            }
            Action::SetLease { until } => {
                self.renewed = Some(at);
                What::Leased { span: until.since(at) }
            }
            Action::RenewLease { .. } => {
                let last = self.renewed.replace(at).unwrap_or(at);
                self.steady.longest = self.steady.longest.max(at.since(last));
                self.steady.renewals += 1;
                return None;
            }
            Action::Drain { until } if until > at => What::Draining { span: until.since(at) },
            Action::SendAdvert { priority: 0 } => What::Resigned,
            Action::Notify(transition) => What::Transition(transition),
            Action::Drain { .. }
            | Action::SendAdvert { .. }
            | Action::Announce { .. }
            | Action::AcquireVips
            | Action::ReleaseVips => return None,
        })
    }
}

impl Entry {
    /// Builds one of a BFD session.
    pub(super) fn of_session(start: Time, at: Time, name: &str, remark: Remark) -> Self {
        let (after, session) = (at.since(start), Some(name.to_owned()));
        Self { at, after, router: None, session, what: What::Bfd(remark) }
    }
}

/// Writes when something happened, in seconds after the start.
pub(super) fn since(start: Time, at: Time) -> String {
    let span = at.since(start);
    format!("+{}.{:06}", span.as_secs(), span.subsec_micros())
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (after, what) = (since(Time::ZERO, Time::ZERO + self.after), &self.what);
        match (&self.session, &self.router) {
            (Some(session), _) => write!(f, "{after:>16}  ({session}) BFD {what}"),
            (None, router) => write!(f, "{after:>16}  {}  {what}", router.as_deref().unwrap_or("*")),
        }
    }
}
