//! How much of a processor and of memory a container may use, changed while it runs.
//!
//! An engine's update has its quirks; these were measured on Docker 20.10 with cgroups v1:
//!
//! - 0 means "leave as it is", for processors and for memory alike.
//! - Processor time is limited as a quota, or as `NanoCpus`; whoever was made with one refuses the other. -1 lifts a quota.
//!   For `NanoCpus` it lifts the kernel's limit too, but the engine goes on telling the old number and sets it again at the
//!   next start; so there all processors of the host stand for no limit.
//! - No memory limit is neither 0 nor -1, which are "leave as it is" and refused ("Minimum memory limit allowed is 6MB"). The
//!   greatest number of bytes that is whole pages is what the kernel itself tells where there is no limit, and it is taken.
//!   For memory with swap -1 is taken, told by the engine, and never set; so the same number lifts that one too.
//! - Memory below what is in use is refused by cgroups v1, with the numbers; so is a quota below a millisecond.

use bollard::models::{ContainerUpdateBody, HostConfig};
use serde::{Deserialize, Serialize};

use super::{CALL_LIMIT, Engine, limited};
use crate::cluster::ClusterError;

/// What a kernel with pages of 4 KiB tells where memory has no limit, in bytes.
const NO_LIMIT_BYTES: i64 = i64::MAX & !4095;

/// The period that a quota is of where nobody set one, in microseconds.
const PERIOD_US: i64 = 100_000;

/// One thousandth of a processor, in the engine's unit.
const NANO_CPUS_PER_MILLI: i64 = 1_000_000;

/// What a container may use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Limits {
    /// Processor time, in thousandths of one processor; `None` for as much as there is.
    pub cpu_millis: Option<u32>,
    /// Memory, in bytes; `None` for as much as there is.
    pub memory_bytes: Option<u64>,
    /// Memory and swap together, in bytes; `None` for as much as there is. Not every kernel counts swap, and one that does
    /// not takes this without a word.
    pub memory_and_swap_bytes: Option<u64>,
}

impl Limits {
    /// No limits at all.
    pub const UNLIMITED: Self = Self { cpu_millis: None, memory_bytes: None, memory_and_swap_bytes: None };

    /// The same, with that much processor time, in thousandths of one processor.
    #[must_use]
    pub fn with_cpu(self, cpu_millis: u32) -> Self {
        Self { cpu_millis: Some(cpu_millis), ..self }
    }

    /// The same, with that much memory and not a byte of swap: what does not fit is not slow, it does not fit.
    #[must_use]
    pub fn with_memory(self, bytes: u64) -> Self {
        Self { memory_bytes: Some(bytes), memory_and_swap_bytes: Some(bytes), ..self }
    }
}

impl Engine {
    /// What a container may use.
    pub async fn limits(&self, container: &str) -> Result<Limits, ClusterError> {
        Ok(limits(&self.host_config(container).await?))
    }

    /// Sets what a container may use, and reads back whether the engine agrees. To undo it, set the old limits.
    pub async fn limit(&self, container: &str, wanted: &Limits) -> Result<(), ClusterError> {
        let action = format!("limit {container}");
        let before = self.host_config(container).await?;
        let all_cpus_millis = match wanted.cpu_millis {
            None if is_in_nano_cpus(&before) => {
                let cpus = self.facts().await?.cpus.and_then(|cpus| u32::try_from(cpus).ok());
                Some(cpus.unwrap_or(1).saturating_mul(1000))
            }
            _ => None,
        };
        let wanted = Limits { cpu_millis: wanted.cpu_millis.or(all_cpus_millis), ..*wanted };
        let Some(update) = update(&before, &wanted) else { return Ok(()) };
        limited(&action, CALL_LIMIT, self.docker.update_container(container, update)).await?;
        let seen = self.limits(container).await?;
        if seen.memory_bytes == wanted.memory_bytes && is_same_share(seen.cpu_millis, wanted.cpu_millis) {
            return Ok(());
        }
        Err(ClusterError::Engine { action, reason: format!("asked for {wanted:?}, it tells {seen:?}") })
    }

    async fn host_config(&self, container: &str) -> Result<HostConfig, ClusterError> {
        let call = self.docker.inspect_container(container, None);
        let inspected = limited(&format!("look at container {container}"), CALL_LIMIT, call).await?;
        Ok(inspected.host_config.unwrap_or_default())
    }
}

/// The update that leads from what is to what is wanted; `None` when that is the same.
fn update(before: &HostConfig, wanted: &Limits) -> Option<ContainerUpdateBody> {
    let now = limits(before);
    let mut update = ContainerUpdateBody::default();
    if now.cpu_millis != wanted.cpu_millis {
        let millis = wanted.cpu_millis.map(i64::from);
        match millis {
            Some(millis) if is_in_nano_cpus(before) => update.nano_cpus = Some(millis * NANO_CPUS_PER_MILLI),
            // The period stays as it is: whoever sets one can never set `NanoCpus` again.
            Some(millis) => update.cpu_quota = Some(millis * period_us(before) / 1000),
            None => update.cpu_quota = Some(-1),
        }
    }
    let memory = |limits: &Limits| (limits.memory_bytes, limits.memory_and_swap_bytes);
    if memory(&now) != memory(wanted) {
        // Always both: alone, each is refused where it would pass the other's old value.
        update.memory = Some(to_bytes(wanted.memory_bytes));
        update.memory_swap = Some(to_bytes(wanted.memory_and_swap_bytes));
    }
    (update != ContainerUpdateBody::default()).then_some(update)
}

