//! Which virtual addresses are on which interfaces, kept where a successor finds it.

use std::{
    collections::BTreeMap,
    fs, io,
    net::IpAddr,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{
    model::{Scope, Vip},
    net::addr::Placed,
    proto::Slot,
};

/// The addresses this daemon has put on interfaces.
///
/// The file is written before an address is added and after it is removed, so that whatever a killed daemon left is in
/// it.
#[derive(Debug)]
pub(crate) struct Ledger {
    path: PathBuf,
    held: BTreeMap<Slot, Vec<Placed>>,
}

/// An address as the file has it.
#[derive(Debug, Deserialize, Serialize)]
struct Entry {
    ifindex: u32,
    dev: String,
    addr: IpAddr,
    prefix: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    peer: Option<(IpAddr, u8)>,
}

impl Ledger {
    /// Starts an empty ledger in the file `path`.
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, held: BTreeMap::new() }
    }

    /// Notes the addresses of a router; call it before they are added.
    pub(crate) fn acquire(&mut self, slot: Slot, placed: Vec<Placed>) -> io::Result<()> {
        self.held.insert(slot, placed);
        self.write()
    }

    /// Returns what a router holds.
    pub(crate) fn held(&self, slot: Slot) -> &[Placed] {
        self.held.get(&slot).map_or(&[], Vec::as_slice)
    }

    /// Returns the routers that hold addresses.
    pub(crate) fn holders(&self) -> impl Iterator<Item = Slot> {
        self.held.keys().copied()
    }

    /// Returns the entry of an address that is, or should be, on an interface.
    pub(crate) fn find(&self, ifindex: u32, addr: IpAddr) -> Option<&Placed> {
        self.held.values().flatten().find(|placed| placed.ifindex == ifindex && placed.vip.addr == addr)
    }

    /// Forgets the addresses of a router; call it once they are removed.
    pub(crate) fn release(&mut self, slot: Slot) -> io::Result<()> {
        self.held.remove(&slot);
        self.write()
    }

    fn write(&self) -> io::Result<()> {
        let entries: Vec<_> = self.held.values().flatten().map(entry).collect();
        let text = serde_json::to_vec(&entries)?;
        let next = self.path.with_extension("new");
        let mut file =
            fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&next)?;
        io::Write::write_all(&mut file, &text)?;
        fs::rename(next, &self.path)
    }
}

/// Reads what a daemon that was killed left; nothing if there is no file.
///
/// # Errors
///
/// When the file exists but cannot be read or understood.
pub(crate) fn left_behind(path: &Path) -> io::Result<Vec<Placed>> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let entries: Vec<Entry> = serde_json::from_slice(&text)?;
    Ok(entries.into_iter().map(placed).collect())
}

fn entry(placed: &Placed) -> Entry {
    let Placed { ifindex, vip } = placed;
    Entry { ifindex: *ifindex, dev: vip.dev.clone(), addr: vip.addr, prefix: vip.prefix, peer: vip.peer }
}

fn placed(entry: Entry) -> Placed {
    let Entry { ifindex, dev, addr, prefix, peer } = entry;
    Placed {
        ifindex,
        vip: Vip { addr, prefix, broadcast: None, dev, scope: Scope::GLOBAL, label: None, peer },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_successor_finds_what_was_not_released() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("addresses");
        assert_eq!(left_behind(&path).unwrap(), []);
        let vip = |last| Placed {
            ifindex: 3,
            vip: Vip {
                addr: IpAddr::from([10, 77, 0, last]),
                prefix: 16,
                broadcast: None,
                dev: "eth0".to_owned(),
                scope: Scope::GLOBAL,
                label: None,
                peer: None,
            },
        };
        let (first, second) = (Slot::new(0).unwrap(), Slot::new(1).unwrap());
        let mut ledger = Ledger::new(path.clone());
        ledger.acquire(first, vec![vip(100)]).unwrap();
        ledger.acquire(second, vec![vip(101), vip(102)]).unwrap();
        ledger.release(first).unwrap();
        assert_eq!(left_behind(&path).unwrap(), [vip(101), vip(102)]);
        assert_eq!(ledger.find(3, IpAddr::from([10, 77, 0, 102])), Some(&vip(102)));
        assert_eq!(ledger.find(4, IpAddr::from([10, 77, 0, 102])), None);
        fs::write(&path, "[{").unwrap();
        assert!(left_behind(&path).is_err());
    }
}
