//! Which routers go on although their guard has lapsed.

use super::{
    follow::{active, backup, id, instance, ip, router, slot},
    *,
};
use crate::proto::{
    self, Node,
    bfd::{Followers, Guards},
};

/// Two sessions, of which these fall silent 20 ms after they were last heard.
fn sessions(silent: &[u32]) -> Sessions {
    let mut sessions = Sessions::default();
    for index in [1, 2] {
        sessions.insert(id(index), settled(config()));
        if silent.contains(&index) {
            sessions.handle(T0 + ms(20), id(index), Event::Timeout, &mut Vec::new());
        }
    }
    sessions
}

#[test]
fn who_has_taken_over_from_the_dead_alone_outlives_a_lapse() {
    let one = router(100, Some(&["a"]), Vec::new());
    let both = router(100, Some(&["a", "b"]), Vec::new());
    let routers = [(slot(0), &one), (slot(1), &both), (slot(2), &one)];
    let (a, b) = (instance("a", ip(2)), instance("b", ip(3)));
    let followers = Followers::with(routers, &[(id(1), &a), (id(2), &b)], &Guards::default());
    let mut node = Node::default();
    backup(&mut node, 0, &one, Some(2));
    backup(&mut node, 1, &both, Some(2));
    active(&mut node, 2, &one);
    let outlives = |node: &Node, sessions: &Sessions| {
        let guard = |index| followers.guards().of(slot(index)).unwrap();
        [0, 1, 2].map(|index| followers.outlives(guard(index), node.get(slot(index)).unwrap(), sessions))
    };
    assert_eq!(
        outlives(&node, &sessions(&[1, 2])),
        [false; 3],
        "one that is Backup has nothing to go on with"
    );
    for index in [0, 1] {
        let event = proto::Event::ActiveDown { from: ip(2), wait: Duration::ZERO };
        node.handle(T0 + ms(20), slot(index), event, &mut Vec::new());
    }
    assert_eq!(outlives(&node, &sessions(&[1, 2])), [true, true, false], "the third was Active before");
    assert_eq!(outlives(&node, &sessions(&[1])), [true, false, false], "its other neighbour lives");
    assert_eq!(outlives(&node, &sessions(&[])), [false; 3]);
}

#[test]
fn a_neighbour_that_has_said_anything_since_is_not_dead() {
    let said =
        [(Event::Timeout, true), (Event::Packet(Received { at: T0 + ms(20), control: packet(Down) }), false)];
    for (fall, deserted) in said {
        let mut session = settled(config());
        assert!(!session.is_deserted());
        session.handle(T0 + ms(20), fall, &mut Vec::new());
        assert_eq!(session.is_deserted(), deserted, "{fall:?}");
        let received = Received { at: T0 + ms(21), control: packet(Down) };
        session.handle(T0 + ms(21), Event::Packet(received), &mut Vec::new());
        assert!(!session.is_deserted(), "{fall:?}");
    }
}