fn limits(config: &HostConfig) -> Limits {
    let nano_cpus = config.nano_cpus.filter(|nano_cpus| *nano_cpus > 0);
    let quota_us = config.cpu_quota.filter(|quota_us| *quota_us > 0);
    let cpu_millis = match (nano_cpus, quota_us) {
        (Some(nano_cpus), _) => Some(nano_cpus / NANO_CPUS_PER_MILLI),
        (None, Some(quota_us)) => Some(quota_us.saturating_mul(1000) / period_us(config)),
        (None, None) => None,
    };
    Limits {
        cpu_millis: cpu_millis.map(|millis| u32::try_from(millis).unwrap_or(u32::MAX)),
        memory_bytes: from_bytes(config.memory),
        memory_and_swap_bytes: from_bytes(config.memory_swap),
    }
}

/// A quota counts microseconds of a period that may be of any length, and may miss a thousandth.
fn is_same_share(one: Option<u32>, other: Option<u32>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => one.abs_diff(other) <= 1,
        (one, other) => one == other,
    }
}

fn is_in_nano_cpus(config: &HostConfig) -> bool {
    config.nano_cpus.is_some_and(|nano_cpus| nano_cpus > 0)
}

fn period_us(config: &HostConfig) -> i64 {
    config.cpu_period.filter(|period_us| *period_us > 0).unwrap_or(PERIOD_US)
}

fn to_bytes(limit: Option<u64>) -> i64 {
    limit.and_then(|bytes| i64::try_from(bytes).ok()).map_or(NO_LIMIT_BYTES, |bytes| bytes.min(NO_LIMIT_BYTES))
}

fn from_bytes(told: Option<i64>) -> Option<u64> {
    told.filter(|bytes| *bytes > 0 && *bytes < NO_LIMIT_BYTES).and_then(|bytes| u64::try_from(bytes).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quota(quota_us: i64, period_us: i64) -> HostConfig {
        HostConfig { cpu_quota: Some(quota_us), cpu_period: Some(period_us), ..HostConfig::default() }
    }

    #[test]
    fn a_processors_share_reads_the_same_as_quota_and_as_nano_cpus() {
        let millis = |config: &HostConfig| limits(config).cpu_millis;
        assert_eq!(millis(&quota(50_000, 0)), Some(500));
        assert_eq!(millis(&quota(50_000, 25_000)), Some(2000));
        assert_eq!(millis(&quota(-1, 0)), None);
        let nano = HostConfig { nano_cpus: Some(1_500_000_000), cpu_quota: Some(-1), ..HostConfig::default() };
        assert_eq!(millis(&nano), Some(1500));
        assert_eq!(limits(&HostConfig::default()), Limits::UNLIMITED);
    }

    #[test]
    fn what_is_so_already_is_not_updated() {
        assert_eq!(update(&HostConfig::default(), &Limits::UNLIMITED), None);
        assert_eq!(update(&quota(50_000, 0), &Limits::UNLIMITED.with_cpu(500)), None);
    }

    #[test]
    fn whoever_has_nano_cpus_is_limited_by_them_and_all_others_by_a_quota_of_their_period() {
        let nano = HostConfig { nano_cpus: Some(1_000_000_000), ..HostConfig::default() };
        let wanted = Limits::UNLIMITED.with_cpu(250);
        let expected = ContainerUpdateBody { nano_cpus: Some(250_000_000), ..ContainerUpdateBody::default() };
        assert_eq!(update(&nano, &wanted), Some(expected));
        let expected = ContainerUpdateBody { cpu_quota: Some(5000), ..ContainerUpdateBody::default() };
        assert_eq!(update(&quota(10_000, 20_000), &wanted), Some(expected));
        let lifted = ContainerUpdateBody { cpu_quota: Some(-1), ..ContainerUpdateBody::default() };
        assert_eq!(update(&quota(10_000, 20_000), &Limits::UNLIMITED), Some(lifted));
    }

    #[test]
    fn memory_is_lifted_by_the_greatest_whole_pages_and_never_by_zero_or_minus_one() {
        let limited = HostConfig { memory: Some(1 << 30), memory_swap: Some(1 << 30), ..HostConfig::default() };
        assert_eq!(limits(&limited), Limits::UNLIMITED.with_memory(1 << 30));
        let lifted = update(&limited, &Limits::UNLIMITED).expect("there is something to lift");
        let greatest = Some(9_223_372_036_854_771_712);
        assert_eq!((lifted.memory, lifted.memory_swap), (greatest, greatest));
        let after = HostConfig { memory: lifted.memory, memory_swap: lifted.memory_swap, ..HostConfig::default() };
        assert_eq!(limits(&after), Limits::UNLIMITED);
    }
}
