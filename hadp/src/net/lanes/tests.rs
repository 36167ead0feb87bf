//! What is known of adverts that leave, stay, or are lost.

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
