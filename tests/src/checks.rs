//! What the tests ask of a LAN again and again.

use std::{
    net::Ipv4Addr,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Result, bail, ensure};
use hadp::net::packet::{Frame, PacketSocket};
use hadp_common::wire::{
    checksum, ether,
    ipv4::{self, IPPROTO_VRRP},
    vrrp::{Advert, Body, ChecksumMode, GROUP_V4, MAX_LEN, VRRP_LEN},
};
use serde_json::Value;

use crate::{
    client::{ArpProber, Mac},
    conf::VIP,
    lab::{Lan, Node, hadp_status, wait_until},
};

/// Returns a file of the test data.
pub fn data(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data").join(file)
}

/// Returns a node's MAC.
pub fn mac(node: &Node) -> Mac {
    Mac(node.mac())
}

/// Waits until `owner` has `vip` on its interface and no other node of the LAN has.
///
/// # Errors
///
/// When that does not come about within `timeout`.
pub fn wait_owner(lan: &Lan, owner: &Node, vip: Ipv4Addr, timeout: Duration) -> Result<Duration> {
    wait_until(&format!("{} alone holds {vip}", owner.name()), timeout, || {
        for node in lan.nodes() {
            if node.holds(vip)? != (node.name() == owner.name()) {
                return Ok(false);
            }
        }
        Ok(true)
    })
}

/// Returns the state of a node's first router, and why it is in Initialize.
///
/// # Errors
///
/// When the daemon does not answer.
pub fn state(node: &Node) -> Result<(String, String)> {
    let status = hadp_status(node)?;
    let field = |name: &str| {
        let value = status.pointer(&format!("/routers/0/{name}"));
        value.and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    Ok((field("state"), field("cause")))
}

/// Waits until a node's first router is in a state, for a cause that contains `cause`.
///
/// # Errors
///
/// When that does not come about in time.
pub fn wait_state(node: &Node, wanted: &str, cause: &str) -> Result<()> {
    wait_until(&format!("{} is {wanted} {cause}", node.name()), Duration::from_secs(8), || {
        Ok(state(node).is_ok_and(|(state, why)| state == wanted && why.contains(cause)))
    })?;
    Ok(())
}

/// Has the routers of a node that has just started wait for their Skew_Time alone, and not for three intervals more: the client
/// says to each of them what an Active router says that resigns.
///
/// # Errors
///
/// When the routers do not start in time.
pub fn hasten(lan: &Lan, node: &Node) -> Result<()> {
    let mut vrids = Vec::new();
    wait_until(&format!("the routers of {} run", node.name()), Duration::from_secs(8), || {
        let Ok(status) = hadp_status(node) else { return Ok(false) };
        let routers = status.get("routers").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let vrid = |router: &Value| u8::try_from(router.get("vrid")?.as_u64()?).ok();
        vrids = routers.iter().filter_map(vrid).collect();
        let runs = |router: &Value| router.get("state").is_some_and(|state| state != "Initialize");
        Ok(!routers.is_empty() && routers.iter().all(runs))
    })?;
    let client = lan.client();
    let resignation = |vrid| multicast(client.address(), 255, &v3_message(vrid, 0, client.address(), VIP)?);
    transmit(client, &vrids.into_iter().map(resignation).collect::<Result<Vec<_>>>()?)
}

/// Returns who answered for the address since `start`, one entry each time that changed.
pub fn owners_since(prober: &ArpProber, start: Instant) -> Vec<Mac> {
    let mut owners: Vec<_> =
        prober.answers().iter().filter(|answer| answer.at >= start).map(|answer| answer.mac).collect();
    owners.dedup();
    owners
}

/// Returns for how long both answered while the address moved from one node to the other since `start`.
///
/// A preempted router goes on answering until it has heard the advert that preempts it; that is the protocol's, and
/// milliseconds where it is software.
///
/// # Errors
///
/// When a third one answered, `from` answered last, or one of the two never did.
pub fn overlap(prober: &ArpProber, start: Instant, from: &Node, to: &Node) -> Result<Duration> {
    let answers: Vec<_> = prober.answers().into_iter().filter(|answer| answer.at >= start).collect();
    let strangers = answers.iter().filter(|answer| ![mac(from), mac(to)].contains(&answer.mac)).count();
    let last_before = answers.iter().rfind(|answer| answer.mac == mac(from)).map(|answer| answer.at);
    let first_after = answers.iter().find(|answer| answer.mac == mac(to)).map(|answer| answer.at);
    let (Some(last_before), Some(first_after), 0) = (last_before, first_after, strangers) else {
        bail!(
            "expected answers of {} and then of {}: {:?}",
            from.name(),
            to.name(),
            owners_since(prober, start)
        );
    };
    ensure!(answers.last().is_some_and(|answer| answer.mac == mac(to)), "{} answered last", from.name());
    Ok(last_before.saturating_duration_since(first_after))
}

/// Gives a VRRP message a valid checksum over the message alone; one without a header stays as it is.
pub fn seal(message: &mut [u8]) {
    for zeroed in [true, false] {
        let sum = if zeroed { 0 } else { checksum::finish(checksum::add(0, message)) };
        if let Some((header, _)) = message.split_first_chunk_mut::<VRRP_LEN>() {
            let [_, _, _, _, _, _, field @ ..] = header;
            *field = sum.to_be_bytes();
        }
    }
}

/// Returns a VRRPv3 message for one address, as sent every 50 ms from `src` to the group.
///
/// # Errors
///
/// Never: one address always fits.
pub fn v3_message(vrid: u8, priority: u8, src: Ipv4Addr, vip: Ipv4Addr) -> Result<Vec<u8>> {
    let body = Body::V3 { centis: 5, checksum: ChecksumMode::WithPseudoHeader };
    let mut message = vec![0; MAX_LEN];
    let advert = Advert { vrid, priority, body, addresses: &[vip], src, dst: GROUP_V4 };
    let Some(len) = advert.encode(&mut message) else { bail!("the advert does not fit") };
    message.truncate(len);
    Ok(message)
}

/// Returns the frame of a VRRP message to the group; its MAC ends like the address.
///
/// # Errors
///
/// When the message is too long for a datagram.
pub fn multicast(src: Ipv4Addr, ttl: u8, message: &[u8]) -> Result<Vec<u8>> {
    let Some(header) = ipv4::header(src.octets(), GROUP_V4.octets(), ttl, IPPROTO_VRRP, message.len()) else {
        bail!("the message does not fit");
    };
    let [a, b, c, d] = src.octets();
    let link =
        ether::header(ether::multicast_v4(GROUP_V4.octets()), [2, 0, a, b, c, d], ether::ETHERTYPE_IPV4);
    Ok([&link[..], &header, message].concat())
}

/// Sends frames from a node's link.
///
/// # Errors
///
/// When the link does not take them.
pub fn transmit(node: &Node, frames: &[Vec<u8>]) -> Result<()> {
    node.holder().in_net(|| {
        let socket = PacketSocket::open()?;
        let ifindex = nix::net::if_::if_nametoindex("eth0")?;
        for octets in frames {
            let sent = socket.send([&Frame { ifindex, octets: octets.clone().into_boxed_slice() }]);
            ensure!(sent.error.is_none(), "{:?}", sent.error);
        }
        Ok(())
    })
}
