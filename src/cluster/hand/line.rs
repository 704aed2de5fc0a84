//! The line to a hand: many may ask at once, one task writes, reads, and listens for signs of life.

use std::collections::HashMap;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader, Lines};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::HandError;
use super::protocol::{Greeting, Hello, Numbered, Request, VERSION, answer};

/// How many requests may wait to be written.
const QUEUE: usize = 64;

/// How long a hand may take from its start to its first line.
const HELLO_LIMIT: Duration = Duration::from_secs(20);

/// How long is waited for the end of a hand whose output has ended, and for one that was told to go.
const END_LIMIT: Duration = Duration::from_secs(10);

/// How often a hand is asked for a sign of life, and for how long it may owe one. A busy host makes it late.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    pub(super) ping_every: Duration,
    pub(super) silence_max: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { ping_every: Duration::from_secs(1), silence_max: Duration::from_secs(10) }
    }
}

/// How a hand ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ending {
    /// Its exit code; `None` when nobody told.
    pub exit_code: Option<i64>,
    /// The end of what it wrote to its stderr.
    pub stderr: String,
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.exit_code {
            Some(code) => write!(f, "it ended with exit code {code}")?,
            None => f.write_str("it ended, with an exit code that nobody told")?,
        }
        match self.stderr.trim() {
            "" => Ok(()),
            stderr => write!(f, "; its last words: {stderr}"),
        }
    }
}

/// Both ends of a hand's pipes, and how to learn how it ended once they are closed.
pub struct Transport {
    /// What it writes.
    pub reader: Pin<Box<dyn AsyncRead + Send>>,
    /// What it reads.
    pub writer: Pin<Box<dyn AsyncWrite + Send>>,
    /// Awaited when its output is over.
    pub ending: Pin<Box<dyn Future<Output = Ending> + Send>>,
}

/// One request on its way.
struct Call {
    request: Request,
    reply: oneshot::Sender<Result<Value, String>>,
}

/// The near end. Dropping it closes the hand's stdin.
pub(super) struct Line {
    name: String,
    calls: mpsc::Sender<Call>,
    death: Arc<OnceLock<String>>,
    worker: JoinHandle<Ending>,
}

/// Why a conversation is over.
enum Over {
    /// Nobody asks any more.
    Closed,
    /// The hand's output ended.
    Ended,
    /// The hand is of no use any more.
    Broken(String),
}

impl Line {
    /// Waits for the hand's first line, and starts the task.
    pub(super) async fn open(name: &str, transport: Transport, pace: Pace) -> Result<(Self, Hello), HandError> {
        let Transport { reader, writer, ending } = transport;
        let mut lines = BufReader::new(reader).lines();
        let dead = |reason: String| HandError::Dead { hand: name.to_owned(), reason };
        let first = match timeout(HELLO_LIMIT, lines.next_line()).await {
            Ok(Ok(Some(line))) => line,
            Ok(Ok(None)) => return Err(dead(ended(ending).await.to_string())),
            Ok(Err(error)) => return Err(dead(format!("its first line could not be read: {error}"))),
            Err(_) => {
                let action = "say hello".to_owned();
                return Err(HandError::Late { hand: name.to_owned(), action, limit_s: HELLO_LIMIT.as_secs() });
            }
        };
        let hello = match serde_json::from_str(&first) {
            Ok(Greeting { hello }) if hello.version == VERSION => hello,
            Ok(Greeting { hello }) => return Err(HandError::Version { hand: name.to_owned(), version: hello.version }),
            Err(_) => {
                let action = "say hello".to_owned();
                return Err(HandError::Garbled { hand: name.to_owned(), action, answer: first });
            }
        };
        let (calls, received) = mpsc::channel(QUEUE);
        let death = Arc::new(OnceLock::new());
        let talk = Talk { lines, writer, calls: received, pending: HashMap::new(), last_id: 0, owed: None, pace };
        let worker = tokio::spawn(talk.run(ending, Arc::clone(&death)));
        Ok((Self { name: name.to_owned(), calls, death, worker }, hello))
    }

    /// Why the hand is dead, if it is.
    pub(super) fn death(&self) -> Option<&str> {
        self.death.get().map(String::as_str)
    }

    /// Asks, and waits for the answer.
    pub(super) async fn ask<T: DeserializeOwned>(&self, request: Request, limit: Duration) -> Result<T, HandError> {
        let action = request.action();
        let (reply, answered) = oneshot::channel();
        let asked = async {
            self.calls.send(Call { request, reply }).await.ok()?;
            answered.await.ok()
        };
        let hand = self.name.clone();
        match timeout(limit, asked).await {
            Ok(Some(Ok(value))) => {
                let text = value.to_string();
                serde_json::from_value(value).map_err(|_| HandError::Garbled { hand, action, answer: text })
            }
            Ok(Some(Err(reason))) => Err(HandError::Refused { hand, action, reason }),
            Ok(None) => {
                let reason = self.death().unwrap_or("its line was closed").to_owned();
                Err(HandError::Dead { hand, reason })
            }
            Err(_) => Err(HandError::Late { hand, action, limit_s: limit.as_secs() }),
        }
    }

