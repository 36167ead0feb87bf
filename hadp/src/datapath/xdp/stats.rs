//! The counters, summed over the CPUs.

use aya::maps::{Map, MapError, PerCpuArray};
use hadp_common::stats::{Drops, Stats};

use super::open::Xdp;

/// Why counters could not be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the map {name}")]
pub struct ReadError {
    name: &'static str,
    source: MapError,
}

impl Xdp {
    /// Returns what the datapath did.
    ///
    /// # Errors
    ///
    /// When the kernel refuses.
    pub fn stats(&self) -> Result<Stats, ReadError> {
        sum(&self.maps.stats, "STATS", Stats::add)
    }

    /// Returns what the datapath dropped.
    ///
    /// # Errors
    ///
    /// When the kernel refuses.
    pub fn drops(&self) -> Result<Drops, ReadError> {
        sum(&self.maps.drops, "DROPS", Drops::add)
    }
}

/// Sums the only entry of a per-CPU array.
fn sum<T: aya::Pod + Default>(
    map: &Map,
    name: &'static str,
    add: impl Fn(&mut T, &T),
) -> Result<T, ReadError> {
    let failed = |source| ReadError { name, source };
    let array = PerCpuArray::<_, T>::try_from(map).map_err(failed)?;
    let counts = array.get(&0, 0).map_err(failed)?;
    let mut total = T::default();
    counts.iter().for_each(|count| add(&mut total, count));
    Ok(total)
}
