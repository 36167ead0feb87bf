//! Removing what a killed daemon left.

use std::{fs, io};

use tracing::info;

use super::{
    ledger, report,
    start::{Paths, StartError, failed},
};
use crate::{datapath::PinLock, dir_lock::DirLock, net::addr};

/// Detaches and unpins the datapath, and takes the addresses off their interfaces.
///
/// # Errors
///
/// When a daemon still runs, or something cannot be removed; what can be is removed all the same.
pub fn clean_up(paths: &Paths) -> Result<(), StartError> {
    let lock = PinLock::take(&paths.pins)?;
    let _run_dir = DirLock::take(&paths.run)?;
    // Addresses go first: the datapath keeps them silent until they are gone. Whatever fails, the rest goes too.
    let mut outcome = remove_addresses(paths);
    outcome = outcome.and(lock.remove_pins().map_err(StartError::from));
    for path in [paths.control(), paths.ledger()] {
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                outcome = outcome.and(Err(failed(format!("remove {}", path.display()))(error)));
            }
            _ => {}
        }
    }
    if outcome.is_ok() {
        info!("nothing is left");
    }
    outcome
}

/// Takes off the addresses that the ledger names.
fn remove_addresses(paths: &Paths) -> Result<(), StartError> {
    let ledger = paths.ledger();
    let stale = ledger::left_behind(&ledger).map_err(failed(format!("read {}", ledger.display())))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(failed("start the runtime"))?;
    let errors = runtime.block_on(async {
        let (connection, handle, _) =
            rtnetlink::new_connection().map_err(failed("open a netlink connection"))?;
        tokio::spawn(connection);
        for left in &stale {
            info!(addr = %left.vip.addr, dev = left.vip.dev, "removing address");
        }
        Ok::<_, StartError>(addr::remove(&handle, &stale).await)
    })?;
    report::address_errors(&errors);
    match errors.len() {
        0 => Ok(()),
        left => Err(StartError::AddressesLeft(left)),
    }
}
