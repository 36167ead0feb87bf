//! Virtual addresses on interfaces, and taking off those that were left there.

use std::net::IpAddr;

use futures_util::{StreamExt as _, stream::FuturesUnordered};
use rtnetlink::Handle;
use rtnetlink::packet_core::{NLM_F_ACK, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload};
use rtnetlink::packet_route::{
    AddressFamily, RouteNetlinkMessage,
    address::{AddressAttribute, AddressMessage, AddressScope},
};

use crate::model::Vip;

/// An address on a certain interface.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Placed {
    /// The interface's index.
    pub ifindex: u32,
    /// The address, with how it is put there.
    pub vip: Vip,
}

impl Placed {
    /// Returns what tells it from other addresses: by that the kernel finds it.
    pub(crate) fn key(&self) -> (u32, IpAddr, u8, Option<(IpAddr, u8)>) {
        (self.ifindex, self.vip.addr, self.vip.prefix, self.vip.peer)
    }
}

/// What failed on an address.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what} {addr}/{prefix} on {dev}: {reason}")]
pub struct AddressError {
    /// `add` or `remove`.
    pub what: &'static str,
    /// The address.
    pub addr: IpAddr,
    /// Its prefix length.
    pub prefix: u8,
    /// The interface's name.
    pub dev: String,
    /// The kernel's answer.
    pub reason: String,
}

impl AddressError {
    pub(super) fn new(what: &'static str, placed: &Placed, reason: String) -> Self {
        let Vip { addr, prefix, ref dev, .. } = placed.vip;
        Self { what, addr, prefix, dev: dev.clone(), reason }
    }
}

/// Removes addresses in one pipelined batch; one that is gone already is no error.
pub async fn remove(handle: &Handle, placed: &[Placed]) -> Vec<AddressError> {
    const GONE: [i32; 2] = [libc::EADDRNOTAVAIL, libc::ENODEV];
    let answers = FuturesUnordered::new();
    let mut errors = Vec::new();
    for entry in placed {
        let failed = |reason| AddressError::new("remove", entry, reason);
        let mut request = NetlinkMessage::from(RouteNetlinkMessage::DelAddress(message(entry)));
        request.header.flags = NLM_F_REQUEST | NLM_F_ACK;
        match handle.clone().request(request) {
            Ok(mut replies) => answers.push(async move {
                while let Some(reply) = replies.next().await {
                    if let NetlinkPayload::Error(error) = reply.payload
                        && let Some(code) = error.code
                        && !GONE.contains(&-code.get())
                    {
                        return Some(failed(error.to_io().to_string()));
                    }
                }
                None
            }),
            Err(error) => errors.push(failed(error.to_string())),
        }
    }
    errors.extend(answers.filter_map(std::future::ready).collect::<Vec<_>>().await);
    errors
}

/// Describes an address to the kernel.
pub(super) fn message(placed: &Placed) -> AddressMessage {
    let vip = &placed.vip;
    let mut message = AddressMessage::default();
    message.header.family = if vip.addr.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    message.header.index = placed.ifindex;
    message.header.scope = AddressScope::from(vip.scope.0);
    let (address, prefix) = vip.peer.unwrap_or((vip.addr, vip.prefix));
    message.header.prefix_len = prefix;
    message.attributes.push(AddressAttribute::Local(vip.addr));
    message.attributes.push(AddressAttribute::Address(address));
    if let Some(IpAddr::V4(broadcast)) = vip.broadcast {
        message.attributes.push(AddressAttribute::Broadcast(broadcast));
    }
    if let Some(label) = &vip.label {
        message.attributes.push(AddressAttribute::Label(label.clone()));
    }
    message
}
