//! Tests that a machine spoils by standing still.

use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    time::{Duration, Instant},
};

use anyhow::Result;

use crate::witness::Witness;

/// How often a test is tried.
const TRIES: usize = 4;

/// Runs a test whose daemons cannot stand it that a processor stands still for as long as `patience`. One that fails is run again
/// if that happened meanwhile, as it does on virtual machines, and only then.
///
/// # Errors
///
/// The test's, when it failed without such a reason, or each time.
///
/// # Panics
///
/// As the test does, under the same conditions.
#[expect(clippy::print_stderr, reason = "that a test was done again is worth a look")]
pub fn unspoilt(patience: Duration, test: impl Fn() -> Result<()>) -> Result<()> {
    let witness = Witness::start()?;
    let mut tries = 1;
    loop {
        let start = Instant::now();
        let ended = catch_unwind(AssertUnwindSafe(&test));
        let stood = witness.longest(start, Instant::now());
        let spoilt = stood >= patience && tries < TRIES;
        match ended {
            Ok(Err(error)) if spoilt => eprintln!("a processor stood still for {stood:?}; again: {error:#}"),
            Err(_) if spoilt => eprintln!("a processor stood still for {stood:?}; again, as that panicked"),
            Ok(result) => return result,
            Err(panic) => resume_unwind(panic),
        }
        tries += 1;
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, panic};

    use anyhow::bail;

    use super::*;

    #[test]
    fn a_test_is_run_again_only_where_the_machine_stood_still() {
        let runs = Cell::new(0);
        let fails = |stands: Duration| {
            runs.set(0);
            unspoilt(stands, || {
                runs.set(runs.get() + 1);
                bail!("run {}", runs.get())
            })
        };
        assert_eq!(fails(Duration::MAX).unwrap_err().to_string(), "run 1");
        assert_eq!(fails(Duration::ZERO).unwrap_err().to_string(), "run 4");
        let comes_right = || {
            runs.set(runs.get() + 1);
            assert!(runs.get() > 5, "run {}", runs.get());
            Ok(())
        };
        unspoilt(Duration::ZERO, comes_right).unwrap();
        assert_eq!(runs.get(), 6);
        runs.set(0);
        panic::catch_unwind(AssertUnwindSafe(|| unspoilt(Duration::MAX, comes_right))).unwrap_err();
        assert_eq!(runs.get(), 1);
    }
}
