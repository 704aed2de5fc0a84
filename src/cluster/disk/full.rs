//! A disk without a free block, and the room on it.

use super::tool::Tool;
use super::{Disk, DiskError};
use crate::cluster::engine::ToolMount;
use crate::fault::disk::{Filled, Room};

/// The file that fills a disk, in the data directory. Kafka looks at directories there and leaves files alone.
pub const BALLAST: &str = ".wiber-chaos-ballast";

/// A greater file system is no disk to be filled for a test.
pub const FILL_BYTES_MAX: u64 = 8 << 30;

/// How often what a broker frees meanwhile is taken as well, before it is an error that something is free.
const ROUNDS: u32 = 20;

/// Where the host's own root is looked at.
const HOST_ROOT: &str = "/wiber-chaos-host";

/// `$1`: a directory. Block size, blocks, free blocks: those that only root may use are among both.
const ROOM: &str = r#"stat -f -c '%S %b %f' "$1""#;

/// `$1`: the data directory, `$2`: the host's root. The devices of both, and of where the engine keeps its containers,
/// which is where every container's /etc/hosts lies.
const DEVICES: &str = r#"stat -c %d "$1" "$2" /etc/hosts"#;

/// `$1`: the ballast, `$2`: how many bytes are free. Reserving is done in a moment and cannot be compressed away; what
/// a file system cannot reserve, or has left over, is written, down to the last byte. All of it may end in "no space".
const FILL: &str = r#"
have=$(stat -c %s "$1" 2>/dev/null || echo 0)
fallocate -l $((have + $2)) "$1" 2>/dev/null
dd if=/dev/urandom bs=65536 2>/dev/null >> "$1"
dd if=/dev/urandom bs=512 2>/dev/null >> "$1"
stat -c %s "$1"
"#;

impl Disk {
    /// The room on the broker's disk.
    pub async fn room(&self) -> Result<Room, DiskError> {
        let tool = Tool::beside(self, Vec::new()).await?;
        let room = self.room_by(&tool).await;
        tool.end(room).await
    }

    /// Fills the broker's disk to its last block, whether the broker runs or not. What is full already stays so.
    ///
    /// Refused where the host would suffer: on a file system greater than [`FILL_BYTES_MAX`], or one that is also the
    /// host's root or where its engine keeps its containers. `[cluster] disk` bounds the disks of brokers that a run starts.
    pub async fn fill(&self) -> Result<Filled, DiskError> {
        let host = ToolMount::HostReadOnly { path: "/", at: HOST_ROOT };
        let tool = Tool::beside(self, vec![host]).await?;
        let filled = self.fill_by(&tool).await;
        tool.end(filled).await
    }

    /// Removes what [`Disk::fill`] wrote; no error when there is nothing. The room afterwards.
    pub async fn free(&self) -> Result<Room, DiskError> {
        let tool = Tool::beside(self, Vec::new()).await?;
        let freed = async {
            tool.sh(r#"rm -f "$1""#, &[&self.below(BALLAST)]).await?;
            self.room_by(&tool).await
        };
        let freed = freed.await;
        tool.end(freed).await
    }

    async fn room_by(&self, tool: &Tool<'_>) -> Result<Room, DiskError> {
        room(&tool.sh(ROOM, &[&self.directory]).await?)
    }

    /// Whether the broker's disk may be filled, as [`Disk::fill`] has it; else the reason. Changes nothing.
    pub async fn may_fill(&self) -> Result<Room, DiskError> {
        let host = ToolMount::HostReadOnly { path: "/", at: HOST_ROOT };
        let tool = Tool::beside(self, vec![host]).await?;
        let judged = self.may_fill_by(&tool).await;
        tool.end(judged).await
    }

    async fn may_fill_by(&self, tool: &Tool<'_>) -> Result<Room, DiskError> {
        let room = self.room_by(tool).await?;
        if room.total_bytes > FILL_BYTES_MAX {
            return Err(DiskError::TooLarge { total_bytes: room.total_bytes });
        }
        if is_the_hosts(&tool.sh(DEVICES, &[&self.directory, HOST_ROOT]).await?)? {
            return Err(DiskError::HostsOwn);
        }
        Ok(room)
    }

    async fn fill_by(&self, tool: &Tool<'_>) -> Result<Filled, DiskError> {
        let before = self.may_fill_by(tool).await?;
        let path = self.below(BALLAST);
        let (mut after, mut ballast_bytes) = (before, 0);
        for _ in 0..ROUNDS {
            let length = tool.sh(FILL, &[&path, &after.free_bytes.to_string()]).await?;
            ballast_bytes = length.trim().parse().map_err(|_| DiskError::unexpected("a length", &length))?;
            after = self.room_by(tool).await?;
            if after.free_bytes == 0 {
                return Ok(Filled { path, ballast_bytes, before, after });
            }
        }
        // A disk that was not filled must not stay nearly full, where nobody would look for the reason.
        tool.sh(r#"rm -f "$1""#, &[&path]).await?;
        Err(DiskError::NotBitten { what: "filling the disk", last_seen: format!("{after:?}, ballast {ballast_bytes}") })
    }
}

fn room(text: &str) -> Result<Room, DiskError> {
    let numbers: Option<Vec<u64>> = text.split_whitespace().map(|word| word.parse().ok()).collect();
    let Some([block, total, free]) = numbers.as_deref() else {
        return Err(DiskError::unexpected("a file system's block size, blocks and free blocks", text));
    };
    Ok(Room { total_bytes: block * total, free_bytes: block * free })
}

fn is_the_hosts(devices: &str) -> Result<bool, DiskError> {
    let mut devices = devices.split_whitespace();
    let data = devices.next().ok_or_else(|| DiskError::unexpected("the devices of three directories", ""))?;
    Ok(devices.any(|device| device == data))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_told_in_bytes() {
        assert_eq!(
            room("4096 131072 10\n").expect("three numbers"),
            Room { total_bytes: 512 << 20, free_bytes: 40_960 }
        );
        assert!(room("4096 x 10").is_err());
        assert!(room("").is_err());
    }

    #[test]
    fn a_disk_that_is_also_the_hosts_is_known_by_its_device() {
        assert!(is_the_hosts("10\n10\n20").expect("devices"), "the host's root");
        assert!(is_the_hosts("20\n10\n20").expect("devices"), "where the engine keeps its containers");
        assert!(!is_the_hosts("30\n10\n20").expect("devices"));
    }
}