    /// Closes the hand's stdin and waits until it has ended.
    pub(super) async fn close(self) -> Result<Ending, HandError> {
        drop(self.calls);
        // The task itself gives up after a while; this limit is for one that does not.
        match timeout(2 * END_LIMIT, self.worker).await {
            Ok(Ok(ending)) => Ok(ending),
            Ok(Err(panicked)) => Err(HandError::Dead { hand: self.name, reason: panicked.to_string() }),
            Err(_) => {
                let (action, limit_s) = ("end".to_owned(), 2 * END_LIMIT.as_secs());
                Err(HandError::Late { hand: self.name, action, limit_s })
            }
        }
    }
}

/// The task's side.
struct Talk {
    lines: Lines<BufReader<Pin<Box<dyn AsyncRead + Send>>>>,
    writer: Pin<Box<dyn AsyncWrite + Send>>,
    calls: mpsc::Receiver<Call>,
    /// Who waits for which answer. Those who gave up stay, so that a late answer is not taken for an unasked one.
    pending: HashMap<u64, oneshot::Sender<Result<Value, String>>>,
    last_id: u64,
    /// The ping that was not answered yet.
    owed: Option<(u64, Instant)>,
    pace: Pace,
}

impl Talk {
    async fn run(
        mut self,
        ending: Pin<Box<dyn Future<Output = Ending> + Send>>,
        death: Arc<OnceLock<String>>,
    ) -> Ending {
        let over = self.converse().await;
        let ending = match over {
            Over::Closed => {
                self.hang_up().await;
                ended(ending).await
            }
            Over::Ended => {
                let ending = ended(ending).await;
                // Set once only, here; and before those who wait learn that there is no answer.
                death.get_or_init(|| ending.to_string());
                ending
            }
            Over::Broken(reason) => {
                death.get_or_init(|| reason.clone());
                Ending { exit_code: None, stderr: reason }
            }
        };
        // Only now do those who still wait learn that no answer will come.
        drop(self);
        ending
    }

    async fn converse(&mut self) -> Over {
        let mut pings = interval(self.pace.ping_every);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let done = tokio::select! {
                line = self.lines.next_line() => match line {
                    Ok(Some(line)) => self.hear(&line),
                    Ok(None) => Err(Over::Ended),
                    Err(error) => Err(Over::Broken(format!("what it writes cannot be read: {error}"))),
                },
                call = self.calls.recv() => match call {
                    Some(call) => self.say(call).await,
                    None => Err(Over::Closed),
                },
                _ = pings.tick() => self.ping().await,
            };
            if let Err(over) = done {
                return over;
            }
        }
    }

    fn hear(&mut self, line: &str) -> Result<(), Over> {
        let Some((id, answer)) = answer(line) else {
            return Err(Over::Broken(format!("it wrote what is no answer: {line}")));
        };
        if self.owed.is_some_and(|(owed, _)| owed == id) {
            self.owed = None;
            return answer.map(drop).map_err(|reason| Over::Broken(format!("it refused a ping: {reason}")));
        }
        match self.pending.remove(&id) {
            Some(reply) => {
                // Who asked may have given up meanwhile.
                drop(reply.send(answer));
                Ok(())
            }
            None => Err(Over::Broken(format!("it answered what nobody asked: {line}"))),
        }
    }

    async fn say(&mut self, call: Call) -> Result<(), Over> {
        let id = self.write(&call.request).await?;
        self.pending.insert(id, call.reply);
        Ok(())
    }

    async fn ping(&mut self) -> Result<(), Over> {
        match self.owed {
            Some((_, since)) if since.elapsed() < self.pace.silence_max => Ok(()),
            Some(_) => Err(Over::Broken(format!("it did not answer a ping within {:?}", self.pace.silence_max))),
            None => {
                let id = self.write(&Request::Ping).await?;
                self.owed = Some((id, Instant::now()));
                Ok(())
            }
        }
    }

    async fn write(&mut self, request: &Request) -> Result<u64, Over> {
        self.last_id += 1;
        let id = self.last_id;
        let mut line = serde_json::to_vec(&Numbered { id, request }).expect("a request is plain data");
        line.push(b'\n');
        let written = async {
            self.writer.write_all(&line).await?;
            self.writer.flush().await
        };
        match timeout(self.pace.silence_max, written).await {
            Ok(Ok(())) => Ok(id),
            // A pipe breaks because its other end is gone, and the end of its output says that better.
            Ok(Err(error)) => Err(match timeout(END_LIMIT, self.lines.next_line()).await {
                Ok(Ok(None)) => Over::Ended,
                _ => Over::Broken(format!("nothing can be written to it: {error}")),
            }),
            Err(_) => Err(Over::Broken(format!("it read nothing for {:?}", self.pace.silence_max))),
        }
    }

    /// Closes the hand's stdin and hears it out.
    async fn hang_up(&mut self) {
        let goodbye = async {
            // One that is gone already needs no goodbye.
            drop(self.writer.shutdown().await);
            while let Ok(Some(_)) = self.lines.next_line().await {}
        };
        // One that does not go by itself is removed by whoever removes what the run made.
        drop(timeout(END_LIMIT, goodbye).await);
    }
}

async fn ended(ending: Pin<Box<dyn Future<Output = Ending> + Send>>) -> Ending {
    timeout(END_LIMIT, ending).await.unwrap_or_default()
}
