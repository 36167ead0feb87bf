//! A lock that a thread of the daemon holds for as long as it lives, so that its death is known at once.
//!
//! A pidfd tells of a death when the kernel has taken the process apart. Closing packet sockets alone waits for grace periods
//! of RCU, tens of milliseconds, in which leases run out. To give up its robust locks is the first thing that a dying
//! thread does.

use std::{mem::MaybeUninit, sync::Arc};

use super::testament::Testament;

/// The lock, in the memory that both processes share.
#[derive(Clone, Debug)]
pub struct Lifeline(Option<Arc<Testament>>);

impl Lifeline {
    pub(super) fn new(testament: Option<Arc<Testament>>) -> Self {
        Self(testament)
    }

    /// Makes the lock anew, for the next daemon; nobody uses it any more.
    pub(super) fn reset(&self) {
        let Some(mutex) = self.mutex() else { return };
        let mut attributes = MaybeUninit::uninit();
        // SAFETY: the attributes are initialised by the first call; the mutex lies in memory that outlives it, and no process
        // uses it: the daemon that did is dead, and the thread that waited for that has ended.
        unsafe {
            libc::pthread_mutexattr_init(attributes.as_mut_ptr());
            libc::pthread_mutexattr_setpshared(attributes.as_mut_ptr(), libc::PTHREAD_PROCESS_SHARED);
            libc::pthread_mutexattr_setrobust(attributes.as_mut_ptr(), libc::PTHREAD_MUTEX_ROBUST);
            libc::pthread_mutex_init(mutex, attributes.as_ptr());
            libc::pthread_mutexattr_destroy(attributes.as_mut_ptr());
        }
    }

    /// Holds the lock for as long as the calling thread lives.
    pub fn hold(&self) {
        if let Some(mutex) = self.mutex() {
            // SAFETY: the companion has initialised the mutex before it started this process.
            unsafe { libc::pthread_mutex_lock(mutex) };
        }
    }

    /// Waits until the thread that holds the lock is dead; false at once if none does.
    pub(super) fn wait(&self) -> bool {
        let Some(mutex) = self.mutex() else { return false };
        // SAFETY: this process has initialised the mutex. It is unlocked by the thread that has locked it; one that was
        // taken from a dead thread cannot be used after that, until it is made anew.
        unsafe {
            match libc::pthread_mutex_lock(mutex) {
                libc::EOWNERDEAD => {
                    libc::pthread_mutex_unlock(mutex);
                    true
                }
                0 => {
                    libc::pthread_mutex_unlock(mutex);
                    false
                }
                _ => false,
            }
        }
    }

    fn mutex(&self) -> Option<*mut libc::pthread_mutex_t> {
        self.0.as_ref().map(|testament| testament.mutex())
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn the_end_of_the_thread_that_holds_it_is_known() {
        let testament = Arc::new(Testament::create().unwrap());
        let lifeline = Lifeline::new(Some(Arc::clone(&testament)));
        for _ in 0..2 {
            lifeline.reset();
            assert!(!lifeline.wait(), "nobody holds it");
            let holder = lifeline.clone();
            thread::spawn(move || holder.hold()).join().unwrap();
            assert!(lifeline.wait());
            assert!(!lifeline.wait(), "once");
        }
    }
}
