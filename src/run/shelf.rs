//! Stored runs as a comparison or an index takes them: by their small files, or judged anew.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::directory::{DirectoryError, RunDirectory};
use super::judge::{self, JudgeError};
use crate::history::Environment;
use crate::report::compare::{NotLatencies, Side};
use crate::report::index::{self, Entry, Page, Told};
use crate::verdict::Verdict;

/// Runs lie in a scenario's directory, which may lie in one of a suite; a deeper tree is somebody's disk.
const DEEPEST: usize = 5;

/// The only version of `verdict.json` that there is.
const SCHEMA_VERSION: u32 = 1;

/// A run could not be read for a comparison.
#[derive(Debug, thiserror::Error)]
pub enum ShelfError {
    /// Its history is there, and could not be judged.
    #[error(transparent)]
    Judge(#[from] JudgeError),
    /// Its history is not there, and one of its small files neither.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// Its `latency.csv` is none.
    #[error("cannot understand latency.csv: {0}")]
    Latencies(#[from] NotLatencies),
}

/// A run for a comparison: judged anew, so that a difference is never that of two versions' checkers; or, where its history is not
/// there any more, as its `verdict.json` says.
pub fn side(directory: &RunDirectory) -> Result<Side, ShelfError> {
    if directory.history().is_dir() {
        return Ok(Side::of(&judge::judge(directory)?.report));
    }
    let verdict: Verdict = directory.read_json("verdict.json")?;
    let environment: Environment = directory.read_json("environment.json").unwrap_or_default();
    let latencies = directory.read("latency.csv")?;
    Ok(Side::of_files(verdict, environment, directory.read("scenario.toml")?, &latencies)?)
}

/// Every run below a directory, the latest first. Links, such as `latest`, are not followed: what they lead to has its own place.
pub fn runs(dir: &Path) -> io::Result<Vec<Entry>> {
    let mut paths = Vec::new();
    collect(dir, DEEPEST, &mut paths)?;
    let mut entries: Vec<Entry> = paths.iter().map(|path| entry(dir, path)).collect();
    index::sort(&mut entries);
    Ok(entries)
}

fn collect(dir: &Path, levels: usize, runs: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let path = entry.path();
        if !entry.file_type()?.is_dir() {
            continue;
        }
        if path.join("plan.json").is_file() {
            runs.push(path);
        } else if levels > 1 {
            collect(&path, levels - 1, runs)?;
        }
    }
    Ok(())
}

fn entry(dir: &Path, path: &Path) -> Entry {
    let parts = path.strip_prefix(dir).unwrap_or(path).components();
    let shown: Vec<String> = parts.map(|part| part.as_os_str().to_string_lossy().into_owned()).collect();
    let page = if path.join("report.html").is_file() { Page::There } else { Page::Missing };
    let environment = fs::read(path.join("environment.json")).ok();
    let environment = environment.and_then(|bytes| serde_json::from_slice::<Environment>(&bytes).ok());
    Entry::new(shown.join("/"), environment.as_ref(), told(path), page)
}

fn told(run: &Path) -> Told {
    let bytes = match fs::read(run.join("verdict.json")) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Told::Unjudged("It goes on still, or died before it was judged: wiber-chaos check.".to_owned());
        }
        Err(error) => return Told::Unjudged(format!("Its verdict.json cannot be read: {error}.")),
    };
    match serde_json::from_slice::<Verdict>(&bytes) {
        Ok(verdict) if verdict.schema_version == SCHEMA_VERSION => Told::Judged(Box::new(verdict)),
        Ok(verdict) => Told::Unjudged(format!("Its verdict.json is of version {}.", verdict.schema_version)),
        Err(error) => Told::Unjudged(format!("Its verdict.json cannot be understood: {error}.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shelf(runs: &[(&str, Option<&str>)]) -> tempfile::TempDir {
        let shelf = tempfile::tempdir().expect("a directory");
        for (run, verdict) in runs {
            let run = shelf.path().join(run);
            fs::create_dir_all(&run).expect("a directory");
            fs::write(run.join("plan.json"), "{}").expect("written");
            if let Some(verdict) = verdict {
                fs::write(run.join("verdict.json"), verdict).expect("written");
            }
        }
        shelf
    }

    #[test]
    fn every_run_has_one_entry_whether_it_was_judged_or_not() {
        let sample = fs::read_to_string("reports/sample/verdict.json").expect("the sample");
        let future = sample.replacen("\"schema_version\": 1", "\"schema_version\": 9", 1);
        let shelf = shelf(&[
            ("kill-one/20260301T120000Z-42", Some(&sample)),
            ("kill-one/20260302T120000Z-42", None),
            ("nightly/soak/20260303T120000Z-7", Some("{ \"torn")),
            ("soak/20260304T120000Z-7", Some(&future)),
        ]);
        std::os::unix::fs::symlink("20260301T120000Z-42", shelf.path().join("kill-one/latest")).expect("a link");
        fs::write(shelf.path().join("index.html"), "").expect("written");
        let entries = runs(shelf.path()).expect("the runs");
        let paths: Vec<&str> = entries.iter().map(|entry| entry.path.as_str()).collect();
        assert_eq!(
            paths,
            [
                "soak/20260304T120000Z-7",
                "nightly/soak/20260303T120000Z-7",
                "kill-one/20260302T120000Z-42",
                "kill-one/20260301T120000Z-42"
            ]
        );
        let judged: Vec<bool> = entries.iter().map(|entry| entry.verdict().is_some()).collect();
        assert_eq!(judged, [false, false, false, true]);
    }

    #[test]
    fn a_run_without_its_history_is_compared_by_its_small_files() {
        let directory = RunDirectory::open("reports/sample".as_ref()).expect("the sample");
        let side = side(&directory).expect("its small files");
        assert_eq!(side.verdict.scenario, "kill-one");
        assert!(side.latencies.iter().any(|line| line.latency.is_some()));
    }
}
