//! Virtual addresses put on and taken off in the shortest time: requests encoded beforehand, a socket that takes many.

use std::{collections::BTreeSet, io};

use rtnetlink::{
    packet_core::{NLM_F_CREATE, NLM_F_EXCL, NLM_F_REQUEST, NetlinkMessage},
    packet_route::RouteNetlinkMessage,
    sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE},
};

use super::addr::{self, AddressError, Placed};

/// How many addresses go with one system call; each takes the kernel some 7 us.
pub const CHUNK: usize = 16;

/// The longest answer to a request, the header and what it quotes.
const ANSWER: usize = 4096;

/// NLMSG_ERROR.
const ERROR: u16 = 2;

/// A router's addresses, with the requests that put them on and take them off.
#[derive(Debug)]
pub struct AddressSet {
    placed: Vec<Placed>,
    add: Vec<Box<[u8]>>,
    remove: Vec<Box<[u8]>>,
}

/// What to do with addresses.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Change {
    /// Put them on; one that is there already is no error.
    Add,
    /// Take them off; one that is gone already is no error.
    Remove,
}

/// What a chunk of requests came to.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The addresses that were not as wanted before, and are now.
    pub changed: Vec<Placed>,
    /// Those that are not.
    pub failed: Vec<Placed>,
    /// Why, for each of them.
    pub errors: Vec<AddressError>,
}

impl AddressSet {
    /// Encodes the requests for these addresses.
    pub fn new(placed: Vec<Placed>) -> Self {
        let chunks = |request: fn(&Placed) -> NetlinkMessage<RouteNetlinkMessage>| {
            placed.chunks(CHUNK).map(|chunk| encode(chunk, request)).collect()
        };
        Self { add: chunks(add), remove: chunks(remove), placed }
    }

    /// Returns how many addresses there are.
    pub fn len(&self) -> usize {
        self.placed.len()
    }

    /// Tells whether there is none.
    pub fn is_empty(&self) -> bool {
        self.placed.is_empty()
    }

    /// Returns those of these addresses that another set does not have on the same interface.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        let kept: BTreeSet<_> = other.placed.iter().map(Placed::key).collect();
        Self::new(self.placed.iter().filter(|placed| !kept.contains(&placed.key())).cloned().collect())
    }

    /// Returns the addresses.
    pub fn placed(&self) -> &[Placed] {
        &self.placed
    }

    /// Returns the addresses of chunk `index`.
    pub fn part(&self, index: usize) -> &[Placed] {
        self.placed.chunks(CHUNK).nth(index).unwrap_or_default()
    }

    fn chunk(&self, index: usize, change: Change) -> Option<(&[Placed], &[u8])> {
        let requests = match change {
            Change::Add => self.add.get(index)?,
            Change::Remove => self.remove.get(index)?,
        };
        Some((self.placed.chunks(CHUNK).nth(index)?, requests))
    }
}

/// Encodes requests one behind the other. Their sequence numbers count from 0, so that an answer names its address.
///
/// They ask for no acknowledgement: the kernel then answers those alone that fail.
fn encode(chunk: &[Placed], request: fn(&Placed) -> NetlinkMessage<RouteNetlinkMessage>) -> Box<[u8]> {
    let mut octets = Vec::new();
    for (number, placed) in (0..).zip(chunk) {
        let mut message = request(placed);
        message.header.sequence_number = number;
        message.finalize();
        let mut one = vec![0; message.buffer_len()];
        message.serialize(&mut one);
        octets.append(&mut one);
    }
    octets.into_boxed_slice()
}

fn add(placed: &Placed) -> NetlinkMessage<RouteNetlinkMessage> {
    let mut request = NetlinkMessage::from(RouteNetlinkMessage::NewAddress(addr::message(placed)));
    request.header.flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL;
    request
}

fn remove(placed: &Placed) -> NetlinkMessage<RouteNetlinkMessage> {
    let mut request = NetlinkMessage::from(RouteNetlinkMessage::DelAddress(addr::message(placed)));
    request.header.flags = NLM_F_REQUEST;
    request
}

