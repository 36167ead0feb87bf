//! The heartbeat on the loopback interface.

mod alarm;
mod guards;
mod reserve;
mod rest;

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
    router::{GUARD_ENDED, GUARD_NOTED, GUARD_OPEN},
    wire::bfd::{BFD_LEN, Control},
};

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::*;
use crate::{
    net::bfd::{BfdPath, BfdSender},
    proto::bfd::{Received, SessionId, SessionState, Transmission},
    shell::{
        heartbeat::{Order, order::Sent},
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

impl Table {
    fn store(&self, guard: u32, until: Time) {
        self.0.lock().unwrap().insert(guard, until);
    }
}

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

    fn note_end(&self, guard: u32) {
        self.store(guard, Time::from_nanos(GUARD_NOTED));
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
