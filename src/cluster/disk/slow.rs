//! A disk that is slow, by the engine's control groups.
//!
//! An engine takes limits on block devices when it makes a container, and drops them from an update without a word. They
//! are therefore written where the kernel reads them: into the control group of the broker's container, on the engine's
//! host. They end with the container's life, so that a broker that died is slow no more.

use std::time::{Duration, Instant};

use super::tool::{CGROUPS, STEP_LIMIT, Tool, cgroups, shell};
use super::{Disk, DiskError};
use crate::cluster::ClusterError;
use crate::cluster::engine::{Engine, RunAs};
use crate::cluster::maker::Maker;
use crate::fault::disk::{DiskLimits, Pace, SLOWEST_BYTES_PER_SECOND, Throttled, Throttling};

/// How much is written to measure: so much as takes this long under the limit.
const MEASURE: Duration = Duration::from_secs(2);
/// But not more than this, or the measurement itself is a load.
const MEASURE_BYTES_MAX: u64 = 64 << 20;

/// `$1`: where the groups are, `$2`: a container's id. Its group's file for limits on block devices, by version.
const FIND: &str = r#"
for group in $(find "$1" -maxdepth 7 -type d -name "*$2*" 2>/dev/null); do
    if test -w "$group/blkio.throttle.write_bps_device"; then echo "v1 $group"; exit 0; fi
    if test -w "$group/io.max"; then echo "v2 $group"; exit 0; fi
done
"#;

/// `$1`: a directory. The device of what is mounted there or next above, as `major:minor`; of a partition its disk's, which
/// is where limits hold.
const DEVICE: &str = r#"
number=$(stat -c '%d' "$1"); major=$((number >> 8 & 4095)); minor=$((number & 255 | number >> 12 & 1048320))
at=/sys/dev/block/$major:$minor
test -e "$at" || exit 0
if test -e "$at/partition"; then cat "$at/../dev"; else cat "$at/dev"; fi
"#;

/// `$1`: version, `$2`: the group, `$3`: the device, `$4`: bytes a second, or 0 for no limit.
const LIMIT: &str = r#"
if test "$1" = v1; then
    echo "$3 $4" > "$2/blkio.throttle.write_bps_device" && echo "$3 $4" > "$2/blkio.throttle.read_bps_device"
else
    if test "$4" = 0; then limit=max; else limit=$4; fi
    echo "$3 wbps=$limit rbps=$limit" > "$2/io.max"
fi
"#;

/// `$1`: version, `$2`: the group. The limits that hold there, on whichever devices, as the kernel shows them.
const LIMITS: &str = r#"
if test "$1" = v1; then
    while read device limit; do echo "$device wbps=$limit"; done < "$2/blkio.throttle.write_bps_device"
    while read device limit; do echo "$device rbps=$limit"; done < "$2/blkio.throttle.read_bps_device"
else
    cat "$2/io.max"
fi
"#;

/// `$1`: a file, `$2`: how many blocks of 16 KiB.
const MEASURED: &str = r#"
dd if=/dev/zero of="$1" bs=16384 count="$2" conv=fsync; code=$?
rm -f "$1"
exit $code
"#;

/// A container's control group.
struct Group {
    version: String,
    path: String,
}

impl Disk {
    /// Slows what the broker's container writes to and reads from its disk, and measures that it did.
    ///
    /// On engines with control groups v1 only writes that are waited for are slow: see [`Throttling::FlushedWrites`].
    /// Unavailable where the disk is no block device, as a bounded one is none.
    pub async fn throttle(&self, bytes_per_second: u64) -> Result<Throttled, DiskError> {
        let limit = bytes_per_second.max(SLOWEST_BYTES_PER_SECOND);
        let tool = Tool::beside(self, vec![cgroups()]).await?;
        let throttled = self.throttle_by(&tool, limit).await;
        tool.end(throttled).await
    }

    /// Lifts the limit; no error when there is none, or when the broker's container ended and took it along.
    pub async fn unthrottle(&self) -> Result<(), DiskError> {
        let tool = Tool::beside(self, vec![cgroups()]).await?;
        let lifted = async {
            match (self.group(&tool).await?, self.device(&tool).await?) {
                (Some(group), Some(device)) => limit_by(&tool, &group, &device, 0).await,
                _ => Ok(()),
            }
        };
        let lifted = lifted.await;
        tool.end(lifted).await
    }

    /// How fast the broker may use its disk, read on the engine's host, where nothing that runs in the container can hide it.
    pub async fn limits(&self) -> Result<DiskLimits, DiskError> {
        let tool = Tool::beside(self, vec![cgroups()]).await?;
        let limits = self.limits_by(&tool).await;
        tool.end(limits).await
    }

