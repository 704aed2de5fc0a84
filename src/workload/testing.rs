//! What tests of the load share: a recorder in a directory that goes away with it.

use std::path::PathBuf;
use std::sync::Arc;

use tempfile::TempDir;

use super::apart::herald::Herald;
use super::control::Controls;
use super::payload::RunTag;
use super::shared::Shared;
use crate::history::EventKind;
use crate::history::clock::Clock;
use crate::history::recorder::{Recorder, RecorderHandle};

/// A recorder of a run with these topics, and its directory.
pub fn recorder(topics: &[(&str, u32)]) -> ((TempDir, PathBuf), Recorder) {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("history");
    let clock = Clock::start();
    let header = EventKind::RunStarted {
        format_version: crate::history::FORMAT_VERSION,
        run: "test-run".to_owned(),
        scenario: "test".to_owned(),
        seed: 7,
        started_utc: clock.started_utc(),
        topics: topics.iter().map(|(name, _)| (*name).to_owned()).collect(),
        partitions: topics.iter().map(|(_, partitions)| *partitions).collect(),
        scenario_crc32: 0,
        plan_crc32: 0,
        asked_crc32: None,
    };
    let recorder = Recorder::create(&path, clock, header, None).expect("a new history");
    ((dir, path), recorder)
}

/// The hold on a load that has no clients.
pub fn controls(recorder: &RecorderHandle) -> Controls {
    Controls::new(Shared {
        run: RunTag::of("test-run"),
        recorder: recorder.clone(),
        counters: Arc::default(),
        ids: Arc::default(),
        gauge: Arc::default(),
        herald: Herald::Nobody,
    })
}
