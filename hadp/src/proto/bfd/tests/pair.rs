//! Two sessions against each other.

use super::{
    world::{End, World},
    *,
};

const RUNS: u64 = 100;

fn fast(micros: u64, multiplier: u8) -> Config {
    Config { min_tx: us(micros), min_rx: us(micros), multiplier, ..config() }
}

/// Returns two ends that are Up and have nothing left to poll for.
fn up(seed: u64, configs: [Config; 2]) -> World {
    let mut world = World::new(seed, configs);
    settle(&mut world, T0 + ms(2_000), seed);
    world.run_for(ms(10));
    world
}

/// Lets the ends come up and finish their polls.
fn settle(world: &mut World, until: Time, seed: u64) {
    let settled = |end: &End| {
        end.session.state() == Up && end.session.transmission().is_some_and(|told| told.control.flags == 0)
    };
    while !world.ends.iter().all(settled) {
        world.run_for(ms(1));
        assert!(world.now < until, "seed {seed}: {:?}", world.states());
    }
}

#[test]
fn two_ends_come_up_within_two_seconds_and_agree_on_the_pace() {
    let world = up(1, [fast(1_000, 3), fast(250, 5)]);
    let [first, second] = &world.ends;
    assert_eq!(transmission(&first.session).every, us(1_000));
    assert_eq!(transmission(&second.session).every, us(1_000), "the first takes no more");
    assert_eq!(first.session.detection_time(), Some(us(5_000)));
    assert_eq!(second.session.detection_time(), Some(us(3_000)));
    assert!(world.ends.iter().all(|end| end.session.counts() == Counts { ups: 1, downs: 0 }));
}

#[test]
fn one_passive_end_comes_up_and_two_never_do() {
    let passive = Config { passive: true, ..fast(1_000, 3) };
    up(2, [passive.clone(), fast(1_000, 3)]);
    let mut world = World::new(3, [passive.clone(), passive]);
    world.run_for(ms(5_000));
    assert_eq!((world.states(), world.ends[0].sent + world.ends[1].sent), ([Down, Down], 0));
}

/// A neighbour that dies is noticed within its detection time, however often it was heard before, and not much sooner.
#[test]
fn a_death_is_detected_in_time() {
    for seed in 0..RUNS {
        let mut world = up(seed, [fast(250, 3), fast(250, 3)]);
        let die = us(world.random(5_000));
        world.run_for(die);
        world.ends[1].frozen = true;
        let died = world.now;
        world.run_for(ms(50));
        let (at, _, _, diag) = *world.ends[0].changes.last().unwrap();
        assert_eq!((diag, world.ends[0].session.state()), (Diag::DetectionTimeExpired, Down), "seed {seed}");
        let took = at.since(died);
        assert!(took <= us(750) + world.delay && took >= us(500), "seed {seed}: {took:?}");
        assert!(world.ends[0].session.neighbor_is_gone());
    }
}

/// Whatever is lost, delayed, restarted, frozen or taken down: once that ends, both come up and stay so.
#[test]
fn they_always_come_up_again() {
    let mut falls = 0;
    for seed in 0..RUNS {
        let configs = [fast(500 + 500 * (seed % 3), 3), fast(1_000, 2 + (seed % 3) as u8)];
        let passive = Config { passive: seed % 5 == 0, ..configs[0].clone() };
        let mut world = World::new(seed, [passive, configs[1].clone()]);
        world.loss = [world.random(40), world.random(40)];
        world.delay = us(50 + world.random(400));
        for _ in 0..12 {
            let span = us(world.random(200_000));
            world.run_for(span);
            let end = world.random(2) as usize;
            match world.random(8) {
                0 => world.restart(end, true),
                1 => world.restart(end, false),
                2 => world.ends[end].frozen = true,
                3 => world.thaw(end),
                4 => world.tell(end, Event::AdminDown),
                5 => world.tell(end, Event::AdminUp),
                6 => world.tell(end, Event::PathDown),
                _ => world.loss[end] = 100 * world.random(2),
            }
        }
        (world.loss, world.delay) = ([0; 2], us(100));
        for end in 0..2 {
            world.thaw(end);
            world.tell(end, Event::AdminUp);
        }
        let until = world.now + ms(8_000);
        settle(&mut world, until, seed);
        world.run_for(ms(100));
        let before = world.ends.each_ref().map(|end| end.session.counts());
        world.run_for(ms(200));
        assert_eq!(world.ends.each_ref().map(|end| end.session.counts()), before, "seed {seed}");
        assert!(world.ends.iter().all(|end| transmission(&end.session).every < ms(3)), "seed {seed}");
        falls += before.iter().map(|counts| counts.downs).sum::<u64>();
    }
    assert!(falls > RUNS, "the runs have hardly a fall: {falls}");
}

