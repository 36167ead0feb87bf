//! How long a takeover of many addresses takes: from the decision to the last address that answers ARP.

use std::{
    io,
    mem::MaybeUninit,
    net::{IpAddr, Ipv4Addr},
    path::PathBuf,
    process,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use hadp::{
    datapath::{AdvertFilter, Datapath as _, Election, PinLock, Plan, PlannedRouter, PlannedVip, Xdp},
    model::{Family, XdpMode},
    net::packet::{BATCH, Frame, PacketSocket},
    proto::Slot,
    shell::clock,
    units::{Priority, Time, Vrid},
};
use hadp_common::wire::{arp, ether};
use nix::net::if_::if_nametoindex;
use socket2::{Domain, Protocol, Socket, Type};

use crate::lab::{Lan, Node};

/// How many addresses the one router has.
const VIPS: u16 = 1000;
/// How often every address has its turn.
const SWEEPS: usize = 10;
/// The mark: from the decision to the last address.
const MARK: Duration = Duration::from_millis(1);
/// How long nobody may answer before a takeover.
const SILENCE: Duration = Duration::from_micros(100);
/// How long an owner may take over all answers.
const PATIENCE: Duration = Duration::from_millis(200);

/// Measures, and returns a Markdown table.
///
/// # Errors
///
/// Without root, or when an address does not answer.
pub fn run() -> Result<String> {
    let lan = Lan::new(1)?;
    let [node] = lan.nodes() else { anyhow::bail!("the LAN has no node") };
    let client = lan.client();
    let mut datapath = open(node)?;
    let (mut sender, mut receiver) = (None, None);
    client.holder().in_net(|| {
        sender = Some((PacketSocket::open()?, if_nametoindex("eth0")?));
        receiver = Some(arp_socket()?);
        Ok(())
    })?;
    let ((sender, ifindex), receiver) = (sender.context("no sender")?, receiver.context("no receiver")?);
    let requests: Vec<_> = (0..VIPS).map(|n| request(client, ifindex, vip(n))).collect();

    let slot = Slot::new(0).context("no slot")?;
    let mut stores = Vec::new();
    let mut take_over = |requests: &[Frame]| -> Result<Duration> {
        datapath.set_lease(slot, Time::ZERO);
        let unowned = burst(&sender, &receiver, requests, SILENCE)?;
        ensure!(unowned.answered == 0, "{} addresses answer without an owner", unowned.answered);
        let decided = Instant::now();
        datapath.set_lease(slot, clock::now() + Duration::from_secs(10));
        stores.push(decided.elapsed());
        let answered = burst(&sender, &receiver, requests, PATIENCE)?;
        ensure!(answered.answered == requests.len(), "{} of {}", answered.answered, requests.len());
        Ok(answered.last.saturating_duration_since(decided))
    };

    // Each address by itself, in a takeover of its own: no request waits for another one's answer.
    let (mut each, mut slowest) = (Vec::new(), Vec::new());
    for _ in 0..SWEEPS {
        let sweep = requests.iter().map(|request| take_over(std::slice::from_ref(request)));
        let sweep: Vec<Duration> = sweep.collect::<Result<_>>()?;
        slowest.extend(sweep.iter().max());
        each.extend(sweep);
    }
    // All at once, and what asking a thousand times costs by itself: the same of an owner of long standing.
    let (mut together, mut alone) = (Vec::new(), Vec::new());
    for _ in 0..SWEEPS * 5 {
        together.push(take_over(&requests)?);
        let asked = Instant::now();
        let again = burst(&sender, &receiver, &requests, PATIENCE)?;
        ensure!(again.answered == requests.len(), "{} of {VIPS} addresses answer", again.answered);
        alone.push(again.last.saturating_duration_since(asked));
    }
    let out: String = [
        ("the ownership store itself, one for all addresses", &mut stores),
        ("decision to one address answering ARP, each of the 1,000 in turn", &mut each),
        ("the last of the 1,000", &mut slowest),
        ("decision to the answers to 1,000 requests at once", &mut together),
        ("the same 1,000 requests to an owner of long standing", &mut alone),
    ]
    .into_iter()
    .map(|(what, spans)| {
        spans.sort_unstable();
        format!("| {what} | {} |\n", row(spans))
    })
    .collect();
    let table = format!(
        "{VIPS} virtual addresses on one router, {SWEEPS} sweeps, generic XDP on veth\n\n| | median | p99 | max |\n\
         |---|---|---|---|\n{out}"
    );
    let last = slowest.get(slowest.len() / 2).copied().unwrap_or(PATIENCE);
    ensure!(
        last < MARK,
        "the mark for the last address is {MARK:?}, the median sweep took {last:?}\n{table}"
    );
    Ok(table)
}

fn row(sorted: &[Duration]) -> String {
    let at = |per_cent: usize| sorted.get((sorted.len() * per_cent / 100).min(sorted.len() - 1)).copied();
    let cells = [at(50), at(99), at(100)].map(|span| format!("{:.2?}", span.unwrap_or_default()));
    cells.join(" | ")
}

fn vip(n: u16) -> Ipv4Addr {
    let [high, low] = n.to_be_bytes();
    Ipv4Addr::new(10, 77, 100 + high, low)
}

/// Attaches a datapath with one router and all its addresses to the node's link.
fn open(node: &Node) -> Result<Pinned> {
    let dir = PathBuf::from(format!("/sys/fs/bpf/hadp-bench-{}", process::id()));
    node.holder().in_net(|| {
        let mut xdp = Xdp::open(PinLock::take(&dir)?)?;
        let ifindex = if_nametoindex("eth0")?;
        xdp.attach(ifindex, "eth0", XdpMode::Auto)?;
        let router = PlannedRouter {
            slot: Slot::new(0).context("no slot")?,
            ifindex,
            vrid: Vrid::new(55).context("no VRID")?,
            family: Family::V4,
            mac: node.mac(),
            link_mac: node.mac(),
            virtual_mac: false,
            accept: true,
            priority: Priority::new(100).context("no priority")?,
            yields: true,
            guard: 0,
            lease_left: Duration::from_secs(2),
            advert: AdvertFilter {
                version: 3,
                interval: None,
                password: None,
                source: IpAddr::V4(node.address()),
                group: Some(IpAddr::V4(hadp_common::wire::vrrp::GROUP_V4)),
                min_ttl: 255,
                senders: Vec::new(),
                addresses_hash: 0,
            },
            vips: (0..VIPS).map(|n| PlannedVip { addr: IpAddr::V4(vip(n)), ifindex }).collect(),
        };
        xdp.apply(&Plan { routers: vec![router] })?;
        Ok(Pinned { election: xdp.election(), xdp: Some(xdp) })
    })
}

/// A datapath that is removed again, whatever happens.
struct Pinned {
    election: Election,
    xdp: Option<Xdp>,
}

impl Pinned {
    fn set_lease(&mut self, slot: Slot, until: Time) {
        self.election.set_lease(slot, until);
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        if let Some(xdp) = self.xdp.take() {
            let _ = xdp.remove(); // nobody is left to tell
        }
    }
}

fn request(client: &Node, ifindex: u32, target: Ipv4Addr) -> Frame {
    let header = ether::header(ether::BROADCAST, client.mac(), ether::ETHERTYPE_ARP);
    let octets = [
        &header[..],
        &arp::ARP_PREFIX,
        &arp::ARP_REQUEST.to_be_bytes(),
        &client.mac(),
        &client.address().octets(),
        &[0; 6],
        &target.octets(),
    ]
    .concat();
    Frame { ifindex, octets: octets.into_boxed_slice() }
}

fn arp_socket() -> io::Result<Socket> {
    let protocol = Protocol::from(i32::from(ether::ETHERTYPE_ARP.to_be()));
    let socket = Socket::new(Domain::PACKET, Type::RAW.nonblocking(), Some(protocol))?;
    socket.set_recv_buffer_size(8 << 20)?;
    Ok(socket)
}

/// How a burst of requests was answered.
struct Answered {
    answered: usize,
    last: Instant,
}

/// Sends all requests and takes the answers, until all have come or `patience` is over.
fn burst(
    sender: &PacketSocket,
    receiver: &Socket,
    requests: &[Frame],
    patience: Duration,
) -> Result<Answered> {
    while take(receiver)?.is_some() {} // what is left of the last burst
    let start = Instant::now();
    let mut done = Answered { answered: 0, last: start };
    for batch in requests.chunks(BATCH) {
        let sent = sender.send(batch);
        ensure!(sent.count == batch.len(), "a request was not sent: {:?}", sent.error);
    }
    while done.answered < requests.len() {
        match take(receiver)? {
            Some(true) => done = Answered { answered: done.answered + 1, last: Instant::now() },
            Some(false) => {}
            None if start.elapsed() > patience => break,
            None => std::hint::spin_loop(),
        }
    }
    Ok(done)
}

/// Takes one frame: whether it is an answer, or `None` when there is none.
fn take(receiver: &Socket) -> io::Result<Option<bool>> {
    let mut buf = [MaybeUninit::uninit(); 64];
    match receiver.recv(&mut buf) {
        Ok(len) if len >= arp::ARP_FRAME_LEN => {
            // SAFETY: the kernel has written the first `len` octets, of which these are two.
            let operation =
                [20, 21].map(|at: usize| buf.get(at).map_or(0, |octet| unsafe { octet.assume_init() }));
            Ok(Some(u16::from_be_bytes(operation) == arp::ARP_REPLY))
        }
        Ok(_) => Ok(Some(false)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}
