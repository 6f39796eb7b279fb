//! The levels that stand outside of the program: the file, and the environment.

use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;

use figment::error::{Actual, Kind};
use figment::providers::Format;
use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider, Source};
use serde::de::DeserializeOwned;

use super::error::Unreadable;
use super::{Config, ConfigError};

const FILE: &str = "concurry.toml";
const PREFIX: &str = "CONCURRY_";
/// What a worker's process is told by its pool, and the transport to it; no options.
const NO_OPTIONS: [&str; 2] = ["worker_process", "transport"];

/// The format of the file.
struct Toml;

impl Format for Toml {
    type Error = toml::de::Error;
    const NAME: &'static str = "TOML";

    fn from_str<T: DeserializeOwned>(text: &str) -> Result<T, toml::de::Error> {
        toml::from_str(text)
    }
}

/// The variables of the environment with our prefix.
struct Environment;

impl Provider for Environment {
    fn metadata(&self) -> Metadata {
        Metadata::named("environment")
    }

    fn data(&self) -> figment::error::Result<Map<Profile, Dict>> {
        let text = |text: OsString| text.to_string_lossy().into_owned();
        let variables = std::env::vars_os().map(|(name, value)| (text(name), text(value)));
        Ok(Profile::Default.collect(options(variables)))
    }
}

/// The options that these variables name. In the order of their names, so that a section as a whole (`CONCURRY_POOL`) comes before
/// an option of it, which holds over that.
fn options(variables: impl Iterator<Item = (String, String)>) -> Dict {
    let mut variables: Vec<_> = variables.map(|(name, value)| (name.to_lowercase(), value)).collect();
    variables.sort();
    let mut options = Dict::new();
    for (name, value) in variables {
        let key = name.strip_prefix(&PREFIX.to_lowercase()).filter(|key| !NO_OPTIONS.contains(key));
        if let Some(key) = key {
            insert(&mut options, &key.split("__").collect::<Vec<_>>(), value_of(&value));
        }
    }
    options
}

/// What a text means: what it would as a value in the file, or else itself.
fn value_of(text: &str) -> Value {
    let parsed: Option<toml::Table> = toml::from_str(&format!("value = {text}")).ok();
    let value = parsed.filter(|table| table.len() == 1).and_then(|mut table| table.remove("value"));
    value.and_then(|value| Value::serialize(value).ok()).unwrap_or_else(|| text.into())
}

fn insert(options: &mut Dict, path: &[&str], value: Value) {
    let [first, rest @ ..] = path else { return };
    if rest.is_empty() {
        options.insert((*first).to_owned(), value);
        return;
    }
    let inner = options.entry((*first).to_owned()).or_insert_with(|| Dict::new().into());
    if !matches!(inner, Value::Dict(..)) {
        // It has a value of its own and keys below it: whoever reads it finds that one of them cannot be.
        *inner = Dict::new().into();
    }
    if let Value::Dict(_, inner) = inner {
        insert(inner, rest, value);
    }
}

impl Config {
    /// What `concurry.toml` says (of the current folder, or of the nearest one above that has it; there may be none), and over that the
    /// environment (`CONCURRY_POOL__MAX_WORKERS=4`). Give it to [`Config::global`]`().set(…)`. What neither says is left to what holds
    /// below: in the end to the [library's defaults](Config::defaults).
    ///
    /// # Errors
    ///
    /// [`ConfigError`] for an option that is not known, a value that cannot be, and a file that cannot be read.
    ///
    /// # Examples
    ///
    /// ```
    /// use concurry_core::config::Config;
    /// use concurry_core::mode::ExecutionMode;
    ///
    /// # fn main() -> Result<(), concurry_core::config::ConfigError> {
    /// let mut config = Config::load()?;
    /// config.pool.max_workers.get_or_insert(2);
    /// Config::global().set(config);
    /// assert!(Config::current().of(ExecutionMode::Thread).max_workers.is_some());
    /// # Ok(()) }
    /// ```
    pub fn load() -> Result<Self, ConfigError> {
        with_environment(&level(Toml::file(FILE))?)
    }

