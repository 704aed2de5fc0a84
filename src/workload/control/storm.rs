//! A rebalance storm: extra members that join and leave a group in a rhythm drawn by a seed, so that it rebalances all the
//! time while every one of its members is well.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::{ControlError, GroupControl};
use crate::fault::client::StormLook;
use crate::history::EventKind;
use crate::history::recorder::RecorderHandle;
use crate::workload::close;
use crate::workload::consumer::{self, Exits, Member};
use crate::workload::payload::splitmix64;
use crate::workload::progress::{Order, Progress};
use crate::workload::shared::Shared;

/// How long an extra member may take to commit, leave and end its client.
const LEAVE_LIMIT: Duration = Duration::from_secs(60);

/// What kind of storm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Storm {
    /// How many extra members there are at most, at least one.
    pub extra: u32,
    /// How long lies between two steps on average; each is drawn between half of it and one and a half. A step is a join or
    /// a leave.
    pub every: Duration,
    /// What the rhythm and the seats are drawn from.
    pub seed: u64,
}

/// A storm that is on, or was.
pub(super) struct Running {
    weather: Arc<Weather>,
    thread: Option<(String, JoinHandle<Vec<u32>>)>,
    /// By seat: which life of its member is next.
    lives: Vec<u32>,
}

/// What the storm's thread shares with whoever watches and ends it.
#[derive(Default)]
struct Weather {
    over: Mutex<bool>,
    changed: Condvar,
    joined: AtomicU32,
    left: AtomicU32,
    present: AtomicU32,
}

impl Weather {
    /// Waits for this long; returns whether the storm is over.
    fn blows_over(&self, time: Duration) -> bool {
        let over = self.over.lock().unwrap_or_else(PoisonError::into_inner);
        *self.changed.wait_timeout_while(over, time, |over| !*over).unwrap_or_else(PoisonError::into_inner).0
    }
}

impl Running {
    /// Begins a storm. Members of a seat go on counting their lives where the storm `before` left off.
    pub fn begin(
        group: &str,
        storm: Storm,
        control: &GroupControl,
        shared: &Shared,
        before: Option<&Self>,
    ) -> Result<Self, ControlError> {
        let seats = storm.extra.max(1) as usize;
        let mut lives = before.map_or_else(Vec::new, |before| before.lives.clone());
        lives.resize(seats.max(lives.len()), 0);
        let weather = Arc::<Weather>::default();
        let mut gale = Gale {
            storm,
            extra: control.extra.clone(),
            progress: Arc::clone(&control.progress),
            abort: Arc::clone(&control.abort),
            shared: shared.clone(),
            weather: Arc::clone(&weather),
            seats: lives.iter().map(|lives| Seat { lives: *lives, member: None }).collect(),
        };
        let label = format!("the storm in {group}");
        let thread = std::thread::Builder::new()
            .name(label.clone())
            .spawn(move || gale.blow())
            .map_err(|source| ControlError::Thread { group: group.to_owned(), source })?;
        Ok(Self { weather, thread: Some((label, thread)), lives })
    }

    /// Whether it has not been ended.
    pub fn is_on(&self) -> bool {
        self.thread.as_ref().is_some_and(|(_, thread)| !thread.is_finished())
    }

    /// Tells it to end.
    pub fn give_up(&self) {
        *self.weather.over.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.weather.changed.notify_all();
    }

    /// Ends it, and waits until its members have left.
    pub fn end(&mut self, recorder: &RecorderHandle) {
        self.give_up();
        if let Some((label, thread)) = self.thread.take()
            && let Some(lives) = close::join(thread, &label, recorder, Instant::now() + 2 * LEAVE_LIMIT)
        {
            self.lives = lives;
        }
    }

    /// What it did so far.
    pub fn look(&self) -> StormLook {
        let Weather { joined, left, present, .. } = &*self.weather;
        let [joined, left, present] = [joined, left, present].map(|count| count.load(Ordering::Relaxed));
        StormLook { joined, left, present }
    }
}

/// The storm's own thread.
struct Gale {
    storm: Storm,
    extra: consumer::Assignment,
    progress: Arc<Progress>,
    abort: Arc<AtomicBool>,
    shared: Shared,
    weather: Arc<Weather>,
    seats: Vec<Seat>,
}

/// A place for an extra member.
struct Seat {
    lives: u32,
    member: Option<Extra>,
}

struct Extra {
    label: String,
    exits: Exits,
    thread: JoinHandle<u32>,
}

impl Gale {
    /// Blows until it is over, then lets every extra member leave. Returns which life of each seat is next.
    fn blow(&mut self) -> Vec<u32> {
        let mut state = self.storm.seed;
        let seats = u64::from(self.storm.extra.max(1));
        // Nobody joins a group that is finishing: its drain would wait for each rebalance.
        while self.progress.order() == Order::Run && !self.abort.load(Ordering::Relaxed) {
            #[expect(clippy::cast_possible_truncation, reason = "less than a 32-bit number of seats")]
            let seat = (splitmix64(&mut state) % seats) as usize;
            self.step(seat);
            let jitter = 0.5 + (splitmix64(&mut state) >> 11) as f64 / (1_u64 << 53) as f64;
            if self.weather.blows_over(self.storm.every.mul_f64(jitter)) {
                break;
            }
        }
        for seat in 0..self.seats.len() {
            self.tell_to_leave(seat);
        }
        let deadline = Instant::now() + LEAVE_LIMIT;
        for seat in 0..self.seats.len() {
            self.see_off(seat, deadline);
        }
        self.seats.iter().map(|seat| seat.lives).collect()
    }

    /// Fills an empty seat, or tells its member to leave.
    fn step(&mut self, seat: usize) {
        match &self.seats[seat].member {
            Some(extra) if extra.thread.is_finished() => self.see_off(seat, Instant::now()),
            Some(_) => return self.tell_to_leave(seat),
            None => {}
        }
        if let Err(problem) = self.join(seat) {
            self.shared.recorder.event(EventKind::HarnessError { message: problem });
        }
    }

    fn join(&mut self, seat: usize) -> Result<(), String> {
        let number = u32::try_from(seat).map_err(|error| error.to_string())?;
        let mut assignment = self.extra.clone();
        assignment.member += number;
        let label = format!("{}/{}", assignment.group, assignment.member);
        assignment.config.set("client.id", &label);
        let (exits, lives) = (Exits::with(&self.abort), self.seats[seat].lives);
        let failed = |error: &dyn std::error::Error| format!("cannot make the extra member {label}: {error}");
        let shared = self.shared.of_another();
        let member = Member::new(assignment, shared, Arc::clone(&self.progress), exits.clone(), lives)
            .map_err(|error| failed(&error))?;
        let thread = std::thread::Builder::new().name(label.clone()).spawn(move || member.run());
        let thread = thread.map_err(|error| failed(&error))?;
        self.seats[seat].member = Some(Extra { label, exits, thread });
        self.weather.joined.fetch_add(1, Ordering::Relaxed);
        self.weather.present.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn tell_to_leave(&mut self, seat: usize) {
        if let Some(extra) = &self.seats[seat].member
            && !extra.exits.leave.swap(true, Ordering::Relaxed)
        {
            self.weather.left.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn see_off(&mut self, seat: usize, deadline: Instant) {
        let seat = &mut self.seats[seat];
        let Some(extra) = seat.member.take() else { return };
        // Without its thread's word, the next member of the seat is told apart by a life more.
        seat.lives = close::join(extra.thread, &extra.label, &self.shared.recorder, deadline).unwrap_or(seat.lives + 1);
        self.weather.present.fetch_sub(1, Ordering::Relaxed);
    }
}
