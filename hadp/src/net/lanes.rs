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
mod tests {
    use std::{cell::Cell, io, rc::Rc};

    use super::*;

    const EVERY: Duration = Duration::from_millis(10);

    #[derive(Clone, Debug, Default)]
    struct Fake(Rc<Cell<u32>>);

    impl Queue for Fake {
        fn queued(&self) -> io::Result<u32> {
            if self.0.get() == u32::MAX { Err(io::ErrorKind::Unsupported.into()) } else { Ok(self.0.get()) }
        }
    }

    fn at(micros: u64) -> Time {
        Time::from_nanos(1_000_000_000 + micros * 1_000)
    }

    /// Sends an advert that stays in the queue, or does not; returns what is told of it.
    fn send(lanes: &mut Lanes<Fake>, trail: &mut Trail, now: Time, stays: bool) -> (Flow, Time) {
        let (lane, _) = lanes.send(now, |socket| {
            if stays {
                socket.0.set(socket.0.get() + 768);
            }
            (true, ())
        });
        trail.sent(lane.unwrap(), now);
        (lanes.flow(now), trail.left(lanes))
    }

    fn all() -> [Lanes<Fake>; 1] {
        [Lanes::shared(Default::default(), EVERY)]
    }

    #[test]
    fn an_advert_that_stays_is_found_when_the_next_one_is_sent() {
        for mut lanes in all() {
            let mut trail = Trail::default();
            #[rustfmt::skip]
            let table = [ // sent at, stays, the flow, what has left
                (     0, false, Flow::Leaves,                   None),
                (10_000, false, Flow::Leaves,                   Some(     0)),
                (20_000, true,  Flow::Leaves,                   Some(10_000)),
                (30_000, true,  Flow::Stuck { is_news: true },  Some(10_000)),
                (40_000, true,  Flow::Stuck { is_news: false }, Some(10_000)),
            ];
            for (sent, stays, flow, left) in table {
                let left = left.map_or(Time::ZERO, at);
                assert_eq!(send(&mut lanes, &mut trail, at(sent), stays), (flow, left), "{sent}");
            }
            // The queue moves again.
            lanes.lanes.iter().for_each(|lane| lane.socket.0.set(0));
            let (flow, left) = send(&mut lanes, &mut trail, at(50_000), false);
            assert!(flow == Flow::Leaves && left >= at(20_000), "{flow:?} {left:?}");
            assert_eq!(send(&mut lanes, &mut trail, at(60_000), false), (Flow::Leaves, at(50_000)));
        }
    }

    #[test]
    fn a_driver_that_is_done_with_a_frame_late_is_not_suspected() {
        // Four routers, one after the other; each frame is charged for 7 ms.
        let mut lanes = Lanes::shared(Default::default(), EVERY);
        let mut trails = [Trail::default(); 4];
        let mut charged = Vec::<(u64, Fake)>::new();
        for step in 0..400_u64 {
            let now = step * 2_500;
            charged.retain(|(since, lane)| {
                let is_charged = now - since < 7_000;
                lane.0.set(lane.0.get() - u32::from(!is_charged));
                is_charged
            });
            let (lane, socket) = lanes.send(at(now), |socket: &Fake| (true, socket.clone()));
            let socket = socket.unwrap();
            socket.0.set(socket.0.get() + 1);
            charged.push((now, socket));
            let trail = &mut trails[step as usize % 4];
            trail.sent(lane.unwrap(), at(now));
            assert_eq!(lanes.flow(at(now)), Flow::Leaves, "{now}");
            assert_eq!(trail.left(&lanes), if step < 4 { Time::ZERO } else { at(now - 10_000) });
        }
    }

    #[test]
    fn an_answer_in_between_puts_no_blame_on_the_queue() {
        for mut lanes in all() {
            let mut trail = Trail::default();
            for sent in [0, 10_000, 14_000, 24_000, 26_000, 36_000] {
                let (flow, left) = send(&mut lanes, &mut trail, at(sent), false);
                assert_eq!(flow, Flow::Leaves);
                assert!(sent == 0 || left >= at(sent.saturating_sub(24_000)), "{sent} {left:?}");
            }
        }
    }

