//! A run's directory: `reports/<scenario>/<UTC time>-<seed>/`, self-contained and movable, and `latest` beside it.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// What is written for a try before anything starts: a disk that has not even this is full.
const TRIAL_BYTES: usize = 16 << 20;

/// How often a name is sought; each try is a second later, because the name holds the time to the second.
const NAME_TRIES: u32 = 10;

/// The directory could not be made, written or read.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {}: {source}{}", path.display(), hint(source))]
pub struct DirectoryError {
    action: &'static str,
    path: PathBuf,
    source: io::Error,
}

fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "\n  help: choose a folder that you may write with --reports"
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "\n  help: free some space, or choose another disk with --reports"
        }
        io::ErrorKind::NotFound => "\n  help: a run's directory is reports/<scenario>/<time>-<seed>, or .../latest",
        _ => "",
    }
}

/// A run's directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunDirectory {
    path: PathBuf,
}

impl RunDirectory {
    /// Makes a new directory and tries whether the disk takes what a run will write.
    pub fn create(reports: &Path, scenario: &str, seed: u64) -> Result<Self, DirectoryError> {
        let home = reports.join(scenario);
        fs::create_dir_all(&home).map_err(|source| failed("create", &home, source))?;
        for attempt in 1.. {
            let path = home.join(format!("{}-{seed}", jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ")));
            match fs::create_dir(&path) {
                Ok(()) => {
                    let directory = Self { path };
                    directory.try_disk()?;
                    return Ok(directory);
                }
                // Another run of the same scenario and seed began in this second.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && attempt < NAME_TRIES => {
                    std::thread::sleep(Duration::from_secs(1));
                }
                Err(source) => return Err(failed("create", &path, source)),
            }
        }
        unreachable!("the last try returns")
    }

    /// Opens a run that is there, `latest` included.
    pub fn open(path: &Path) -> Result<Self, DirectoryError> {
        let resolved = fs::canonicalize(path).map_err(|source| failed("open run", path, source))?;
        let plan = resolved.join("plan.json");
        fs::metadata(&plan).map_err(|source| failed("read", &plan, source))?;
        // The path as it was given is what people recognise; only a link must be followed, because it may move on.
        let path = if path.is_symlink() { resolved } else { path.to_owned() };
        Ok(Self { path })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its name, which is the run's id.
    pub fn run_id(&self) -> String {
        self.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }

    /// Where the history lies.
    pub fn history(&self) -> PathBuf {
        self.path.join("history")
    }

    /// Makes a subdirectory.
    pub fn make(&self, name: &str) -> Result<PathBuf, DirectoryError> {
        let path = self.path.join(name);
        fs::create_dir_all(&path).map_err(|source| failed("create", &path, source))?;
        Ok(path)
    }

    /// Writes a file.
    pub fn write(&self, name: &str, content: &[u8]) -> Result<(), DirectoryError> {
        let path = self.path.join(name);
        fs::write(&path, content).map_err(|source| failed("write", &path, source))
    }

    /// Writes a value as JSON for people and programs.
    pub fn write_json(&self, name: &str, value: &impl Serialize) -> Result<(), DirectoryError> {
        let mut text = serde_json::to_vec_pretty(value).expect("plain data");
        text.push(b'\n');
        self.write(name, &text)
    }

    /// Reads a file as text.
    pub fn read(&self, name: &str) -> Result<String, DirectoryError> {
        let path = self.path.join(name);
        fs::read_to_string(&path).map_err(|source| failed("read", &path, source))
    }

    /// Reads a file as it is.
    pub fn read_bytes(&self, name: &str) -> Result<Vec<u8>, DirectoryError> {
        let path = self.path.join(name);
        fs::read(&path).map_err(|source| failed("read", &path, source))
    }

    /// Reads a JSON file.
    pub fn read_json<T: DeserializeOwned>(&self, name: &str) -> Result<T, DirectoryError> {
        let text = self.read(name)?;
        serde_json::from_str(&text)
            .map_err(|error| failed("understand", &self.path.join(name), io::Error::other(error)))
    }

    /// Points `latest`, beside the directory, at it. Another run may do the same at the same moment; the last one wins.
    pub fn become_latest(&self) -> Result<(), DirectoryError> {
        let (Some(home), Some(name)) = (self.path.parent(), self.path.file_name()) else { return Ok(()) };
        let link = home.join("latest");
        let unborn = home.join(format!(".latest-{}", self.run_id()));
        std::os::unix::fs::symlink(name, &unborn)
            .and_then(|()| fs::rename(&unborn, &link))
            .map_err(|source| failed("link", &link, source))
    }

    fn try_disk(&self) -> Result<(), DirectoryError> {
        let path = self.path.join(".trial");
        let written = fs::File::create(&path).and_then(|mut file| {
            file.write_all(&vec![0x5a; TRIAL_BYTES])?;
            file.sync_all()
        });
        let removed = fs::remove_file(&path);
        written.and(removed).map_err(|source| {
            // Nothing was started, so an empty directory would only be litter.
            drop(fs::remove_dir(&self.path));
            failed("write to", &path, source)
        })
    }
}

fn failed(action: &'static str, path: &Path, source: io::Error) -> DirectoryError {
    DirectoryError { action, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_runs_in_the_same_second_get_directories_of_their_own() {
        let reports = tempfile::tempdir().expect("a directory");
        let first = RunDirectory::create(reports.path(), "kill-one", 42).expect("a directory");
        let second = RunDirectory::create(reports.path(), "kill-one", 42).expect("another");
        assert_ne!(first.path(), second.path());
    }

    #[test]
    fn latest_follows_the_last_run() {
        let reports = tempfile::tempdir().expect("a directory");
        for seed in [1, 2] {
            let run = RunDirectory::create(reports.path(), "kill-one", seed).expect("a directory");
            run.write("plan.json", b"{}").expect("written");
            run.become_latest().expect("linked");
        }
        let latest = RunDirectory::open(&reports.path().join("kill-one/latest")).expect("opened");
        assert!(latest.run_id().ends_with("-2"), "{}", latest.run_id());
    }

    #[test]
    fn a_reports_folder_that_is_a_file_is_an_error_that_names_it() {
        let reports = tempfile::NamedTempFile::new().expect("a file");
        let error = RunDirectory::create(reports.path(), "kill-one", 42).expect_err("a file is no folder");
        assert!(error.to_string().contains(&reports.path().display().to_string()), "{error}");
    }

    #[test]
    fn a_run_that_is_not_there_says_what_a_run_looks_like() {
        let error = RunDirectory::open(Path::new("reports/nothing/here")).expect_err("nothing is there");
        assert!(error.to_string().contains("latest"), "{error}");
    }
}
