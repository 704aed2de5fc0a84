//! Groups that read a drawn run: partitions change hands in order, by a death, and while the last owner sleeps; commits fail,
//! are never answered, arrive late, and are taken in nevertheless.
//!
//! What the coordinator keeps is simulated: each owner begins where it stands at that moment, and commits only what it has
//! read. So whatever the draws are, no owner begins where it may not.

use std::ops::Range;

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::history::event::RevocationCause;
use crate::kafka::Outcome;

use super::{Appended, Beginning, Drawn};

/// Each group reads each partition to its end.
pub(super) fn consume(drawn: &mut Drawn, rng: &mut ChaCha8Rng) {
    for (number, group) in (0u32..).zip(drawn.groups.clone()) {
        let members = [10 + 2 * number, 11 + 2 * number];
        for (member, process) in (0u32..).zip(members) {
            drawn.run.member(process, &group, member);
        }
        for at in 0..drawn.logs.len() {
            let partition = at.try_into().expect("few partitions");
            let log = drawn.logs[at].clone();
            let sharing = Sharing {
                drawn: &mut *drawn,
                rng: &mut *rng,
                partition,
                log,
                committed: None,
                late: None,
                is_steady: true,
                answers: 0,
                generation: 0,
            };
            let owner = sharing.read_to_the_end(members, at % 2);
            drawn.owners.insert((group.clone(), partition), owner);
        }
    }
}

/// One partition, shared by a group's two members.
struct Sharing<'d> {
    drawn: &'d mut Drawn,
    rng: &'d mut ChaCha8Rng,
    partition: i32,
    log: Vec<Appended>,
    /// What the coordinator keeps.
    committed: Option<i64>,
    /// A commit that nobody answered and that is on its way still.
    late: Option<i64>,
    /// Whether no commit was in doubt so far, nor on its way while the partition changed hands.
    is_steady: bool,
    /// How many of the owner's commits were answered since it owns the partition.
    answers: u32,
    /// How many times the partition was given to somebody.
    generation: i32,
}

impl Sharing<'_> {
    fn read_to_the_end(mut self, members: [u32; 2], first_owner: usize) -> u32 {
        let mut owner = members[first_owner];
        self.assign(owner);
        // Nobody was before the first owner, so that its first commit is as certain as any other's second.
        self.answers = 1;
        let (mut begun, mut next) = (0, 0);
        while next < self.log.len() {
            if self.rng.random_bool(0.08) {
                let heir = members[usize::from(owner == members[0])];
                (begun, next) = self.hand_over(owner, heir, begun..next);
                owner = heir;
                continue;
            }
            self.read(owner, next);
            next += 1;
            if self.rng.random_bool(0.3) {
                self.commit(owner, next);
            }
        }
        owner
    }

    /// Another member becomes the owner; returns where it begins, and what it reads next.
    fn hand_over(&mut self, owner: u32, heir: u32, read: Range<usize>) -> (usize, usize) {
        if let Some(late) = self.late.take().filter(|_| self.rng.random_bool(0.5)) {
            self.committed = Some(late);
        }
        let position = (!read.is_empty()).then(|| self.log[read.end - 1].offset + 1);
        match self.rng.random_range(0..4) {
            0 | 1 => self.give_up(owner, heir, position, read.end),
            2 => self.die(owner, heir, position),
            _ => return self.sleep(owner, heir, position, read.end),
        }
        let begin = self.begin();
        (begin, begin)
    }

    /// In order: everything is committed before the partition is given up.
    fn give_up(&mut self, owner: u32, heir: u32, position: Option<i64>, next: usize) {
        let is_known = self.is_steady && self.answers > 0;
        if let Some(position) = position {
            self.committed = Some(position);
            self.answer(owner, Outcome::Ok, position);
        }
        self.revoke(owner, RevocationCause::Rebalance);
        self.assign(heir);
        if is_known && position.is_some() {
            let beginning =
                Beginning { owner: heir, partition: self.partition, given: self.drawn.clock, committed: next - 1 };
            self.drawn.beginnings.push(beginning);
        }
    }

    /// By a death: the last commit is never answered.
    fn die(&mut self, owner: u32, heir: u32, position: Option<i64>) {
        if let Some(position) = position {
            if self.rng.random_bool(0.5) {
                self.committed = Some(position);
            }
            self.is_steady = false;
            self.answer(owner, Outcome::Info, position);
        }
        self.revoke(owner, RevocationCause::Crashed);
        self.assign(heir);
    }

    /// While the owner sleeps, with a commit on its way: it wakes up, reads on, and learns of its loss after the heir's first
    /// read.
    fn sleep(&mut self, owner: u32, heir: u32, position: Option<i64>, mut next: usize) -> (usize, usize) {
        self.is_steady = false;
        let moment = self.rng.random_range(0..3);
        if moment == 0 {
            self.committed = position.or(self.committed);
        }
        self.assign(heir);
        let begin = self.begin();
        if begin < self.log.len() {
            self.read(heir, begin);
        }
        if moment == 1 {
            self.committed = position.or(self.committed);
        }
        for _ in 0..self.rng.random_range(0..3) {
            if next < self.log.len() {
                self.read(owner, next);
                next += 1;
            }
        }
        if let Some(position) = position {
            let outcome = if moment < 2 { Outcome::Ok } else { Outcome::Info };
            self.answer(owner, outcome, position);
        }
        self.revoke(owner, RevocationCause::Lost);
        self.answers = 0;
        (begin, (begin + 1).min(self.log.len()))
    }

    fn commit(&mut self, owner: u32, next: usize) {
        let position = self.log[next - 1].offset + 1;
        let outcome = match self.rng.random_range(0..12) {
            0 => {
                self.late = Some(position);
                Outcome::Info
            }
            1 => {
                self.committed = Some(position);
                Outcome::Info
            }
            2 => Outcome::Fail,
            _ => {
                self.committed = Some(position);
                Outcome::Ok
            }
        };
        self.is_steady &= outcome != Outcome::Info;
        self.answer(owner, outcome, position);
    }

    fn begin(&self) -> usize {
        let committed = self.committed.unwrap_or(0);
        self.log.partition_point(|appended| appended.offset < committed)
    }

    fn read(&mut self, reader: u32, at: usize) {
        let Appended { record, offset, .. } = self.log[at];
        self.drawn.read(reader, self.partition, offset, record);
    }

    fn assign(&mut self, owner: u32) {
        let time = self.drawn.tick();
        self.drawn.run.assigned(time, owner, self.partition);
        self.generation += 1;
        self.drawn.run.assigned_in(time, owner, self.generation, self.partition);
        self.answers = 0;
    }

    fn revoke(&mut self, owner: u32, cause: RevocationCause) {
        let time = self.drawn.tick();
        self.drawn.run.revoked(time, owner, self.partition, cause);
    }

    fn answer(&mut self, process: u32, outcome: Outcome, offset: i64) {
        let time = self.drawn.tick();
        self.drawn.run.committed(time, process, outcome, self.partition, offset);
        self.answers += 1;
    }
}
