//! Adverts that must not count, on a real link.

use std::{net::Ipv4Addr, thread, time::Duration};

use anyhow::{Result, ensure};
use hadp_tests::{
    checks::{multicast, seal, transmit, v3_message, wait_owner},
    lab::{Lan, Software, hadp_status},
};

const VIP: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 100);
const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 50);
const SECOND: Duration = Duration::from_secs(1);

/// An advert that would win.
fn winner(src: Ipv4Addr, ttl: u8, change: impl FnOnce(&mut Vec<u8>)) -> Result<Vec<u8>> {
    let mut message = v3_message(55, 255, src, VIP)?;
    change(&mut message);
    multicast(src, ttl, &message)
}

#[test]
fn forged_adverts_are_counted_and_change_nothing() -> Result<()> {
    let lan = Lan::new(1)?;
    let [node] = lan.nodes() else { unreachable!() };
    let conf = format!(
        "vrrp_instance VI_1 {{\n interface eth0\n version 3\n virtual_router_id 55\n priority 100\n advert_int 0.05\n \
         virtual_ipaddress {{\n {VIP}/16\n }}\n}}\n"
    );
    let daemon = Software::Hadp.start_with(node, &conf)?;
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
    ensure!(log.contains("bad_ttl") && log.contains("10.77.0.50"), "the log names no forger:\n{log}");

    // The same frame without a mistake does win: the test above could have failed.
    let genuine = winner(CLIENT, 255, |_| {})?;
    transmit(lan.client(), &[genuine])?;
    daemon.log().wait_for("Active -> Backup", SECOND)?;
    Ok(())
}
