//! Room on disks: where reports and ledgers go, and where the engine keeps images and volumes.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::directories::nearest;
use super::{Check, Wish, in_words};
use crate::cluster::docker::host_name;
use crate::cluster::engine::Premises;

const NAME: &str = "disk";
const GIB: u64 = 1 << 30;

/// Below this a run's history or a broker's log fills what is left within minutes.
const PROBLEM_BELOW: u64 = GIB;

/// Below this a longer run may.
const WARNING_BELOW: u64 = 5 * GIB;

/// One file system.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Volume {
    device: u64,
    free_bytes: u64,
    /// What lies on it.
    holds: Vec<String>,
}

/// Looks at every place, file system by file system. The engine's counts only where it is on this host.
pub fn examine(wish: &Wish, premises: Option<&Premises>) -> Vec<Check> {
    let ours = [("reports", wish.reports.clone()), ("state", wish.state.clone())];
    let engines = premises.and_then(engine_root).map(|root| ("the engine's data", root));
    let mut volumes: Vec<Volume> = Vec::new();
    let mut checks = Vec::new();
    for (what, path) in ours.into_iter().chain(engines) {
        let holds = format!("{what} ({})", path.display());
        match look(&path) {
            Ok((device, free_bytes)) => match volumes.iter_mut().find(|volume| volume.device == device) {
                Some(volume) => volume.holds.push(holds),
                None => volumes.push(Volume { device, free_bytes, holds: vec![holds] }),
            },
            Err(error) => checks.push(Check::warning(
                NAME,
                format!("cannot tell how much room there is for {holds}: {error}"),
                "look with `df`",
            )),
        }
    }
    volumes.iter().map(judge).chain(checks).collect()
}

fn engine_root(premises: &Premises) -> Option<PathBuf> {
    let is_here = premises.host.as_deref() == Some(host_name().as_str());
    premises.root.clone().filter(|root| is_here && root.exists())
}

/// The device that holds a path, or will, and what is free there for a user.
fn look(path: &Path) -> std::io::Result<(u64, u64)> {
    let there = nearest(path);
    let volume = rustix::fs::statvfs(&there)?;
    Ok((std::fs::metadata(&there)?.dev(), volume.f_bavail.saturating_mul(volume.f_frsize)))
}

fn judge(volume: &Volume) -> Check {
    let found = format!("{:.1} GiB free for {}", volume.free_bytes as f64 / GIB as f64, in_words(&volume.holds));
    let help = "remove old runs from reports; `wiber-chaos clean` removes what dead runs left, and `docker system df` shows what the engine holds";
    match volume.free_bytes {
        0..PROBLEM_BELOW => Check::problem(NAME, found, help),
        PROBLEM_BELOW..WARNING_BELOW => Check::warning(NAME, found, help),
        _ => Check::ok(NAME, found),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Level;

    #[test]
    fn less_than_a_gibibyte_is_a_problem_and_less_than_five_a_warning() {
        let level = |free_bytes| judge(&Volume { device: 1, free_bytes, holds: vec!["reports (r)".to_owned()] }).level;
        assert_eq!((level(GIB - 1), level(GIB)), (Level::Problem, Level::Warning));
        assert_eq!((level(5 * GIB - 1), level(5 * GIB)), (Level::Warning, Level::Ok));
    }

    #[test]
    fn a_place_that_is_not_there_yet_has_the_room_of_the_directory_above_it() {
        let home = tempfile::tempdir().expect("a directory");
        let (device, _) = look(&home.path().join("not/there")).expect("a file system");
        assert_eq!(device, look(home.path()).expect("a file system").0);
    }

    #[test]
    fn an_engine_elsewhere_keeps_its_data_elsewhere() {
        let premises = |host: String| Premises {
            host: Some(host),
            root: Some(PathBuf::from("/")),
            cgroups: crate::cluster::engine::Cgroups::Unknown,
        };
        assert_eq!(engine_root(&premises(host_name())), Some(PathBuf::from("/")));
        assert_eq!(engine_root(&premises("elsewhere.invalid".to_owned())), None);
    }
}
