//! Renderers of a report, one a file, pure functions of the report's data.
