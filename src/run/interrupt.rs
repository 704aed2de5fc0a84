//! How a run is told to end early: once, and it heals, drains and reports; twice, and it removes its brokers at once.

use std::future::pending;
use std::sync::Arc;

use tokio::sync::watch;

/// The signals received so far. Clones share them.
#[derive(Clone, Debug)]
pub struct Interrupt {
    signals: watch::Receiver<Vec<Signal>>,
    /// Kept for an interrupt that nobody can raise, so that waiting for it waits for ever.
    _own: Option<Arc<watch::Sender<Vec<Signal>>>>,
}

/// A signal that interrupts a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Ctrl-C.
    Interrupt,
    /// What `kill` and CI systems send.
    Terminate,
}

impl Signal {
    /// Its name, as the history keeps it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Interrupt => "SIGINT",
            Self::Terminate => "SIGTERM",
        }
    }
}

/// Raises an [`Interrupt`].
#[derive(Debug)]
pub struct Raise(watch::Sender<Vec<Signal>>);

impl Raise {
    /// Adds a signal.
    pub fn raise(&self, signal: Signal) {
        self.0.send_modify(|signals| signals.push(signal));
    }
}

impl Interrupt {
    /// An interrupt that never comes.
    pub fn never() -> Self {
        let (sender, signals) = watch::channel(Vec::new());
        Self { signals, _own: Some(Arc::new(sender)) }
    }

    /// An interrupt, and what raises it.
    pub fn new() -> (Raise, Self) {
        let (sender, signals) = watch::channel(Vec::new());
        (Raise(sender), Self { signals, _own: None })
    }

    /// The first signal received, if one was.
    pub fn received(&self) -> Option<Signal> {
        self.signals.borrow().first().copied()
    }

    /// Waits for the first signal.
    pub async fn once(&self) {
        self.wait(1).await;
    }

    /// Waits for the second.
    pub async fn again(&self) {
        self.wait(2).await;
    }

    async fn wait(&self, count: usize) {
        let mut signals = self.signals.clone();
        if signals.wait_for(|signals| signals.len() >= count).await.is_err() {
            // Nobody is left who could raise it.
            pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_and_the_second_signal_are_told_apart() {
        let (raise, interrupt) = Interrupt::new();
        assert_eq!(interrupt.received(), None);
        raise.raise(Signal::Interrupt);
        interrupt.once().await;
        assert_eq!(interrupt.received(), Some(Signal::Interrupt));
        raise.raise(Signal::Terminate);
        interrupt.again().await;
        assert_eq!(interrupt.received(), Some(Signal::Interrupt));
    }
}
