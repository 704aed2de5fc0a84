//! What a run shows while it goes on, on stderr: a live view on a terminal, one line an event elsewhere.
//!
//! It follows the run through the recorder's own events and the load's counters, and can neither slow it nor change it: what
//! is shown is a [`state::State`] made of those, and [`view::lines`] draws it.

mod brokers;
mod news;
mod state;
mod view;
mod words;

use std::path::PathBuf;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::screen::{self, Screen};
use super::sheet::Sheet;
use super::terminal::{Style, complain};
use super::{ColorChoice, ProgressChoice};
use crate::history::{Event, EventKind, Phase};
use crate::kafka::TimeNs;
use crate::report::format;
use crate::run::Live;
use crate::scenario::Scenario;
use crate::workload::Counters;
use news::News;
use state::{Sample, State};
use view::Frame;

/// How often it is looked whether there is something new to draw.
const REDRAW_INTERVAL: Duration = Duration::from_millis(250);

/// How often the load is counted.
const COUNT_INTERVAL: Duration = Duration::from_secs(1);

/// How often the counts are told where nothing can be redrawn.
const TELL_INTERVAL: Duration = Duration::from_secs(5);

/// The live view is as high as this where nobody knows how high the terminal is.
const ROWS: usize = 24;

/// A display of one run.
pub struct Progress {
    thread: Option<JoinHandle<()>>,
}

/// How a run is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    View,
    Lines,
    Nothing,
}

impl Shown {
    /// What was asked for, as far as the terminal can show it.
    fn choose(choice: ProgressChoice, is_screen_there: impl Fn() -> bool) -> Self {
        match choice {
            ProgressChoice::None => Self::Nothing,
            ProgressChoice::Auto | ProgressChoice::Bar if is_screen_there() => Self::View,
            ProgressChoice::Auto | ProgressChoice::Bar => Self::Lines,
        }
    }
}

impl Progress {
    /// Begins to follow a run that is given the returned [`Live`]. The display ends when the run drops it.
    pub fn start(scenario: &Scenario, choice: ProgressChoice, color: ColorChoice) -> (Self, Live) {
        let (events, inbox) = mpsc::channel();
        let counters: Arc<OnceLock<Arc<Counters>>> = Arc::default();
        let directory: Arc<OnceLock<PathBuf>> = Arc::default();
        let live = Live { events, counters: Arc::clone(&counters), directory };
        let shown = Shown::choose(choice, screen::is_there);
        if shown == Shown::Nothing {
            return (Self { thread: None }, live);
        }
        let screen = (shown == Shown::View).then(Screen::take);
        let follower = Follower::new(State::new(scenario), screen, color, counters);
        (Self { thread: Some(std::thread::spawn(move || follower.follow(&inbox))) }, live)
    }

    /// Waits until the last event is shown.
    pub fn finish(mut self) {
        // A display that panicked has shown less than it should; the run is none the worse for it.
        if let Some(Err(_)) = self.thread.take().map(JoinHandle::join) {
            complain("warning: the progress display ended early\n");
        }
    }
}

/// Whoever forgets the display in a panic leaves no view behind: the run is gone by then, and the display ends by that.
impl Drop for Progress {
    fn drop(&mut self) {
        drop(self.thread.take().map(JoinHandle::join));
    }
}

struct Follower {
    state: State,
    news: News,
    /// Where the view stands; `None` for lines.
    screen: Option<Screen>,
    color: ColorChoice,
    style: Style,
    counters: Arc<OnceLock<Arc<Counters>>>,
    /// The run's origin, as far as its first event tells.
    began: Instant,
    counted: Instant,
    told: Instant,
}

impl Follower {
    fn new(state: State, screen: Option<Screen>, color: ColorChoice, counters: Arc<OnceLock<Arc<Counters>>>) -> Self {
        let (now, style) = (Instant::now(), Style::choose(color, &std::io::stderr()));
        Self { state, news: News::default(), screen, color, style, counters, began: now, counted: now, told: now }
    }

    fn follow(mut self, inbox: &mpsc::Receiver<Event>) {
        loop {
            match inbox.recv_timeout(REDRAW_INTERVAL) {
                Ok(event) => {
                    self.take(&event);
                    // What came together is drawn together.
                    for event in inbox.try_iter() {
                        self.take(&event);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            self.refresh();
        }
    }

    fn take(&mut self, event: &Event) {
        if matches!(event.kind, EventKind::RunStarted { .. }) {
            let since = Duration::from_nanos(event.time_ns.0);
            self.began = Instant::now().checked_sub(since).unwrap_or(self.began);
        }
        self.state.take(event);
        if let Some(text) = self.news.tell(&event.kind) {
            self.say(event.time_ns, &text);
        }
    }

    fn refresh(&mut self) {
        let now = TimeNs(u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX));
        self.state.pass(now);
        if self.counted.elapsed() >= COUNT_INTERVAL {
            self.counted = Instant::now();
            self.state.second(self.counters.get().map(|counters| sample(counters, now)));
        }
        let Some(screen) = &mut self.screen else { return self.tell_load(now) };
        let rows = Screen::size().map_or(ROWS, |(_, rows)| rows);
        let sheet = Sheet::of(self.color, &std::io::stderr());
        screen.show(view::lines(&self.state, &Frame { sheet, rows }));
    }

    fn tell_load(&mut self, now: TimeNs) {
        let is_loaded =
            matches!(self.state.phase, Some((Phase::Warmup | Phase::Chaos | Phase::Recovery | Phase::Drain, _)));
        if self.told.elapsed() < TELL_INTERVAL || !is_loaded {
            return;
        }
        if let Some(text) = load(&self.state) {
            self.told = Instant::now();
            self.say(now, &text);
        }
    }

    fn say(&self, time: TimeNs, text: &str) {
        let time = self.style.dim(&format!("T+{:>6.1}s", time.as_secs_f64()));
        complain(&format!("{time} {text}\n"));
    }
}

fn sample(counters: &Counters, at: TimeNs) -> Sample {
    Sample { at, totals: counters.totals(), latencies: counters.latencies(), unread: counters.unread() }
}

/// The load in a line; `None` before there is any.
fn load(state: &State) -> Option<String> {
    let latest = state.latest()?;
    let (totals, rates) = (latest.totals, state.rates(TELL_INTERVAL));
    let latencies = state.latencies();
    let quantile = |per_mille| latencies.quantile_us(per_mille).map(format::duration_us);
    let latency = quantile(500).zip(quantile(990)).map(|(p50, p99)| format!(", p50 {p50}, p99 {p99}"));
    let unread: u64 = latest.unread.iter().map(|(_, unread)| unread).sum();
    Some(format!(
        "acked {} ({}/s), read {} ({}/s), unread {unread}, in flight {}, failed {}, unknown {}{}",
        totals.acked,
        rates.acked,
        totals.read,
        rates.read,
        totals.in_flight,
        totals.failed,
        totals.indeterminate,
        latency.unwrap_or_default()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_live_view_is_shown_where_it_is_asked_for_and_can_be() {
        let choose = |choice, there: bool| Shown::choose(choice, || there);
        assert_eq!(choose(ProgressChoice::Auto, true), Shown::View);
        assert_eq!(choose(ProgressChoice::Auto, false), Shown::Lines);
        assert_eq!(choose(ProgressChoice::Bar, false), Shown::Lines, "what cannot be drawn is told");
        assert_eq!(choose(ProgressChoice::None, true), Shown::Nothing);
    }
}
