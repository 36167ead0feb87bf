//! All virtual routers of this machine.

/// The place of a virtual router in `ROUTERS` and `PEERS`, below [`MAX_ROUTERS`](hadp_common::router::MAX_ROUTERS).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Slot(u32);

impl Slot {
    /// Builds a slot, or `None` beyond the maps' end.
    pub const fn new(index: u32) -> Option<Self> {
        if index < hadp_common::router::MAX_ROUTERS { Some(Self(index)) } else { None }
    }

    /// Returns the index in the maps.
    pub const fn index(self) -> u32 {
        self.0
    }
}

/// The routers of a node, and which of them is due next.
#[derive(Clone, Debug, Default)]
pub struct Node {}
