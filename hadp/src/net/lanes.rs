//! Whether what the kernel took of the adverts has left the host.
//!
//! `sendmmsg` says that the interface's queue has taken a frame. A queue that is shaped, or whose driver has stopped, takes
//! frames and keeps them. The socket is charged for them as long: one that is charged for nothing has sent everything; but
//! one that speaks for many routers hardly ever is. So the adverts of an interface and a pace go by several sockets in turn,
//! *lanes*, each for a part of an interval:
//!
//! ```text
//!   lane     0      1      2      3      4      5
//!         |------|------|------|------|------|------
//!           |<--------- interval -------->|
//!          sent                          the next one is, by lane 4; nothing went by lane 0 for 3/4 of an interval:
//!                                        is it empty?
//! ```
//!
//! If it is, the former advert has left. If not, something has been queued for three quarters of an interval, longer than any
//! driver takes to be done with a frame. The next advert is sent before that is looked at: there are drivers that only then
//! clear up behind the last one.
//!
//! # A lane that was overtaken
//!
//! What a lane is charged for says something of its own frames alone. Where frames that were sent *later* by other lanes are
//! known to have left, this interface does send, and the lane is out of the reckoning: its frame was lost by a driver that
//! never told, or it waits in another queue than those that move. What it carried renews nothing, since that is not known to
//! have left; what is sent now does.
//!
//! Queues that are not in order do not make this wrong. Adverts have one socket priority, one source and one group, so
//! bands (prio, pfifo_fast) and flows (fq, which has one queue for this priority; fq_codel) keep them in one line, where a
//! later frame cannot leave before an earlier one that is still to. With several queues of hardware, or a netem that
//! reorders, it can: then some adverts leave and others do not, and those that do are heard and hold the lease.
//!
//! Such a lane *sits out*, so that its old frame is not taken for a new one. What it is still charged for after several
//! intervals is *written off*: the lane counts as empty with that. The socket stays, since to close one takes milliseconds.

use std::time::Duration;

use super::queued::Queue;
use crate::units::Time;

/// How many lanes the adverts of several routers take: five, so that one is not used again before its turn has been judged,
/// and one more, since one may sit out.
pub const SHARED: usize = 6;
/// After how many intervals what an overtaken lane is charged for is written off. A frame that leaves after that, which none
/// does that was in one line with the others, could hide one other.
const WRITTEN_OFF_AFTER: u32 = 8;

/// One socket.
#[derive(Debug)]
struct Lane<S> {
    socket: S,
    /// When something was first and last sent of which it is not known that it has left.
    open: Option<(Time, Time)>,
    /// Whether something had been queued for too long, and the lane has not been empty since.
    stuck: bool,
    /// Since when it sits out, with frames that later ones have overtaken.
    overtaken: Option<Time>,
    /// When the last of its frames was sent of which it is not known, and will not be, whether they have left.
    gone: Time,
    /// How much it is charged for frames that are lost.
    lost: u32,
}

/// The sockets of one interface and pace, or of one router.
#[derive(Debug)]
pub struct Lanes<S> {
    lanes: Vec<Lane<S>>,
    /// The lane in use, and since when.
    current: usize,
    since: Time,
    /// For how long it is.
    turn: Duration,
    /// How long a frame may be queued.
    patience: Duration,
    /// For how long a lane sits out before its frame is written off.
    grace: Duration,
    /// Whether it was told that frames do not leave.
    told: bool,
    /// When the last frame was sent that is known to have left.
    left: Time,
    /// Whether something was written off, and whether that was told.
    losses: Losses,
}

/// What is known of frames that are lost.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Losses {
    None,
    News,
    Told,
}

/// What becomes of what is sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Flow {
    /// It leaves.
    Leaves,
    /// Something has been queued for too long.
    Stuck {
        /// Whether that is news.
        is_news: bool,
    },
}

impl<S: Queue> Lanes<S> {
    /// Makes lanes for routers that advertise at this pace.
    pub fn shared(sockets: [S; SHARED], every: Duration) -> Self {
        Self::new(sockets, every / 4, every)
    }

    fn new(sockets: impl IntoIterator<Item = S>, turn: Duration, every: Duration) -> Self {
        let lane =
            |socket| Lane { socket, open: None, stuck: false, overtaken: None, gone: Time::ZERO, lost: 0 };
        Self {
            lanes: sockets.into_iter().map(lane).collect(),
            current: 0,
            since: Time::ZERO,
            turn,
            patience: every * 3 / 4,
            grace: every * WRITTEN_OFF_AFTER,
            told: false,
            left: Time::ZERO,
            losses: Losses::None,
        }
    }

