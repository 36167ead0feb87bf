//! Which virtual addresses may be on which interfaces, kept where a successor finds it.

use std::{
    collections::{BTreeMap, BTreeSet},
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

/// The addresses this daemon puts on interfaces.
///
/// The file names those of every router that was started, because any of them may be there: it is written before a
/// router is started, so that no takeover waits for a file, and whatever a killed daemon left is in it.
#[derive(Debug)]
pub(crate) struct Ledger {
    path: PathBuf,
    prepared: BTreeMap<Slot, Vec<Placed>>,
    /// Addresses that routers do not have any more but that may still be there, and how often that was looked at.
    /// What a router has again is no longer among them.
    leaving: Vec<(u8, Slot, Placed)>,
    held: BTreeSet<Slot>,
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
        Self { path, prepared: BTreeMap::new(), leaving: Vec::new(), held: BTreeSet::new() }
    }

    /// Notes which addresses a router may put on interfaces; [`write`](Self::write) is to follow before it does.
    pub(crate) fn prepare(&mut self, slot: Slot, placed: Vec<Placed>) {
        let stays = |old: &Placed| placed.contains(old);
        let before = self.prepared.remove(&slot).unwrap_or_default();
        self.leaving.extend(before.into_iter().filter(|old| !stays(old)).map(|old| (0, slot, old)));
        for placed in &placed {
            self.came_off(placed.ifindex, placed.vip.addr);
        }
        self.prepared.insert(slot, placed);
    }

    /// Notes that a router has left.
    pub(crate) fn forget(&mut self, slot: Slot) {
        self.prepare(slot, Vec::new());
        self.prepared.remove(&slot);
        self.held.remove(&slot);
    }

    /// Forgets the addresses that have come off, seconds after the first look at the earliest; tells whether there were any.
    /// `stays` tells whether one could not be taken off.
    pub(crate) fn settle(&mut self, stays: impl Fn(Slot, &Placed) -> bool) -> bool {
        let before = self.leaving.len();
        self.leaving.retain_mut(|(looks, slot, left)| {
            *looks = looks.saturating_add(1);
            *looks < 2 || stays(*slot, left)
        });
        self.leaving.len() < before
    }

    /// Notes that an address has come off: who puts it there from now on is somebody else.
    pub(crate) fn came_off(&mut self, ifindex: u32, addr: IpAddr) {
        self.leaving.retain(|(_, _, left)| (left.ifindex, left.vip.addr) != (ifindex, addr));
    }

    /// Returns the addresses of a router.
    pub(crate) fn prepared(&self, slot: Slot) -> &[Placed] {
        self.prepared.get(&slot).map_or(&[], Vec::as_slice)
    }

    /// Notes that a router's addresses are on their interfaces.
    pub(crate) fn acquire(&mut self, slot: Slot) {
        self.held.insert(slot);
    }

    /// Notes that they are not, or not for long.
    pub(crate) fn release(&mut self, slot: Slot) {
        self.held.remove(&slot);
    }

    /// Returns the routers that hold addresses.
    pub(crate) fn holders(&self) -> impl Iterator<Item = Slot> {
        self.held.iter().copied()
    }

    /// Returns which router holds an address.
    pub(crate) fn holder(&self, ifindex: u32, addr: IpAddr) -> Option<Slot> {
        let is_it = |placed: &Placed| placed.ifindex == ifindex && placed.vip.addr == addr;
        self.holders().find(|slot| self.prepared(*slot).iter().any(is_it))
    }

    /// Writes the file.
    pub(crate) fn write(&self) -> io::Result<()> {
        let entries: Vec<_> = self
            .prepared
            .values()
            .flatten()
            .chain(self.leaving.iter().map(|(_, _, left)| left))
            .map(entry)
            .collect();
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
    fn a_successor_finds_what_may_be_there() {
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
        ledger.prepare(first, vec![vip(100)]);
        ledger.prepare(second, vec![vip(101), vip(102)]);
        ledger.write().unwrap();
        assert_eq!(left_behind(&path).unwrap(), [vip(100), vip(101), vip(102)], "any may be there");
        let addr = IpAddr::from([10, 77, 0, 102]);
        assert_eq!(ledger.holder(3, addr), None);
        ledger.acquire(second);
        assert_eq!(ledger.holder(3, addr), Some(second));
        assert_eq!(ledger.holder(4, addr), None);
        ledger.release(second);
        assert_eq!(ledger.holder(3, addr), None);
        // One stays on its interface although its router does not have it any more.
        ledger.prepare(second, vec![vip(101)]);
        for _ in 0..3 {
            assert!(!ledger.settle(|_, _| true));
            ledger.write().unwrap();
            assert_eq!(left_behind(&path).unwrap(), [vip(100), vip(101), vip(102)]);
        }
        assert!(ledger.settle(|_, _| false));
        ledger.write().unwrap();
        assert_eq!(left_behind(&path).unwrap(), [vip(100), vip(101)]);
        fs::write(&path, "[{").unwrap();
        assert!(left_behind(&path).is_err());
    }
}
