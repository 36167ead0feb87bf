//! Putting virtual addresses on interfaces, and taking them off.

use std::net::IpAddr;

use futures_util::{StreamExt as _, stream::FuturesUnordered};
use rtnetlink::Handle;
use rtnetlink::packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_REPLACE, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload,
};
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

/// Adds addresses in one pipelined batch; one that is there already is no error.
pub async fn add(handle: &Handle, placed: &[Placed]) -> Vec<AddressError> {
    batch(handle, placed, "add", &[libc::EEXIST], |message| {
        let mut request = NetlinkMessage::from(RouteNetlinkMessage::NewAddress(message));
        request.header.flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE;
        request
    })
    .await
}

/// Removes addresses in one pipelined batch; one that is gone already is no error.
pub async fn remove(handle: &Handle, placed: &[Placed]) -> Vec<AddressError> {
    batch(handle, placed, "remove", &[libc::EADDRNOTAVAIL, libc::ENODEV], |message| {
        let mut request = NetlinkMessage::from(RouteNetlinkMessage::DelAddress(message));
        request.header.flags = NLM_F_REQUEST | NLM_F_ACK;
        request
    })
    .await
}

async fn batch(
    handle: &Handle,
    placed: &[Placed],
    what: &'static str,
    done_already: &[i32],
    request: impl Fn(AddressMessage) -> NetlinkMessage<RouteNetlinkMessage>,
) -> Vec<AddressError> {
    let answers = FuturesUnordered::new();
    let mut errors = Vec::new();
    for entry in placed {
        let failed = |reason: String| {
            let Vip { addr, prefix, ref dev, .. } = entry.vip;
            AddressError { what, addr, prefix, dev: dev.clone(), reason }
        };
        match handle.clone().request(request(message(entry))) {
            Ok(mut replies) => answers.push(async move {
                while let Some(reply) = replies.next().await {
                    if let NetlinkPayload::Error(error) = reply.payload
                        && let Some(code) = error.code
                        && !done_already.contains(&-code.get())
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

fn message(placed: &Placed) -> AddressMessage {
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
