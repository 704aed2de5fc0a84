//! Signals to a client's process, and whether they took effect: seen in the kernel's own account of every thread.

use std::io;

use procfs::process::Process;
use rustix::process::{Pid, Signal, kill_process};

/// Sends a signal. The caller holds the process unreaped, so that its id cannot be another's.
pub fn send(pid: u32, signal: Signal) -> io::Result<()> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidInput)?;
    Ok(kill_process(pid, signal)?)
}

/// What the threads of a process do, one letter each as in `/proc/<pid>/stat`: `T` is stopped.
pub fn threads(pid: u32) -> io::Result<String> {
    let pid = i32::try_from(pid).map_err(|_| io::ErrorKind::InvalidInput)?;
    let tasks = Process::new(pid).and_then(|process| process.tasks()).map_err(io::Error::other)?;
    // A thread that ended between the list and its own file does nothing any more.
    Ok(tasks.filter_map(|task| Some(task.ok()?.stat().ok()?.state)).collect())
}

/// Whether every thread is stopped.
pub fn is_stopped(threads: &str) -> bool {
    !threads.is_empty() && threads.chars().all(|state| state == 'T')
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn a_stopped_process_is_seen_stopped_and_running_on() {
        let mut child = Command::new("sleep").arg("60").spawn().expect("sleep runs");
        let wait = |wanted: bool| {
            let deadline = Instant::now() + Duration::from_secs(10);
            while is_stopped(&threads(child.id()).expect("a process")) != wanted {
                assert!(Instant::now() < deadline, "{wanted} was not seen");
                std::thread::sleep(Duration::from_millis(1));
            }
        };
        wait(false);
        send(child.id(), Signal::STOP).expect("a signal");
        wait(true);
        send(child.id(), Signal::CONT).expect("a signal");
        wait(false);
        child.kill().expect("a signal");
        child.wait().expect("an end");
    }

    #[test]
    fn no_threads_are_not_stopped_threads() {
        assert!(!is_stopped(""));
        assert!(!is_stopped("TS"));
    }
}
