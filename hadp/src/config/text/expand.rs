//! What a line becomes: conditions, definitions, repetition, macros.

use std::path::PathBuf;

use super::{
    Line, Reader,
    builtin::{self, Context},
    macros::{self, Use},
    repeat,
};
use crate::config::suggest;

/// How many macros one line may use, counting those that they become.
const MAX_SUBSTITUTIONS: u32 = 1000;
/// How long a line may become, in octets.
const MAX_EXPANDED_LINE: usize = 64 << 10;
/// How many steps expansion may take in a pass.
const MAX_STEPS: usize = 8_000_000;
/// How much text expansion may go through in a pass, in octets; the manual's example of 65,024 instances needs 84 MB.
const MAX_EXPANDED: usize = 512 << 20;
/// How many names a pass compares with macros that are not defined; more than that are not looked for.
const MAX_COMPARISONS: usize = 100_000;

/// Something still to do.
///
/// A stack of these, and no recursion, because a macro decides how deep it goes.
enum Work {
    /// Set a macro, as a round of `~SEQ` does.
    Set(Vec<(String, String)>),
    /// Take a line that came out of this many substitutions.
    Take(Line, u32),
}

impl Reader<'_> {
    /// Takes a line, and hands what it becomes to the parser.
    pub(super) fn expand(&mut self, line: Line) {
        let mut stack = vec![Work::Take(line, 0)];
        while let Some(work) = stack.pop() {
            match work {
                Work::Set(values) => {
                    for (name, value) in values {
                        self.macros.define(&name, vec![value]);
                    }
                }
                Work::Take(line, depth) => {
                    if !self.affordable(&line, depth) || !self.step(line.trim(), depth, &mut stack) {
                        return;
                    }
                }
            }
        }
    }

    /// Returns whether expansion may go on, and says so once when it may not.
    fn affordable(&mut self, line: &Line, depth: u32) -> bool {
        if self.spent.steps > MAX_STEPS || self.spent.octets > MAX_EXPANDED {
            return false;
        }
        self.spent.steps += 1;
        if depth > 0 {
            self.spent.octets += line.text().len();
        }
        let reason = if depth > MAX_SUBSTITUTIONS {
            "the macro does not come to an end"
        } else if depth > 0 && line.text().len() > MAX_EXPANDED_LINE {
            "the macro makes a line longer than 64 KiB"
        } else if self.spent.steps > MAX_STEPS || self.spent.octets > MAX_EXPANDED {
            "macros make more than 512 MiB of text or eight million lines"
        } else {
            return true;
        };
        self.problems.error(line.expansion(), reason).label("expanded here").help("does a macro use itself?");
        false
    }

    /// Takes one step; false abandons the line.
    fn step(&mut self, line: Line, depth: u32, stack: &mut Vec<Work>) -> bool {
        let text = line.text();
        if text.starts_with('@') {
            stack.extend(self.condition(&line).map(|rest| Work::Take(rest, depth)));
            return true;
        }
        if let Some((name, value_at)) = macros::definition(text) {
            self.macros.define(name, vec![text.get(value_at..).unwrap_or("").trim().into()]);
            return true;
        }
        let header = repeat::header(text);
        let mut from = 0;
        while let Some(found) =
            macros::find(text, from).filter(|found| header.is_none_or(|end| found.range.start < end))
        {
            from = found.range.end;
            if let Some(lines) = self.substitute(&line, &found) {
                stack.extend(lines.into_iter().rev().map(|line| Work::Take(line, depth + 1)));
                return true;
            }
        }
        if header.is_some() {
            return self.repeat(&line, depth, stack);
        }
        self.report_undefined(&line);
        if !self.include(&line) {
            self.parser.feed(&line, self.problems);
        }
        true
    }

    /// Returns what is behind the `@id`s at a line's start, or `None` if one of them does not hold.
    pub(super) fn condition(&self, line: &Line) -> Option<Line> {
        let mut line = line.trim();
        while let Some(condition) = line.text().strip_prefix('@') {
            let len = condition.find(char::is_whitespace).unwrap_or(condition.len());
            let word = condition.get(..len).unwrap_or("");
            let holds =
                word.strip_prefix('^').map_or_else(|| word == self.id, |unwanted| unwanted != self.id);
            if !holds {
                return None;
            }
            line = line.slice(1 + len..line.text().len()).trim();
        }
        Some(line)
    }

    /// Returns the lines that a line becomes when it uses a macro, or `None` if the macro is not defined.
    fn substitute(&mut self, line: &Line, found: &Use) -> Option<Vec<Line>> {
        let span = line.span(found.range.clone());
        let before = line.slice(0..found.range.start);
        let after = line.slice(found.range.end..line.text().len());
        let values: Vec<String> = match self.macros.value(&found.name) {
            Some(value) => value.to_vec(),
            None => {
                let directory = self.open.last().map_or_else(PathBuf::new, |file| file.absolute.clone());
                let directory = directory.parent().map_or_else(PathBuf::new, PathBuf::from);
                let context = Context { directory: &directory, id: self.id, env: self.env };
                match builtin::value(&found.name, &found.args, &context)? {
                    Ok(value) => vec![value],
                    Err(reason) => {
                        let message = format!("`${{{} {}}}` is empty: {reason}", found.name, found.args);
                        self.problems.warning(span, message);
                        vec![String::new()]
                    }
                }
            }
        };
        let mut lines = Vec::new();
        let mut current = before;
        for (index, value) in values.iter().enumerate() {
            if index > 0 {
                lines.push(std::mem::take(&mut current));
            }
            current.push_expansion(value, span);
        }
        current.push(&after);
        lines.push(current);
        Some(lines)
    }

    /// Schedules the rounds of a `~SEQ` or `~LST`.
    fn repeat(&mut self, line: &Line, depth: u32, stack: &mut Vec<Work>) -> bool {
        match repeat::parse(line.text()) {
            Ok(repeat) => {
                let rest = line.slice(repeat.rest..line.text().len());
                for round in repeat.rounds.into_iter().rev() {
                    stack.extend([Work::Take(rest.clone(), depth), Work::Set(round)]);
                }
                true
            }
            Err(reason) => {
                let end = repeat::header(line.text()).unwrap_or(0);
                let kind = line.text().split('(').next().unwrap_or("");
                self.problems.error(line.span(0..end), format!("`{kind}` cannot be read: {reason}"));
                false
            }
        }
    }

    /// Warns of macros that are used and not defined.
    ///
    /// keepalived leaves them as they are, so that scripts can hold `$` and `${...}`. So a bare `$NAME` is only reported
    /// when a macro of nearly this name exists, and nothing between quotes is.
    fn report_undefined(&mut self, line: &Line) {
        let text = line.text();
        let mut from = 0;
        while let Some(found) = macros::find(text, from) {
            from = found.range.end;
            let quotes = |quote| text.get(..found.range.start).unwrap_or("").matches(quote).count();
            let quoted = quotes('"') % 2 == 1 || quotes('\'') % 2 == 1;
            let affordable = MAX_COMPARISONS.saturating_sub(self.spent.comparisons);
            let names = self.macros.names().take(affordable);
            let near = suggest::nearest(&found.name, names.inspect(|_| self.spent.comparisons += 1));
            let braced = text.get(found.range.start + 1..).is_some_and(|rest| rest.starts_with('{'));
            if quoted || !(braced || near.is_some()) {
                continue;
            }
            let problem = self
                .problems
                .warning(line.span(found.range), format!("macro `{}` is not defined", found.name));
            problem.label("left as it is");
            if let Some(near) = near {
                problem.help(format!("did you mean `${{{near}}}`?"));
            }
        }
    }
}
