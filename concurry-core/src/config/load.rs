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

/// What the variables of the environment with our prefix say.
struct Environment(Dict);

impl Environment {
    fn read() -> Result<Self, ConfigError> {
        let text = |text: OsString| text.to_string_lossy().into_owned();
        options(std::env::vars_os().map(|(name, value)| (text(name), text(value)))).map(Self)
    }
}

impl Provider for Environment {
    fn metadata(&self) -> Metadata {
        Metadata::named("environment")
    }

    fn data(&self) -> figment::error::Result<Map<Profile, Dict>> {
        Ok(Profile::Default.collect(self.0.clone()))
    }
}

/// A variable with our prefix.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Variable {
    /// What is behind the prefix, in lower case.
    key: String,
    name: String,
    value: String,
}

impl Variable {
    fn new((name, value): (String, String)) -> Option<Self> {
        let lower = name.to_lowercase();
        let key = lower.strip_prefix(&PREFIX.to_lowercase()).filter(|key| !NO_OPTIONS.contains(key))?;
        Some(Self { key: key.to_owned(), name, value })
    }

    fn path(&self) -> Vec<&str> {
        self.key.split("__").collect()
    }

    /// Two of which one alone can hold.
    fn clashes(&self, with: &Self, key: &[&str], problem: String) -> ConfigError {
        let place = format!("{} and {}", self.name, with.name);
        ConfigError { place, key: key.join("."), problem, source: None }
    }
}

/// The options that these variables name. In the order of their names, so that a section as a whole (`CONCURRY_POOL`) comes before
/// an option of it, which holds over that.
fn options(variables: impl Iterator<Item = (String, String)>) -> Result<Dict, ConfigError> {
    let mut variables: Vec<_> = variables.filter_map(Variable::new).collect();
    variables.sort();
    let mut options = Dict::new();
    for (index, variable) in variables.iter().enumerate() {
        let (path, before) = (variable.path(), &variables[..index]);
        if let Some(other) =
            before.last().filter(|other| other.key == variable.key && other.name != variable.name)
        {
            let problem =
                "is said twice, by names that differ in upper and lower case alone; keep one of them";
            return Err(other.clashes(variable, &path, problem.to_owned()));
        }
        if let Err(length) = insert(&mut options, &path, value_of(&variable.value)) {
            // Who says what stands above: the variable of that very name, or of a section around it.
            let is_around = |other: &&Variable| path[..length].starts_with(&other.path());
            let around = before.iter().rfind(is_around).unwrap_or(variable);
            let problem =
                format!("is {:?}, which has no options below it; drop one of the two", around.value);
            return Err(around.clashes(variable, &path[..length], problem));
        }
    }
    Ok(options)
}

/// What a text means: what it would as a value in the file, or else itself.
fn value_of(text: &str) -> Value {
    let parsed: Option<toml::Table> = toml::from_str(&format!("value = {text}")).ok();
    let value = parsed.filter(|table| table.len() == 1).and_then(|mut table| table.remove("value"));
    value.and_then(|value| Value::serialize(value).ok()).unwrap_or_else(|| text.into())
}

/// Puts a value where `path` leads to; an error is the length of the way to what has a value of its own and nothing below it.
fn insert(options: &mut Dict, path: &[&str], value: Value) -> Result<(), usize> {
    let [first, rest @ ..] = path else { return Ok(()) };
    if rest.is_empty() {
        options.insert((*first).to_owned(), value);
        return Ok(());
    }
    let inner = options.entry((*first).to_owned()).or_insert_with(|| Dict::new().into());
    let Value::Dict(_, inner) = inner else { return Err(1) };
    insert(inner, rest, value).map_err(|length| length + 1)
}

impl Config {
    /// What `concurry.toml` says (of the current folder, or of the nearest one above that has it; there may be none), and over that the
    /// environment (`CONCURRY_POOL__MAX_WORKERS=4`). It holds once it is given to [`Config::global`]`().set(…)`: loading alone changes nothing. What neither says is left to what holds
    /// below: in the end to the [library's defaults](Config::defaults).
    ///
    /// # Errors
    ///
    /// [`ConfigError`] for an option that is not known, a value that cannot be, a file that cannot be read, and two variables of
    /// which one alone can hold: the one gives a value to what the other names an option of, or they differ in upper and lower
    /// case alone.
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
    let environment = level(Environment::read()?)?;
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
    use super::{Config, ConfigError, Figment, options};

    /// What these variables say.
    fn said<const N: usize>(variables: [(&str, &str); N]) -> Result<Config, ConfigError> {
        let variables = variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        let options = figment::providers::Serialized::defaults(options(variables)?);
        Ok(Figment::from(options).extract().expect("these are options"))
    }

    #[test]
    fn a_section_and_an_option_of_it_are_both_heard_in_whatever_order_they_stand() {
        let whole = ("CONCURRY_POOL", "{ max_workers = 3, max_queued_calls = 7 }");
        let part = ("CONCURRY_POOL__MAX_WORKERS", "4");
        for variables in [[whole, part], [part, whole]] {
            let config = said(variables).expect("both can hold");
            assert_eq!((config.pool.max_workers, config.pool.max_queued_calls), (Some(4), Some(7)));
        }
    }

    #[test]
    fn what_stands_below_a_value_is_an_error_that_names_both_variables() {
        for (above, below, key) in [
            (("CONCURRY_POOL__MAX_WORKERS", "4"), "CONCURRY_POOL__MAX_WORKERS__X", "pool.max_workers"),
            (("CONCURRY_POOL", "garbage"), "CONCURRY_POOL__MAX_WORKERS", "pool"),
            (("CONCURRY_POOL", ""), "CONCURRY_POOL__MAX_WORKERS", "pool"),
            (("CONCURRY_POOL", "{ retry = 3 }"), "CONCURRY_POOL__RETRY__ATTEMPTS", "pool.retry"),
        ] {
            let error = said([(below, "4"), above]).unwrap_err();
            assert_eq!((error.place(), error.key()), (&*format!("{} and {below}", above.0), key));
            assert!(error.to_string().contains(&format!("{:?}", above.1)), "{error}");
        }
    }

    #[test]
    fn two_spellings_of_one_variable_are_an_error_that_names_both() {
        let error =
            said([("concurry_pool__max_workers", "3"), ("CONCURRY_POOL__MAX_WORKERS", "4")]).unwrap_err();
        assert_eq!(error.place(), "CONCURRY_POOL__MAX_WORKERS and concurry_pool__max_workers");
        assert_eq!(
            said([("concurry_pool__max_workers", "3")]).expect("one is fine").pool.max_workers,
            Some(3)
        );
    }
}
