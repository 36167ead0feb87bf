//! The heartbeat on the loopback interface.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, UdpSocket},
    sync::{
        Condvar,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, Receiver},
    },
    thread,
};

use hadp_common::{
    router::{GUARD_ENDED, GUARD_OPEN},
    wire::bfd::{BFD_LEN, Control},
};

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::*;
use crate::{
    net::bfd::{BfdPath, BfdSender},
    proto::bfd::{Received, SessionId, SessionState, Transmission},
    shell::{
        heartbeat::{Order, heart::REST, order::Sent},
        messages::Notice,
        vital::Vital,
    },
};

/// Two sets without a CPU: two threads that run anywhere.
const ANYWHERE: Option<(Vec<usize>, Vec<usize>)> = Some((Vec::new(), Vec::new()));

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// The guards, and whether to store one has the thread panic.
#[derive(Clone, Default)]
struct Table(Arc<Mutex<BTreeMap<u32, Time>>>, Arc<AtomicBool>);

impl GuardTable for Table {
    fn renew(&self, guard: u32, until: Time) -> bool {
        assert!(!self.1.load(Ordering::SeqCst), "a bug");
        let mut guards = self.0.lock().unwrap();
        let ended = guards.get(&guard).is_some_and(|until| until.as_nanos() == GUARD_ENDED);
        if !ended {
            guards.insert(guard, until);
        }
        !ended
    }

    fn store(&self, guard: u32, until: Time) {
        self.0.lock().unwrap().insert(guard, until);
    }

    fn is_ended(&self, guard: u32) -> bool {
        self.0.lock().unwrap().get(&guard).is_some_and(|until| until.as_nanos() == GUARD_ENDED)
    }
}

struct Deaf;

impl Record for Deaf {
    fn record(&self, _: SessionId, _: Received) {}
}

/// A CPU that can be made to stand still: what waits on it does not come back from that.
#[derive(Clone, Default)]
struct Cpu(Arc<(Mutex<bool>, Condvar)>);

impl Cpu {
    fn stop(&self, stopped: bool) {
        *self.0.0.lock().unwrap() = stopped;
        self.0.1.notify_all();
    }
}

impl Wait for Cpu {
    fn wait(&self, fds: &mut [PollFd<'_>], timeout: Option<TimeSpec>) -> nix::Result<i32> {
        let ready = Kernel.wait(fds, timeout);
        drop(self.0.1.wait_while(self.0.0.lock().unwrap(), |stopped| *stopped).unwrap());
        ready
    }
}

/// A system call that fails when it is told to.
#[derive(Clone, Default)]
struct Broken(Arc<AtomicBool>);

impl Wait for Broken {
    fn wait(&self, fds: &mut [PollFd<'_>], timeout: Option<TimeSpec>) -> nix::Result<i32> {
        if self.0.load(Ordering::SeqCst) { Err(Errno::EINVAL) } else { Kernel.wait(fds, timeout) }
    }
}

/// A heartbeat with one session, whose neighbour is a socket, and one guard.
struct Rig {
    neighbor: UdpSocket,
    table: Table,
    news: Receiver<String>,
    alarms: UnboundedReceiver<Notice>,
    heartbeat: Heartbeat,
    hearts: Hearts,
}

const GUARD: u32 = 1;
const CONTROL: Control = Control {
    diag: 0,
    state: SessionState::Up,
    flags: 0,
    multiplier: 3,
    my_discriminator: 1,
    your_discriminator: 0,
    desired_min_tx_us: 0,
    required_min_rx_us: 0,
    required_min_echo_rx_us: 0,
};

fn id() -> SessionId {
    SessionId::new(1).unwrap()
}

/// Returns a neighbour, and a socket that sends to it.
fn neighbor() -> (UdpSocket, BfdSender) {
    let neighbor = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
    neighbor.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let path = BfdPath {
        neighbor: IpAddr::V4(Ipv4Addr::LOCALHOST),
        source: None,
        interface: None,
        multihop: false,
        ttl: 255,
    };
    let sender = BfdSender::open(&path, None).unwrap();
    sender.redirect(neighbor.local_addr().unwrap()).unwrap();
    (neighbor, sender)
}

impl Rig {
    fn new(cpus: Option<(Vec<usize>, Vec<usize>)>, first: impl Wait, reserve: impl Wait) -> Self {
        let (neighbor, sender) = neighbor();
        let table = Table::default();
        let (told, news) = mpsc::channel();
        let (raised, alarms) = unbounded_channel();
        let parts = Parts {
            guards: table.clone(),
            heard: Deaf,
            news: Box::new(move |news| drop(told.send(format!("{news:?}")))),
            alarm: Alarm::new(Vital::Heartbeat, raised),
            realtime: Realtime::default(),
        };
        let (heartbeat, hearts) = start(parts, cpus, first, reserve).unwrap();
        heartbeat.order(Order::Guards(id(), vec![GUARD]));
        heartbeat.connect(id(), Some(sender), false);
        Self { neighbor, table, news, alarms, heartbeat, hearts }
    }

