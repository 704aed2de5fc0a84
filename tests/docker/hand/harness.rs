//! The hand of a lab, as a child that is spoken to.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

use serde_json::{Value, json};

use super::lab::{Lab, docker, image};

const LIMIT: Duration = Duration::from_secs(20);

/// A tenth of the hand's patience.
const PING_INTERVAL: Duration = Duration::from_secs(1);

/// Whether somebody pings the hand, as a living harness does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Harness {
    Alive,
    Silent,
}

/// A hand at work.
pub struct Hand {
    container: String,
    child: Child,
    stdin: Arc<Mutex<Option<ChildStdin>>>,
    answers: Receiver<Value>,
    early: HashMap<u64, Value>,
    next: u64,
    /// Closing it ends the pings.
    pings: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Hand {
    /// Starts one in the server's namespace, and waits for its first line.
    pub fn new(lab: &Lab, harness: Harness) -> Self {
        let container = lab.container("hand");
        let network = format!("--network=container:{}", lab.container("server"));
        let mut child = Command::new("docker")
            .args([
                "run",
                "-i",
                "--rm",
                "--name",
                &container,
                &network,
                "--cap-add=NET_ADMIN",
                "--cap-add=NET_RAW",
                image(),
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("docker runs");
        let stdin = Arc::new(Mutex::new(child.stdin.take()));
        let stdout = BufReader::new(child.stdout.take().expect("it was asked for"));
        let (sender, answers) = mpsc::channel();
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line}: {error}"));
                if sender.send(value).is_err() {
                    return;
                }
            }
        });
        let mut hand = Self { container, child, stdin, answers, early: HashMap::new(), next: 1, pings: None };
        let hello = hand.answers.recv_timeout(LIMIT).expect("the hand says hello");
        assert_eq!((&hello["hello"]["version"], &hello["hello"]["queue"]), (&json!(1), &json!(true)), "{hello}");
        assert!(hello["hello"]["netem"].is_boolean(), "{hello}");
        if harness == Harness::Alive {
            hand.pings = Some(ping(Arc::clone(&hand.stdin)));
        }
        hand
    }

    /// Asks for something; what is wrong with it, if it is refused.
    pub fn ask(&mut self, mut request: Value) -> Result<Value, String> {
        let id = self.next;
        self.next += 1;
        request["id"] = json!(id);
        write(&self.stdin, &request).expect("the hand listens");
        let until = Instant::now() + LIMIT;
        let answer = loop {
            if let Some(answer) = self.early.remove(&id) {
                break answer;
            }
            match self.answers.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(answer) => drop(self.early.insert(answer["id"].as_u64().expect("an id"), answer)),
                Err(error) => panic!("waited {} s for the answer to {request}: {error}", LIMIT.as_secs()),
            }
        };
        match answer.get("ok") {
            Some(ok) => Ok(ok.clone()),
            None => Err(answer["error"].as_str().expect("an error is a sentence").to_owned()),
        }
    }

    /// Asks for something that has to work.
    pub fn must(&mut self, request: &Value) -> Value {
        self.ask(request.clone()).unwrap_or_else(|error| panic!("{request}: {error}"))
    }

    /// Shapes all packets that go one way.
    pub fn shape(&mut self, way: &str, treatment: &Value) {
        self.must(&json!({"do": "shape", "name": "f", "flows": [{"way": way}], "treatment": treatment, "seed": 42}));
    }

    /// Cuts flows.
    pub fn cut(&mut self, flows: &Value, verdict: &str) {
        self.must(&json!({"do": "cut", "name": "f", "flows": flows, "verdict": verdict}));
    }

    /// Ends the fault.
    pub fn undo(&mut self) {
        assert_eq!(self.must(&json!({"do": "undo", "name": "f"})), json!({"was": true}));
    }

    /// The one shape at work.
    pub fn shaped(&mut self) -> Value {
        let look = self.must(&json!({"do": "look"}));
        assert_eq!(look["shapes"].as_array().map(Vec::len), Some(1), "{look}");
        look["shapes"][0].clone()
    }

    /// The one cut in force.
    pub fn was_cut(&mut self) -> Value {
        let look = self.must(&json!({"do": "look"}));
        assert_eq!(look["cuts"].as_array().map(Vec::len), Some(1), "{look}");
        look["cuts"][0].clone()
    }

    /// Kills the hand, without a word. Returns when it was dead, as the engine has it.
    pub fn kill(mut self) -> SystemTime {
        docker(&["kill", "--signal=KILL", &self.container]);
        self.ended();
        let container = format!("container={}", self.container);
        // The engine counts whole seconds here, so that the present second is over when it has told all.
        let filters = ["--filter", &container, "--filter", "event=die", "--format", "{{.TimeNano}}"];
        let said = docker(&[&["events", "--since=2m", "--until=-1s"][..], &filters].concat());
        let nanos: u64 = said.parse().unwrap_or_else(|error| panic!("the engine tells of no death: {said:?}: {error}"));
        SystemTime::UNIX_EPOCH + Duration::from_nanos(nanos)
    }

    /// Kills whoever speaks to it, without a word to it; the pings end with it. Returns when that was.
    pub fn orphan(mut self) -> SystemTime {
        self.child.kill().expect("a child");
        self.child.wait().expect("a child");
        let died = SystemTime::now();
        let until = Instant::now() + LIMIT;
        while !docker(&["ps", "-aq", "--filter", &format!("name={}", self.container)]).is_empty() {
            assert!(Instant::now() < until, "waited {} s for the hand to end", LIMIT.as_secs());
            thread::sleep(Duration::from_millis(100));
        }
        died
    }

    /// Tells it to end by a signal.
    pub fn terminate(mut self) {
        docker(&["kill", "--signal=TERM", &self.container]);
        self.ended();
    }

    /// Ends its input.
    pub fn close(mut self) {
        self.stdin.lock().expect("nobody panicked").take();
        self.ended();
    }

    /// Waits until it has ended by itself.
    pub fn ended(&mut self) {
        let until = Instant::now() + LIMIT;
        loop {
            match self.answers.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(_) => {}
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("waited {} s for the hand to end", LIMIT.as_secs()),
            }
        }
        self.child.wait().expect("a child");
    }
}

impl Drop for Hand {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.pings.take() {
            drop(stop);
            let _ = thread.join();
        }
        // A test that failed leaves it running; its container goes with the lab's, and no later.
        let _ = Command::new("docker").args(["rm", "-f", &self.container]).output();
        let _ = self.child.wait();
    }
}

/// Pings the hand until it is gone or nobody wants it any more; the answers are for nobody.
fn ping(stdin: Arc<Mutex<Option<ChildStdin>>>) -> (Sender<()>, JoinHandle<()>) {
    let (sender, stop) = mpsc::channel();
    let thread = thread::spawn(move || {
        while let Err(RecvTimeoutError::Timeout) = stop.recv_timeout(PING_INTERVAL) {
            if write(&stdin, &json!({"id": 0, "do": "ping"})).is_err() {
                return;
            }
        }
    });
    (sender, thread)
}

fn write(stdin: &Mutex<Option<ChildStdin>>, request: &Value) -> std::io::Result<()> {
    let mut stdin = stdin.lock().expect("nobody panicked");
    let stdin = stdin.as_mut().ok_or(std::io::ErrorKind::BrokenPipe)?;
    writeln!(stdin, "{request}")
}