    #[test]
    fn a_kernel_that_does_not_say_is_believed() {
        let mut lanes = Lanes::shared(std::array::from_fn(|_| Fake(Rc::new(Cell::new(u32::MAX)))), EVERY);
        let mut trail = Trail::default();
        for sent in [0, 10_000, 20_000] {
            assert_eq!(send(&mut lanes, &mut trail, at(sent), false).0, Flow::Leaves);
        }
    }

    /// A driver that never tells what became of a frame: the adverts behind it leave.
    #[test]
    fn a_frame_that_is_lost_blocks_nothing() {
        let mut lanes = Lanes::shared(Default::default(), EVERY);
        let mut trail = Trail::default();
        let mut told = 0;
        for step in 0..200_u64 {
            let now = at(step * 10_000);
            let lost = [3, 40, 41, 43, 100].contains(&step);
            let (flow, left) = send(&mut lanes, &mut trail, now, lost);
            // It is not known before the next advert but one that those behind it leave.
            let found = [4, 41, 42, 44, 101].contains(&step);
            assert_eq!(flow != Flow::Leaves, found, "{step}: {flow:?}");
            let unknown = [0, 3, 4, 40, 41, 42, 43, 44, 100, 101];
            if !unknown.contains(&step) && !unknown.contains(&(step - 1)) {
                assert_eq!(left, at((step - 1) * 10_000), "{step}");
            }
            told += u32::from(lanes.take_losses());
        }
        assert_eq!(told, 1);
        // What was sent and is lost is not taken for what left.
        assert!(!lanes.has_left(3, at(30_000)) && lanes.is_gone(3, at(30_000)));
    }

    /// What is lost hides nothing: a queue that stops is found as ever, and as long as it stands.
    #[test]
    fn a_queue_that_stops_is_found_though_a_frame_was_lost() {
        let mut lanes = Lanes::shared(Default::default(), EVERY);
        let mut trail = Trail::default();
        for step in 0..60_u64 {
            let (flow, _) = send(&mut lanes, &mut trail, at(step * 10_000), step == 3 || step >= 30);
            assert_eq!(flow != Flow::Leaves, step == 4 || step > 30, "{step}: {flow:?}");
        }
        assert!(trail.left(&lanes) == at(290_000));
    }

    /// Four routers, so that lanes are busy; one frame is lost.
    #[test]
    fn a_frame_that_is_lost_among_others_ends_no_lease() {
        let mut lanes = Lanes::shared(Default::default(), EVERY);
        let mut trails = [Trail::default(); 4];
        for step in 0..400_u64 {
            let now = at(step * 2_500);
            let (_, left) = send(&mut lanes, &mut trails[step as usize % 4], now, step == 41);
            assert!(step < 12 || now.since(left) <= EVERY * 2, "{step} {left:?}");
        }
        assert_eq!(lanes.flow(at(1_000_000)), Flow::Leaves);
    }

    /// What was taken for lost leaves late: the lane is trusted no more than it was.
    #[test]
    fn a_frame_that_leaves_after_it_was_written_off_hides_no_other() {
        let mut lanes = Lanes::shared(Default::default(), EVERY);
        let mut trail = Trail::default();
        for step in 0..20 {
            send(&mut lanes, &mut trail, at(step * 10_000), step == 3);
        }
        assert!(lanes.take_losses());
        lanes.lanes.iter().for_each(|lane| lane.socket.0.set(0));
        for step in 20..40 {
            assert_eq!(send(&mut lanes, &mut trail, at(step * 10_000), false).0, Flow::Leaves);
        }
        assert!(lanes.lanes.iter().all(|lane| lane.lost == 0));
    }

    #[test]
    fn what_is_not_taken_is_not_waited_for() {
        let mut lanes = Lanes::shared(<[Fake; SHARED]>::default(), EVERY);
        assert_eq!(lanes.send(at(0), |_| (false, "full")), (None, Some("full")));
        assert!(lanes.has_left(1, at(0)));
    }
}