    /// Whether this broker's disk may be made slow, as [`Disk::throttle`] has it; else the reason. Changes nothing.
    ///
    /// A disk that somebody else limits already may not: lifting our limit would lift that one too.
    pub async fn may_throttle(&self) -> Result<(), DiskError> {
        let limits = self.limits().await?;
        if limits.are_none() {
            return Ok(());
        }
        let reason = format!("it is slow already ({limits}), and would not be so again afterwards");
        Err(DiskError::CannotThrottle { reason })
    }

    async fn limits_by(&self, tool: &Tool<'_>) -> Result<DiskLimits, DiskError> {
        let hidden = |reason: &str| DiskError::LimitsHidden { reason: reason.to_owned() };
        let device = self.device(tool).await?.ok_or_else(|| hidden(NO_DEVICE))?;
        let group = self.group(tool).await?.ok_or_else(|| hidden(NO_GROUP))?;
        limits(&tool.sh(LIMITS, &[&group.version, &group.path]).await?, device)
    }

    /// Whether this broker's disk can be made slow.
    pub async fn can_throttle(&self) -> Result<Throttling, DiskError> {
        let tool = Tool::beside(self, vec![cgroups()]).await?;
        let judged = async {
            Ok(match (self.group(&tool).await?, self.device(&tool).await?) {
                (group, Some(_)) => judge(group.as_ref()),
                (_, None) => Throttling::Unavailable { reason: NO_DEVICE.to_owned() },
            })
        };
        let judged = judged.await;
        tool.end(judged).await
    }

    async fn throttle_by(&self, tool: &Tool<'_>, limit: u64) -> Result<Throttled, DiskError> {
        let unavailable = |reason: &str| DiskError::CannotThrottle { reason: reason.to_owned() };
        let device = self.device(tool).await?.ok_or_else(|| unavailable(NO_DEVICE))?;
        let group = self.group(tool).await?.ok_or_else(|| unavailable(NO_GROUP))?;
        let bytes = limit.saturating_mul(MEASURE.as_secs()).min(MEASURE_BYTES_MAX);
        let before = self.pace(bytes).await?;
        limit_by(tool, &group, &device, limit).await?;
        let after = self.pace(bytes).await;
        let is_slow = after.as_ref().is_ok_and(|after| {
            after.bytes_per_second() <= limit.saturating_mul(2)
                && after.elapsed_ms > before.elapsed_ms.saturating_mul(2)
        });
        if !is_slow {
            limit_by(tool, &group, &device, 0).await?;
        }
        let after = after?;
        if !is_slow {
            let last_seen = format!("{before:?} before, {after:?} after, with a limit of {limit} bytes a second");
            return Err(DiskError::NotBitten { what: "slowing the disk", last_seen });
        }
        Ok(Throttled { device, limit_bytes_per_second: limit, before, after })
    }

    /// How fast so many bytes are written and flushed in the broker's container, as its own user.
    pub async fn pace(&self, bytes: u64) -> Result<Pace, DiskError> {
        let blocks = (bytes / 16_384).max(1);
        let (path, count) = (self.below(".wiber-chaos-pace"), blocks.to_string());
        let began = Instant::now();
        let said =
            self.engine.exec(&self.container, RunAs::Itself, &shell(MEASURED, &[&path, &count]), STEP_LIMIT).await?;
        let elapsed = began.elapsed();
        match said.exit_code {
            0 => {
                Ok(Pace { bytes: blocks * 16_384, elapsed_ms: u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX) })
            }
            exit_code => Err(DiskError::Errand { exit_code, said: said.stderr }),
        }
    }

    async fn group(&self, tool: &Tool<'_>) -> Result<Option<Group>, DiskError> {
        group_of(&self.engine, tool, &self.container).await
    }

    async fn device(&self, tool: &Tool<'_>) -> Result<Option<String>, DiskError> {
        let device = tool.sh(DEVICE, &[&self.directory]).await?;
        Ok(Some(device.trim().to_owned()).filter(|device| !device.is_empty()))
    }
}

const NO_DEVICE: &str = "the data lie on no block device (a bounded disk lies in memory)";
const NO_GROUP: &str = "the engine's host has no control group for block devices that could be written, or the broker \
                        does not run";

