//! Places that the broker may not write any more, by the modes of their files.
//!
//! The old modes lie in a file beside what they are of, written before anything is changed; so that whoever undoes it, be
//! it a sweep years later, needs nothing but the disk.

use super::tool::Tool;
use super::{Disk, DiskError};
use crate::fault::disk::{Locked, LockedPlace};

/// What the files with the old modes are called; behind it stands the place.
const MODES: &str = ".wiber-chaos-modes";

/// `$1`: the place, `$2`: the file of modes. From top to bottom: once the first directory is locked, nothing is added
/// at its top. A file that is gone by the time it is reached needs no lock.
const LOCK: &str = r#"
test -d "$1" || { echo "there is no $1" >&2; exit 3; }
if ! test -e "$2"; then
    find "$1" ! -name '.wiber-chaos-*' -exec stat -c '%a %n' {} + 2>/dev/null > "$2.new"
    test -s "$2.new" || { echo "the modes could not be written down" >&2; rm -f "$2.new"; exit 4; }
    mv "$2.new" "$2"
fi
while read -r mode path; do
    test ! -e "$path" || chmod a-w "$path" || test ! -e "$path" || exit 5
done < "$2"
wc -l < "$2"
"#;

/// `$1`: the file of modes, which goes when everything is as it was: an undo that was cut short can be repeated.
const UNLOCK: &str = r#"
test -e "$1" || exit 0
while read -r mode path; do
    test ! -e "$path" || chmod "$mode" "$path" || test ! -e "$path" || exit 5
done < "$1"
rm -f "$1"
"#;

/// `$1`: the data directory. Files of modes that are there.
const LOCKS: &str = r#"find "$1" -maxdepth 1 -name '.wiber-chaos-modes*' ! -name '*.new'"#;

/// `$1`: the data directory. The user and group that the broker's files belong to.
const OWNER: &str = r#"stat -c '%u %g' "$1/meta.properties" 2>/dev/null || stat -c '%u %g' "$1""#;

/// `$1`: a file that is not there.
const TRY: &str = r#"echo tried > "$1" && rm -f "$1""#;

impl Disk {
    /// Makes a place unwritable for the broker, whether it runs or not, and has the broker's user try to write there. What is
    /// locked already stays so.
    ///
    /// Refused where the broker runs as root, whom no mode holds back, and where another place that this one holds, or is held
    /// by, is locked: neither could be undone alone.
    pub async fn lock(&self, place: &LockedPlace) -> Result<Locked, DiskError> {
        let tool = Tool::beside(self, Vec::new()).await?;
        let locked = self.lock_by(&tool, place).await;
        tool.end(locked).await
    }

    /// Makes a place writable again, with the modes that it had; no error when it is.
    pub async fn unlock(&self, place: &LockedPlace) -> Result<(), DiskError> {
        let tool = Tool::beside(self, Vec::new()).await?;
        let unlocked = tool.sh(UNLOCK, &[&self.below(&modes_file(place))]).await.map(drop);
        tool.end(unlocked).await
    }

    async fn lock_by(&self, tool: &Tool<'_>, place: &LockedPlace) -> Result<Locked, DiskError> {
        let owner = tool.sh(OWNER, &[&self.directory]).await?;
        let (user, group) = owner
            .trim()
            .split_once(' ')
            .and_then(|(user, group)| Some((user.parse::<u32>().ok()?, group.parse::<u32>().ok()?)))
            .ok_or_else(|| DiskError::unexpected("a user and a group", &owner))?;
        if user == 0 {
            return Err(DiskError::Root);
        }
        if let Some(other) = overlapping(place, &tool.sh(LOCKS, &[&self.directory]).await?) {
            return Err(DiskError::LockedElsewhere { place: place.to_string(), other });
        }
        let (path, modes) = (self.below(&place.below_data()), self.below(&modes_file(place)));
        let counted = tool.sh(LOCK, &[&path, &modes]).await?;
        let entries = counted.trim().parse().map_err(|_| DiskError::unexpected("a count of files", &counted))?;
        let trial = format!("{path}/.wiber-chaos-trial");
        let (exit_code, refused) = tool.sh_as(user, group, TRY, &[&trial]).await?;
        if exit_code == 0 {
            tool.sh(UNLOCK, &[&modes]).await?;
            let last_seen = format!("user {user} can still write in {path}");
            return Err(DiskError::NotBitten { what: "locking a directory", last_seen });
        }
        Ok(Locked { path, entries, user, refused })
    }

    /// Refuses to go on while anything is locked on this disk.
    pub(super) async fn refuse_locks(&self, tool: &Tool<'_>, place: &str) -> Result<(), DiskError> {
        match tool.sh(LOCKS, &[&self.directory]).await?.lines().next() {
            None => Ok(()),
            Some(other) => Err(DiskError::LockedElsewhere { place: place.to_owned(), other: other.to_owned() }),
        }
    }
}

fn modes_file(place: &LockedPlace) -> String {
    match place {
        LockedPlace::DataDirectory => MODES.to_owned(),
        LockedPlace::Partition(partition) => format!("{MODES}.{partition}"),
    }
}

/// A lock among these that holds the place, or is held by it.
fn overlapping(place: &LockedPlace, locks: &str) -> Option<String> {
    let own = modes_file(place);
    let names = locks.lines().filter_map(|path| path.rsplit('/').next());
    names
        .filter(|name| *name != own)
        .find(|name| *place == LockedPlace::DataDirectory || *name == MODES)
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::TopicPartition;

    #[test]
    fn only_places_that_hold_one_another_are_in_one_anothers_way() {
        let chat = |partition| LockedPlace::Partition(TopicPartition::new("chat", partition));
        let whole = "/data/.wiber-chaos-modes\n";
        let one = "/data/.wiber-chaos-modes.chat-0\n";
        assert_eq!(overlapping(&chat(0), one), None, "the same place again");
        assert_eq!(overlapping(&chat(1), one), None, "beside one another");
        assert!(overlapping(&chat(0), whole).is_some(), "in a locked directory");
        assert!(overlapping(&LockedPlace::DataDirectory, one).is_some(), "around a locked directory");
        assert_eq!(overlapping(&LockedPlace::DataDirectory, whole), None, "the same place again");
    }
}
