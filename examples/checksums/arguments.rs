//! What stands on the command line.

use std::path::PathBuf;

use concurry::ExecutionMode;

const USAGE: &str = "usage: checksums [--mode thread|process|sync|async] [FOLDER]";

/// What is to be read, and where.
pub(crate) struct Arguments {
    pub(crate) folder: PathBuf,
    pub(crate) mode: ExecutionMode,
}

impl Arguments {
    pub(crate) fn read(arguments: &[String]) -> Result<Self, String> {
        let (mut folder, mut mode) = (None, ExecutionMode::Thread);
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--mode" => {
                    let name = arguments.next().ok_or_else(|| format!("--mode needs a value; {USAGE}"))?;
                    mode = name.parse().map_err(|error| format!("{error}"))?;
                }
                option if option.starts_with('-') => {
                    return Err(format!("unknown option `{option}`; {USAGE}"));
                }
                path if folder.is_none() => folder = Some(PathBuf::from(path)),
                other => return Err(format!("`{other}` is one folder too many; {USAGE}")),
            }
        }
        let folder = folder.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")));
        Ok(Self { folder, mode })
    }
}
