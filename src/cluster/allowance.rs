//! What a container may use, as the kernel shows it in the container's control groups, read on the engine's host, where nothing
//! that runs in the container can hide it. An engine tells what it was asked for; the groups tell what holds.

use super::ClusterError;
use super::disk::tool::{CGROUPS, Tool, cgroups};
use super::engine::Engine;
use super::images;
use super::maker::Maker;
use crate::fault::Allowance;

/// `$1`: where the groups are, `$2`: a container's id. Every file of its groups that limits it, with what it says.
const READ: &str = r#"
for group in $(find "$1" -maxdepth 7 -type d -name "*$2*" 2>/dev/null); do
    for file in cpu.cfs_quota_us cpu.cfs_period_us memory.limit_in_bytes cpu.max memory.max; do
        if test -r "$group/$file"; then echo "$file $(cat "$group/$file")"; fi
    done
    if test -r "$group/cpu.stat"; then grep '^nr_throttled ' "$group/cpu.stat"; fi
done
exit 0
"#;

/// What control groups v1 say of memory that has no limit: the greatest number of whole pages, of 64 KiB at most.
const NO_LIMIT_BYTES: u64 = i64::MAX.cast_unsigned() & !0xffff;

/// What the groups of one container show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Groups {
    /// What it may use.
    pub allowance: Allowance,
    /// In how many periods it was held back, since its life began, because its processor time was used up.
    pub held_back: u64,
}

/// What the groups of a container that runs show.
pub async fn read(engine: &Engine, container: &str, maker: &Maker) -> Result<Groups, ClusterError> {
    let facts = engine.container(container).await?;
    let facts = facts.ok_or_else(|| hidden(container, "there is no such container".to_owned()))?;
    let side_car = images::side_car();
    let image = if engine.image(&side_car).await?.is_some() { side_car } else { facts.image };
    let tool = Tool::alone(engine, maker, &image, vec![cgroups()]).await?;
    let said = tool.sh(READ, &[CGROUPS, &facts.id]).await;
    groups(&tool.end(said).await?).map_err(|reason| hidden(container, reason))
}

/// Whether the groups of containers can be seen: asked of a tool container's own.
pub async fn can_read(engine: &Engine, image: &str, maker: &Maker) -> Result<Groups, ClusterError> {
    let tool = Tool::alone(engine, maker, image, vec![cgroups()]).await?;
    let said = match engine.container(&tool.name).await {
        Ok(Some(facts)) => tool.sh(READ, &[CGROUPS, &facts.id]).await,
        Ok(None) => Err(hidden(&tool.name, "it is gone".to_owned()).into()),
        Err(error) => Err(error.into()),
    };
    groups(&tool.end(said).await?).map_err(|reason| hidden("a container", reason))
}

fn hidden(container: &str, reason: String) -> ClusterError {
    ClusterError::Engine { action: format!("see what {container} may use"), reason }
}

/// Reads `FILE VALUE` lines, of either version. What is limited nowhere has no limit; what is not there at all is unknown.
fn groups(text: &str) -> Result<Groups, String> {
    let value = |file: &str| {
        let mut values: Vec<&str> =
            text.lines().filter_map(|line| line.strip_prefix(file)?.strip_prefix(' ')).map(str::trim).collect();
        values.dedup();
        match values[..] {
            [] => Ok(None),
            [value] => Ok(Some(value)),
            _ => Err(format!("it has several control groups, whose `{file}` differ ({})", values.join(", "))),
        }
    };
    let number = |file: &str, text: &str| {
        text.parse::<u64>().map_err(|_| format!("`{file}` of its control group is no number: {text}"))
    };
    let missing = |what: &str| format!("its host shows no control group that limits its {what}");
    let cpu_millis = match (value("cpu.cfs_quota_us")?, value("cpu.cfs_period_us")?, value("cpu.max")?) {
        (Some("-1"), _, None) => None,
        (Some(quota), Some(period), None) => {
            share(number("cpu.cfs_quota_us", quota)?, number("cpu.cfs_period_us", period)?)
        }
        (None, _, Some(both)) => match both.split_once(' ') {
            Some(("max", _)) => None,
            Some((quota, period)) => share(number("cpu.max", quota)?, number("cpu.max", period)?),
            None => return Err(format!("`cpu.max` of its control group is no quota of a period: {both}")),
        },
        _ => return Err(missing("processor time")),
    };
    let memory_bytes = match (value("memory.limit_in_bytes")?, value("memory.max")?) {
        (None, Some("max")) => None,
        (Some(limit), None) => Some(number("memory.limit_in_bytes", limit)?).filter(|limit| *limit < NO_LIMIT_BYTES),
        (None, Some(limit)) => Some(number("memory.max", limit)?),
        _ => return Err(missing("memory")),
    };
    let held_back = value("nr_throttled")?.map_or(Ok(0), |count| number("nr_throttled", count))?;
    Ok(Groups { allowance: Allowance { cpu_millis, memory_bytes }, held_back })
}

/// A quota of a period, in thousandths of a processor.
fn share(quota_us: u64, period_us: u64) -> Option<u32> {
    let millis = quota_us.saturating_mul(1000).checked_div(period_us)?;
    Some(u32::try_from(millis).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(text: &str) -> (Option<u32>, Option<u64>, u64) {
        let Groups { allowance, held_back } = groups(text).expect("groups");
        (allowance.cpu_millis, allowance.memory_bytes, held_back)
    }

    #[test]
    fn limits_of_both_versions_of_control_groups_read_the_same() {
        let limited = (Some(200), Some(734_003_200), 17);
        let v1 = "memory.limit_in_bytes 734003200\ncpu.cfs_quota_us 20000\ncpu.cfs_period_us 100000\nnr_throttled 17\n";
        assert_eq!(seen(v1), limited);
        assert_eq!(seen("cpu.max 20000 100000\nmemory.max 734003200\nnr_throttled 17\n"), limited);
        assert_eq!(seen("cpu.max 10000 50000\nmemory.max 734003200\nnr_throttled 17\n"), limited);
    }

    #[test]
    fn what_is_not_limited_has_no_limit() {
        let unlimited = (None, None, 0);
        let v1 = "cpu.cfs_quota_us -1\ncpu.cfs_period_us 100000\nmemory.limit_in_bytes 9223372036854771712\n";
        assert_eq!(seen(v1), unlimited);
        assert_eq!(seen(&v1.replace("771712", "710272")), unlimited, "pages of 64 KiB");
        assert_eq!(seen("cpu.max max 100000\nmemory.max max\nnr_throttled 0\n"), unlimited);
    }

    #[test]
    fn groups_that_are_hidden_or_say_something_else_are_refused_and_not_taken_for_no_limit() {
        for text in [
            "",
            "cpu.max max 100000\n",
            "memory.max max\n",
            "cpu.cfs_quota_us 20000\nmemory.limit_in_bytes 5\n",
            "cpu.max max\nmemory.max max\n",
            "cpu.max max 100000\nmemory.max lots\n",
            "cpu.max max 100000\ncpu.max 20000 100000\nmemory.max max\n",
        ] {
            assert!(groups(text).is_err(), "{text}");
        }
    }
}
