//! Jepsen's analysis of a Kafka history, here: the same names, the same verdicts, the same quirks.
//!
//! Jepsen's Kafka workload (`jepsen.tests.kafka`, read at commit c4c7473d of 2026-07-30, with Elle at ccdee6fa) writes a
//! history of operations and judges it. This room reads such a history and judges it as that workload's `analysis` does.
//! Whoever knows Jepsen can hold the two side by side, and believe the rest of this program the more for it. So nothing is
//! mended here: where Jepsen's answer is odd, the module's doc says so and the answer stays.
//!
//! ```text
//! history.edn[.gz] -> text (source) -> forms with their lines (edn) -> operations (read)
//!   operations -> what was sent and read, by whom (index) -> version orders (version_order)
//!     -> one anomaly family a file -> findings -> allowed or not (verdict)
//!     -> dependencies (graph) -> cycles, by Elle's names (cycles) -----^
//! ```
//!
//! The room is pure and uses no other one: Jepsen's words (operation, process, key, value) are not this program's, and keep
//! their own meaning here. A *key* is a partition, a *value* is a record, and a *process* is a client with one life.
//!
//! An analysis that throws tells Jepsen nothing but `:unknown`. What would make it throw is found here too ([`Thrown`]), and
//! then nothing else is claimed.

mod aborted_read;
mod cycles;
mod duplicate;
mod edn;
mod explain;
mod finding;
mod graph;
mod hash;
mod index;
mod internal_poll;
mod internal_send;
mod lost_write;
mod nonmonotonic_send;
mod op;
mod pairs;
mod plain;
mod poll;
mod precommitted_read;
mod read;
mod search;
mod source;
#[cfg(test)]
mod tests;
mod thrown;
mod unseen;
mod verdict;
mod version_order;

pub use finding::{EXAMPLES_MAX, ErrorType, Findings, Found, OpRef, Step, Witness};
pub use op::{Atom, History, Stage};
pub use read::{ReadError, read};
pub use source::unpack;
pub use thrown::Thrown;
pub use verdict::{Options, SubVia, Validity, Verdict};

use index::Index;
use version_order::VersionOrders;

/// Judges a history as Jepsen's `analysis`, and then its checker, would.
pub fn judge(history: &History, options: &Options) -> Verdict {
    verdict::decide(analyse(history, options), options)
}

/// What the analysis finds, or why it would throw.
fn analyse(history: &History, options: &Options) -> Result<Findings, Vec<Thrown>> {
    let mut thrown = Vec::new();
    let mut findings = Findings::default();
    if history.ops.is_empty() {
        return Err(vec![Thrown::NoClientOps]);
    }
    let pairs = pairs::pair(history).map_err(|error| vec![error])?;
    let index = Index::build(history);
    let orders = VersionOrders::build(history, &index);

    thrown.extend(version_order::inconsistent_offsets(history, &orders, &mut findings));
    duplicate::find(history, &orders, &mut findings);
    aborted_read::find(history, &index, &mut findings);
    precommitted_read::find(history, &mut findings);
    thrown.extend(lost_write::find(history, &index, &orders, &mut findings));
    thrown.extend(unseen::find(history, &mut findings));
    poll::find(history, &orders, &mut findings);
    internal_poll::find(history, &orders, &mut findings);
    nonmonotonic_send::find(history, &orders, &mut findings);
    internal_send::find(history, &orders, &mut findings);
    match graph::build(history, &pairs, &index, &orders, options) {
        Ok(dependencies) => cycles::find(&dependencies, &mut findings),
        Err(errors) => thrown.extend(errors),
    }
    if thrown.is_empty() { Ok(findings) } else { Err(thrown) }
}
