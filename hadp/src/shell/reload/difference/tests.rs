use std::path::Path;

use super::*;
use crate::config::{self, Options};

/// Reads a configuration from a text.
fn load(text: &str) -> crate::model::Config {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("hadp.conf");
    std::fs::write(&path, text).unwrap();
    let loaded = config::load(Path::new(&path), &Options::default());
    loaded.config.unwrap_or_else(|| panic!("{}", loaded.report.render(false)))
}

fn router(name: &str, vrid: u8, vip: &str, more: &str) -> String {
    format!(
        "vrrp_instance {name} {{\n interface eth0\n version 3\n virtual_router_id {vrid}\n {more}\n \
         virtual_ipaddress {{\n {vip}/16\n }}\n}}\n"
    )
}

fn session(name: &str, neighbor: &str, more: &str) -> String {
    format!("bfd_instance {name} {{\n neighbor_ip {neighbor}\n {more}\n}}\n")
}

fn slot(index: usize) -> Slot {
    Slot::new(index as u32).unwrap()
}

/// Compares two files; the routers of the first one have their places in it as slots, and those in `leaving` are on their way.
fn compared(old: &str, leaving: &[usize], new: &str) -> Steps<Slot> {
    let (old, new) = (load(old), load(new));
    let running: Vec<_> = old
        .routers
        .iter()
        .enumerate()
        .map(|(index, is)| Running { id: slot(index), is, leaving: leaving.contains(&index) })
        .collect();
    routers(&running, &new.routers)
}

fn two() -> String {
    router("A", 1, "10.0.0.1", "") + &router("B", 2, "10.0.0.2", "")
}

#[test]
fn the_same_file_is_no_step_in_whatever_order() {
    let swapped = router("B", 2, "10.0.0.2", "") + &router("A", 1, "10.0.0.1", "");
    let rows = [(two(), vec![(slot(0), 0), (slot(1), 1)]), (swapped, vec![(slot(0), 1), (slot(1), 0)])];
    for (new, mut same) in rows {
        same.sort_by_key(|(_, place)| *place);
        assert_eq!(compared(&two(), &[], &new), Steps { same, ..Steps::default() });
    }
}

#[test]
fn whatever_a_running_router_can_take_up_is_a_change() {
    for more in [
        "priority 120",
        "advert_int 0.1",
        "nopreempt",
        "use_vmac",
        "no_accept",
        "garp_master_repeat 2",
        "mcast_src_ip 10.0.0.77",
        "unicast_peer {\n 10.0.0.9\n }",
        "down_timer_adverts 4",
        "track_interface {\n eth1\n }",
    ] {
        let new = router("A", 1, "10.0.0.1", more) + &router("B", 2, "10.0.0.2", "");
        let steps = compared(&two(), &[], &new);
        assert_eq!((steps.changed, steps.same), (vec![(slot(0), 0)], vec![(slot(1), 1)]), "{more}");
        assert_eq!((steps.leave, steps.added, steps.waiting), (vec![], vec![], vec![]), "{more}");
    }
    let renamed = router("Z", 1, "10.0.0.1", "") + &router("B", 2, "10.0.0.2", "");
    assert_eq!(compared(&two(), &[], &renamed).changed, [(slot(0), 0)]);
    let moved = router("A", 1, "10.0.0.7", "") + &router("B", 2, "10.0.0.2", "");
    assert_eq!(compared(&two(), &[], &moved).changed, [(slot(0), 0)]);
}

#[test]
fn what_no_running_router_can_become_is_handed_over_first() {
    for (more, why) in [("version 2", "version"), ("priority 255", "priority, to or from 255")] {
        let new = router("A", 1, "10.0.0.1", more) + &router("B", 2, "10.0.0.2", "");
        let steps = compared(&two(), &[], &new);
        assert_eq!((steps.leave, steps.waiting), (vec![(slot(0), Some(why))], vec![0]), "{more}");
        assert_eq!((steps.changed, steps.added), (vec![], vec![]), "{more}");
        // Once it has left, it is new.
        let steps = compared(&router("B", 2, "10.0.0.2", ""), &[], &new);
        assert_eq!((steps.added, steps.same), (vec![0], vec![(slot(0), 1)]), "{more}");
    }
}

