//! What goes wrong on real machines: each a clear error or a clean wait.

#![expect(clippy::disallowed_methods, reason = "real daemons take real time")]

use std::{
    net::Ipv4Addr,
    process::Output,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use hadp_tests::{
    checks::{data, mac, owners_since, state, wait_owner, wait_state},
    client::ArpProber,
    lab::{Lan, Node, Software, hadp_binary, wait_until},
};

const VIP: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 100);
const SECOND: Duration = Duration::from_secs(1);

fn conf(interface: &str) -> String {
    format!(
        "vrrp_instance VI_1 {{
    interface {interface}
    version 3
    virtual_router_id 55
    advert_int 0.05
    virtual_ipaddress {{
        {VIP}/16
    }}
}}
"
    )
}

fn hadp(node: &Node, arguments: &[&str]) -> Result<Output> {
    Ok(node.command(&hadp_binary()?.to_string_lossy())?.args(arguments).output()?)
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn an_interface_that_comes_goes_and_returns() -> Result<()> {
    let lan = Lan::new(1)?;
    let [node] = lan.nodes() else { unreachable!() };
    let daemon = Software::Hadp.start_with(node, &conf("lan7"))?;
    wait_state(node, "Initialize", "interface does not exist")?;
    for _ in 0..2 {
        node.run(["ip", "link", "add", "lan7", "type", "veth", "peer", "name", "lan7-peer"])?;
        node.run(["ip", "link", "set", "lan7-peer", "up"])?;
        wait_state(node, "Initialize", "no source address")?;
        node.run(["ip", "addr", "add", "10.78.0.1/16", "dev", "lan7"])?;
        wait_state(node, "Initialize", "down")?;
        node.run(["ip", "link", "set", "lan7", "up"])?;
        wait_state(node, "Active", "")?;
        wait_until("the address is there", SECOND, || node.holds(VIP))?;
        node.run(["ip", "link", "set", "lan7", "down"])?;
        wait_state(node, "Initialize", "down")?;
        ensure!(!node.holds(VIP)?, "the address stays on an interface that is down");
        node.run(["ip", "link", "set", "lan7", "up"])?;
        wait_state(node, "Active", "")?;
        node.run(["ip", "link", "del", "lan7"])?;
        wait_state(node, "Initialize", "interface does not exist")?;
    }
    ensure!(!daemon.log().text().contains("panic"), "{}", daemon.log().text());
    Ok(())
}

#[test]
fn a_second_daemon_on_the_same_pins() -> Result<()> {
    let lan = Lan::new(1)?;
    let [node] = lan.nodes() else { unreachable!() };
    let _first = Software::Hadp.start_with(node, &conf("eth0"))?;
    wait_owner(&lan, node, VIP, 5 * SECOND)?;
    let file = node.write("second.conf", &conf("eth0"))?;
    let second = hadp(node, &["run", "-f", &file.to_string_lossy()])?;
    ensure!(second.status.code() == Some(1), "{:?}", second.status);
    ensure!(
        said(&second).contains("another hadp is running on the pins in /sys/fs/bpf/hadp"),
        "{}",
        said(&second)
    );
    let cleanup = hadp(node, &["cleanup"])?;
    ensure!(
        cleanup.status.code() == Some(1) && said(&cleanup).contains("another hadp"),
        "{}",
        said(&cleanup)
    );
    ensure!(node.holds(VIP)?, "the first one was disturbed");
    assert_eq!(state(node)?.0, "Active");
    Ok(())
}

#[test]
fn what_a_killed_daemon_left_is_removed() -> Result<()> {
    let lan = Lan::new(1)?;
    let [node] = lan.nodes() else { unreachable!() };
    let mut first = Software::Hadp.start_with(node, &conf("eth0"))?;
    wait_owner(&lan, node, VIP, 5 * SECOND)?;
    first.crash()?;
    ensure!(node.holds(VIP)? && node.run(["ip", "link", "show", "eth0"])?.contains("xdp"));
    let cleanup = hadp(node, &["cleanup"])?;
    ensure!(cleanup.status.success(), "{}", said(&cleanup));
    ensure!(!node.holds(VIP)?, "the address stays");
    ensure!(!node.run(["ip", "link", "show", "eth0"])?.contains("xdp"), "the program stays");
    ensure!(!node.run(["ls", "/sys/fs/bpf"])?.contains("hadp"), "pins stay");

    // And a daemon that is simply started again clears up by itself, and becomes Active again.
    let mut second = Software::Hadp.start_with(node, &conf("eth0"))?;
    wait_owner(&lan, node, VIP, 5 * SECOND)?;
    second.crash()?;
    // Within its lease, the next one would go on with it.
    thread::sleep(SECOND / 4);
    let third = Software::Hadp.start_with(node, &conf("eth0"))?;
    third.log().wait_for("removing an address that was left", 5 * SECOND)?;
    wait_state(node, "Active", "")?;
    wait_owner(&lan, node, VIP, SECOND)?;
    Ok(())
}

#[test]
fn a_foreign_xdp_program_is_named_and_waited_for() -> Result<()> {
    let lan = Lan::new(1)?;
    let [node] = lan.nodes() else { unreachable!() };
    // Any XDP program will do: hadp's own, as a foreign one, from another pin directory.
    let other = data("scenarios/single/n1.conf");
    let mut foreign = node.command(&hadp_binary()?.to_string_lossy())?;
    foreign.arg("run").arg("-f").arg(other).args([
        "--pin-dir",
        "/sys/fs/bpf/other",
        "--run-dir",
        "/run/other",
    ]);
    let foreign = node.spawn(foreign)?;
    foreign.log().wait_for("datapath attached", 5 * SECOND)?;
    let daemon = Software::Hadp.start_with(node, &conf("eth0"))?;
    daemon.log().wait_for("eth0 already has the XDP program", 5 * SECOND)?;
    wait_state(node, "Initialize", "datapath is not attached")?;
    foreign.signal(nix::sys::signal::Signal::SIGTERM)?;
    wait_state(node, "Active", "")
}

#[test]
fn without_rights_or_with_a_bad_configuration_nothing_starts() -> Result<()> {
    let lan = Lan::new(1)?;
    let [node] = lan.nodes() else { unreachable!() };
    let file = node.write("good.conf", &conf("eth0"))?;
    let output = node
        .command("setpriv")?
        .args(["--bounding-set", "-net_raw,-bpf,-sys_admin", "--inh-caps", "-all"])
        .arg(hadp_binary()?)
        .args(["run", "-f"])
        .arg(file)
        .output()?;
    ensure!(output.status.code() == Some(1), "{:?} {}", output.status, said(&output));
    ensure!(said(&output).contains("missing capabilities: CAP_NET_RAW, CAP_BPF"), "{}", said(&output));

    for (text, code, reason) in [
        ("vrrp_instance VI_1 {\n    interface eth0\n    virtual_router_id 300\n}\n", 5, "virtual_router_id"),
        ("vrrp_instance VI_1 {\n    interface eth0\n", 5, "VI_1"),
    ] {
        let file = node.write("bad.conf", text)?;
        for command in [&["run", "-f"][..], &["check"]] {
            let output = hadp(node, &[command, &[&*file.to_string_lossy()]].concat())?;
            ensure!(output.status.code() == Some(code), "{command:?} {:?} {}", output.status, said(&output));
            ensure!(said(&output).contains(reason), "{}", said(&output));
        }
    }
    ensure!(!node.run(["ls", "/sys/fs/bpf"])?.contains("hadp"), "a failed start left pins");
    ensure!(!node.run(["ip", "link", "show", "eth0"])?.contains("xdp"), "a failed start left a program");
    Ok(())
}

#[test]
fn an_address_that_somebody_removes_is_put_back() -> Result<()> {
    let lan = Lan::new(1)?;
    let [node] = lan.nodes() else { unreachable!() };
    let daemon = Software::Hadp.start_with(node, &conf("eth0"))?;
    wait_owner(&lan, node, VIP, 5 * SECOND)?;
    let start = Instant::now();
    let prober = ArpProber::start(lan.client(), VIP, Duration::from_millis(2))?;
    node.run(["ip", "addr", "del", &format!("{VIP}/16"), "dev", "eth0"])?;
    daemon.log().wait_for("somebody removed a virtual address", 2 * SECOND)?;
    wait_owner(&lan, node, VIP, SECOND)?;
    thread::sleep(SECOND / 4);
    assert_eq!(owners_since(&prober, start), [mac(node)]);
    assert_eq!(state(node)?.0, "Active");
    Ok(())
}
