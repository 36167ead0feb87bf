//! How records are laid out in octets. Both ends are the same program: the order of octets is the machine's.

/// Appends values.
#[derive(Debug, Default)]
pub(super) struct Encoder(Vec<u8>);

impl Encoder {
    pub(super) fn u64(&mut self, value: u64) {
        self.0.extend(value.to_ne_bytes());
    }

    pub(super) fn array<const N: usize>(&mut self, octets: [u8; N]) {
        self.0.extend(octets);
    }

    /// Appends octets with their number.
    pub(super) fn octets(&mut self, octets: &[u8]) {
        self.u64(octets.len() as u64);
        self.0.extend(octets);
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.0
    }
}

/// Takes values off in the order they were appended in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Decoder<'a>(pub(super) &'a [u8]);

impl<'a> Decoder<'a> {
    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*first)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_ne_bytes)
    }

    pub(super) fn octets(&mut self) -> Option<&'a [u8]> {
        let len = usize::try_from(self.u64()?).ok()?;
        let (first, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(first)
    }
}
