//! An empty disk for a broker that had data.

use super::tool::Tool;
use super::{Disk, DiskError};
use crate::fault::disk::Wiped;

/// `$1`: the data directory. What it holds: entries, and KiB that they take.
const COUNT: &str = r#"find "$1" -mindepth 1 | wc -l; du -sk "$1""#;

/// `$1`: the data directory. What tells Kafka's data from anything else goes last, so that a wipe that was cut short can be
/// repeated; and nothing is removed where it never was.
const WIPE: &str = r#"
if test -z "$(find "$1" -mindepth 1 | head -n 1)"; then exit 0; fi
test -e "$1/meta.properties" || { echo "there is no meta.properties in $1: these are no broker's data" >&2; exit 3; }
find "$1" -mindepth 1 ! -path "$1/meta.properties" -delete || exit 4
rm -f "$1/meta.properties"
"#;

impl Disk {
    /// Removes everything in the data directory of a broker that does not run; what is empty stays so.
    ///
    /// It cannot be undone: the broker has to be started, and to replicate everything again.
    pub async fn wipe(&self) -> Result<Wiped, DiskError> {
        self.refuse_a_running_broker().await?;
        let tool = Tool::beside(self, Vec::new()).await?;
        let wiped = self.wipe_by(&tool).await;
        tool.end(wiped).await
    }

    async fn wipe_by(&self, tool: &Tool<'_>) -> Result<Wiped, DiskError> {
        self.refuse_locks(tool, "the data directory").await?;
        let counted = tool.sh(COUNT, &[&self.directory]).await?;
        let numbers: Vec<u64> = counted.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        let [entries, kib] = numbers[..] else { return Err(DiskError::unexpected("a count and a size", &counted)) };
        tool.sh(WIPE, &[&self.directory]).await?;
        let left = tool.sh(COUNT, &[&self.directory]).await?;
        if left.split_whitespace().next() != Some("0") {
            return Err(DiskError::NotBitten { what: "wiping the disk", last_seen: format!("{} left", left.trim()) });
        }
        Ok(Wiped { path: self.directory.clone(), entries, bytes: kib * 1024 })
    }
}
