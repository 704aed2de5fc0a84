//! `wiber-chaos schema`: the JSON Schema of scenario files, for editors.

use super::ExitCode;
use super::terminal::print;
use crate::scenario::schema;

/// Prints the schema.
pub fn schema() -> ExitCode {
    match print(&schema::text()) {
        Ok(()) => ExitCode::Pass,
        Err(code) => code,
    }
}
