//! The Internet checksum (RFC 1071).

/// Adds big-endian 16-bit words to a running sum; an odd last octet counts as its word's upper half.
pub fn add(mut sum: u32, octets: &[u8]) -> u32 {
    let (pairs, rest) = octets.as_chunks::<2>();
    for pair in pairs {
        sum += u32::from(u16::from_be_bytes(*pair));
    }
    if let [last] = rest {
        sum += u32::from(*last) << 8;
    }
    sum
}

/// Folds the carries in, without the final complement: `0xffff` for data that includes its valid checksum.
#[inline(always)]
pub const fn fold(sum: u64) -> u16 {
    let sum = (sum & 0xffff_ffff) + (sum >> 32);
    let sum = (sum & 0xffff) + ((sum >> 16) & 0xffff) + (sum >> 32);
    let sum = (sum & 0xffff) + (sum >> 16);
    ((sum & 0xffff) + (sum >> 16)) as u16
}

/// Returns the checksum of a running sum.
pub const fn finish(sum: u32) -> u16 {
    !fold(sum as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc1071_example() {
        let sum = add(0, &[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]);
        assert_eq!(fold(u64::from(sum)), 0xddf2);
        assert_eq!(finish(sum), !0xddf2);
    }

    #[test]
    fn fold_keeps_every_carry() {
        for sum in [0xffff_u64, 0x1_0000, 0x1_ffff, 0xffff_ffff, 0xffff_ffff_ffff_ffff, 0xfffe_0001_ffff_ffff]
        {
            let modulo = sum % 0xffff;
            assert_eq!(u64::from(fold(sum)) % 0xffff, modulo, "{sum:#x}");
        }
    }
}
