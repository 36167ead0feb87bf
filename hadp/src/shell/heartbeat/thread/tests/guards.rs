//! When a guard is in force, when it has lapsed, and who says so.

use super::*;

/// Where nothing is promised, as nothing leaves, no renewal finds the guard ended: then somebody has to say so.
#[test]
fn a_guard_that_nobody_renews_is_told_as_ended_too() {
    let rig = Rig::new(None, Kernel, Kernel);
    rig.table.store(GUARD, Time::from_nanos(GUARD_ENDED));
    rig.heartbeat.order(Order::Ended(GUARD));
    assert_eq!(rig.news.recv_timeout(ms(5_000)).unwrap(), format!("Lapsed({GUARD})"));
    rig.heartbeat.order(Order::Rearm(GUARD));
    let table = rig.table.clone();
    assert_eq!(rig.end(), Vec::<String>::new());
    assert_eq!(table.0.lock().unwrap().get(&GUARD).copied(), Some(Time::from_nanos(GUARD_OPEN)));
}

/// What a session promised at a fast pace is over before its next packet at a slow one, and so is the guard's ban on serving.
#[test]
fn a_guard_that_lapses_between_two_packets_is_told_then() {
    let rig = Rig::new(None, Kernel, Kernel);
    rig.transmit(ms(2), ms(100));
    rig.receive(3);
    rig.heartbeat.order(Order::Rearm(GUARD));
    let what = Transmission { control: CONTROL, every: ms(3_600_000), detected_after: Some(ms(100)) };
    rig.heartbeat.order(Order::Transmit(id(), Some(what)));
    assert_eq!(rig.news.recv_timeout(ms(5_000)).unwrap(), format!("Lapsed({GUARD})"));
    assert!(rig.guard() <= Some(clock::now()), "it is not told before");
    rig.heartbeat.order(Order::Rearm(GUARD));
    let begun = clock::now();
    while rig.guard() != Some(Time::from_nanos(GUARD_OPEN)) {
        assert!(clock::now().since(begun) < ms(5_000), "{:?}", rig.guard());
        thread::yield_now();
    }
    assert_eq!(rig.end(), Vec::<String>::new(), "it is told once");
}

/// A guard that the datapath has ended is told as lapsed, and not in force before the election has stepped down.
#[test]
fn a_guard_that_the_datapath_has_ended_stays_so_until_it_is_re_armed() {
    let rig = Rig::new(None, Kernel, Kernel);
    rig.transmit(ms(2), ms(30_000));
    rig.receive(3);
    let ended = Time::from_nanos(GUARD_ENDED);
    rig.table.store(GUARD, ended);
    rig.receive(5);
    assert_eq!(rig.guard(), Some(Time::from_nanos(GUARD_NOTED)));
    assert_eq!(rig.news.recv_timeout(ms(5_000)).unwrap(), format!("Lapsed({GUARD})"));
    rig.heartbeat.order(Order::Ended(GUARD));
    rig.heartbeat.order(Order::Rearm(GUARD));
    rig.receive(5);
    assert!(rig.guard() > Some(clock::now()));
    // It is in force again.
    rig.heartbeat.order(Order::Ended(GUARD));
    assert_eq!(rig.end(), Vec::<String>::new(), "told once");
}

#[test]
fn a_guard_lapses_when_both_stand_still() {
    let (cpu, other) = (Cpu::default(), Cpu::default());
    let rig = Rig::new(ANYWHERE, cpu.clone(), other.clone());
    let detected_after = ms(300);
    rig.transmit(ms(4), detected_after);
    rig.receive(10);
    for cpu in [&cpu, &other] {
        cpu.stop(true);
    }
    let stopped = clock::now();
    // Both have had the turn they may have been in.
    while rig.neighbor.set_read_timeout(Some(ms(100))).is_ok() && rig.neighbor.recv(&mut [0; 64]).is_ok() {}
    let promised = rig.guard().unwrap();
    assert!(promised < stopped + ms(100) + detected_after, "{promised:?}");
    while clock::now() <= promised {
        thread::yield_now();
    }
    other.stop(false);
    rig.neighbor.set_read_timeout(Some(ms(5000))).unwrap();
    rig.receive(1);
    let news = rig.news.recv_timeout(ms(5000)).unwrap();
    assert_eq!(news, format!("Lapsed({GUARD})"), "whoever sends first finds out");
    assert_eq!(rig.guard(), Some(promised), "and stores nothing");
    cpu.stop(false);
    rig.receive(5);
    assert_eq!(rig.end(), Vec::<String>::new(), "it is told once");
}

/// What was known of the neighbours holds for a moment, and no longer.
#[test]
fn a_lapsed_guard_is_reopened_at_once_or_not_at_all() {
    let rig = Rig::new(None, Kernel, Kernel);
    rig.transmit(ms(2), ms(100));
    rig.receive(3);
    let what = Transmission { control: CONTROL, every: ms(3_600_000), detected_after: Some(ms(100)) };
    rig.heartbeat.order(Order::Transmit(id(), Some(what)));
    assert_eq!(rig.news.recv_timeout(ms(5_000)).unwrap(), format!("Lapsed({GUARD})"));
    rig.heartbeat.queue(Order::Reopen(GUARD, clock::now() - ms(1)));
    while !rig.heartbeat.obey_now() {}
    assert!(rig.guard() <= Some(clock::now()), "it is too late");
    rig.heartbeat.queue(Order::Reopen(GUARD, clock::now() + ms(5_000)));
    while !rig.heartbeat.obey_now() {}
    assert_eq!(rig.guard(), Some(Time::from_nanos(GUARD_OPEN)));
    // The answer is still to come, and changes nothing.
    rig.heartbeat.order(Order::Rearm(GUARD));
    assert_eq!(rig.end(), Vec::<String>::new());
}

#[test]
fn a_guard_that_the_datapath_has_ended_is_not_reopened() {
    let rig = Rig::new(None, Kernel, Kernel);
    rig.transmit(ms(2), ms(30_000));
    rig.receive(3);
    let ended = Time::from_nanos(GUARD_ENDED);
    rig.table.store(GUARD, ended);
    rig.heartbeat.queue(Order::Reopen(GUARD, clock::now() + ms(5_000)));
    while !rig.heartbeat.obey_now() {}
    assert_eq!(rig.news.recv_timeout(ms(5_000)).unwrap(), format!("Lapsed({GUARD})"));
    assert_eq!(rig.guard(), Some(Time::from_nanos(GUARD_NOTED)));
    rig.heartbeat.order(Order::Rearm(GUARD));
    assert!(rig.end().is_empty());
}
