//! What is said of a thread that ends by itself.

use super::*;

/// Nothing is sent without the first thread, which nobody would see.
#[test]
fn a_first_thread_that_fails_raises_the_alarm() {
    for cpus in [None, ANYWHERE] {
        let broken = Broken::default();
        let mut rig = Rig::new(cpus, broken.clone(), Kernel);
        rig.transmit(ms(2), ms(30_000));
        rig.receive(5);
        broken.0.store(true, Ordering::SeqCst);
        assert_eq!(rig.alarm(), io::Error::from(Errno::EINVAL).to_string());
        assert!(rig.hearts.join(), "nobody panicked");
        // What must leave still does.
        rig.heartbeat.queue(Order::SendNow(id(), CONTROL));
        assert!(rig.heartbeat.hasten(id(), &CONTROL));
    }
}

#[test]
fn a_first_thread_goes_on_without_its_reserve() {
    let broken = Broken::default();
    let rig = Rig::new(ANYWHERE, Kernel, broken.clone());
    rig.transmit(ms(2), ms(30_000));
    rig.receive(5);
    broken.0.store(true, Ordering::SeqCst);
    rig.receive(50);
    assert_eq!(rig.end(), Vec::<String>::new());
}

/// A panic in a turn leaves everything of that turn behind a lock that is poisoned: neither thread can go on.
#[test]
fn a_panic_in_a_turn_raises_the_alarm_whosever_it_is() {
    for (cpus, stopped) in [(None, false), (ANYWHERE, false), (ANYWHERE, true)] {
        let cpu = Cpu::default();
        let mut rig = Rig::new(cpus, cpu.clone(), Kernel);
        rig.transmit(ms(2), ms(30_000));
        rig.receive(5);
        cpu.stop(stopped);
        rig.table.1.store(true, Ordering::SeqCst);
        let cause = rig.alarm();
        assert!(cause.starts_with("it panicked: a bug"), "{cause}");
        while rig.neighbor.set_read_timeout(Some(ms(50))).is_ok() && rig.neighbor.recv(&mut [0; 64]).is_ok() {
        }
        assert!(rig.heartbeat.hasten(id(), &CONTROL), "a copy leaves without the lock");
        rig.receive(1);
        rig.heartbeat.connect(id(), None, false);
        assert!(!rig.heartbeat.hasten(id(), &CONTROL), "nobody obeys");
        cpu.stop(false);
        assert!(!rig.hearts.join());
    }
}
