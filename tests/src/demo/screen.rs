//! Writing to a terminal, and plainly to anything else.

use std::io::{self, IsTerminal, Write};

/// Standard output: with colours and a live part on a terminal, else lines alone.
#[derive(Debug)]
pub(super) struct Screen {
    terminal: bool,
    /// The live part that is on the screen now.
    live: Vec<String>,
}

/// How a word looks on a terminal.
#[derive(Clone, Copy, Debug)]
pub(super) enum Style {
    Bold,
    Dim,
    Green,
    Red,
    Yellow,
}

impl Screen {
    pub(super) fn new() -> Self {
        Self {
            terminal: io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
            live: Vec::new(),
        }
    }

    /// Returns whether lines can be written over.
    pub(super) fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// Returns `text` in `style`, where there are styles.
    pub(super) fn style(&self, style: Style, text: &str) -> String {
        if !self.terminal {
            return text.to_owned();
        }
        let code = match style {
            Style::Bold => 1,
            Style::Dim => 2,
            Style::Green => 32,
            Style::Red => 31,
            Style::Yellow => 33,
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }

    /// Writes a line that stays; the live part is below it.
    pub(super) fn line(&mut self, text: &str) -> io::Result<()> {
        let live = std::mem::take(&mut self.live);
        self.erase(live.len())?;
        writeln!(io::stdout(), "{text}")?;
        if self.terminal { self.live(live) } else { Ok(()) }
    }

    /// Writes the live part in the place of the one before; without a terminal, only what changed.
    pub(super) fn live(&mut self, lines: Vec<String>) -> io::Result<()> {
        if lines == self.live {
            return Ok(());
        }
        self.erase(self.live.len())?;
        let mut out = io::stdout();
        for (number, line) in lines.iter().enumerate() {
            if self.terminal || self.live.get(number) != Some(line) {
                writeln!(out, "{line}")?;
            }
        }
        self.live = lines;
        out.flush()
    }

    /// Lets the live part stay as it is.
    pub(super) fn keep(&mut self) {
        self.live.clear();
    }

    /// Takes the last lines from a terminal.
    fn erase(&self, lines: usize) -> io::Result<()> {
        if self.terminal && lines > 0 {
            write!(io::stdout(), "\x1b[{lines}A\x1b[J")?;
        }
        Ok(())
    }
}
