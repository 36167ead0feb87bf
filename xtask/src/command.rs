//! Running other programs.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use anyhow::{Context, Result, bail};

/// How many lines of a failed program's output are worth showing.
const TAIL: usize = 30;

/// Returns the root of the workspace.
pub(crate) fn root() -> &'static Path {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest)
}

/// Returns a command that runs at the root of the workspace.
pub(crate) fn command<'a>(program: impl AsRef<OsStr>, args: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = Command::new(program);
    command.args(args).current_dir(root());
    command
}

/// Returns this workspace's cargo.
pub(crate) fn cargo<'a>(args: impl IntoIterator<Item = &'a str>) -> Command {
    command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()), args)
}

/// Runs a command to its end with its output on the terminal.
///
/// # Errors
///
/// When it cannot be started or fails.
pub(crate) fn run(mut command: Command) -> Result<()> {
    let status = command.status().with_context(|| format!("starting {}", show(&command)))?;
    if !status.success() {
        bail!("{} failed: {status}", show(&command));
    }
    Ok(())
}

/// Runs a command to its end and shows what it wrote only if it fails.
///
/// # Errors
///
/// When it cannot be started or fails.
pub(crate) fn run_quietly(mut command: Command) -> Result<()> {
    let Output { status, stdout, stderr } =
        command.output().with_context(|| format!("starting {}", show(&command)))?;
    if status.success() {
        return Ok(());
    }
    let text = format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    let lines: Vec<&str> = text.lines().collect();
    let tail = lines.get(lines.len().saturating_sub(TAIL)..).unwrap_or_default().join("\n");
    bail!("{} failed: {status}\n{tail}", show(&command));
}

/// Runs a command and returns its standard output if it succeeds.
pub(crate) fn output<'a>(
    program: impl AsRef<OsStr>,
    args: impl IntoIterator<Item = &'a str>,
) -> Option<String> {
    let output = command(program, args).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Returns a command as one would type it.
pub(crate) fn show(command: &Command) -> String {
    let words = [command.get_program()].into_iter().chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}

/// Finds a program on PATH, or where distributions keep what only root uses.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let extra = ["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from);
    let mut dirs = std::env::split_paths(&path).chain(extra);
    dirs.find_map(|dir| Some(dir.join(program)).filter(|file| file.is_file()))
}
