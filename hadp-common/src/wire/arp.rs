//! ARP for IPv4 over Ethernet (RFC 826).

use super::ether;

/// The length of an ARP message for IPv4 over Ethernet.
pub const ARP_LEN: usize = 28;
/// The length of a frame with an ARP message.
pub const ARP_FRAME_LEN: usize = ether::ETH_LEN + ARP_LEN;
/// Hardware type Ethernet, protocol IPv4, their address lengths: the first six octets of every message.
pub const ARP_PREFIX: [u8; 6] = [0, 1, 8, 0, 6, 4];
/// Operation: request.
pub const ARP_REQUEST: u16 = 1;
/// Operation: reply.
pub const ARP_REPLY: u16 = 2;

/// Returns a gratuitous ARP request frame: broadcast, sender address = target address = `addr` (RFC 9568 §8.1.2).
pub fn gratuitous(mac: [u8; 6], addr: [u8; 4]) -> [u8; ARP_FRAME_LEN] {
    let mut frame = [0; ARP_FRAME_LEN];
    let parts: [&[u8]; 7] = [
        &ether::header(ether::BROADCAST, mac, ether::ETHERTYPE_ARP),
        &ARP_PREFIX,
        &ARP_REQUEST.to_be_bytes(),
        &mac,
        &addr,
        &[0xff; 6],
        &addr,
    ];
    for (to, from) in frame.iter_mut().zip(parts.into_iter().flatten()) {
        *to = *from;
    }
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc9568_8_1_2_a_gratuitous_request_is_laid_out_as_arp() {
        let frame = gratuitous([2, 0, 0, 0, 0, 1], [192, 0, 2, 9]);
        #[rustfmt::skip]
        let expected = [
            0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 0x08, 0x06,
            0, 1, 8, 0, 6, 4, 0, 1,
            2, 0, 0, 0, 0, 1, 192, 0, 2, 9,
            0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 192, 0, 2, 9,
        ];
        assert_eq!(frame, expected);
    }
}