/// Whether an engine can make disks slow: asked of a tool container's own control group.
pub async fn can_throttle(engine: &Engine, image: &str, maker: &Maker) -> Result<Throttling, DiskError> {
    let tool = match Tool::alone(engine, maker, image, vec![cgroups()]).await {
        Ok(tool) => tool,
        // An engine on a host without control groups, or that lets nobody mount them, says so when it is asked to.
        Err(DiskError::Cluster(ClusterError::Engine { reason, .. })) => return Ok(Throttling::Unavailable { reason }),
        Err(error) => return Err(error),
    };
    let judged = group_of(engine, &tool, &tool.name).await.map(|group| judge(group.as_ref()));
    tool.end(judged).await
}

async fn group_of(engine: &Engine, tool: &Tool<'_>, container: &str) -> Result<Option<Group>, DiskError> {
    let Some(facts) = engine.container(container).await? else { return Ok(None) };
    Ok(group(&tool.sh(FIND, &[CGROUPS, &facts.id]).await?))
}

fn group(text: &str) -> Option<Group> {
    let (version, path) = text.trim().split_once(' ')?;
    Some(Group { version: version.to_owned(), path: path.to_owned() })
}

fn judge(group: Option<&Group>) -> Throttling {
    match group.map(|group| group.version.as_str()) {
        Some("v1") => Throttling::FlushedWrites,
        Some(_) => Throttling::AllWrites,
        None => Throttling::Unavailable { reason: NO_GROUP.to_owned() },
    }
}

/// What limits one device, from lines as `8:0 rbps=1024 wbps=max riops=max wiops=max`. What is not there is not limited, and
/// neither is what is `max`, or 0, which is how one is lifted. Limits on how many operations there may be are others' affair.
fn limits(text: &str, device: String) -> Result<DiskLimits, DiskError> {
    let mut found = DiskLimits { device, write_bytes_per_second: None, read_bytes_per_second: None };
    for line in text.lines() {
        let mut words = line.split_whitespace();
        if words.next() != Some(found.device.as_str()) {
            continue;
        }
        for word in words {
            let unexpected = || DiskError::unexpected("a device's limits", line);
            let (key, limit) = word.split_once('=').ok_or_else(unexpected)?;
            let limit = match limit {
                "max" => None,
                number => Some(number.parse().map_err(|_| unexpected())?).filter(|limit| *limit > 0),
            };
            match key {
                "wbps" => found.write_bytes_per_second = limit,
                "rbps" => found.read_bytes_per_second = limit,
                _ => {}
            }
        }
    }
    Ok(found)
}

async fn limit_by(tool: &Tool<'_>, group: &Group, device: &str, limit: u64) -> Result<(), DiskError> {
    tool.sh(LIMIT, &[&group.version, &group.path, device, &limit.to_string()]).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_engine_can_slow_follows_from_its_control_groups() {
        let judged = |text| judge(group(text).as_ref());
        assert_eq!(judged("v1 /groups/blkio/docker/abc\n"), Throttling::FlushedWrites);
        assert_eq!(judged("v2 /groups/system.slice/docker-abc.scope\n"), Throttling::AllWrites);
        assert!(matches!(judged(""), Throttling::Unavailable { .. }));
    }

    fn seen(text: &str) -> (Option<u64>, Option<u64>) {
        let limits = limits(text, "8:0".to_owned()).expect("limits");
        (limits.write_bytes_per_second, limits.read_bytes_per_second)
    }

    #[test]
    fn limits_of_both_versions_of_control_groups_read_the_same() {
        let limited = (Some(262_144), Some(262_144));
        assert_eq!(seen("8:0 wbps=262144\n8:0 rbps=262144\n"), limited, "v1, file by file");
        assert_eq!(seen("8:0 rbps=262144 wbps=262144 riops=max wiops=max\n"), limited, "v2, all in a line");
        assert_eq!(seen("8:0 rbps=max wbps=262144 riops=max wiops=120\n"), (Some(262_144), None));
    }

    #[test]
    fn a_limit_that_was_lifted_or_is_another_devices_is_none() {
        let none = (None, None);
        assert_eq!(seen(""), none, "a file without a line");
        assert_eq!(seen("8:0 wbps=0\n8:0 rbps=0\n"), none);
        assert_eq!(seen("8:0 rbps=max wbps=max riops=max wiops=max\n"), none);
        assert_eq!(seen("8:16 rbps=1024 wbps=1024 riops=max wiops=max\n18:0 wbps=1024\n"), none);
    }

    #[test]
    fn what_is_no_limit_is_refused_and_not_taken_for_none() {
        for text in ["8:0 wbps=", "8:0 wbps=fast", "8:0 262144", "8:0 wbps=-1"] {
            assert!(limits(text, "8:0".to_owned()).is_err(), "{text}");
        }
    }
}
