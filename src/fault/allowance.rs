//! How much of a processor and of memory somebody may use. Data only, as it goes into histories and proofs.

use std::fmt;

use bytesize::ByteSize;
use serde::{Deserialize, Serialize};

/// Kernels limit memory by whole pages, of 64 KiB at most.
const PAGE_BYTES_MAX: u64 = 64 << 10;

/// How much may be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Allowance {
    /// Processor time, in thousandths of one processor; `None` for as much as there is.
    pub cpu_millis: Option<u32>,
    /// Memory in bytes; `None` for as much as there is.
    pub memory_bytes: Option<u64>,
}

impl Allowance {
    /// Whether this is what was asked for, as far as anything was: to a thousandth of a processor and to a page.
    pub fn meets(&self, wanted: &Self) -> bool {
        let cpu = wanted.cpu_millis.is_none_or(|wanted| self.cpu_millis.is_some_and(|it| it.abs_diff(wanted) <= 1));
        let is_page = |it: u64, wanted: u64| it <= wanted && wanted - it < PAGE_BYTES_MAX;
        let memory = wanted.memory_bytes;
        cpu && memory.is_none_or(|wanted| self.memory_bytes.is_some_and(|it| is_page(it, wanted)))
    }

    /// Of a host: whether it has more than this of everything that this limits; `None` where it did not tell.
    pub fn has_more_than(&self, limit: &Self) -> Option<bool> {
        let cpu = limit.cpu_millis.map(|limit| Some(self.cpu_millis? > limit.saturating_add(1)));
        let memory = limit.memory_bytes.map(|limit| Some(self.memory_bytes? > limit));
        Some(cpu.unwrap_or(Some(true))? && memory.unwrap_or(Some(true))?)
    }

    /// Whether it allows more than this of everything that this limits.
    pub fn is_looser_than(&self, limit: &Self) -> bool {
        let cpu = limit.cpu_millis.is_none_or(|limit| self.cpu_millis.is_none_or(|it| it > limit.saturating_add(1)));
        let memory = limit.memory_bytes;
        cpu && memory.is_none_or(|limit| self.memory_bytes.is_none_or(|it| it > limit))
    }
}

impl fmt::Display for Allowance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cpu = self.cpu_millis.map(|millis| format!("{}% of a processor", f64::from(millis) / 10.0));
        let memory = self.memory_bytes.map(|bytes| format!("{} of memory", ByteSize(bytes).display().iec()));
        let parts: Vec<String> = cpu.into_iter().chain(memory).collect();
        if parts.is_empty() { f.write_str("no limit") } else { f.write_str(&parts.join(" and ")) }
    }
}
