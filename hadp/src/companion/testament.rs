//! The memory that the daemon and its companion share.

use std::{
    fs::File,
    io,
    os::fd::{AsFd, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd},
    sync::atomic::{AtomicU64, Ordering, fence},
};

use hadp_common::router::MAX_ROUTERS;
use memmap2::{MmapOptions, MmapRaw};

use crate::proto::Slot;

/// How far a daemon has come.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Phase {
    /// It has been started.
    Starting,
    /// It goes on with the leases that it found.
    Resumed,
    /// It works.
    Ready,
    /// It has been told to stop, and hands over.
    Stopping,
    /// It worked, and ends by itself without having handed over or removed anything, as if it were killed.
    Failed,
}

/// A word of its own at the beginning of the memory.
#[derive(Clone, Copy, Debug)]
#[repr(usize)]
pub(super) enum Word {
    /// [`VERSION`].
    Version,
    /// [`Phase`], by number.
    Phase,
    /// `on_daemon_death`: 0 restart, 1 failover.
    Policy,
    /// When the daemon was started, in nanoseconds of CLOCK_MONOTONIC.
    SpawnedAt,
    /// How often it has died.
    Deaths,
}

/// The version of this layout, in all its parts; both ends run the same program, so another is a mistake.
const VERSION: u64 = 0x6861_6470_0000_0002;

/// How many octets a record may have.
const OCTETS: usize = 4096 - 8;

// In words: the header, then a sequence number for each router, then two places for each.
const HEADER: usize = 64;
const ROUTERS: usize = MAX_ROUTERS as usize;
const PLACES: usize = (HEADER + ROUTERS).next_multiple_of(512);
const PLACE: usize = 1 + OCTETS / 8;
const WORDS: usize = PLACES + 2 * ROUTERS * PLACE;

// The mutex of the lifeline has eight words of the header to itself.
const MUTEX: usize = 16;
const _: () = assert!(size_of::<libc::pthread_mutex_t>() <= 64 && MUTEX + 8 <= HEADER);

/// The memory: a memfd of a fixed size, of which only what is written takes any memory.
///
/// It holds a record of what is said for each virtual router, by slot. Every record has two places and a sequence number
/// that counts its versions: version *n* is in place *n* mod 2. A writer
/// that dies in the middle leaves the version before it whole; a reader that was overtaken sees that the number has
/// changed, and reads again. There is one writer at a time.
#[derive(Debug)]
pub(super) struct Testament {
    fd: OwnedFd,
    memory: MmapRaw,
}

