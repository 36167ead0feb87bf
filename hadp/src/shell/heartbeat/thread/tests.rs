//! The heartbeat on the loopback interface.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, UdpSocket},
    sync::{Arc, Mutex, mpsc},
    time::Duration,
};

use hadp_common::{
    router::GUARD_OPEN,
    wire::bfd::{BFD_LEN, Control},
};

use super::*;
use crate::{
    net::bfd::{BfdPath, BfdSender},
    proto::bfd::SessionState,
};

#[derive(Clone, Default)]
struct Table(Arc<Mutex<BTreeMap<u32, Time>>>);

impl GuardTable for Table {
    fn renew(&self, guard: u32, until: Time) {
        self.0.lock().unwrap().insert(guard, until);
    }
}

struct Deaf;

impl Record for Deaf {
    fn record(&self, _: SessionId, _: Received) {}
}

/// Packets leave at their pace and renew the guard, until the session stops; a packet that cannot leave does not.
#[test]
fn packets_leave_and_renew_the_guard() {
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
    let (table, id) = (Table::default(), SessionId::new(1).unwrap());
    let guard = || table.0.lock().unwrap().get(&1).copied();
    let (told, news) = mpsc::channel();
    let (heartbeat, thread) = spawn(Parts {
        guards: table.clone(),
        heard: Deaf,
        news: Box::new(move |news| drop(told.send(format!("{news:?}")))),
        realtime: Realtime::default(),
    })
    .unwrap();
    let control =
        Control { state: SessionState::Up, multiplier: 3, my_discriminator: 1, ..Control::default() };
    let detected_after = Duration::from_secs(30);
    let every = Duration::from_millis(2);
    heartbeat.order(Order::Guards(id, vec![1]));
    heartbeat.order(Order::Socket(id, Some(sender)));
    let begun = clock::now();
    heartbeat.order(Order::Transmit(
        id,
        Some(Transmission { control, every, detected_after: Some(detected_after) }),
    ));
    let mut packet = [0; 64];
    for _ in 0..10 {
        assert_eq!(neighbor.recv(&mut packet).unwrap(), BFD_LEN);
        assert_eq!(packet[..BFD_LEN], control.encode(BFD_LEN as u8));
    }
    let renewed = guard().unwrap();
    assert!(renewed > begun + detected_after / 2 && renewed < clock::now() + detected_after, "{renewed:?}");
    assert!(clock::now().since(begun) >= every * 3 / 4 * 9, "faster than its pace");
    assert!(heartbeat.shown().sent(id).packets >= 10);

    // Without a socket nothing leaves, and the guard runs down to where it was promised.
    heartbeat.order(Order::Socket(id, None));
    heartbeat.order(Order::SendNow(id, control));
    heartbeat.order(Order::Transmit(id, None));
    heartbeat.order(Order::Stop);
    thread.join().unwrap();
    assert_eq!(guard(), Some(Time::from_nanos(GUARD_OPEN)), "a session that stops promises nothing");
    assert!(heartbeat.shown().sent(id).failures >= 1);
    assert_eq!(news.try_iter().collect::<Vec<_>>(), Vec::<String>::new());
}
