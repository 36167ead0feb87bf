//! Which lines of a table are measured.

use anyhow::{Result, bail};
use clap::Args;

/// The lines that are wanted.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct Rows {
    /// Measures only the lines whose name contains this text; with one that none contains, their names are listed
    #[arg(long, value_name = "TEXT")]
    row: Option<String>,
}

impl Rows {
    /// Tells whether every line is wanted.
    pub(super) fn are_all(&self) -> bool {
        self.row.is_none()
    }

    /// Returns those of `lines` that are wanted.
    ///
    /// # Errors
    ///
    /// When that is none of them.
    pub(super) fn choose<T>(&self, lines: Vec<T>, name: impl Fn(&T) -> String) -> Result<Vec<T>> {
        let Some(wanted) = &self.row else { return Ok(lines) };
        let (chosen, others): (Vec<T>, Vec<T>) =
            lines.into_iter().partition(|line| name(line).contains(wanted));
        if chosen.is_empty() {
            let names: Vec<String> = others.iter().map(name).collect();
            bail!("no line is named {wanted:?}; there are:\n{}", names.join("\n"));
        }
        Ok(chosen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_that_contain_the_text_are_chosen_or_all_are_named() {
        let choose = |row: Option<&str>| {
            let rows = Rows { row: row.map(str::to_owned) };
            rows.choose(vec!["SIGTERM, 1.00 s", "SIGTERM, 10.0 ms"], |name| (*name).to_owned())
        };
        assert_eq!(choose(None).unwrap().len(), 2);
        assert_eq!(choose(Some("10.0")).unwrap(), ["SIGTERM, 10.0 ms"]);
        let named = "no line is named \"10 ms\"; there are:\nSIGTERM, 1.00 s\nSIGTERM, 10.0 ms";
        assert_eq!(choose(Some("10 ms")).unwrap_err().to_string(), named);
    }
}