impl Testament {
    /// Makes an empty one.
    pub(super) fn create() -> io::Result<Self> {
        // SAFETY: the name is a C string; the call has no other precondition.
        let fd = unsafe { libc::memfd_create(c"hadp-testament".as_ptr(), libc::MFD_CLOEXEC) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel has just returned this descriptor, and nothing else knows of it.
        let file = unsafe { File::from_raw_fd(fd) };
        file.set_len((WORDS * 8) as u64)?;
        let testament = Self::map(file.into())?;
        testament.set(Word::Version, VERSION);
        Ok(testament)
    }

    /// Maps the one that a companion made.
    ///
    /// # Errors
    ///
    /// When it is of another version or size.
    pub(super) fn open(fd: OwnedFd) -> io::Result<Self> {
        let file = File::from(fd);
        if file.metadata()?.len() != (WORDS * 8) as u64 {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let testament = Self::map(file.into())?;
        if testament.get(Word::Version) != VERSION {
            return Err(io::ErrorKind::InvalidData.into());
        }
        Ok(testament)
    }

    fn map(fd: OwnedFd) -> io::Result<Self> {
        let memory = MmapOptions::new().len(WORDS * 8).map_raw(fd.as_raw_fd())?;
        Ok(Self { fd, memory })
    }

    /// Returns one word of the header.
    pub(super) fn get(&self, word: Word) -> u64 {
        self.words().get(word as usize).map_or(0, |word| word.load(Ordering::Acquire))
    }

    /// Sets one word of the header.
    pub(super) fn set(&self, word: Word, value: u64) {
        if let Some(word) = self.words().get(word as usize) {
            word.store(value, Ordering::Release);
        }
    }

    /// Returns how far the daemon has come.
    pub(super) fn phase(&self) -> Phase {
        let phases = [Phase::Starting, Phase::Resumed, Phase::Ready, Phase::Stopping, Phase::Failed];
        let number = self.get(Word::Phase);
        phases.into_iter().find(|phase| *phase as u64 == number).unwrap_or(Phase::Starting)
    }

    /// Writes a record; an empty one is none. False, and nothing written, if it does not fit.
    pub(super) fn write(&self, slot: Slot, octets: &[u8]) -> bool {
        let Some((sequence, places)) = self.record(slot) else { return false };
        let next = sequence.load(Ordering::Relaxed).wrapping_add(1);
        let [even, odd] = places;
        let Some((len, body)) = (if next.is_multiple_of(2) { even } else { odd }).split_first() else {
            return false;
        };
        if octets.len() > body.len() * 8 {
            return false;
        }
        // A reader of the version before the last one is to see, by the number, that this place has changed.
        fence(Ordering::Release);
        len.store(octets.len() as u64, Ordering::Relaxed);
        for (word, octets) in body.iter().zip(octets.chunks(8)) {
            let mut value = [0; 8];
            for (to, from) in value.iter_mut().zip(octets) {
                *to = *from;
            }
            word.store(u64::from_ne_bytes(value), Ordering::Relaxed);
        }
        sequence.store(next, Ordering::Release);
        true
    }

    /// Reads a record, or returns `None` if there is none.
    pub(super) fn read(&self, slot: Slot) -> Option<Vec<u8>> {
        let (sequence, [even, odd]) = self.record(slot)?;
        loop {
            let version = sequence.load(Ordering::Acquire);
            let (len, body) = (if version.is_multiple_of(2) { even } else { odd }).split_first()?;
            let len = usize::try_from(len.load(Ordering::Relaxed)).ok()?.min(body.len() * 8);
            let words = body.iter().take(len.div_ceil(8));
            let mut octets: Vec<u8> =
                words.flat_map(|word| word.load(Ordering::Relaxed).to_ne_bytes()).collect();
            octets.truncate(len);
            fence(Ordering::Acquire);
            if sequence.load(Ordering::Relaxed) == version {
                return (!octets.is_empty()).then_some(octets);
            }
        }
    }

    /// Returns the sequence number and the two places of a record.
    fn record(&self, slot: Slot) -> Option<(&AtomicU64, [&[AtomicU64]; 2])> {
        let index = usize::try_from(slot.index()).ok()?;
        let first = PLACES + 2 * index * PLACE;
        let words = self.words();
        let place = |first: usize| words.get(first..first + PLACE);
        Some((words.get(HEADER + index)?, [place(first)?, place(first + PLACE)?]))
    }

    /// Returns where the mutex of the [lifeline](super::Lifeline) is.
    pub(super) fn mutex(&self) -> *mut libc::pthread_mutex_t {
        self.memory.as_mut_ptr().wrapping_add(8 * MUTEX).cast()
    }

    fn words(&self) -> &[AtomicU64] {
        // SAFETY: the mapping is page-aligned, `WORDS` words long and lives as long as `self`; all access to it, of either
        // process, is atomic; its file does not shrink.
        unsafe { std::slice::from_raw_parts(self.memory.as_mut_ptr().cast::<AtomicU64>(), WORDS) }
    }
}

impl AsFd for Testament {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::atomic::AtomicBool, thread};

    use super::*;

    fn slot(index: u32) -> Slot {
        Slot::new(index).unwrap()
    }

    #[test]
    fn what_one_end_writes_the_other_reads() {
        let ours = Testament::create().unwrap();
        let theirs = Testament::open(ours.as_fd().try_clone_to_owned().unwrap()).unwrap();
        assert_eq!(theirs.read(slot(7)), None);
        for octets in [&[1, 2, 3][..], &[9; 4088], &[4; 17]] {
            assert!(ours.write(slot(7), octets));
            assert_eq!(theirs.read(slot(7)).as_deref(), Some(octets));
        }
        assert!(!ours.write(slot(7), &[0; 4089]), "it does not fit");
        assert_eq!(theirs.read(slot(7)).as_deref(), Some(&[4; 17][..]), "what was there stays");
        let last = slot(MAX_ROUTERS - 1);
        assert!(ours.write(last, &[5; 4088]));
        assert_eq!(theirs.read(last).as_deref(), Some(&[5; 4088][..]));
        assert!(ours.write(slot(7), &[]));
        assert_eq!(theirs.read(slot(7)), None);
        ours.set(Word::Phase, Phase::Ready as u64);
        assert_eq!((theirs.phase(), theirs.get(Word::Deaths)), (Phase::Ready, 0));
    }

    #[test]
    fn a_record_is_never_read_torn() {
        let testament = Testament::create().unwrap();
        let enough = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                for version in (0..u32::MAX).take_while(|_| !enough.load(Ordering::Relaxed)) {
                    let octets = vec![(version % 251) as u8; 64 + version as usize % 900];
                    assert!(testament.write(slot(0), &octets));
                }
            });
            // However the two threads come to run, each version that is read was written meanwhile.
            let (mut read, mut last, mut torn) = (0, None, None);
            while read < 500 && torn.is_none() {
                let Some(octets) = testament.read(slot(0)) else { continue };
                torn = octets.iter().any(|octet| *octet != octets[0]).then(|| octets.clone());
                read += u32::from(last.replace(octets[0]) != Some(octets[0]));
            }
            enough.store(true, Ordering::Relaxed);
            assert_eq!(torn, None);
        });
    }

    #[test]
    fn a_file_of_another_size_or_version_is_refused() {
        let testament = Testament::create().unwrap();
        testament.set(Word::Version, 1);
        assert!(Testament::open(testament.as_fd().try_clone_to_owned().unwrap()).is_err());
        let file = tempfile::tempfile().unwrap();
        assert!(Testament::open(file.into()).is_err());
    }
}
