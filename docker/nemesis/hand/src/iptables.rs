//! The commands `iptables-save` and `iptables-restore`, each with a limit. A restore changes a table at once or not at all.

use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::rules::{CHAIN_PREFIX, Sort};
use crate::tables::Table;

/// How long one command may take; it takes milliseconds.
const LIMIT: Duration = Duration::from_secs(10);

const POLL_INTERVAL: Duration = Duration::from_millis(1);

/// Why the kernel's tables could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum TablesError {
    /// The command did not run at all.
    #[error("could not run `{command}`: {source}")]
    Run {
        /// The command.
        command: String,
        /// Why not.
        source: io::Error,
    },
    /// The command took too long.
    #[error("waited {} s for `{command}` to end, and it has not", LIMIT.as_secs())]
    Limit {
        /// The command.
        command: String,
    },
    /// The command said no.
    #[error("`{command}` failed: {said}")]
    Refused {
        /// The command.
        command: String,
        /// What it said, on one line.
        said: String,
    },
}

/// Reads what is ours of the table of a sort of faults.
pub fn read(sort: Sort) -> Result<Table, TablesError> {
    let saved = run(&["iptables-save", "-c", "-t", sort.table()], "")?;
    Ok(Table::read(sort, &saved))
}

/// Changes the table of a sort of faults: all of the lines or none. No lines change nothing.
pub fn change(sort: Sort, lines: &str) -> Result<(), TablesError> {
    if lines.is_empty() {
        return Ok(());
    }
    let mut script = format!("*{}\n", sort.table());
    let _ = writeln!(script, "{lines}COMMIT");
    run(&["iptables-restore", "--noflush"], &script).map(drop)
}

/// Tries whether the kernel lets a rule lead to a queue, on a chain that nothing jumps to and that is gone again.
pub fn try_queue_target() -> Result<(), TablesError> {
    let chain = format!("{CHAIN_PREFIX}TRIAL-{}", std::process::id());
    let rule = format!("-A {chain} -j NFQUEUE --queue-num 0 --queue-bypass\n");
    change(Sort::Shape, &format!(":{chain} - [0:0]\n{rule}"))?;
    change(Sort::Shape, &format!("-F {chain}\n-X {chain}\n"))
}

fn run(command: &[&str], input: &str) -> Result<String, TablesError> {
    let name = || command.join(" ");
    let failed = |source| TablesError::Run { command: name(), source };
    let mut child = Command::new(command[0])
        .args(&command[1..])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    // Each pipe by a thread of its own, so that none of them can fill up and hold the command back.
    let (stdout, stderr) = (child.stdout.take().map(gather), child.stderr.take().map(gather));
    let feeder = child.stdin.take().map(|mut stdin| {
        let input = input.to_owned();
        // A command that ends before it has read everything says on its own why.
        thread::spawn(move || drop(stdin.write_all(input.as_bytes())))
    });
    let ended = wait(&mut child).map_err(failed)?;
    if let Some(feeder) = feeder {
        let _ = feeder.join();
    }
    let [said, complaint] =
        [stdout, stderr].map(|thread| thread.and_then(|thread| thread.join().ok()).unwrap_or_default());
    match ended {
        None => Err(TablesError::Limit { command: name() }),
        Some(true) => Ok(said),
        Some(false) => {
            let said = complaint.split_whitespace().collect::<Vec<_>>().join(" ");
            Err(TablesError::Refused { command: name(), said })
        }
    }
}

fn gather(mut pipe: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // What cannot be read is missing from what is said, and the exit status still tells.
        let _ = pipe.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// Whether it ended well; none when it did not end in time, and was killed.
fn wait(child: &mut Child) -> io::Result<Option<bool>> {
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status.success()));
        }
        if began.elapsed() > LIMIT {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(POLL_INTERVAL);
    }
}
