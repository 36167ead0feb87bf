//! A packet socket on a machine's `eth0`.

use std::{
    io::IoSliceMut,
    mem,
    net::Ipv4Addr,
    os::fd::AsRawFd,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result};
use hadp_common::wire::{
    arp::ARP_REPLY,
    ether::{ETHERTYPE_ARP, ETHERTYPE_IPV4},
    ipv4::IPPROTO_VRRP,
};
use nix::{
    errno::Errno,
    net::if_::if_nametoindex,
    sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt, sockopt},
    sys::time::TimeSpec,
};
use socket2::{Domain, Protocol, SockAddr, SockAddrStorage, SockFilter, Socket, Type};

use super::frame::Frame;
use crate::lab::Node;

/// The longest frame that is read; the LAN's MTU is 1,500.
const MAX_FRAME: usize = 2048;
/// Where frames have their type.
const TYPE_AT: u32 = 12;
/// Where those of IPv4 have their protocol and their source.
const PROTOCOL_AT: u32 = 23;
const SOURCE_AT: u32 = 26;
/// Where those of ARP have their operation and the sender's address.
const OPERATION_AT: u32 = 20;
const SENDER_AT: u32 = 28;
/// Room for a second of probes should the reader not be scheduled for so long.
const RECEIVE_BUFFER: usize = 8 << 20;

/// What a socket hears. The kernel drops the rest: a client that reads it would take time from the nodes, which share this
/// machine's processors.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Hears {
    /// What comes from an address: ARP that it is the sender of, and IPv4.
    From(Ipv4Addr),
    /// Answers that say where an address is.
    Replies(Ipv4Addr),
    /// ARP.
    Arp,
    /// VRRP over IPv4.
    Vrrp,
}

impl Hears {
    /// Returns the kernel's filter (classic BPF), which begins at the Ethernet header.
    fn filter(self) -> Vec<SockFilter> {
        const WORD_AT: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
        const HALF_AT: u16 = (libc::BPF_LD | libc::BPF_H | libc::BPF_ABS) as u16;
        const OCTET_AT: u16 = (libc::BPF_LD | libc::BPF_B | libc::BPF_ABS) as u16;
        const EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
        const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
        let load = |how, at| SockFilter::new(how, 0, 0, at);
        let [whole, nothing] = [MAX_FRAME as u32, 0].map(|len| SockFilter::new(RETURN, 0, 0, len));
        let [arp, ipv4] = [ETHERTYPE_ARP, ETHERTYPE_IPV4].map(u32::from);
        // Where a comparison goes on, if it is equal and if not: so many instructions further.
        match self {
            Self::From(addr) => vec![
                load(HALF_AT, TYPE_AT),
                SockFilter::new(EQUAL, 3, 0, arp),
                SockFilter::new(EQUAL, 0, 5, ipv4),
                load(WORD_AT, SOURCE_AT),
                SockFilter::new(EQUAL, 2, 3, addr.to_bits()),
                load(WORD_AT, SENDER_AT),
                SockFilter::new(EQUAL, 0, 1, addr.to_bits()),
                whole,
                nothing,
            ],
            Self::Replies(addr) => vec![
                load(HALF_AT, TYPE_AT),
                SockFilter::new(EQUAL, 0, 5, arp),
                load(HALF_AT, OPERATION_AT),
                SockFilter::new(EQUAL, 0, 3, u32::from(ARP_REPLY)),
                load(WORD_AT, SENDER_AT),
                SockFilter::new(EQUAL, 0, 1, addr.to_bits()),
                whole,
                nothing,
            ],
            Self::Arp => vec![load(HALF_AT, TYPE_AT), SockFilter::new(EQUAL, 0, 1, arp), whole, nothing],
            Self::Vrrp => vec![
                load(HALF_AT, TYPE_AT),
                SockFilter::new(EQUAL, 0, 3, ipv4),
                load(OCTET_AT, PROTOCOL_AT),
                SockFilter::new(EQUAL, 0, 1, u32::from(IPPROTO_VRRP)),
                whole,
                nothing,
            ],
        }
    }
}

