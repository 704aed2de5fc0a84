//! For whom containers beside brokers are made: whose label they carry, and which ledger hears of them first.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::cluster::ClusterError;
use crate::cluster::docker::host_name;
use crate::cluster::engine::{HOST_LABEL, RUN_LABEL, TOOL_LABEL};
use crate::cluster::ledger::{Entry, Ledger, Object};

/// Who has side-cars and tool containers made.
#[derive(Clone, Debug)]
pub struct Maker {
    label: String,
    ledger: Option<Arc<Ledger>>,
}

impl Maker {
    /// A run that lives.
    pub fn run(label: &str, ledger: Arc<Ledger>) -> Self {
        Self { label: label.to_owned(), ledger: Some(ledger) }
    }

    /// A sweep that undoes what a dead run did: whatever carries that run's label is found by the next sweep.
    pub fn sweep(label: &str) -> Self {
        Self { label: label.to_owned(), ledger: None }
    }

    /// The run's label.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// What everything that is made for it carries.
    pub(crate) fn labels(&self) -> BTreeMap<String, String> {
        BTreeMap::from([(RUN_LABEL.to_owned(), self.label.clone()), (HOST_LABEL.to_owned(), host_name())])
    }

    /// What a tool container carries beside that.
    pub(crate) fn tool_labels(&self) -> BTreeMap<String, String> {
        let mut labels = self.labels();
        labels.insert(TOOL_LABEL.to_owned(), self.label.clone());
        labels
    }

    /// A name that nothing else has, written into the ledger. `what` says what for.
    pub(crate) async fn name(&self, what: &str) -> Result<String, ClusterError> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name = format!("{}-{what}-{}-{}", self.label, std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        if let Some(ledger) = &self.ledger {
            ledger.note(Entry::Make { object: Object::Container, name: name.clone() }).await?;
        }
        Ok(name)
    }
}
