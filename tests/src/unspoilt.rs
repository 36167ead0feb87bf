//! Tests that a machine spoils by standing still.

use std::{
    cell::Cell,
    io::{self, Write as _},
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    time::{Duration, Instant},
};

use anyhow::Result;

use crate::witness::Witness;

/// How often a test is tried.
const TRIES: usize = 10;

/// How long a processor may stand still where adverts come every 10 ms: two owe each other one by then.
pub const AT_TEN_MILLISECONDS: Duration = Duration::from_millis(10);

/// The time in which a processor that stands still spoils a test: all of it, unless the test knows better.
#[derive(Debug, Default)]
pub struct Span(Cell<Option<(Instant, Instant)>>);

impl Span {
    /// Has only this time count.
    pub fn counts(&self, from: Instant, to: Instant) {
        self.0.set(Some((from, to)));
    }
}

/// Runs a test whose daemons cannot stand it that a processor stands still for as long as `patience`. One that fails is run again
/// if that happened meanwhile, as it does on virtual machines, and only then; standard error says so, past the harness.
///
/// # Errors
///
/// The test's, when it failed without such a reason, or each time.
///
/// # Panics
///
/// As the test does, under the same conditions.
pub fn unspoilt(patience: Duration, test: impl Fn(&Span) -> Result<()>) -> Result<()> {
    let witness = Witness::start()?;
    let mut tries = 1;
    loop {
        let (start, span) = (Instant::now(), Span::default());
        let ended = catch_unwind(AssertUnwindSafe(|| test(&span)));
        let (from, to) = span.0.get().unwrap_or((start, Instant::now()));
        let stood = witness.longest(from, to);
        let spoilt = stood >= patience && tries < TRIES;
        let why = match ended {
            Ok(Err(error)) if spoilt => format!("{error:#}"),
            Err(_) if spoilt => "it panicked".to_owned(),
            Ok(result) => return result,
            Err(panic) => resume_unwind(panic),
        };
        let _ = writeln!(io::stderr(), "SPOILT: a processor stood still for {stood:?}; again: {why}");
        tries += 1;
    }
}

#[cfg(test)]
mod tests {
    use std::panic;

    use anyhow::bail;

    use super::*;

    #[test]
    fn a_test_is_run_again_only_where_the_machine_stood_still() {
        let runs = Cell::new(0);
        let fails = |stands: Duration| {
            runs.set(0);
            unspoilt(stands, |_| {
                runs.set(runs.get() + 1);
                bail!("run {}", runs.get())
            })
        };
        assert_eq!(fails(Duration::MAX).unwrap_err().to_string(), "run 1");
        assert_eq!(fails(Duration::ZERO).unwrap_err().to_string(), format!("run {TRIES}"));
        let span_counts = |span: &Span| {
            runs.set(runs.get() + 1);
            let never = Instant::now() + Duration::from_secs(3600);
            span.counts(never, never);
            bail!("run {}", runs.get())
        };
        runs.set(0);
        let failed = unspoilt(Duration::from_nanos(1), span_counts).unwrap_err();
        assert_eq!(failed.to_string(), "run 1", "nothing stood still in the time that counts");
        runs.set(4);
        let comes_right = |_: &Span| {
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