/// Sends and receives whole frames on `eth0`; does not hear what the machine itself sends.
#[derive(Debug)]
pub(super) struct PacketSocket(Socket);

impl PacketSocket {
    /// Opens a socket on a machine.
    pub(super) fn open(node: &Node, hears: Hears) -> Result<Self> {
        node.holder().in_net(|| open(hears)).map(Self).context("opening a packet socket")
    }

    /// Sends a frame; one that the link does not take is as lost as one that the LAN loses.
    pub(super) fn send(&self, frame: &[u8]) {
        let _ = self.0.send(frame);
    }

    /// Takes every frame of interest that has come, each with the time at which the kernel received it.
    ///
    /// Nobody waits for frames: to be woken for each of them would take more time from the nodes, which share this
    /// machine's processors, than the frame itself.
    pub(super) fn drain(&self, mut heard: impl FnMut(Instant, Frame)) {
        let mut buffer = [0; MAX_FRAME];
        let mut control = nix::cmsg_space!(TimeSpec);
        let (now, reading) = (Instant::now(), SystemTime::now());
        let reading = reading.duration_since(UNIX_EPOCH).unwrap_or_default();
        loop {
            let mut parts = [IoSliceMut::new(&mut buffer)];
            let received =
                recvmsg::<()>(self.0.as_raw_fd(), &mut parts, Some(&mut control), MsgFlags::MSG_DONTWAIT);
            let Ok(message) = received else { return };
            let mut messages = message.cmsgs().into_iter().flatten();
            let came = messages.find_map(|message| {
                let ControlMessageOwned::ScmTimestampns(time) = message else { return None };
                Some(Duration::from(time))
            });
            let len = message.bytes;
            let at = came.map_or(now, |came| match reading.checked_sub(came) {
                Some(age) => now - age,
                None => now + (came - reading),
            });
            if let Some(frame) = buffer.get(..len).and_then(Frame::parse) {
                heard(at, frame);
            }
        }
    }
}

fn open(hears: Hears) -> Result<Socket> {
    let protocol = libc::ETH_P_ALL as u16;
    let socket = Socket::new(Domain::PACKET, Type::RAW, Some(Protocol::from(i32::from(protocol.to_be()))))?;
    let ifindex = i32::try_from(if_nametoindex("eth0")?)?;
    let fill = |storage: *mut SockAddrStorage, len: *mut libc::socklen_t| {
        let address = storage.cast::<libc::sockaddr_ll>();
        // SAFETY: the storage is zeroed, and large and aligned enough for any address.
        unsafe {
            (*address).sll_family = libc::AF_PACKET as u16;
            (*address).sll_protocol = protocol.to_be();
            (*address).sll_ifindex = ifindex;
            *len = mem::size_of::<libc::sockaddr_ll>() as libc::socklen_t;
        }
        Ok(())
    };
    // SAFETY: the closure writes a whole address and its length.
    let ((), address) = unsafe { SockAddr::try_init(fill) }?;
    socket.attach_filter(&hears.filter()).context("attaching a filter")?;
    socket.bind(&address)?;
    setsockopt(&socket, sockopt::RcvBufForce, &RECEIVE_BUFFER)?;
    setsockopt(&socket, sockopt::ReceiveTimestampns, &true)?;
    ignore_outgoing(&socket)?;
    Ok(socket)
}

fn ignore_outgoing(socket: &Socket) -> Result<()> {
    let on: libc::c_int = 1;
    // SAFETY: the option's value is an int, which outlives the call, and its length is given.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_PACKET,
            libc::PACKET_IGNORE_OUTGOING,
            (&raw const on).cast(),
            mem::size_of_val(&on) as libc::socklen_t,
        )
    };
    Errno::result(result).map(drop).context("setting PACKET_IGNORE_OUTGOING")
}
