//! Removing what a killed daemon left.

use tracing::info;

use super::{
    ledger, report,
    run_dir::RunDir,
    supervisor::{Paths, StartError, failed},
};
use crate::{datapath::PinLock, net::addr};

/// Detaches and unpins the datapath, and takes the addresses off their interfaces.
///
/// # Errors
///
/// When a daemon still runs, or something cannot be removed; what can be is removed all the same.
pub fn clean_up(paths: &Paths) -> Result<(), StartError> {
    let lock = PinLock::take(&paths.pins)?;
    let _run_dir = RunDir::take(&paths.run).map_err(failed(format!("use {}", paths.run.display())))?;
    let stale =
        ledger::left_behind(&paths.ledger()).map_err(failed(format!("read {}", paths.ledger().display())))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(failed("start the runtime"))?;
    // Addresses go first: the datapath keeps them silent until they are gone.
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
    lock.remove_pins()?;
    for path in [paths.control(), paths.ledger()] {
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(failed(format!("remove {}", path.display()))(error));
            }
            _ => {}
        }
    }
    info!("nothing is left");
    Ok(())
}
