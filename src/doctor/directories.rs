//! The directories that runs write to: can they be written, or made. Nothing is made to find out.

use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

use super::{Check, Wish};
use crate::cluster::ledger::STATE_DIR_VARIABLE;

/// Looks at the reports' directory and the state directory.
pub fn examine(wish: &Wish) -> Vec<Check> {
    let state_help = format!("make it writable, or set {STATE_DIR_VARIABLE} to a directory that is");
    vec![
        judge("reports", &wish.reports, &look(&wish.reports), "make it writable, or name another with --reports"),
        judge("state", &wish.state, &look(&wish.state), &state_help),
    ]
}

/// What was seen of a directory.
enum Seen {
    Writable,
    /// It is not there, and can be made.
    Makeable,
    /// What stands in the way, and why.
    Barred(PathBuf, io::Error),
}

fn look(wanted: &Path) -> Seen {
    let there = nearest(wanted);
    let barred = |error| Seen::Barred(there.clone(), error);
    match std::fs::metadata(&there) {
        Ok(metadata) if !metadata.is_dir() => return barred(io::ErrorKind::NotADirectory.into()),
        Ok(_) => {}
        Err(error) => return barred(error),
    }
    match access(&there, Access::WRITE_OK | Access::EXEC_OK) {
        Err(error) => barred(error.into()),
        Ok(()) if wanted.exists() => Seen::Writable,
        Ok(()) => Seen::Makeable,
    }
}

/// The path itself if it is there, else the nearest of its parents that is.
pub fn nearest(wanted: &Path) -> PathBuf {
    let there = wanted.ancestors().find(|path| path.symlink_metadata().is_ok());
    // A relative path's last ancestor is empty, which means here.
    there.map_or_else(|| PathBuf::from("."), Path::to_owned)
}

fn judge(name: &'static str, wanted: &Path, seen: &Seen, help: &str) -> Check {
    let shown = wanted.display();
    match seen {
        Seen::Writable => Check::ok(name, format!("{shown} can be written")),
        Seen::Makeable => Check::ok(name, format!("{shown} is not there yet, and can be made")),
        Seen::Barred(path, error) if path == wanted => {
            Check::problem(name, format!("{shown} cannot be written: {error}"), help)
        }
        Seen::Barred(path, error) => {
            Check::problem(name, format!("{shown} cannot be made below {}: {error}", path.display()), help)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Level;

    fn examined(path: &Path) -> Check {
        judge("reports", path, &look(path), "name another")
    }

    #[test]
    fn what_is_not_there_may_be_made_and_is_not_made_by_looking() {
        let home = tempfile::tempdir().expect("a directory");
        assert!(examined(home.path()).found.ends_with("can be written"));
        let wanted = home.path().join("a/b");
        let check = examined(&wanted);
        assert_eq!((check.level, wanted.exists()), (Level::Ok, false), "{check:?}");
    }

    #[test]
    fn a_file_in_the_way_is_a_problem() {
        let home = tempfile::tempdir().expect("a directory");
        let file = home.path().join("reports");
        std::fs::write(&file, "in the way").expect("written");
        for path in [file.clone(), file.join("below")] {
            let check = examined(&path);
            assert_eq!(check.level, Level::Problem, "{check:?}");
        }
    }

    #[test]
    fn a_relative_path_lies_below_here() {
        assert_eq!(nearest(Path::new("no-such-directory/deeper")), Path::new("."));
    }
}
