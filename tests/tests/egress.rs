//! What a node's own kernel sends from a virtual address, before and after the daemon's death.

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket},
    path::PathBuf,
    thread,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use hadp_common::wire::{
    arp::ARP_PREFIX,
    ether::{ETHERTYPE_ARP, ETHERTYPE_IPV4},
};
use hadp_tests::{
    checks::{mac, wait_owner},
    client::Mac,
    conf::{Instance, VIP},
    lab::{Lan, Node, Process, Software, hadp_binary},
};

const VMAC: Mac = Mac([0x00, 0x00, 0x5e, 0x00, 0x01, 55]);
const SECOND: Duration = Duration::from_secs(1);
const PORT: u16 = 7777;
const UDP: u8 = 17;
const TCP: u8 = 6;

/// Adverts every 50 ms, so that a lease runs for 150 ms.
fn conf(more: &str) -> String {
    Instance::new(100).every(0.05).with(more).to_string()
}

/// A capture of ARP and IPv4 at the client, without adverts.
struct Tap {
    file: PathBuf,
    _tcpdump: Process,
}

/// A frame, as far as it matters here.
#[derive(Clone, Copy, Debug)]
struct Seen {
    /// The frame's source.
    mac: Mac,
    /// The sender's address, in IPv4 or ARP.
    sender: Ipv4Addr,
    what: What,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum What {
    /// A datagram of this protocol.
    Ip(u8),
    /// ARP, in which the sender claims to be at this MAC.
    Arp(Mac),
}

impl Tap {
    fn start(lan: &Lan) -> Result<Self> {
        let file = lan.client().dir().join("tap.pcap");
        let mut tcpdump = lan.client().command("tcpdump")?;
        tcpdump.args(["-i", "eth0", "-n", "-U", "--immediate-mode", "-Z", "root", "-w"]).arg(&file);
        tcpdump.arg("arp or (ip and not proto 112)");
        let tcpdump = lan.client().spawn(tcpdump)?;
        tcpdump.log().wait_for("listening on", 5 * SECOND)?;
        Ok(Self { file, _tcpdump: tcpdump })
    }

    /// Returns the frames so far, after those still on their way have come.
    fn frames(&self) -> Result<Vec<Seen>> {
        thread::sleep(SECOND / 4);
        let octets = std::fs::read(&self.file)?;
        // A file header of 24 octets; each record has 16, of which the third word is its length.
        let mut rest = octets.get(24..).unwrap_or_default();
        let mut frames = Vec::new();
        while let Some((head, body)) = rest.split_first_chunk::<16>() {
            let [_, _, _, _, _, _, _, _, a, b, c, d, ..] = *head;
            let len = usize::try_from(u32::from_ne_bytes([a, b, c, d]))?;
            let Some((frame, next)) = body.split_at_checked(len) else { break };
            frames.push(seen(frame).with_context(|| format!("a frame that cannot be read: {frame:02x?}"))?);
            rest = next;
        }
        Ok(frames)
    }