/// What a guard rests on: while nothing is lost, a neighbour gives this end up only after the promise of the last packet,
/// also while intervals change.
#[test]
fn nobody_is_given_up_before_the_promise_of_its_last_packet() {
    let mut given_up = 0;
    for seed in 0..RUNS {
        let mut world = up(seed, [fast(500, 3), fast(1_000, 4)]);
        for _ in 0..10 {
            let (end, span) = (world.random(2) as usize, us(world.random(20_000)));
            match world.random(3) {
                0 => world.ends[end].frozen = true,
                1 => world.thaw(end),
                _ => {
                    let (tx, rx) = (200 + world.random(4_000), 200 + world.random(4_000));
                    let multiplier = 1 + world.random(5) as u8;
                    let changed = Config { min_tx: us(tx), min_rx: us(rx), multiplier, ..config() };
                    if !world.ends[end].frozen {
                        world.reconfigure(end, changed);
                    }
                }
            }
            world.run_for(span);
        }
        let expired = |end: &End| {
            end.changes
                .iter()
                .filter(|(_, from, _, diag)| (*from, *diag) == (Up, Diag::DetectionTimeExpired))
                .count()
        };
        given_up += world.ends.iter().map(expired).sum::<usize>();
    }
    assert!(given_up > RUNS as usize, "hardly anyone is given up: {given_up}");
}

/// A change of intervals keeps the session Up, in both directions and both ways.
#[test]
fn intervals_change_without_a_fall() {
    for seed in 0..RUNS {
        let mut world = up(seed, [fast(1_000, 3), fast(1_000, 3)]);
        for _ in 0..20 {
            let (end, span) = (world.random(2) as usize, us(world.random(30_000)));
            let (tx, rx) = (200 + world.random(20_000), 200 + world.random(20_000));
            world.reconfigure(end, Config { min_tx: us(tx), min_rx: us(rx), ..fast(1_000, 3) });
            world.run_for(span);
        }
        world.run_for(ms(500));
        assert!(world.ends.iter().all(|end| end.session.counts().downs == 0), "seed {seed}");
        assert!(world.ends.iter().all(|end| transmission(&end.session).control.flags == 0), "seed {seed}");
    }
}

#[test]
fn a_lost_final_is_asked_for_again() {
    let mut world = up(5, [fast(1_000, 3), fast(1_000, 3)]);
    world.drop_finals = [6, 0];
    world.reconfigure(0, fast(10_000, 3));
    world.run_for(ms(4));
    let told = transmission(&world.ends[0].session);
    assert_eq!((told.every, told.control.flags), (ms(1), POLL));
    world.run_for(ms(10));
    let told = transmission(&world.ends[0].session);
    assert_eq!((told.every, told.control.flags, world.drop_finals[0]), (ms(10), 0, 0));
}

/// This end's packets arrive and the neighbour's do not: the neighbour learns that it is not heard before it takes this end
/// for dead, although the first packets that say so are lost.
#[test]
fn a_neighbour_that_is_not_heard_is_told_so() {
    for (seed, lost) in (0..30).zip([0, 1, 2].into_iter().cycle()) {
        let mut world = up(seed, [fast(1_000, 5), fast(1_000, 5)]);
        world.loss[0] = 100;
        let falls = world.ends[0].changes.len();
        while world.ends[0].changes.len() == falls {
            world.run_for(us(10));
        }
        // At most one has left since: it is on its way. The others are lost.
        world.drop_next[1] = lost;
        world.run_for(ms(50));
        let diags: Vec<Diag> = world.ends[1].changes.iter().map(|(_, _, _, diag)| *diag).collect();
        assert!(diags.contains(&Diag::NeighborSignaledDown), "seed {seed}");
        assert!(!diags.contains(&Diag::DetectionTimeExpired), "seed {seed}, {lost} lost");
    }
}

