//! Whose turn it is. A small machine bears few clusters at once, and some things are there only once.

use std::io::Write;
use std::process::Command;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How many clusters of three brokers run at once. Two cores bear two; with more of them, brokers take so long to start that
/// limits are met which have nothing to do with what is tested.
const CLUSTERS_AT_ONCE: usize = 2;

/// A machine on which Kafka's smallest tool takes longer than this to start and end, while no cluster runs, bears one cluster at a
/// time: it takes 0.8 s on two cores that bear two.
const SLOW: Duration = Duration::from_millis(1600);

/// How many clusters may still be started.
static FREE: Mutex<usize> = Mutex::new(CLUSTERS_AT_ONCE);
static FREED: Condvar = Condvar::new();

/// How many clusters this machine bears, as it was found when the last one was started on an idle machine.
static BORNE: Mutex<usize> = Mutex::new(CLUSTERS_AT_ONCE);

/// What the kernel weighs this session by, and what it is while there is a cluster: clients of the tests' own process starve
/// brokers as a run's would (`cli::priority`), and here it is this process that has to give way. One more than a run's, so that
/// none takes it for its own and puts it back.
const AUTOGROUP: &str = "/proc/self/autogroup";
const NICE: &str = "12";

/// What the session had before, where it was changed.
static BEFORE: Mutex<Option<String>> = Mutex::new(None);

/// The least time of three that Kafka's smallest tool takes here now.
fn pace() -> Duration {
    let image = said(Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/docker/setup.sh")).arg("--image"));
    let started = |_| {
        let began = Instant::now();
        let arguments = ["run", "--rm", "--entrypoint", "/opt/kafka/bin/kafka-storage.sh", &image, "random-uuid"];
        let _id = said(Command::new("docker").args(arguments));
        began.elapsed()
    };
    (0..3).map(started).min().expect("three times")
}

/// What a command prints; it must succeed.
fn said(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn give_way() {
    let line = std::fs::read_to_string(AUTOGROUP).unwrap_or_default();
    let nice = line.trim_end().rsplit_once(" nice ").map(|(_, nice)| nice.to_owned());
    let before = nice.filter(|_| std::fs::write(AUTOGROUP, NICE).is_ok());
    *BEFORE.lock().unwrap_or_else(PoisonError::into_inner) = before;
}

fn put_back() {
    if let Some(before) = BEFORE.lock().unwrap_or_else(PoisonError::into_inner).take() {
        let _as_it_was = std::fs::write(AUTOGROUP, before);
    }
}

/// The right to run a cluster, until it is dropped.
pub struct Turn {
    room: usize,
    asked: Instant,
    begun: Instant,
    _compose: Option<MutexGuard<'static, ()>>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
        *free += self.room;
        if *free == CLUSTERS_AT_ONCE {
            put_back();
        }
        drop(free);
        FREED.notify_all();
        // Past what libtest captures, because whoever wants the tests to be quicker has to know where their time goes.
        let thread = std::thread::current();
        let (waited, used) = (self.begun - self.asked, self.begun.elapsed());
        let name = thread.name().unwrap_or("a test");
        let _ = writeln!(std::io::stderr(), "turn: {name} waited {waited:.0?} and took {used:.0?}");
    }
}
/// Waits until there is room for a cluster, and makes sure of an engine.
pub fn cluster() -> Turn {
    taken(1, None)
}

/// The same for a cluster that needs the whole machine: much happens to it at once, or it has to bear much.
pub fn cluster_alone() -> Turn {
    taken(CLUSTERS_AT_ONCE, None)
}

/// The same for the cluster of the compose file, whose names and ports are there once.
pub fn cluster_of_compose() -> Turn {
    taken(CLUSTERS_AT_ONCE, Some(COMPOSE.lock().unwrap_or_else(PoisonError::into_inner)))
}

static COMPOSE: Mutex<()> = Mutex::new(());

/// Waits until nobody else measures packets; no cluster belongs to it.
pub fn packets() -> MutexGuard<'static, ()> {
    static PACKETS: Mutex<()> = Mutex::new(());
    PACKETS.lock().unwrap_or_else(PoisonError::into_inner)
}

fn taken(room: usize, compose: Option<MutexGuard<'static, ()>>) -> Turn {
    let asked = Instant::now();
    let free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut free = FREED.wait_while(free, |free| *free < room_for(room)).unwrap_or_else(PoisonError::into_inner);
    if *free == CLUSTERS_AT_ONCE {
        look_at_the_machine();
        give_way();
    }
    let room = room_for(room);
    *free -= room;
    drop(free);
    Turn { room, asked, begun: Instant::now(), _compose: compose }
}

/// How much of the machine it takes to run something that takes `room` of a usual one.
fn room_for(room: usize) -> usize {
    let borne = *BORNE.lock().unwrap_or_else(PoisonError::into_inner);
    if borne < CLUSTERS_AT_ONCE { CLUSTERS_AT_ONCE } else { room }
}

/// Makes sure of an engine, and finds out how many clusters it bears now. Nobody else has one meanwhile.
fn look_at_the_machine() {
    let version = Command::new("docker").args(["version", "--format", "{{.Server.Version}}"]).output();
    let answered = version.as_ref().is_ok_and(|output| output.status.success());
    assert!(answered, "no container engine answers; docker/setup.sh installs and starts one. It said: {version:?}");
    let pace = pace();
    let borne = if pace > SLOW { 1 } else { CLUSTERS_AT_ONCE };
    *BORNE.lock().unwrap_or_else(PoisonError::into_inner) = borne;
    let _ = writeln!(std::io::stderr(), "turn: Kafka's smallest tool takes {pace:.1?}: {borne} at a time");
}
