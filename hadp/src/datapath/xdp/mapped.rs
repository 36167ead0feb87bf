//! Array maps, mapped into this process.

use std::{
    io,
    marker::PhantomData,
    os::fd::{AsRawFd, BorrowedFd},
    sync::atomic::{AtomicU64, Ordering},
};

use bytemuck::{Pod, Zeroable};
use memmap2::{MmapOptions, MmapRaw};

/// An array map with values of type `T`.
///
/// The kernel's programs read and write the same memory at the same time, so it is only ever touched through atomic
/// words.
pub(super) struct MappedArray<T> {
    memory: MmapRaw,
    len: u32,
    /// How many words an entry takes.
    words: usize,
    value: PhantomData<fn() -> T>,
}

impl<T: Pod> MappedArray<T> {
    /// Maps an array of `len` entries, which was created with BPF_F_MMAPABLE.
    ///
    /// # Errors
    ///
    /// What mmap says.
    pub(super) fn new(fd: BorrowedFd<'_>, len: u32) -> io::Result<Self> {
        // The kernel rounds values up to 8 octets.
        Self::with_words(fd, len, size_of::<T>().div_ceil(8))
    }

    /// Maps an array whose entries take so many words, of which `T` is the beginning.
    ///
    /// # Errors
    ///
    /// What mmap says.
    pub(super) fn with_words(fd: BorrowedFd<'_>, len: u32, words: usize) -> io::Result<Self> {
        let size = usize::try_from(len).unwrap_or(usize::MAX).saturating_mul(8).saturating_mul(words);
        let memory = MmapOptions::new().len(size).map_raw(fd.as_raw_fd())?;
        Ok(Self { memory, len, words, value: PhantomData })
    }

    /// Returns the entry of this index, or `None` beyond the end.
    pub(super) fn entry(&self, index: u32) -> Option<Entry<'_>> {
        if index >= self.len {
            return None;
        }
        let first = usize::try_from(index).ok()? * self.words;
        let start = self.memory.as_mut_ptr().cast::<AtomicU64>();
        // SAFETY: the mapping is page-aligned and holds `len * words` words, of which these are the last at most; it
        // lives as long as `self`, and all access to it is atomic.
        Some(Entry(unsafe { std::slice::from_raw_parts(start.add(first), self.words) }))
    }

    /// Returns the value of this index.
    pub(super) fn load(&self, index: u32) -> Option<T> {
        self.entry(index).map(|entry| entry.load())
    }

    /// Stores a whole value, word by word; nothing happens beyond the end.
    pub(super) fn store(&self, index: u32, value: &T) {
        if let Some(entry) = self.entry(index) {
            entry.store(value);
        }
    }
}

/// One value, as its words.
#[derive(Clone, Copy)]
pub(super) struct Entry<'a>(&'a [AtomicU64]);

impl Entry<'_> {
    /// Returns the word `index`, or 0 beyond the value's end.
    pub(super) fn word(&self, index: usize, order: Ordering) -> u64 {
        self.0.get(index).map_or(0, |word| word.load(order))
    }

    /// Stores the word `index`, if the value has one.
    pub(super) fn set_word(&self, index: usize, value: u64, order: Ordering) {
        if let Some(word) = self.0.get(index) {
            word.store(value, order);
        }
    }

    /// Replaces the word `index` by what `next` makes of it, in one atomic exchange; false, and nothing stored, where that
    /// is `None`.
    pub(super) fn update_word(&self, index: usize, next: impl FnMut(u64) -> Option<u64>) -> bool {
        let Some(word) = self.0.get(index) else { return false };
        word.fetch_update(Ordering::AcqRel, Ordering::Acquire, next).is_ok()
    }

    /// Returns the value whose first word is `first`; it may mix the words of two concurrent stores.
    pub(super) fn load_at<T: Pod>(&self, first: usize) -> T {
        let mut value = T::zeroed();
        for (index, octets) in bytemuck::bytes_of_mut(&mut value).chunks_mut(8).enumerate() {
            let word = self.word(first + index, Ordering::Relaxed).to_ne_bytes();
            for (to, from) in octets.iter_mut().zip(word) {
                *to = from;
            }
        }
        value
    }

    /// Returns the whole value.
    pub(super) fn load<T: Pod>(&self) -> T {
        self.load_at(0)
    }

    /// Stores the whole value.
    pub(super) fn store<T: Pod>(&self, value: &T) {
        self.store_from(0, value);
    }

    /// Stores the value's words from `first` on, leaving those before it as they are.
    pub(super) fn store_from<T: Pod>(&self, first: usize, value: &T) {
        for (index, octets) in bytemuck::bytes_of(value).chunks(8).enumerate().skip(first) {
            let mut word = <[u8; 8]>::zeroed();
            for (to, from) in word.iter_mut().zip(octets) {
                *to = *from;
            }
            self.set_word(index, u64::from_ne_bytes(word), Ordering::Relaxed);
        }
    }
}
