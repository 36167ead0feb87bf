//! The rest that both leave the machine, at a pace that it cannot keep.

use super::*;
use crate::shell::heartbeat::heart::REST;

/// At a pace that no machine keeps, both together rest between any two packets as one alone would.
#[test]
fn two_hearts_leave_the_machine_as_much_rest_as_one() {
    let rig = Rig::new(ANYWHERE, Kernel, Kernel);
    let begun = clock::now();
    rig.transmit(Duration::from_micros(10), ms(30_000));
    let news = rig.news.recv_timeout(ms(20_000)).unwrap();
    let (sent, took) = (rig.sent(), clock::now().since(begun));
    assert!(u128::from(sent.packets) <= took.as_nanos() / REST.as_nanos() + 2, "{sent:?} in {took:?}");
    assert!(news.starts_with("Behind { session: SessionId(1), asked: 10µs, kept: "), "{news}");
    assert!(sent.kept.is_some_and(|kept| kept >= REST), "{sent:?}");
    assert_eq!(rig.end(), Vec::<String>::new(), "it is told once");
}

/// The same without threads: hands that never sleep.
#[test]
fn nothing_is_sent_until_both_have_rested() {
    let (_neighbor, sender) = neighbor();
    let (heartbeat, inbox, _bell) = channels().unwrap();
    let relief = Arc::new(Relief::new().unwrap());
    let mut heart = Heart::new(inbox, Table::default(), Deaf, Box::new(|_| {}), Arc::clone(&relief));
    let every = Duration::from_micros(10);
    heartbeat.connect(id(), Some(sender), false);
    heartbeat
        .order(Order::Transmit(id(), Some(Transmission { control: CONTROL, every, detected_after: None })));
    heart.turn(Hand::First, false);
    let begun = clock::now();
    while heartbeat.shown().sent(id()).packets < 100 {
        for hand in [Hand::Reserve, Hand::First] {
            let next = heart.turn(hand, false).next.unwrap();
            assert_eq!(relief.overdue(), Some(next + REST), "late is later than the rest");
        }
    }
    let took = clock::now().since(begun);
    assert!(took >= REST * 99, "{took:?}");
}

/// Answers leave at once, and what is due at its pace waits as long as they took: a neighbour that asks without a pause
/// does not make two hearts take a CPU each.
#[test]
fn answers_count_for_the_rest() {
    let (_neighbor, sender) = neighbor();
    let (heartbeat, inbox, _bell) = channels().unwrap();
    let relief = Arc::new(Relief::new().unwrap());
    let mut heart = Heart::new(inbox, Table::default(), Deaf, Box::new(|_| {}), relief);
    let every = Duration::from_micros(1);
    heartbeat.connect(id(), Some(sender), false);
    heartbeat
        .order(Order::Transmit(id(), Some(Transmission { control: CONTROL, every, detected_after: None })));
    heart.turn(Hand::First, false);
    let rests = |heart: &mut Heart<_, _>| {
        for _ in 0..100 {
            heartbeat.order(Order::SendNow(id(), CONTROL));
        }
        let begun = clock::now();
        heart.turn(Hand::First, false);
        let took = clock::now().since(begun);
        let until = heart.turn(Hand::First, false).next.unwrap().since(begun);
        assert!(took > REST * 2, "a hundred answers in {took:?}");
        until >= took * 3 / 2
    };
    // Whoever else runs on this CPU may take his time anywhere.
    assert!((0..10).any(|_| rests(&mut heart)));
}
