//! The open-addressed tables: how a key finds its entry.
//!
//! A lookup looks at [`PROBES`] consecutive entries from the key's hash on, and ends early at a free one. Userspace
//! fills a table whole, choosing a seed under which every key lies within reach, so the bound always holds.

/// How many entries a lookup examines at most.
pub const PROBES: u32 = 8;

/// Returns the hash of a virtual address, its interface and VLAN tags, as the index of its first entry.
///
/// `vlans` holds the outer identifier in its upper, the inner one in its lower half. `len` is a power of two.
#[inline(always)]
pub const fn vip_index(addr: [u32; 4], ifindex: u32, vlans: u32, seed: u32, len: u32) -> u32 {
    let low = (addr[3] ^ seed) as u64;
    let high =
        (addr[0] ^ addr[1].rotate_left(16) ^ addr[2].rotate_left(8) ^ ifindex ^ vlans.rotate_left(5)) as u64;
    mix((high << 32) | low) & (len - 1)
}

/// Returns the hash of a virtual router's identity, as the index of its first entry. `len` is a power of two.
#[inline(always)]
pub const fn key_index(ifindex: u32, family: u8, vrid: u8, seed: u32, len: u32) -> u32 {
    let low = (((family as u32) << 8) | vrid as u32) ^ seed;
    mix(((ifindex as u64) << 32) | low as u64) & (len - 1)
}

/// Multiplies by the golden ratio and takes well-mixed upper bits.
#[inline(always)]
const fn mix(word: u64) -> u32 {
    let product = (word ^ (word >> 29)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (product >> 40) as u32
}