    /// As [`load`](Self::load), with this file, which must be there.
    ///
    /// # Errors
    ///
    /// Those of [`load`](Self::load), and when there is no such file.
    pub fn load_from(file: impl AsRef<Path>) -> Result<Self, ConfigError> {
        let file = file.as_ref();
        let text = std::fs::read_to_string(file).map_err(|error| ConfigError {
            place: file.display().to_string(),
            key: String::new(),
            problem: format!("cannot be read: {error}"),
            source: Some(Unreadable(Arc::new(error))),
        })?;
        drop(text);
        with_environment(&level(Toml::file_exact(file))?)
    }
}

fn with_environment(file: &Config) -> Result<Config, ConfigError> {
    let environment = level(Environment)?;
    Ok(environment.over(file))
}

/// What one source says.
fn level(source: impl Provider) -> Result<Config, ConfigError> {
    let figment = Figment::from(source);
    let config: Config = figment.extract().map_err(|error| {
        let place = error.metadata.as_ref().or_else(|| figment.metadata().next());
        let mut path = error.path.clone();
        // The key of an option that is not known is no part of the way that was found to it.
        if let Kind::UnknownField(field, _) = &error.kind
            && path.last() != Some(field)
        {
            path.push(field.clone());
        }
        located(place, &path, problem(&error.kind))
    })?;
    config.check().map_err(|wrong| {
        let path: Vec<String> = wrong.path.iter().map(ToString::to_string).collect();
        let place = figment.find_metadata(&path.join(".")).or_else(|| figment.metadata().next());
        located(place, &path, wrong.problem)
    })?;
    Ok(config)
}

fn located(place: Option<&Metadata>, path: &[String], problem: String) -> ConfigError {
    let place = match place.and_then(|place| place.source.as_ref()) {
        Some(Source::File(file)) => file.display().to_string(),
        _ => variable(path),
    };
    ConfigError { place, key: path.join("."), problem, source: None }
}

/// The variable that says what an option is, or a section around it.
fn variable(path: &[String]) -> String {
    let name = |length: usize| format!("{PREFIX}{}", path[..length].join("__").to_uppercase());
    let set = (1..=path.len()).rev().map(name).find(|name| std::env::var_os(name).is_some());
    set.unwrap_or_else(|| name(path.len()))
}

fn problem(kind: &Kind) -> String {
    match kind {
        Kind::UnknownField(_, known) => format!("is no option; there are {}", known.join(", ")),
        Kind::UnknownVariant(value, known) => format!("is `{value}`; expected {}", known.join(", ")),
        Kind::InvalidType(actual, expected) | Kind::InvalidValue(actual, expected) => {
            format!("is {}; expected {expected}", shown(actual))
        }
        Kind::MissingField(field) => format!("lacks `{field}`"),
        Kind::Message(text) => format!("is wrong: {text}"),
        other => format!("is wrong: {other}"),
    }
}

/// A value as it was written, where that is short.
fn shown(actual: &Actual) -> String {
    match actual {
        Actual::Str(text) => format!("{text:?}"),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Config, Figment, options};

    #[test]
    fn a_section_and_an_option_of_it_are_both_heard_in_whatever_order_they_stand() {
        let whole = ("CONCURRY_POOL", "{ max_workers = 3, max_queued_calls = 7 }");
        let part = ("CONCURRY_POOL__MAX_WORKERS", "4");
        for variables in [[whole, part], [part, whole]] {
            let variables = variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
            let config: Config = Figment::from(figment::providers::Serialized::defaults(options(variables)))
                .extract()
                .expect("both are options");
            assert_eq!((config.pool.max_workers, config.pool.max_queued_calls), (Some(4), Some(7)));
        }
    }

    #[test]
    fn what_stands_below_an_option_that_has_a_value_is_not_passed_over() {
        let variables = ["CONCURRY_POOL__MAX_WORKERS", "CONCURRY_POOL__MAX_WORKERS__X"]
            .map(|name| (name.to_owned(), "4".to_owned()));
        let config = Figment::from(figment::providers::Serialized::defaults(options(variables.into_iter())))
            .extract::<Config>();
        let error = config.unwrap_err().to_string();
        assert!(error.contains("max_workers"), "{error}");
    }
}
