//! The report's files, each written whole or not at all.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::{Report, csv, html, json, junit};

/// A file of the report could not be written.
#[derive(Debug, thiserror::Error)]
#[error("could not write {}", path.display())]
pub struct WriteError {
    /// Which.
    pub path: PathBuf,
    /// Why.
    #[source]
    pub source: io::Error,
}

/// Writes every file of the report into a directory, which is made if need be, and returns their paths.
///
/// Each is written beside its place, synced and renamed, so that a reader sees the old file or the new one.
pub fn write_all(report: &Report, dir: &Path) -> Result<Vec<PathBuf>, WriteError> {
    fs::create_dir_all(dir).map_err(|source| WriteError { path: dir.to_owned(), source })?;
    let files = [
        ("verdict.json", json::verdict(&report.verdict)),
        ("summary.csv", csv::summary(report)),
        ("timeline.csv", csv::timeline(report)),
        ("faults.csv", csv::faults(report)),
        ("partitions.csv", csv::partitions(report)),
        ("anomalies.csv", csv::anomalies(report)),
        ("latency.csv", csv::latency(report)),
        ("junit.xml", junit::render(report).into_bytes()),
        ("report.html", html::render(report).into_bytes()),
    ];
    let mut paths = Vec::with_capacity(files.len());
    for (name, bytes) in files {
        let path = dir.join(name);
        replace(dir, name, &bytes).map_err(|source| WriteError { path: path.clone(), source })?;
        paths.push(path);
    }
    Ok(paths)
}

/// Writes one page beside the reports of runs, over one that is there.
pub fn write_page(path: &Path, text: &str) -> Result<(), WriteError> {
    let failed = |source| WriteError { path: path.to_owned(), source };
    let name = path.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| failed(io::Error::new(io::ErrorKind::InvalidInput, "this names no file")))?;
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    replace(dir, name, text.as_bytes()).map_err(failed)
}

/// Puts a file in its place in one step.
fn replace(dir: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let beside = dir.join(format!(".{name}.{}.part", std::process::id()));
    let written = File::create(&beside).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    let placed = written.and_then(|()| fs::rename(&beside, dir.join(name)));
    if placed.is_err() {
        // The first error is the one to tell; a leftover part file is hidden and replaced by the next attempt.
        let _ = fs::remove_file(&beside);
    }
    placed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    #[test]
    fn the_same_report_gives_the_same_bytes_and_leaves_no_part_files() {
        let report = fixture::valid();
        let first = tempfile::tempdir().expect("a temporary directory");
        let second = tempfile::tempdir().expect("a temporary directory");
        let paths = write_all(&report, &first.path().join("run")).expect("the first writing");
        write_all(&report, second.path()).expect("the second writing");
        write_all(&fixture::valid(), second.path()).expect("writing over it");
        for path in &paths {
            let name = path.file_name().expect("a file name");
            assert_eq!(fs::read(path).expect("the file"), fs::read(second.path().join(name)).expect("its twin"));
        }
        assert_eq!(fs::read_dir(second.path()).expect("the directory").count(), paths.len());
    }

    #[test]
    fn a_directory_that_cannot_be_made_is_named() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let file = dir.path().join("file");
        fs::write(&file, "in the way").expect("a file");
        let error = write_all(&fixture::valid(), &file.join("run")).expect_err("a file is in the way");
        assert_eq!(error.path, file.join("run"));
    }
}
