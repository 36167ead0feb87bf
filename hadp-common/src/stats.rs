//! `STATS` and `DROPS`: what happened, by name.

use crate::macros::counters;

counters! {
    /// What the datapath did with the packets it took an interest in.
    pub enum Counter;
    /// The value of `STATS[0]` on one CPU.
    pub struct Stats;
    /// Valid adverts recorded.
    AdvertHeard = advert_heard,
    /// Adverts of virtual routers that are not configured here; passed on.
    UnknownVrid = unknown_vrid,
    /// Adverts of a configured VRID that were sent to another group; passed on.
    OtherGroup = other_group,
    /// Unicast adverts of a configured VRID that were sent to another machine; passed on.
    OtherDestination = other_destination,
    /// Events written to the ring buffer.
    EventSent = event_sent,
    /// Events lost because the ring buffer was full.
    EventLost = event_lost,
    /// ARP requests answered.
    ArpAnswered = arp_answered,
    /// Claims and probes by others for owned virtual addresses.
    Conflict = conflict,
    /// Packets to owned virtual addresses, passed up.
    VipAdmitted = vip_admitted,
    /// Frames to an owned virtual MAC whose destination MAC was set to the interface's.
    VmacRewritten = vmac_rewritten,
    /// Leases ended by the datapath, because it heard a router of higher rank.
    LeaseRevoked = lease_revoked,
    /// Frames from an owned virtual address whose source MAC, and in ARP the sender's, was set to the virtual MAC.
    VmacSent = vmac_sent,
    /// Valid BFD packets recorded.
    BfdHeard = bfd_heard,
    /// Valid BFD packets left to the daemon, which verifies their authentication.
    BfdAuthenticated = bfd_authenticated,
    /// BFD packets of no session that is configured here; passed on.
    BfdUnknown = bfd_unknown,
    /// BFD neighbours that gave this node up, whereupon the datapath ended what their sessions guard.
    GuardEnded = guard_ended,
}

counters! {
    /// Why the datapath dropped a packet.
    pub enum DropReason;
    /// The value of `DROPS[0]` on one CPU.
    pub struct Drops;
    /// The advert ends before its header, its addresses or its authentication data.
    Truncated = truncated,
    /// The advert is longer than its address count says.
    TrailingBytes = trailing_bytes,
    /// The advert came in fragments.
    Fragmented = fragmented,
    /// The TTL or hop limit is not 255, or not in the range configured for the unicast peer.
    BadTtl = bad_ttl,
    /// The version is neither 2 nor 3, or not the one configured.
    BadVersion = bad_version,
    /// The type is not ADVERTISEMENT.
    BadType = bad_type,
    /// The advert's checksum matches neither reading, or the IPv4 header's does not match.
    BadChecksum = bad_checksum,
    /// The advert lists no address.
    NoAddress = no_address,
    /// The interval is zero.
    ZeroInterval = zero_interval,
    /// v2: the interval differs from the configured one.
    IntervalMismatch = interval_mismatch,
    /// v2: the authentication type differs from the configured one.
    AuthTypeMismatch = auth_type_mismatch,
    /// v2: the authentication data differs from the configured one.
    AuthDataMismatch = auth_data_mismatch,
    /// The advert carries this node's own source address.
    LoopedBack = looped_back,
    /// The advert came by multicast where unicast is configured, or the reverse.
    WrongDelivery = wrong_delivery,
    /// The sender is not a configured unicast peer.
    UnknownPeer = unknown_peer,
    /// An ARP request for a virtual address that this node does not own.
    ArpNotOwner = arp_not_owner,
    /// A packet to a virtual address that this node does not own.
    VipNotOwner = vip_not_owner,
    /// A packet to a virtual address that this node owns, of a router that does not accept them.
    VipNotAccepted = vip_not_accepted,
    /// A frame to a virtual MAC that this node does not own.
    VmacNotOwner = vmac_not_owner,
    /// A packet that this node would have sent from a virtual address it does not own.
    EgressNotOwner = egress_not_owner,
    /// An ARP message in which this node would have claimed a virtual address it does not own.
    ArpClaimNotOwner = arp_claim_not_owner,
    /// BFD: the TTL or hop limit is below the session's least: the packet comes from too far away.
    BfdTtl = bfd_ttl,
    /// BFD: the version is not 1.
    BfdVersion = bfd_version,
    /// BFD: the packet says it is shorter than a packet can be, or longer than the datagram is.
    BfdLength = bfd_length,
    /// BFD: Detect Mult is 0.
    BfdMultiplier = bfd_multiplier,
    /// BFD: the packet is marked Multipoint.
    BfdMultipoint = bfd_multipoint,
    /// BFD: My Discriminator is 0.
    BfdMyDiscriminator = bfd_my_discriminator,
    /// BFD: Your Discriminator is 0 although the sender's state says that it knows this node.
    BfdYourDiscriminator = bfd_your_discriminator,
    /// BFD: the packet is authenticated and the session is not, or the reverse.
    BfdAuth = bfd_auth,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_counter_has_its_own_word() {
        assert_eq!(size_of::<Stats>(), 8 * Counter::ALL.len());
        assert_eq!(size_of::<Drops>(), 8 * DropReason::ALL.len());
        for (index, reason) in DropReason::ALL.iter().enumerate() {
            let mut words = [0u64; DropReason::ALL.len()];
            words[index] = 7;
            let drops: Drops = bytemuck::cast(words);
            assert_eq!(drops.count(*reason), 7, "{}", reason.name());
            assert_eq!(DropReason::from_index(index as u8), Some(*reason));
        }
    }
}