/// A netlink socket for address sets.
#[derive(Debug)]
pub struct AddressSocket {
    socket: Socket,
    answer: Vec<u8>,
}

impl AddressSocket {
    /// Opens the socket.
    ///
    /// # Errors
    ///
    /// When the kernel gives none.
    pub fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        socket.set_cap_ack(true)?;
        Ok(Self { socket, answer: Vec::with_capacity(ANSWER) })
    }

    /// Carries out chunk `index` of a set; `None` when the set has no such chunk.
    ///
    /// The kernel works through all requests within the system call that hands them over.
    pub fn change(&mut self, set: &AddressSet, index: usize, change: Change) -> Option<Outcome> {
        let (placed, requests) = set.chunk(index, change)?;
        let answers = self.exchange(requests);
        let mut outcome = Outcome::default();
        for (number, placed) in (0..).zip(placed) {
            let failed = match &answers {
                Ok(answers) => {
                    answers.iter().find(|(sequence, _)| *sequence == number).map(|(_, errno)| *errno)
                }
                // Nothing is known of any of them.
                Err(error) => Some(error.raw_os_error().unwrap_or(libc::EIO)),
            };
            match failed {
                None => outcome.changed.push(placed.clone()),
                Some(errno) if change.is_done(errno) => {}
                Some(errno) => {
                    outcome.failed.push(placed.clone());
                    outcome.errors.push(change.error(placed, errno));
                }
            }
        }
        Some(outcome)
    }

    /// Hands requests over and returns what failed: sequence number and errno.
    fn exchange(&mut self, requests: &[u8]) -> io::Result<Vec<(u32, i32)>> {
        self.socket.send(requests, 0)?;
        let mut failed = Vec::new();
        loop {
            self.answer.clear();
            match self.socket.recv(&mut self.answer, libc::MSG_DONTWAIT) {
                Ok(_) => failed.extend(parse(&self.answer)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(failed),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl Change {
    fn is_done(self, errno: i32) -> bool {
        match self {
            Self::Add => errno == libc::EEXIST,
            Self::Remove => errno == libc::EADDRNOTAVAIL || errno == libc::ENODEV,
        }
    }

    fn error(self, placed: &Placed, errno: i32) -> AddressError {
        let what = match self {
            Self::Add => "add",
            Self::Remove => "remove",
        };
        AddressError::new(what, placed, io::Error::from_raw_os_error(errno).to_string())
    }
}

/// Reads an answer: the request's sequence number and the errno, unless it is none or tells of success.
fn parse(answer: &[u8]) -> Option<(u32, i32)> {
    let (header, payload) = answer.split_first_chunk::<16>()?;
    let [_, _, _, _, kind @ .., _, _, a, b, c, d, _, _, _, _] = header;
    let error = i32::from_ne_bytes(*payload.first_chunk()?);
    (u16::from_ne_bytes(*kind.first_chunk()?) == ERROR && error != 0)
        .then(|| (u32::from_ne_bytes([*a, *b, *c, *d]), error.wrapping_neg()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_with_care() {
        let mut answer = vec![0; 36];
        answer[..4].copy_from_slice(&36_u32.to_ne_bytes());
        answer[4..6].copy_from_slice(&ERROR.to_ne_bytes());
        answer[8..12].copy_from_slice(&7_u32.to_ne_bytes());
        answer[16..20].copy_from_slice(&(-libc::EEXIST).to_ne_bytes());
        assert_eq!(parse(&answer), Some((7, libc::EEXIST)));
        for len in 0..20 {
            assert_eq!(parse(&answer[..len]), None);
        }
        answer[16..20].fill(0);
        assert_eq!(parse(&answer), None, "an acknowledgement");
        answer[16..20].fill(0xff);
        answer[4] = 3;
        assert_eq!(parse(&answer), None, "NLMSG_DONE");
    }
}
