//! Whose processor it is: a run gives way to the brokers that share the machine with it.
//!
//! librdkafka keeps a processor busy for as long as an idempotent producer waits for an acknowledgement and has more to send
//! (librdkafka issue 3692: the broker's thread polls without a pause once `linger.ms` is over). On a machine of few cores the
//! brokers starve beside it, acknowledge later still, and neither comes out of that circle again. By default producers keep it from
//! that (`workload::config`), but a scenario may ask for five requests in flight. With a lower priority than theirs, such a thread takes
//! only what nobody needs.
//!
//! Two knobs do it. The process's own nice value ends with it. Where the kernel weighs whole sessions against each other
//! (the autogroups of sched(7)), it does nothing against the brokers, and the session's nice value has to be lowered, which
//! outlives the process: it is put back at the end, unless another run of the same session still needs it. The value is one
//! that nobody else would choose, so that the next run knows what a killed one left behind, and puts that back too.

use std::fs;
use std::path::Path;

use rustix::process::{getpriority_process, setpriority_process};

/// The nice value of a run: ten steps are a tenth of the weight.
const NICE: i32 = 11;
/// What a session has that nobody touched.
const UNTOUCHED: i32 = 0;
const AUTOGROUP: &str = "/proc/self/autogroup";

/// A priority that was lowered. Dropping it puts back what would stay.
#[derive(Debug)]
pub struct Lowered {
    /// The session's nice value before, if it was changed.
    session: Option<i32>,
}

/// Gives way to whatever else runs here, and so do all threads and processes that are started from now on. Where the system
/// does not let it, everything stays as it was: that makes a run slower, not wrong.
pub fn give_way() -> Lowered {
    if getpriority_process(None).is_ok_and(|nice| nice < NICE) {
        let _as_it_was = setpriority_process(None, NICE);
    }
    let before = session_nice().filter(|nice| *nice <= NICE);
    let is_set = |_: &i32| fs::write(AUTOGROUP, NICE.to_string()).is_ok();
    Lowered { session: before.filter(is_set) }
}

impl Drop for Lowered {
    fn drop(&mut self) {
        if let Some(before) = self.session
            && !another_run_is_here()
        {
            let _as_it_was = fs::write(AUTOGROUP, put_back(before).to_string());
        }
    }
}

/// What the session is to have again. Our own value was left by a run that was killed, or is still here for one that goes on.
fn put_back(before: i32) -> i32 {
    if before == NICE { UNTOUCHED } else { before }
}

/// The nice value of this session, where sessions have one.
fn session_nice() -> Option<i32> {
    parse(&fs::read_to_string(AUTOGROUP).ok()?)
}

/// The nice value in a line such as `/autogroup-69 nice 0`.
fn parse(line: &str) -> Option<i32> {
    line.trim_end().rsplit_once(" nice ")?.1.parse().ok()
}

/// Whether a run of this program goes on in this session beside our own.
fn another_run_is_here() -> bool {
    let (Ok(program), Some(session)) = (std::env::current_exe(), session_of(Path::new("/proc/self"))) else {
        return false;
    };
    let Ok(processes) = fs::read_dir("/proc") else { return false };
    // Among the numbers there is also `self`.
    let is_other = |name: &str| name.parse().is_ok_and(|pid: u32| pid != std::process::id());
    let others = processes.flatten().filter(|process| process.file_name().to_str().is_some_and(is_other));
    others.map(|process| process.path()).any(|path| session_of(&path) == Some(session) && runs(&path, &program))
}

/// The session of a process, by its place in `/proc`.
fn session_of(process: &Path) -> Option<u32> {
    session_in(&fs::read_to_string(process.join("stat")).ok()?)
}

/// The sixth field of `/proc/<pid>/stat`. The second is a name in brackets, which may hold anything.
fn session_in(stat: &str) -> Option<u32> {
    stat.rsplit_once(')')?.1.split_whitespace().nth(3)?.parse().ok()
}

/// Whether a process is this program, told to `run`; its clients' own processes are told something else.
fn runs(process: &Path, program: &Path) -> bool {
    fs::read_link(process.join("exe")).is_ok_and(|exe| exe == program)
        && fs::read(process.join("cmdline")).is_ok_and(|line| line.split(|byte| *byte == 0).any(|word| word == b"run"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_line_is_understood() {
        assert_eq!(parse("/autogroup-69 nice 0\n"), Some(0));
        assert_eq!(parse("/autogroup-69 nice -5\n"), Some(-5));
        assert_eq!(parse("/\n"), None);
    }

    #[test]
    fn the_session_is_found_whatever_the_process_is_called() {
        assert_eq!(session_in("12662 (a) b (c) S 1 12600 12555 0 -1 4194560"), Some(12_555));
        assert_eq!(session_in("12662"), None);
        assert_eq!(
            session_of(Path::new("/proc/self")),
            session_of(Path::new(&format!("/proc/{}", std::process::id())))
        );
    }

    #[test]
    fn what_a_killed_run_left_is_put_back_too() {
        assert_eq!(put_back(0), 0);
        assert_eq!(put_back(3), 3);
        assert_eq!(put_back(NICE), UNTOUCHED);
    }
}
