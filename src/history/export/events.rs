//! Events as a table. Each kind has fields of its own: those that many share are columns, and the rest is one column of JSON.

use std::sync::Arc;

use arrow_array::{ArrayRef, StringArray, UInt32Array, UInt64Array};
use arrow_schema::{ArrowError, DataType, Field};
use serde_json::{Map, Value};

use super::ExportError;
use super::columns::Names;
use crate::history::Event;
use crate::history::columns::{optional, required};
use crate::history::reader::Stored;
use crate::kafka::ProcessId;

/// How many events make a batch.
const EVENTS_PER_BATCH: usize = 1024;

pub(super) fn fields() -> Vec<Field> {
    vec![
        required("time_ns", DataType::UInt64),
        required("event", DataType::Utf8),
        optional("process", DataType::UInt32),
        optional("process_name", DataType::Utf8),
        optional("fault", DataType::Utf8),
        optional("stage", DataType::Utf8),
        required("detail", DataType::Utf8),
    ]
}

/// Gives all events to `put`, as the columns of a batch at a time.
pub(super) fn write(
    stored: &Stored,
    names: &Names,
    put: &mut dyn FnMut(Vec<ArrayRef>) -> Result<(), ExportError>,
) -> Result<(), ExportError> {
    let mut rows = Vec::with_capacity(EVENTS_PER_BATCH);
    stored.events::<ExportError>(&mut |event| {
        rows.push(row(&event)?);
        if rows.len() < EVENTS_PER_BATCH {
            return Ok(());
        }
        put(batch(names, &rows))?;
        rows.clear();
        Ok(())
    })?;
    if rows.is_empty() { Ok(()) } else { put(batch(names, &rows)) }
}

/// One event.
struct Row {
    time_ns: u64,
    event: String,
    process: Option<u32>,
    fault: Option<String>,
    stage: Option<String>,
    detail: String,
}

/// Takes an event apart as its line has it, so that a new kind of event needs nothing here.
fn row(event: &Event) -> Result<Row, ArrowError> {
    let mut fields = match serde_json::to_value(event) {
        Ok(Value::Object(fields)) => fields,
        Ok(other) => return Err(ArrowError::JsonError(format!("an event is {other}"))),
        Err(error) => return Err(ArrowError::JsonError(error.to_string())),
    };
    fields.remove("time_ns");
    let process = fields.get("process").and_then(Value::as_u64).and_then(|process| u32::try_from(process).ok());
    if process.is_some() {
        fields.remove("process");
    }
    Ok(Row {
        time_ns: event.time_ns.0,
        event: take_text(&mut fields, "event").unwrap_or_default(),
        process,
        fault: take_text(&mut fields, "fault"),
        stage: take_text(&mut fields, "stage"),
        detail: Value::Object(fields).to_string(),
    })
}

/// Takes a text out; anything else stays where it is.
fn take_text(fields: &mut Map<String, Value>, key: &str) -> Option<String> {
    let text = fields.get(key)?.as_str()?.to_owned();
    fields.remove(key);
    Some(text)
}

fn batch(names: &Names, rows: &[Row]) -> Vec<ArrayRef> {
    let name = |row: &Row| row.process.and_then(|process| names.process(ProcessId(process)));
    vec![
        Arc::new(UInt64Array::from_iter_values(rows.iter().map(|row| row.time_ns))),
        Arc::new(StringArray::from_iter_values(rows.iter().map(|row| &row.event))),
        Arc::new(rows.iter().map(|row| row.process).collect::<UInt32Array>()),
        Arc::new(rows.iter().map(name).collect::<StringArray>()),
        Arc::new(rows.iter().map(|row| row.fault.as_deref()).collect::<StringArray>()),
        Arc::new(rows.iter().map(|row| row.stage.as_deref()).collect::<StringArray>()),
        Arc::new(StringArray::from_iter_values(rows.iter().map(|row| &row.detail))),
    ]
}