    /// Sends something by the lane whose turn it is, and returns which that was; `None` if nothing of it was taken.
    pub fn send<T>(&mut self, now: Time, send: impl FnOnce(&S) -> (bool, T)) -> (Option<usize>, Option<T>) {
        if now.since(self.since) >= self.turn {
            self.current = self.next_lane();
            self.since = now;
        }
        let Some(lane) = self.lanes.get_mut(self.current) else { return (None, None) };
        let (taken, outcome) = send(&lane.socket);
        if taken {
            lane.open = Some((lane.open.map_or(now, |(first, _)| first), now));
        }
        (taken.then_some(self.current), Some(outcome))
    }

    /// Returns the lane behind the one in use that does not sit out.
    fn next_lane(&self) -> usize {
        let count = self.lanes.len().max(1);
        let mut others = (1..=count).map(|step| (self.current + step) % count);
        let free = |index: &usize| self.lanes.get(*index).is_some_and(|lane| lane.overtaken.is_none());
        others.find(free).unwrap_or_default()
    }

    /// Looks at the lanes that are at rest, or were found stuck.
    pub fn flow(&mut self, now: Time) -> Flow {
        let patience = self.patience;
        for lane in &mut self.lanes {
            if let Some((_, last)) = lane.open.filter(|(_, last)| lane.stuck || now.since(*last) >= patience)
            {
                lane.look();
                if !lane.stuck {
                    self.left = self.left.max(last);
                }
            }
        }
        let mut stuck = false;
        for lane in self.lanes.iter_mut().filter(|lane| lane.stuck) {
            match lane.open.filter(|(_, last)| *last < self.left) {
                Some((_, last)) => {
                    lane.overtaken.get_or_insert(now);
                    lane.gone = last;
                }
                None => stuck = true,
            }
        }
        self.write_off(now);
        let is_news = stuck && !self.told;
        self.told = stuck;
        if stuck { Flow::Stuck { is_news } } else { Flow::Leaves }
    }

    /// Writes off what the lane is charged for that has sat out for long enough, or for longest where another one does too.
    fn write_off(&mut self, now: Time) {
        let out = || self.lanes.iter().filter_map(|lane| lane.overtaken);
        let (Some(since), several) = (out().min(), out().count() > 1) else { return };
        if several || now.since(since) >= self.grace {
            let lane = self.lanes.iter_mut().find(|lane| lane.overtaken == Some(since));
            lane.into_iter().for_each(Lane::write_off);
            if self.losses == Losses::None {
                self.losses = Losses::News;
            }
        }
    }

    /// Tells, once, that frames were lost.
    pub fn take_losses(&mut self) -> bool {
        let is_news = self.losses == Losses::News;
        if is_news {
            self.losses = Losses::Told;
        }
        is_news
    }

    /// Tells whether nobody will know what became of what was sent by a lane at this time.
    fn is_gone(&self, lane: usize, at: Time) -> bool {
        self.lanes.get(lane).is_some_and(|lane| at <= lane.gone)
    }

    /// Tells whether what was sent by a lane at this time is known to have left.
    pub fn has_left(&self, lane: usize, at: Time) -> bool {
        let open = self.lanes.get(lane).and_then(|lane| lane.open);
        !self.is_gone(lane, at) && open.is_none_or(|(first, _)| first > at)
    }
}

impl<S: Queue> Lane<S> {
    /// Looks whether it is empty, but for what is lost.
    fn look(&mut self) {
        // A kernel that does not say is believed to have sent.
        let charged = self.socket.queued().unwrap_or(0);
        // What was taken for lost has left after all.
        self.lost = self.lost.min(charged);
        self.stuck = charged > self.lost;
        if !self.stuck {
            (self.open, self.overtaken) = (None, None);
        }
    }

    /// Counts as empty with what it is charged for now, all of which is lost.
    fn write_off(&mut self) {
        self.lost = self.socket.queued().unwrap_or(0);
        (self.open, self.overtaken, self.stuck) = (None, None, false);
    }
}

/// The adverts of one router of which it is not known yet that they have left.
#[derive(Clone, Copy, Debug, Default)]
pub struct Trail {
    /// By which lane, and when.
    oldest: Option<(usize, Time)>,
    newest: Option<(usize, Time)>,
    /// The last one that is known to have left.
    left: Time,
}

impl Trail {
    /// Notes an advert.
    pub fn sent(&mut self, lane: usize, at: Time) {
        match self.oldest {
            None => self.oldest = Some((lane, at)),
            // What lies in between is not needed: the router is thought to have been silent for longer than it was.
            Some(_) => self.newest = Some((lane, at)),
        }
    }

    /// Returns when the last advert was sent that is known to have left.
    pub fn left<S: Queue>(&mut self, lanes: &Lanes<S>) -> Time {
        while let Some((lane, at)) = self.oldest {
            if lanes.has_left(lane, at) {
                self.left = at;
            } else if !lanes.is_gone(lane, at) {
                break;
            }
            self.oldest = self.newest.take();
        }
        self.left
    }

    /// Forgets what is not known: the lanes are others.
    pub fn forget(&mut self) {
        (self.oldest, self.newest) = (None, None);
    }
}

#[cfg(test)]
mod tests;
