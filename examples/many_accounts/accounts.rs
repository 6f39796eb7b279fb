//! The accounts: a `LimitPool` from a file, in which each set of limits has the name of its account.

use std::fs;
use std::path::Path;

use concurry::prelude::*;

/// Used when no file is given.
const EMBEDDED: &str = include_str!("accounts.toml");

/// What a file tells of accounts.
pub(crate) struct Accounts {
    pub(crate) limits: LimitPool,
    /// A name a set.
    pub(crate) names: Vec<String>,
}

impl Accounts {
    /// Those of a TOML or JSON file; without one, three that are made up.
    pub(crate) fn load(file: Option<&Path>) -> Result<Self, String> {
        let Some(file) = file else { return Self::of(from_toml(EMBEDDED)?) };
        let place = |error: String| format!("{}: {error}", file.display());
        let parse = match file.extension().and_then(|extension| extension.to_str()) {
            Some("toml") => from_toml,
            Some("json") => from_json,
            _ => return Err(place("accounts are read from a .toml or a .json file".to_owned())),
        };
        let text = fs::read_to_string(file).map_err(|error| place(error.to_string()))?;
        parse(&text).and_then(Self::of).map_err(place)
    }

    fn of(limits: LimitPool) -> Result<Self, String> {
        let mut names: Vec<String> = Vec::new();
        for (index, set) in limits.sets().iter().enumerate() {
            let name = set.config()["account"].as_str();
            let name = name.ok_or_else(|| {
                format!("set {} has no name: write it as `config = {{ account = \"…\" }}`", index + 1)
            })?;
            if names.iter().any(|earlier| earlier == name) {
                return Err(format!("there are two accounts with the name `{name}`"));
            }
            names.push(name.to_owned());
        }
        Ok(Self { limits, names })
    }
}

fn from_json(text: &str) -> Result<LimitPool, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

/// An error of TOML is a picture of the place over several lines; here it is one line.
fn from_toml(text: &str) -> Result<LimitPool, String> {
    toml::from_str(text).map_err(|error: toml::de::Error| {
        let before = error.span().and_then(|span| text.get(..span.start));
        let place = before.map(|before| format!(" at line {}", before.matches('\n').count() + 1));
        let message: Vec<&str> = error.message().split_whitespace().collect();
        format!("{}{}", message.join(" "), place.unwrap_or_default())
    })
}
