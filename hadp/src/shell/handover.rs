//! Taking over the machine from a daemon whose maps this one cannot read.

use std::io;

use tracing::{info, warn};

use super::{
    clock, ledger,
    orders::Due,
    placement::{self, Placement},
    report,
    start::Paths,
    voice::Voice,
};
use crate::{
    datapath::PinLock,
    model::{Router, Vip},
    net::{frames::Outlet, link::Links},
    proto::Slot,
};

/// Revokes the leases that a daemon of another layout left, and resigns for the routers it owned, so that their Backups
/// need not wait for its silence.
///
/// Which those are is known by the addresses it left on the interfaces. Whatever fails, the rest is done: the leases run
/// out, and the Backups take over by themselves.
pub(super) fn hand_over(lock: &PinLock, layout: u32, routers: &[Router], links: &Links, paths: &Paths) {
    let ran = match lock.revoke_leases(clock::now()) {
        Ok(ran) => ran,
        Err(error) => return warn!(layout, %error, "cannot revoke the leases of a daemon of another layout"),
    };
    let ours = hadp_common::LAYOUT_VERSION;
    info!(
        layout,
        ours,
        ran,
        "the maps of the former daemon have another layout: replacing them; what it owned is handed over"
    );
    if ran == 0 {
        return;
    }
    let left = ledger::left_behind(&paths.ledger()).unwrap_or_default();
    let held = |vip: &Vip| left.iter().any(|placed| placed.vip.addr == vip.addr && placed.vip.dev == vip.dev);
    let owned = routers.iter().filter(|router| placement::vips(router).any(held));
    for router in owned {
        if let Err(error) = resign(router, routers, links) {
            warn!(router = router.name, error, "no resignation was sent; the Backups wait for silence");
        }
    }
}

/// Sends priority 0 for a router.
fn resign(router: &Router, all: &[Router], links: &Links) -> Result<(), String> {
    let virtual_addresses = all.iter().flat_map(placement::vips).map(|vip| vip.addr).collect();
    let Placement { port: Some(site), .. } = placement::place(router, links, &virtual_addresses) else {
        return Ok(()); // it could not have been Active there
    };
    let outlet = Outlet::build(router, site.port(), placement::carriers(router, &site))
        .map_err(|error| report::chain(&error))?;
    say(outlet).map_err(|error| error.to_string())
}

/// Sends priority 0 for a router that no election runs for.
pub(super) fn say(outlet: Outlet) -> io::Result<()> {
    let mut voice = Voice::open()?;
    let Some(slot) = Slot::new(0) else { return Ok(()) };
    voice.set(slot, Box::new(outlet));
    let mut told = Vec::new();
    voice.advertise(&[Due { slot, priority: 0 }], &mut told);
    match told.pop().map(|advertised| advertised.result) {
        Some(Err(Some(failure))) => Err(failure.error),
        Some(Ok(()) | Err(None)) | None => Ok(()),
    }
}
