//! `cargo xtask test`: everything that can be checked, in one command with one closing line.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::Stdio,
    time::Instant,
};

use anyhow::{Context, Result, bail};

use crate::{
    command::{cargo, run_quietly, show},
    lint::{CHECKS, Outcome},
    machine::{as_root, is_root, is_terminal},
    setup::{self, Toolchain},
    tasks::{Profile, build_programs},
};

/// A part of the tests: what it is, and its arguments to `cargo test`.
type Part = (&'static str, &'static [&'static str]);

const PARTS: [Part; 2] = [
    ("unit tests", &["--package", "hadp", "--package", "hadp-common", "--package", "xtask"]),
    // One at a time: they measure time, and there may be two cores only.
    ("kernel, LAN and interop tests", &["--package", "hadp-tests", "--", "--test-threads=1"]),
];

/// How many checks and tests there were.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    passed: usize,
    failed: usize,
}

/// Runs every check and every test.
///
/// # Errors
///
/// When one failed, or something could not be built.
pub(crate) fn run() -> Result<()> {
    let start = Instant::now();
    let toolchain = setup::toolchain()?;
    if !is_root() {
        println!("test: network namespaces and BPF need root, which sudo gives");
        let mut sudo = as_root("true", "testing")?;
        if !sudo.status().context("starting sudo")?.success() {
            bail!("the tests need root, and sudo does not give it");
        }
    }
    let mut total = checks(&toolchain);
    heading("build");
    let programs = build_programs(Profile::Debug, &[])?;
    for (name, args) in PARTS {
        heading(name);
        let count = tests(args, &programs)?;
        println!("{name}: {} passed, {} failed", count.passed, count.failed);
        total.passed += count.passed;
        total.failed += count.failed;
    }
    println!("\nchecks and tests together, in {} s:", start.elapsed().as_secs());
    finish(total)
}

/// Runs the checks alone.
///
/// # Errors
///
/// When one failed.
pub(crate) fn lint() -> Result<()> {
    finish(checks(&setup::toolchain()?))
}

fn finish(total: Count) -> Result<()> {
    println!("{} passed, {} failed", total.passed, total.failed);
    if total.failed > 0 {
        bail!("{} failed", total.failed);
    }
    Ok(())
}

fn heading(text: &str) {
    if is_terminal() {
        println!("\n\x1b[1m== {text}\x1b[0m");
    } else {
        println!("\n== {text}");
    }
}

fn checks(toolchain: &Toolchain) -> Count {
    heading("checks");
    let mut count = Count::default();
    for (name, check) in CHECKS {
        let start = Instant::now();
        match check(toolchain) {
            Ok(Outcome::Passed) => {
                println!("{name} ... ok ({:.1} s)", start.elapsed().as_secs_f32());
                count.passed += 1;
            }
            Ok(Outcome::Skipped(why)) => println!("{name} ... SKIPPED: {why}"),
            Err(error) => {
                println!("{name} ... FAILED\n{error:#}");
                count.failed += 1;
            }
        }
    }
    count
}

/// Runs `cargo test`, shows what it says, and counts.
fn tests(args: &[&str], programs: &Path) -> Result<Count> {
    let (before, after) = args.split_at(args.iter().position(|arg| *arg == "--").unwrap_or(args.len()));
    run_quietly(cargo(["test", "--no-run", "--quiet"].into_iter().chain(before.iter().copied())))?;
    let mut command = cargo(
        ["test", "--no-fail-fast"].into_iter().chain(before.iter().copied()).chain(after.iter().copied()),
    );
    command.env("HADP_BIN", programs.join("hadp")).stdout(Stdio::piped());
    if is_terminal() {
        command.env("CARGO_TERM_COLOR", "always");
    }
    if !is_root() {
        // Cargo builds as this user and runs each test as root, so that no file of root's is left in target.
        command.env(runner_variable()?, "sudo --preserve-env --");
    }
    let mut child = command.spawn().with_context(|| format!("starting {}", show(&command)))?;
    let stdout = child.stdout.take().context("cargo test has no output")?;
    let mut count = Count::default();
    for line in BufReader::new(stdout).lines() {
        let line = line.context("reading the output of cargo test")?;
        println!("{line}");
        if let Some(result) = line.split_once("test result: ") {
            count.passed += number_before(result.1, " passed");
            count.failed += number_before(result.1, " failed");
        }
    }
    let status = child.wait()?;
    if !status.success() && count.failed == 0 {
        println!("{} failed: {status}", show(&command));
        count.failed += 1;
    }
    Ok(count)
}

/// Returns the number that stands before `word`, or 0.
fn number_before(text: &str, word: &str) -> usize {
    let before = text.split_once(word).map(|(before, _)| before);
    before.and_then(|before| before.rsplit(' ').next()?.parse().ok()).unwrap_or(0)
}

/// Returns the variable that tells cargo how to run programs for this machine.
fn runner_variable() -> Result<String> {
    let version = crate::command::output("rustc", ["-vV"]).context("asking rustc for its host")?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc names no host")?;
    Ok(format!("CARGO_TARGET_{}_RUNNER", host.replace('-', "_").to_uppercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closing_line_of_cargo_test_is_read() {
        let line = "ok. 12 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.28s";
        assert_eq!((number_before(line, " passed"), number_before(line, " failed")), (12, 3));
        assert_eq!(number_before("nothing", " passed"), 0);
    }
}
