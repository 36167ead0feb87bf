//! `~SEQ(...)` and `~LST(...)`: a line taken several times.

/// How many times one of them may take its line.
const MAX_ROUNDS: usize = 100_000;

/// What a line starts with.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Repeat {
    /// The macros each round sets.
    pub(super) rounds: Vec<Vec<(String, String)>>,
    /// Where the line that is taken begins.
    pub(super) rest: usize,
}

/// Returns where the parentheses of a `~SEQ`, `~SEQx` or `~LST` end, if the line starts with one.
pub(super) fn header(text: &str) -> Option<usize> {
    let starts = ["~SEQ(", "~SEQx(", "~LST("].iter().any(|start| text.starts_with(start));
    starts.then(|| text.find(')').map_or(text.len(), |at| at + 1))
}

/// Reads a header whose macros are already expanded.
///
/// # Errors
///
/// Gives the reason in words.
pub(super) fn parse(text: &str) -> Result<Repeat, String> {
    let malformed = || "the `(...)` is not closed".to_owned();
    let (open, close) = (text.find('(').ok_or_else(malformed)?, text.find(')').ok_or_else(malformed)?);
    let (kind, args) = (text.get(..open).unwrap_or(""), text.get(open + 1..close).unwrap_or(""));
    let rounds = if kind == "~LST" { list(args)? } else { sequence(args, kind == "~SEQx")? };
    Ok(Repeat { rounds, rest: close + 1 })
}

/// Reads `var, [start, [step,]] end`.
fn sequence(args: &str, hex: bool) -> Result<Vec<Vec<(String, String)>>, String> {
    let args: Vec<&str> = args.split(',').map(str::trim).collect();
    let (var, numbers) = args.split_first().ok_or("there is no variable")?;
    let numbers = numbers.iter().map(|text| number(text)).collect::<Result<Vec<i64>, String>>()?;
    let sign = |from: i64, to: i64| if to < from { -1 } else { 1 };
    let (start, step, end) = match *numbers {
        [end] => (sign(0, end), sign(0, end), end),
        [start, end] => (start, sign(start, end), end),
        [start, step, end] => (start, step, end),
        _ => return Err("it is `(VAR, START, STEP, END)`, START and STEP optional".into()),
    };
    if step == 0 {
        return Err("the step is 0".into());
    }
    let mut rounds = Vec::new();
    let mut value = start;
    while if step > 0 { value <= end } else { value >= end } {
        if rounds.len() >= MAX_ROUNDS {
            return Err(format!("it has more than {MAX_ROUNDS} values"));
        }
        let text = if hex { format!("{value:x}") } else { value.to_string() };
        rounds.push(vec![(named(var)?, text)]);
        value = value.saturating_add(step);
    }
    Ok(rounds)
}

/// Reads `var, value, ...` or `{var, ...}, {value, ...}, ...`.
fn list(args: &str) -> Result<Vec<Vec<(String, String)>>, String> {
    let mut entries = entries(args)?.into_iter();
    let vars = entries.next().unwrap_or_default();
    let vars = vars.into_iter().map(named).collect::<Result<Vec<String>, String>>()?;
    let rounds = entries.map(|values| {
        if values.len() == vars.len() {
            return Ok(vars.iter().cloned().zip(values.into_iter().map(str::to_owned)).collect());
        }
        Err(format!("`{}` are {} values for {} variables", values.join(", "), values.len(), vars.len()))
    });
    let rounds = rounds.collect::<Result<Vec<_>, String>>()?;
    if rounds.is_empty() { Err("there are no values".into()) } else { Ok(rounds) }
}

/// Splits at the commas outside braces, and what is in braces at its commas.
fn entries(args: &str) -> Result<Vec<Vec<&str>>, String> {
    let mut out = Vec::new();
    let mut rest = args.trim();
    loop {
        let (entry, behind) = match rest.strip_prefix('{') {
            Some(body) => {
                let (inner, behind) = body.split_once('}').ok_or("a `{` is not closed")?;
                (inner.split(',').map(str::trim).collect(), behind.trim_start())
            }
            None => {
                let end = rest.find(',').unwrap_or(rest.len());
                let (entry, behind) = rest.split_at(end);
                (vec![entry.trim()], behind)
            }
        };
        out.push(entry);
        match behind.strip_prefix(',') {
            Some(next) => rest = next.trim_start(),
            None if behind.is_empty() => return Ok(out),
            None => return Err(format!("there is no comma before `{behind}`")),
        }
    }
}

fn named(name: &str) -> Result<String, String> {
    let valid = !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if valid { Ok(name.into()) } else { Err(format!("`{name}` is not a variable's name")) }
}

fn number(text: &str) -> Result<i64, String> {
    let (digits, negative) = text.strip_prefix('-').map_or((text, false), |digits| (digits, true));
    let value = match digits.strip_prefix("0x") {
        Some(hex) => u32::from_str_radix(hex, 16),
        None => digits.parse::<u32>(),
    };
    let value = i64::from(value.map_err(|_| format!("`{text}` is not a number"))?);
    Ok(if negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str) -> String {
        let rounds = parse(text).unwrap().rounds;
        let round = |round: &Vec<(String, String)>| {
            round.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("+")
        };
        rounds.iter().map(round).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn sequences_and_lists() {
        for (text, expected) in [
            ("~SEQ(S, 0, 3) x", "S=0 S=1 S=2 S=3"),
            ("~SEQ(S, 3)", "S=1 S=2 S=3"),
            ("~SEQ(S, -2)", "S=-1 S=-2"),
            ("~SEQ(S,5,3)", "S=5 S=4 S=3"),
            ("~SEQ(S, 168, 2, 172)", "S=168 S=170 S=172"),
            ("~SEQ(S, 3, 1, 2)", ""),
            ("~SEQx(S, 0x90, 0x10, 0xb0)", "S=90 S=a0 S=b0"),
            ("~LST(IP, 1, a-b)", "IP=1 IP=a-b"),
            ("~LST({A, B}, {10,1},{20, 4}) y", "A=10+B=1 A=20+B=4"),
        ] {
            assert_eq!(values(text), expected, "{text}");
        }
    }

    #[test]
    fn what_they_refuse() {
        for (text, reason) in [
            ("~SEQ(S, 0, 3", "not closed"),
            ("~SEQ(S, 0, 0, 3)", "step is 0"),
            ("~SEQ(S, x)", "`x` is not a number"),
            ("~SEQ(S)", "START"),
            ("~SEQ(S, 1, 4000000000)", "more than 100000"),
            ("~SEQ(1S, 3)", "not a variable's name"),
            ("~LST(A)", "no values"),
            ("~LST({A,B}, {1})", "1 values for 2 variables"),
            ("~LST({A,B}, {1,2} {3,4})", "no comma"),
        ] {
            assert!(parse(text).unwrap_err().contains(reason), "{text}: {}", parse(text).unwrap_err());
        }
    }
}