/// A neighbour that is taken down on purpose says so, and is not taken for dead.
#[test]
fn admin_down_reaches_the_neighbour() {
    for seed in 0..30 {
        let mut world = up(seed, [fast(250, 3), fast(250, 3)]);
        world.drop_next[1] = (seed % 3) as usize;
        world.tell(0, Event::AdminDown);
        world.run_for(ms(5));
        let (at, _, to, diag) = *world.ends[1].changes.last().unwrap();
        assert_eq!((to, diag), (Down, Diag::NeighborSignaledDown), "seed {seed}");
        assert!(world.ends[1].session.neighbor_is_gone());
        assert!(world.now.since(at) >= ms(4), "seed {seed}");
        // It goes on saying so, once a second, and nobody comes up.
        let sent = world.ends[0].sent;
        world.run_for(ms(10_000));
        assert_eq!(world.states(), [AdminDown, Down]);
        assert!((10..=14).contains(&(world.ends[0].sent - sent)), "{}", world.ends[0].sent - sent);
        world.tell(0, Event::AdminUp);
        world.run_for(ms(1_500));
        assert_eq!(world.states(), [Up, Up]);
    }
}

/// Packets of one end get lost for a moment, again and again: the end that hears nothing gives the other one up, which
/// learns of it at once. What that costs ends with the third time: both ends count on the session no more.
#[test]
fn one_way_loss_is_told_at_once_and_damped_at_both_ends() {
    for seed in 0..RUNS {
        let mut world = up(seed, [fast(1_000, 3), fast(1_000, 3)]);
        let mut told = Vec::new();
        for _ in 0..5 {
            world.loss = [0, 100];
            let start = world.now;
            while world.ends.iter().any(|end| end.session.state() == Up) {
                world.run_for(us(20));
                assert!(world.now.since(start) < ms(5), "seed {seed}: {:?}", world.states());
            }
            let fell = world.ends.each_ref().map(|end| end.changes.last().map(|change| change.0));
            let [Some(learns), Some(gives_up)] = fell else { unreachable!() };
            assert!(learns.since(gives_up) <= world.delay, "seed {seed}");
            let [first, second] = &world.ends;
            assert!(!first.session.neighbor_is_gone() && !second.session.is_unheard(), "seed {seed}");
            told.push((first.session.is_unheard(), second.session.neighbor_is_gone()));
            world.loss = [0; 2];
            let until = world.now + ms(2_000);
            settle(&mut world, until, seed);
            world.run_for(ms(10));
        }
        let (counts, ignored) = told.split_at(3);
        assert!(counts.iter().all(|both| *both == (true, true)), "seed {seed}: {told:?}");
        assert!(ignored.iter().all(|both| *both == (false, false)), "seed {seed}: {told:?}");
    }
}

/// A link that loses most of what it carries: sessions that fall again at once come up once a second, not a thousand times.
#[test]
fn a_session_that_flaps_takes_its_time_to_come_up() {
    for seed in 0..RUNS {
        let mut world = up(seed, [fast(100, 3), fast(100, 3)]);
        world.loss = [70, 70];
        world.run_for(ms(500));
        let before = world.ends.each_ref().map(|end| (end.session.counts().ups, end.sent));
        world.run_for(ms(10_000));
        for (end, (ups, sent)) in world.ends.iter().zip(before) {
            let (ups, sent) = (end.session.counts().ups - ups, end.sent - sent);
            assert!(ups <= 20, "seed {seed}: up {ups} times");
            assert!(sent <= 1_000, "seed {seed}: {sent} packets");
        }
        world.loss = [0; 2];
        let until = world.now + ms(8_000);
        settle(&mut world, until, seed);
    }
}
