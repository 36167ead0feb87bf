//! Whether what the kernel took of the adverts has left the host.
//!
//! `sendmmsg` says that the interface's queue has taken a frame. A queue that is shaped, or whose driver has stopped, takes
//! frames and keeps them. The socket is charged for them as long: one that is charged for nothing has sent everything; but
//! one that speaks for many routers hardly ever is. So the adverts of an interface and a pace go by several sockets in turn,
//! *lanes*, each for a part of an interval:
//!
//! ```text
//!   lane     0      1      2      3      4      0
//!         |------|------|------|------|------|------
//!           |<--------- interval -------->|
//!          sent                          the next one is, by lane 4; nothing went by lane 0 for 3/4 of an interval:
//!                                        is it empty?
//! ```
//!
//! If it is, the former advert has left. If not, something has been queued for three quarters of an interval, longer than any
//! driver takes to be done with a frame. The next advert is sent before that is looked at: there are drivers that only then
//! clear up behind the last one.

use std::time::Duration;

use super::queued::Queue;
use crate::units::Time;

/// How many lanes the adverts of several routers take: one is not used again before its turn has been judged.
pub const SHARED: usize = 5;

/// One socket.
#[derive(Debug)]
struct Lane<S> {
    socket: S,
    /// When something was first and last sent of which it is not known that it has left.
    open: Option<(Time, Time)>,
    /// Whether something had been queued for too long, and the lane has not been empty since.
    stuck: bool,
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
    /// Whether it was told that frames do not leave.
    told: bool,
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
        let lanes = sockets.into_iter().map(|socket| Lane { socket, open: None, stuck: false }).collect();
        Self { lanes, current: 0, since: Time::ZERO, turn, patience: every * 3 / 4, told: false }
    }

    /// Sends something by the lane whose turn it is, and returns which that was; `None` if nothing of it was taken.
    pub fn send<T>(&mut self, now: Time, send: impl FnOnce(&S) -> (bool, T)) -> (Option<usize>, Option<T>) {
        if now.since(self.since) >= self.turn {
            self.current = (self.current + 1) % self.lanes.len().max(1);
            self.since = now;
        }
        let Some(lane) = self.lanes.get_mut(self.current) else { return (None, None) };
        let (taken, outcome) = send(&lane.socket);
        if taken {
            lane.open = Some((lane.open.map_or(now, |(first, _)| first), now));
        }
        (taken.then_some(self.current), Some(outcome))
    }

    /// Looks at the lanes that are at rest, or were found stuck.
    pub fn flow(&mut self, now: Time) -> Flow {
        let patience = self.patience;
        let mut stuck = false;
        for lane in &mut self.lanes {
            if lane.open.is_some_and(|(_, last)| lane.stuck || now.since(last) >= patience) {
                // A kernel that does not say is believed to have sent.
                lane.stuck = lane.socket.queued().is_ok_and(|octets| octets > 0);
                if !lane.stuck {
                    lane.open = None;
                }
                stuck |= lane.stuck;
            }
        }
        let is_news = stuck && !self.told;
        self.told = stuck;
        if stuck { Flow::Stuck { is_news } } else { Flow::Leaves }
    }

    /// Tells whether what was sent by a lane at this time is known to have left.
    pub fn has_left(&self, lane: usize, at: Time) -> bool {
        let open = self.lanes.get(lane).and_then(|lane| lane.open);
        open.is_none_or(|(first, _)| first > at)
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
        while let Some((_, at)) = self.oldest.filter(|(lane, at)| lanes.has_left(*lane, *at)) {
            self.left = at;
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

    #[test]
    fn what_is_not_taken_is_not_waited_for() {
        let mut lanes = Lanes::shared(<[Fake; SHARED]>::default(), EVERY);
        assert_eq!(lanes.send(at(0), |_| (false, "full")), (None, Some("full")));
        assert!(lanes.has_left(1, at(0)));
    }
}
