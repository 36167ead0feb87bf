//! Adverts that must not count, on a real link.

use std::{net::Ipv4Addr, thread, time::Duration};

use anyhow::{Result, ensure};
use hadp_tests::{
    checks::{multicast, seal, transmit, v3_message, wait_owner},
    conf::{Instance, VIP},
    lab::{Daemon, Lan, hadp_status},
};

const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 50);
const SECOND: Duration = Duration::from_secs(1);

/// An advert that would win.
fn winner(src: Ipv4Addr, ttl: u8, change: impl FnOnce(&mut Vec<u8>)) -> Result<Vec<u8>> {
    let mut message = v3_message(55, 255, src, VIP)?;
    change(&mut message);
    multicast(src, ttl, &message)
}

fn conf() -> String {
    Instance::new(100).every(0.05).to_string()
}

/// What the program in the kernel says of a dropped advert of the client.
const DROPPED: &str = "slot 0: dropped an advert from 10.77.0.50 for drop reason";

#[test]
fn forged_adverts_are_counted_and_change_nothing() -> Result<()> {
    let lan = Lan::new(1)?;
    let [node] = lan.nodes() else { unreachable!() };
    let daemon = Daemon::hadp_at(node, &conf(), "info")?;
    wait_owner(&lan, node, VIP, 5 * SECOND)?;
    let frames = [
        ("bad_ttl", winner(CLIENT, 254, |_| {})?),
        ("bad_checksum", winner(CLIENT, 255, |message| message[2] = 254)?),
        ("looped_back", winner(node.address(), 255, |_| {})?),
        ("truncated", winner(CLIENT, 255, |message| message.truncate(10))?),
        ("trailing_bytes", winner(CLIENT, 255, |message| message.extend([0; 8]))?),
        (
            "bad_type",
            winner(CLIENT, 255, |message| {
                message[0] = 0x32;
                seal(message);
            })?,
        ),
        (
            "bad_version",
            winner(CLIENT, 255, |message| {
                message[0] = 0x21;
                seal(message);
            })?,
        ),
        (
            "zero_interval",
            winner(CLIENT, 255, |message| {
                message[4..6].fill(0);
                seal(message);
            })?,
        ),
        (
            "no_address",
            winner(CLIENT, 255, |message| {
                message[3] = 0;
                message.truncate(8);
                seal(message);
            })?,
        ),
    ];
    let rounds = 20;
    let all: Vec<_> = frames.iter().map(|(_, octets)| octets.clone()).collect();
    for _ in 0..rounds {
        transmit(lan.client(), &all)?;
        thread::sleep(Duration::from_millis(10));
    }
    thread::sleep(SECOND / 5);
    let status = hadp_status(node)?;
    for (reason, _) in &frames {
        assert_eq!(status["drops"][reason], rounds, "{reason}: {}", status["drops"]);
    }
    assert_eq!(status["routers"][0]["state"], "Active");
    let log = daemon.log().text();
    ensure!(!log.contains("Active -> Backup"), "{log}");
    ensure!(!log.contains(DROPPED), "told without being asked:\n{log}");
    ensure!(log.contains("bad_ttl") && log.contains("10.77.0.50"), "the log names no forger:\n{log}");

    // The same frame without a mistake does win: the test above could have failed.
    let genuine = winner(CLIENT, 255, |_| {})?;
    transmit(lan.client(), &[genuine])?;
    daemon.log().wait_for("Active -> Backup", SECOND)?;
    Ok(())
}

#[test]
fn at_debug_the_program_in_the_kernel_tells_of_a_forger_once() -> Result<()> {
    let lan = Lan::new(1)?;
    let [node] = lan.nodes() else { unreachable!() };
    let daemon = Daemon::hadp_at(node, &conf(), "hadp::ebpf=debug,info")?;
    wait_owner(&lan, node, VIP, 5 * SECOND)?;
    let rounds = 100;
    let forged = winner(CLIENT, 254, |_| {})?;
    transmit(lan.client(), &vec![forged; rounds])?;
    daemon.log().wait_for(DROPPED, SECOND)?;
    thread::sleep(SECOND / 5);
    assert_eq!(hadp_status(node)?["drops"]["bad_ttl"], rounds);
    let log = daemon.log().text();
    assert_eq!(log.matches(DROPPED).count(), 1, "{log}");
    Ok(())
}