#[test]
fn routers_come_and_go() {
    let new = two() + &router("C", 3, "10.0.0.3", "");
    assert_eq!(compared(&two(), &[], &new).added, [2]);
    let steps = compared(&new, &[], &two());
    assert_eq!((steps.leave, steps.waiting), (vec![(slot(2), None)], vec![]));
    assert_eq!(compared(&new, &[2], &two()).leave, [], "it is leaving");
    let steps = compared(&new, &[2], &new);
    assert_eq!((steps.waiting, steps.added), (vec![2], vec![]), "wanted again while it leaves");
}

#[test]
fn an_address_has_one_router_at_a_time() {
    // B goes, and A gets its address; a new router with another one does not wait.
    let new = "vrrp_instance A {\n interface eth0\n version 3\n virtual_router_id 1\n \
               virtual_ipaddress {\n 10.0.0.1/16\n 10.0.0.2/16\n }\n}\n"
        .to_owned();
    let steps = compared(&two(), &[], &(new.clone() + &router("C", 3, "10.0.0.3", "")));
    assert_eq!((&steps.leave[..], &steps.waiting[..]), (&[(slot(1), None)][..], &[0][..]));
    assert_eq!((steps.changed, steps.added), (vec![], vec![1]));
    assert_eq!(compared(&router("A", 1, "10.0.0.1", ""), &[], &new).changed, [(slot(0), 0)]);
    // The same by another VRID.
    let new = router("A", 9, "10.0.0.1", "") + &router("B", 2, "10.0.0.2", "");
    let steps = compared(&two(), &[], &new);
    assert_eq!((steps.leave, steps.waiting), (vec![(slot(0), None)], vec![0]));
}

#[test]
fn who_gets_what_a_waiting_router_still_has_waits_too() {
    let list = |vips: &[&str]| [vips[0], &vips[1..].join("/16\n ")].join("/16\n ");
    let old = router("A", 1, "10.0.0.1", "")
        + &router("B", 2, "10.0.0.2", "")
        + &router("C", 3, "10.0.0.3", "")
        + &router("L", 4, "10.0.0.4", "");
    // L's goes to C, whose goes to B, whose goes to A: in the file's order, nothing shows of that at first.
    let taken_over = router("A", 1, &list(&["10.0.0.1", "10.0.0.2"]), "")
        + &router("B", 2, "10.0.0.3", "")
        + &router("C", 3, "10.0.0.4", "")
        + &router("D", 5, "10.0.0.5", "");
    let steps = compared(&old, &[], &taken_over);
    assert_eq!((&steps.leave[..], &steps.waiting[..]), (&[(slot(3), None)][..], &[0, 1, 2][..]));
    assert_eq!((steps.changed, steps.added), (vec![], vec![3]));
    // Without one that leaves, addresses change hands at once.
    let swapped = router("A", 1, "10.0.0.2", "") + &router("B", 2, "10.0.0.1", "");
    let steps = compared(&two(), &[], &swapped);
    assert_eq!((steps.changed, steps.waiting), (vec![(slot(0), 0), (slot(1), 1)], vec![]));
}

#[test]
fn sessions_are_known_by_their_neighbours_and_paths() {
    let id = |index| SessionId::new(index).unwrap();
    let old = load(&(session("P", "10.0.0.2", "") + &session("Q", "10.0.0.3", "")));
    let running: Vec<_> =
        (1..).zip(&old.bfd).map(|(index, is)| Running { id: id(index), is, leaving: false }).collect();
    let steps = |text: &str| sessions(&running, &load(text).bfd);
    let second = session("Q", "10.0.0.3", "");
    for more in ["min_tx 20", "multiplier 4", "passive", "ttl 254\n max_hops 3"] {
        let steps = steps(&(session("P", "10.0.0.2", more) + &second));
        assert_eq!((steps.changed, steps.same), (vec![(id(1), 0)], vec![(id(2), 1)]), "{more}");
    }
    assert_eq!(steps(&(session("R", "10.0.0.2", "") + &second)).changed, [(id(1), 0)], "another name");
    for more in ["source_ip 10.0.0.1", "multihop", "interface eth1"] {
        let steps = steps(&(session("P", "10.0.0.2", more) + &second));
        assert_eq!((steps.leave, steps.added), (vec![(id(1), None)], vec![0]), "{more}");
    }
    let signed = steps(&(session("P", "10.0.0.2", "auth_sha1 1 secret") + &second));
    assert!(matches!(&signed.leave[..], [(_, Some(_))]), "{signed:?}");
    assert_eq!(signed.waiting, [0]);
}
