//! Whole directories in memory: to compare a run before and after, and to damage a copy of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// A directory's files by their path inside it.
pub type Files = BTreeMap<PathBuf, Vec<u8>>;

/// Reads every file of a directory.
pub fn read_all(dir: &Path) -> Files {
    let mut files = Files::new();
    collect(dir, dir, &mut files);
    files
}

fn collect(root: &Path, dir: &Path, files: &mut Files) {
    for entry in fs::read_dir(dir).expect("the directory can be listed") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(root, &path, files);
        } else {
            let name = path.strip_prefix(root).expect("below the root").to_owned();
            files.insert(name, fs::read(&path).expect("the file can be read"));
        }
    }
}

/// Writes files into a directory.
pub fn write_all(files: &Files, dir: &Path) {
    for (name, bytes) in files {
        let path = dir.join(name);
        fs::create_dir_all(path.parent().expect("a file has a parent")).expect("the directory can be made");
        fs::write(&path, bytes).expect("the file can be written");
    }
}

/// Asserts that two directories hold the same bytes, and names the files that differ without printing them whole.
pub fn assert_same(left: &Files, right: &Files) {
    let names = |files: &Files| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(left), names(right), "other files");
    let differing: Vec<&PathBuf> =
        left.iter().filter(|(name, bytes)| right[*name] != **bytes).map(|(name, _)| name).collect();
    assert!(differing.is_empty(), "these files differ: {differing:?}");
}
