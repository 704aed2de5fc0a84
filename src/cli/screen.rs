//! The bottom of the terminal, where something may stand while lines scroll by above it.
//!
//! Whoever writes to the terminal does so through [`above`], from whatever thread: else the two would overwrite each other.

use std::io::IsTerminal;
use std::panic;
use std::sync::mpsc;
use std::sync::{Mutex, Once, PoisonError};
use std::thread;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::sheet::terminal_size;

/// How often it may be drawn in a second. Less often than the terminal could, and more often than anything changes.
const DRAWN_PER_SECOND: u8 = 20;

/// How long a panic's message waits for the bottom to be cleared. Whoever panics while drawing keeps it from being.
const CLEAR_LIMIT: Duration = Duration::from_millis(300);

/// What stands there, if anything does.
static BOTTOM: Mutex<Option<ProgressBar>> = Mutex::new(None);

static PANICS: Once = Once::new();

/// The bottom of the terminal, taken until this is dropped.
pub struct Screen {
    bar: ProgressBar,
    shown: Vec<String>,
}

impl Screen {
    /// Takes the bottom of stderr's terminal. From now on a panic's message is written above what stands there too.
    pub fn take() -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(DRAWN_PER_SECOND));
        bar.set_style(ProgressStyle::with_template("{msg}").expect("a fixed template"));
        PANICS.call_once(|| {
            let message = panic::take_hook();
            panic::set_hook(Box::new(move |info| while_cleared(|| message(info))));
        });
        *BOTTOM.lock().unwrap_or_else(PoisonError::into_inner) = Some(bar.clone());
        Self { bar, shown: Vec::new() }
    }

    /// Shows these lines, which must fit; draws nothing where they are those that are shown.
    pub fn show(&mut self, lines: Vec<String>) {
        if lines != self.shown {
            self.bar.set_message(lines.join("\n"));
            self.shown = lines;
        }
    }

    /// How many columns and lines there are now.
    pub fn size() -> Option<(usize, usize)> {
        terminal_size(&std::io::stderr())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        BOTTOM.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread::panicking() {
            // indicatif draws nothing on a thread that panics.
            let bar = self.bar.clone();
            drop(thread::spawn(move || bar.finish_and_clear()).join());
        } else {
            self.bar.finish_and_clear();
        }
    }
}

/// Whether anything can stand at the bottom of stderr: a terminal that can move its cursor.
pub fn is_there() -> bool {
    let is_dumb = std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
    std::io::stderr().is_terminal() && !is_dumb
}

/// Writes something to the terminal, above what stands at its bottom.
pub fn above<T>(write: impl FnOnce() -> T) -> T {
    let bottom = BOTTOM.lock().unwrap_or_else(PoisonError::into_inner).clone();
    match bottom {
        Some(bar) => bar.suspend(write),
        None => write(),
    }
}

/// The same for a thread that panics, where indicatif draws nothing: another thread clears the bottom and keeps it clear meanwhile.
fn while_cleared(write: impl FnOnce()) {
    let bottom = BOTTOM.try_lock().ok().and_then(|bottom| bottom.clone());
    match bottom {
        Some(bar) => clear_while(bar, write),
        None => write(),
    }
}

fn clear_while(bar: ProgressBar, write: impl FnOnce()) {
    let (clear, is_clear) = mpsc::channel();
    let (written, is_written) = mpsc::channel::<()>();
    let clearer = thread::spawn(move || {
        bar.suspend(|| {
            let told = clear.send(());
            // Disconnected when it is written.
            told.is_ok_and(|()| is_written.recv().is_err())
        })
    });
    let is_clear = is_clear.recv_timeout(CLEAR_LIMIT).is_ok();
    write();
    drop(written);
    if is_clear {
        drop(clearer.join());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_ends_neither_the_screen_nor_those_who_write_above_it() {
        let mut screen = Screen::take();
        screen.show(vec!["one".to_owned(), "two".to_owned()]);
        let panicked = thread::spawn(|| panic!("of a test")).join();
        assert!(panicked.is_err());
        assert_eq!(above(|| 7), 7);
        screen.show(vec!["three".to_owned()]);
        assert_eq!(screen.shown, ["three"]);
        drop(screen);
        assert!(BOTTOM.lock().expect("nobody panics with it").is_none());
        assert_eq!(above(|| 8), 8);
    }

    #[test]
    fn whoever_panics_while_drawing_is_not_waited_for() {
        let bar = ProgressBar::hidden();
        let held = bar.clone();
        let (holds, is_held) = mpsc::channel();
        let (done, is_done) = mpsc::channel::<()>();
        let holder = thread::spawn(move || held.suspend(|| holds.send(()).map(|()| is_done.recv().is_err())));
        is_held.recv().expect("the bar is held");
        let mut written = false;
        clear_while(bar, || written = true);
        assert!(written, "though nobody could clear it");
        drop(done);
        assert_eq!(holder.join().expect("it ended"), Ok(true));
    }
}
