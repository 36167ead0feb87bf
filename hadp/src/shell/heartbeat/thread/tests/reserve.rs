//! One thread does the other one's work while that stands still.

use super::*;

#[test]
fn the_reserve_keeps_the_pace_and_the_guard_while_the_first_thread_stands_still() {
    let cpu = Cpu::default();
    let rig = Rig::new(ANYWHERE, cpu.clone(), Kernel);
    let (every, detected_after) = (ms(4), ms(2_000));
    rig.transmit(every, detected_after);
    rig.receive(10);
    cpu.stop(true);
    // What left before it stood still is taken out of the count.
    rig.receive(1);
    let (begun, before) = (clock::now(), (rig.sent().packets, rig.relieved()));
    rig.receive(20);
    // An order that comes now is obeyed too: what the neighbour waits for becomes longer.
    rig.transmit(every, detected_after * 100);
    rig.receive(800);
    // What was under way when the count began was received without being counted.
    while rig.sent().packets - before.0 < 820 {
        rig.receive(1);
    }
    let took = clock::now().since(begun);
    // In this order: what leaves in between is the reserve's.
    let (sent, relieved) = (rig.sent().packets - before.0, rig.relieved() - before.1);
    assert!(took > detected_after, "the first thread alone would have let the guard lapse, {took:?}");
    assert!(sent <= relieved + 1, "{relieved} of {sent}");
    assert!(rig.guard() > Some(clock::now() + detected_after * 50));
    cpu.stop(false);
    rig.receive(10);
    assert_eq!(rig.end(), Vec::<String>::new());
}

#[test]
fn the_reserve_hears_of_a_faster_pace_though_it_sleeps() {
    let cpu = Cpu::default();
    let rig = Rig::new(ANYWHERE, cpu.clone(), Kernel);
    rig.transmit(ms(3_600_000), ms(7_200_000));
    rig.receive(1);
    rig.transmit(ms(4), ms(7_200_000));
    rig.receive(1);
    cpu.stop(true);
    rig.receive(50);
    assert!(rig.relieved() >= 40, "{}", rig.relieved());
    cpu.stop(false);
    assert_eq!(rig.end(), Vec::<String>::new());
}