    /// Returns the frames from the virtual address that came after the first `count`.
    fn seen_from_vip(&self, count: usize) -> Result<Vec<Seen>> {
        Ok(self.frames()?.into_iter().skip(count).filter(|seen| seen.sender == VIP).collect())
    }
}

fn seen(frame: &[u8]) -> Option<Seen> {
    let (&[_, _, _, _, _, _, source @ .., high, low], packet) = frame.split_first_chunk::<14>()?;
    let addr = |at: usize| Some(Ipv4Addr::from(*packet.get(at..)?.first_chunk::<4>()?));
    let (sender, what) = match u16::from_be_bytes([high, low]) {
        ETHERTYPE_IPV4 => (addr(12)?, What::Ip(*packet.get(9)?)),
        ETHERTYPE_ARP if packet.starts_with(&ARP_PREFIX) => {
            (addr(14)?, What::Arp(Mac(*packet.get(8..)?.first_chunk()?)))
        }
        _ => return None,
    };
    Some(Seen { mac: Mac(source), sender, what })
}

/// Makes the node send from the virtual address in every way: its kernel's ARP, datagrams, and ARP of another program.
fn send_all(lan: &Lan, node: &Node, socket: &UdpSocket) -> Result<()> {
    let client = lan.client().address();
    node.run(["ip", "neigh", "flush", "dev", "eth0"])?;
    // Whether the classifier's refusal comes back is the kernel's affair.
    let _ = socket.send_to(b"from the virtual address", (client, PORT));
    thread::sleep(SECOND / 10);
    // Once with the neighbour known, whatever became of the request for it.
    send_own(lan, node)?;
    let _ = socket.send_to(b"and again", (client, PORT));
    let vip = VIP.to_string();
    let mut arping = node.command("arping")?;
    arping.args(["-c", "1", "-w", "1", "-I", "eth0", "-S", &vip, &client.to_string()]).output()?;
    Ok(())
}

/// Makes the node send a datagram from its own address, to a neighbour it has to ask for.
fn send_own(lan: &Lan, node: &Node) -> Result<()> {
    node.run(["ip", "neigh", "flush", "dev", "eth0"])?;
    let own = node.holder().in_net(|| Ok(UdpSocket::bind((node.address(), 0))?))?;
    own.send_to(b"from the node", (lan.client().address(), PORT))?;
    thread::sleep(SECOND / 10);
    Ok(())
}

fn bind(node: &Node) -> Result<UdpSocket> {
    node.holder().in_net(|| UdpSocket::bind((VIP, 0)).context("binding to the virtual address"))
}

fn count(frames: &[Seen], is: impl Fn(What) -> bool) -> usize {
    frames.iter().filter(|seen| is(seen.what)).count()
}

#[test]
fn a_killed_daemon_leaves_a_kernel_that_sends_nothing_from_the_address() -> Result<()> {
    let lan = Lan::new(1)?;
    let [node] = lan.nodes() else { unreachable!() };
    let mut daemon = Software::Hadp.start_with(node, &conf(""))?;
    wait_owner(&lan, node, VIP, 5 * SECOND)?;
    daemon.log().wait_for("egress=tcx", SECOND)?;
    let socket = bind(node)?;
    let tap = Tap::start(&lan)?;
    send_all(&lan, node, &socket)?;
    let before = tap.seen_from_vip(0)?;
    ensure!(count(&before, |what| what == What::Ip(UDP)) == 2, "datagrams: {before:?}");
    ensure!(
        count(&before, |what| what == What::Arp(mac(node))) >= 2,
        "the kernel's and arping's: {before:?}"
    );
    ensure!(before.iter().all(|seen| seen.mac == mac(node)), "{before:?}");

    daemon.crash()?;
    thread::sleep(SECOND / 4);
    ensure!(node.holds(VIP)?, "nobody was there to remove it");
    let count_before = tap.frames()?.len();
    for _ in 0..3 {
        send_all(&lan, node, &socket)?;
    }
    let after = tap.seen_from_vip(count_before)?;
    ensure!(after.is_empty(), "a node that owns nothing sent {after:?}");
    let all = tap.frames()?;
    let own = all.iter().skip(count_before).filter(|seen| seen.what == What::Ip(UDP));
    ensure!(
        own.filter(|seen| seen.sender == node.address()).count() == 3,
        "what leaves from the node's own address was stopped"
    );

    // What a cleanup leaves is a machine like any other.
    let output = node.command(&hadp_binary()?.to_string_lossy())?.arg("cleanup").output()?;
    ensure!(output.status.success(), "{output:?}");
    ensure!(!node.run(["bpftool", "net"])?.contains("hadp"), "{}", node.run(["bpftool", "net"])?);
    node.run(["ip", "addr", "add", &format!("{VIP}/16"), "dev", "eth0"])?;
    send_all(&lan, node, &socket)?;
    ensure!(!tap.seen_from_vip(all.len())?.is_empty(), "the classifier is still there");
    Ok(())
}

#[test]
fn what_leaves_carries_the_virtual_mac() -> Result<()> {
    let lan = Lan::new(1)?;
    let [node] = lan.nodes() else { unreachable!() };
    let mut daemon = Software::Hadp.start_with(node, &conf("use_vmac"))?;
    wait_owner(&lan, node, VIP, 5 * SECOND)?;
    let socket = bind(node)?;
    let tap = Tap::start(&lan)?;
    send_all(&lan, node, &socket)?;

    // TCP keeps what it sends and lets a clone leave: a rewritten header must not show in what it sends again.
    let listener = node.holder().in_net(|| Ok(TcpListener::bind((VIP, PORT))?))?;
    let mut client =
        lan.client().holder().in_net(|| Ok(TcpStream::connect_timeout(&(VIP, PORT).into(), SECOND)?))?;
    let (mut server, _) = listener.accept()?;
    let sent: Vec<u8> = (0..200_000u32).map(|n| n.to_le_bytes()[usize::from(n % 3 == 0)]).collect();
    let mut received = vec![0; sent.len()];
    client.set_read_timeout(Some(5 * SECOND))?;
    thread::scope(|scope| {
        let writer = scope.spawn(|| server.write_all(&sent));
        client.read_exact(&mut received)?;
        writer.join().map_err(|_| std::io::Error::other("the writer panicked"))?
    })?;
    ensure!(sent == received, "the data changed on its way");

    let frames = tap.seen_from_vip(0)?;
    ensure!(count(&frames, |what| what == What::Ip(UDP)) == 2, "datagrams: {frames:?}");
    ensure!(count(&frames, |what| what == What::Ip(TCP)) > 2, "segments: {frames:?}");
    ensure!(count(&frames, |what| matches!(what, What::Arp(_))) >= 2, "ARP: {frames:?}");
    for seen in &frames {
        let claims = if let What::Arp(mac) = seen.what { mac } else { VMAC };
        ensure!(seen.mac == VMAC && claims == VMAC, "{seen:?}");
    }
    let own = tap.frames()?.into_iter().filter(|seen| seen.sender == node.address());
    let own: Vec<_> = own.collect();
    ensure!(!own.is_empty() && own.iter().all(|seen| seen.mac == mac(node)), "{own:?}");

    daemon.crash()?;
    thread::sleep(SECOND / 4);
    let count_before = tap.frames()?.len();
    server.set_nonblocking(true)?;
    server.write_all(b"from beyond")?;
    send_all(&lan, node, &socket)?;
    thread::sleep(SECOND); // for retransmissions
    let after = tap.seen_from_vip(count_before)?;
    ensure!(after.is_empty(), "a node that owns nothing sent {after:?}");
    Ok(())
}
