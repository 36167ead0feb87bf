//! The macros that are always there.

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    path::Path,
};

/// What built-in macros depend on.
pub(super) struct Context<'a> {
    /// The directory of the current file.
    pub(super) directory: &'a Path,
    /// The configuration id.
    pub(super) id: &'a str,
    /// Looks up an environment variable.
    pub(super) env: fn(&str) -> Option<String>,
}

/// Returns what a built-in macro stands for, or `None` if there is none of this name.
///
/// # Errors
///
/// A built-in with unusable arguments gives the reason.
pub(super) fn value(name: &str, args: &str, context: &Context<'_>) -> Option<Result<String, String>> {
    Some(match name {
        "_PWD" => Ok(context.directory.display().to_string()),
        "_INSTANCE" => Ok(context.id.into()),
        "_HASH" => Ok("#".into()),
        "_BANG" => Ok("!".into()),
        "_ENV" => (context.env)(args).ok_or_else(|| format!("the environment has no variable `{args}`")),
        "_RANDOM" => random(args).ok_or_else(|| format!("`{args}` is not `MIN MAX`, two numbers in order")),
        _ => return None,
    })
}

/// Returns a number between the two of `args`, by default 0 and 32767.
fn random(args: &str) -> Option<String> {
    let mut numbers = args.split_whitespace().map(str::parse::<u32>);
    let low = numbers.next().unwrap_or(Ok(0)).ok()?;
    let high = numbers.next().unwrap_or(Ok(32_767)).ok()?;
    let count = u64::from(high.checked_sub(low)?) + 1;
    Some((u64::from(low) + RandomState::new().build_hasher().finish() % count).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_ins() {
        let env = |name: &str| (name == "HOME").then(|| "/root".to_owned());
        let context = Context { directory: Path::new("/etc/hadp"), id: "n1", env };
        for (name, args, expected) in [
            ("_PWD", "", Some(Some("/etc/hadp"))),
            ("_INSTANCE", "", Some(Some("n1"))),
            ("_HASH", "", Some(Some("#"))),
            ("_BANG", "", Some(Some("!"))),
            ("_ENV", "HOME", Some(Some("/root"))),
            ("_ENV", "NOPE", Some(None)),
            ("_RANDOM", "7 7", Some(Some("7"))),
            ("_RANDOM", "8 7", Some(None)),
            ("PWD", "", None),
        ] {
            let got = value(name, args, &context).map(Result::ok);
            assert_eq!(got, expected.map(|text| text.map(str::to_owned)), "{name} {args}");
        }
    }
}