    fn transmit(&self, every: Duration, detected_after: Duration) {
        let what = Transmission { control: CONTROL, every, detected_after: Some(detected_after) };
        self.heartbeat.order(Order::Transmit(id(), Some(what)));
    }

    fn receive(&self, packets: usize) {
        let mut packet = [0; 64];
        for _ in 0..packets {
            assert_eq!(self.neighbor.recv(&mut packet).unwrap(), BFD_LEN);
            assert_eq!(packet[..BFD_LEN], CONTROL.encode(BFD_LEN as u8));
        }
    }

    fn guard(&self) -> Option<Time> {
        self.table.0.lock().unwrap().get(&GUARD).copied()
    }

    fn sent(&self) -> Sent {
        self.heartbeat.shown().sent(id())
    }

    fn relieved(&self) -> u64 {
        self.heartbeat.shown().relieved()
    }

    /// Waits for the next alarm, and returns its cause.
    fn alarm(&mut self) -> String {
        let begun = clock::now();
        loop {
            match self.alarms.try_recv() {
                Ok(Notice::Ended { vital: Vital::Heartbeat, cause }) => return cause.to_string(),
                Ok(_) => panic!("another notice"),
                Err(error) => assert!(clock::now().since(begun) < ms(5_000), "{error}"),
            }
            thread::yield_now();
        }
    }

    /// Ends both threads, and returns what they told.
    fn end(mut self) -> Vec<String> {
        self.heartbeat.order(Order::Stop);
        assert!(self.hearts.join());
        assert!(self.alarms.try_recv().is_err(), "an alarm for an end that was ordered");
        self.news.try_iter().collect()
    }
}

/// Packets leave at their pace and renew the guard, until the session stops; a packet that cannot leave does not.
#[test]
fn packets_leave_and_renew_the_guard() {
    for cpus in [None, ANYWHERE] {
        let rig = Rig::new(cpus, Kernel, Kernel);
        let (begun, every, detected_after) = (clock::now(), ms(2), ms(30_000));
        rig.transmit(every, detected_after);
        rig.receive(10);
        let renewed = rig.guard().unwrap();
        assert!(
            renewed > begun + detected_after / 2 && renewed < clock::now() + detected_after,
            "{renewed:?}"
        );
        assert!(clock::now().since(begun) >= every * 3 / 4 * 9, "faster than its pace");
        assert!(rig.sent().packets >= 10);

        // Without a socket nothing leaves, and the guard runs down to where it was promised.
        let heartbeat = rig.heartbeat.clone();
        heartbeat.connect(id(), None, false);
        heartbeat.order(Order::SendNow(id(), CONTROL));
        heartbeat.order(Order::Transmit(id(), None));
        let table = rig.table.clone();
        assert_eq!(rig.end(), Vec::<String>::new());
        let open = Some(Time::from_nanos(GUARD_OPEN));
        assert_eq!(
            table.0.lock().unwrap().get(&GUARD).copied(),
            open,
            "a session that stops promises nothing"
        );
        assert!(heartbeat.shown().sent(id()).failures >= 1);
    }
}

/// What must leave before anything else does not wait for a thread: neither for one that stands still.
#[test]
fn who_is_in_haste_sends_by_itself() {
    let cpu = Cpu::default();
    let rig = Rig::new(None, cpu.clone(), Kernel);
    cpu.stop(true);
    for sent in 1..=5 {
        rig.heartbeat.queue(Order::SendNow(id(), CONTROL));
        assert!(rig.heartbeat.hasten(id(), &CONTROL));
        assert_eq!(rig.sent().packets, sent);
        rig.receive(1);
    }
    cpu.stop(false);
    rig.end();
}

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
    assert_eq!(rig.guard(), Some(ended));
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

#[test]
fn both_end_however_long_they_would_sleep() {
    for (cpus, every) in [(None, None), (ANYWHERE, None), (ANYWHERE, Some(ms(3_600_000)))] {
        let rig = Rig::new(cpus, Kernel, Kernel);
        if let Some(every) = every {
            rig.transmit(every, every * 3);
            rig.receive(1);
        }
        assert_eq!(rig.end(), Vec::<String>::new());
    }
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
