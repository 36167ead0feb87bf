//! The size of files: one idea each.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};

use crate::command::root;

/// The most lines of code in a file; tests at its end do not count.
const MOST: usize = 400;
/// Where sources are.
const DIRS: [&str; 5] = ["hadp", "hadp-common", "hadp-ebpf", "tests/src", "xtask"];
/// Files that are one long table.
const TABLES: [&str; 1] = ["hadp/src/config/vocab.rs"];

/// Checks every file.
///
/// # Errors
///
/// Names the files that are too long.
pub(crate) fn check() -> Result<()> {
    let mut files = Vec::new();
    for dir in DIRS {
        list(&root().join(dir), &mut files)?;
    }
    let mut long = Vec::new();
    for file in files {
        let name = file.strip_prefix(root()).unwrap_or(&file).display().to_string();
        let exempt =
            TABLES.contains(&name.as_str()) || name.ends_with("/tests.rs") || name.contains("/tests/");
        let text = fs::read_to_string(&file).with_context(|| format!("reading {name}"))?;
        let lines = text.lines().take_while(|line| *line != "#[cfg(test)]").count();
        if lines > MOST && !exempt {
            long.push(format!("{name}: {lines} lines"));
        }
    }
    if !long.is_empty() {
        bail!("more than {MOST} lines of code:\n{}", long.join("\n"));
    }
    Ok(())
}

fn list(dir: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(dir).with_context(|| format!("reading {}", dir.display()))? {
        let path = entry?.path();
        if path.is_dir() && !path.ends_with("target") {
            list(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(())
}
