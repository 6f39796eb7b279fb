//! The answers as JSON lines, in the order in which they were asked for.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use concurry::Outcome;
use serde_json::json;

use crate::client::{LlmError, Reply};

/// Writes one object a prompt: its file, and the answer or what went wrong.
pub(crate) fn write(
    file: &Path,
    paths: &[String],
    outcomes: &[Outcome<Reply, LlmError>],
) -> Result<(), String> {
    let lines = || -> io::Result<()> {
        let mut out = BufWriter::new(File::create(file)?);
        for (path, outcome) in paths.iter().zip(outcomes) {
            let line = match outcome {
                Ok(reply) => json!({
                    "file": path, "answer": reply.text, "region": reply.region, "tokens": reply.tokens,
                }),
                Err(error) => json!({ "file": path, "error": error.to_string() }),
            };
            writeln!(out, "{line}")?;
        }
        out.flush()
    };
    lines().map_err(|error| format!("cannot write {}: {error}", file.display()))
}
