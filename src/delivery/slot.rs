//! A database's place in shared memory: whether it is to have a worker, and which process that is.
//!
//! All of it is one word, so that each step happens or does not:
//!
//! | step | by | happens if | then |
//! |---|---|---|---|
//! | [`claim`] | session, launcher | the database has no slot, and one is free | the slot is the database's, wanted |
//! | [`SlotState::call`] | session | the slot is the database's | wanted |
//! | [`SlotState::occupy`] | worker | the slot is the database's, without process | its process is this one |
//! | [`SlotState::give_up`] | worker | no session called since the worker counted the calls | not wanted |
//! | [`SlotState::vacate`] | worker | its process is this one | without process |
//! | [`SlotState::release`] | launcher | not wanted, without process | free |
//! | [`SlotState::free`] | launcher | without process | free |
//!
//! The launcher starts a worker for a slot that is wanted and without process, and releases one that
//! is neither. A worker occupies the slot before it looks whether it has anything to do: nobody takes
//! the slot from under it, and a second worker of the database finds it occupied and ends. Whatever
//! ends a worker, the slot stays wanted unless it gave up.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};

/// The word, and the count of calls.
#[derive(Debug, Default)]
pub struct SlotState {
    /// The database, the process and [`WANTED`], from the highest bit; zero: the slot is free.
    word: AtomicU64,
    /// How often sessions called the worker. It only grows.
    calls: AtomicU64,
}

const WANTED: u64 = 1;
const PROCESS: u32 = 1;
const DATABASE: u32 = 32;

/// The word, taken apart.
#[derive(Clone, Copy)]
struct Word(u64);

impl Word {
    fn database(self) -> u32 {
        (self.0 >> DATABASE) as u32
    }

    /// Zero: none. Process numbers are positive.
    fn process(self) -> i32 {
        ((self.0 as u32) >> PROCESS) as i32
    }

    fn is_wanted(self) -> bool {
        self.0 & WANTED != 0
    }

    fn with_process(self, process: i32) -> Word {
        let rest = self.0 & !(u64::from(u32::MAX >> PROCESS) << PROCESS);
        Word(rest | (u64::from(process.unsigned_abs()) << PROCESS))
    }
}

impl SlotState {
    fn word(&self) -> Word {
        Word(self.word.load(SeqCst))
    }

    /// Makes a step, if it can be made; returns the word before it.
    fn step(&self, step: impl Fn(Word) -> Option<Word>) -> Option<Word> {
        let step = |word| step(Word(word)).map(|word| word.0);
        self.word.fetch_update(SeqCst, SeqCst, step).ok().map(Word)
    }

    /// The database that it is for.
    pub fn database(&self) -> Option<u32> {
        Some(self.word().database()).filter(|database| *database != 0)
    }

    /// The worker's process.
    pub fn process(&self) -> Option<i32> {
        Some(self.word().process()).filter(|process| *process != 0)
    }

    /// Whether there should be a worker.
    pub fn is_wanted(&self) -> bool {
        self.word().is_wanted()
    }

    /// How often sessions called the worker.
    pub fn calls(&self) -> u64 {
        self.calls.load(SeqCst)
    }

    /// Calls the worker, and returns its process, or zero; `None` if the slot is not the database's any
    /// more.
    ///
    /// The call is counted first: either the worker sees it before it gives up, or gives up before the
    /// slot becomes wanted.
    pub fn call(&self, database: u32) -> Option<i32> {
        self.calls.fetch_add(1, SeqCst);
        self.step(|word| (word.database() == database).then_some(Word(word.0 | WANTED)))
            .map(Word::process)
    }

    /// Makes a process the worker; false if there is one already, or the slot is not the database's.
    pub fn occupy(&self, database: u32, process: i32) -> bool {
        self.step(|word| {
            let is_vacant = word.database() == database && word.process() == 0;
            is_vacant.then(|| word.with_process(process))
        })
        .is_some()
    }

    /// The worker has nothing to do here, as it found after it had counted this many calls.
    pub fn give_up(&self, counted: u64) {
        self.word.fetch_and(!WANTED, SeqCst);
        if self.calls() != counted {
            self.word.fetch_or(WANTED, SeqCst);
        }
    }

    /// The worker, this process, ends.
    pub fn vacate(&self, process: i32) {
        self.step(|word| (word.process() == process).then(|| word.with_process(0)));
    }

    /// Frees the slot if nothing wants a worker, and there is none.
    pub fn release(&self, database: u32) -> bool {
        let unwanted = Word(u64::from(database) << DATABASE);
        self.step(|word| (word.0 == unwanted.0).then_some(Word(0)))
            .is_some()
    }

    /// Frees the slot of a database that is gone, if there is no worker.
    pub fn free(&self, database: u32) -> bool {
        self.step(|word| {
            let is_vacant = word.database() == database && word.process() == 0;
            is_vacant.then_some(Word(0))
        })
        .is_some()
    }
}

/// The database's slot; takes a free one if there is none, and it is wanted from then on. `None` if
/// none is free.
///
/// `is_claiming` keeps two processes from taking a slot each. What it protects is a look at each slot:
/// a process waits for no longer than that.
pub fn claim<'a>(
    slots: impl Iterator<Item = &'a SlotState> + Clone,
    is_claiming: &AtomicBool,
    database: u32,
) -> Option<usize> {
    let is_mine = |slot: &SlotState| slot.database() == Some(database);
    if let Some(found) = slots.clone().position(is_mine) {
        return Some(found);
    }
    while is_claiming.swap(true, SeqCst) {
        std::thread::yield_now();
    }
    let found = slots.clone().position(is_mine).or_else(|| {
        let mut slots = slots;
        let claimed = Word((u64::from(database) << DATABASE) | WANTED);
        slots.position(|slot| slot.step(|word| (word.0 == 0).then_some(claimed)).is_some())
    });
    is_claiming.store(false, SeqCst);
    found
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicI32;
    use std::thread;

    use super::*;

    #[test]
    fn a_slot_with_a_process_is_neither_released_nor_freed_nor_occupied_again() {
        let slot = SlotState::default();
        assert_eq!(
            claim([&slot].into_iter(), &AtomicBool::new(false), 7),
            Some(0)
        );
        assert!(!slot.release(7), "it is wanted");
        assert!(!slot.occupy(8, 100), "it is another database's");
        assert!(slot.occupy(7, 100));
        slot.give_up(slot.calls());
        assert!(!slot.release(7) && !slot.free(7) && !slot.occupy(7, 101));
        slot.vacate(101);
        assert_eq!(slot.process(), Some(100), "another process vacates nothing");
        slot.vacate(100);
        assert!(!slot.release(8) && slot.release(7));
        assert_eq!((slot.database(), slot.call(7)), (None, None));
    }

    #[test]
    fn a_worker_that_ends_without_giving_up_is_wanted_still() {
        let slot = SlotState::default();
        claim([&slot].into_iter(), &AtomicBool::new(false), 7);
        assert!(slot.occupy(7, i32::MAX));
        assert_eq!(slot.call(7), Some(i32::MAX));
        slot.vacate(i32::MAX);
        assert!(slot.is_wanted() && !slot.release(7));
        assert_eq!(slot.call(7), Some(0));
    }

    #[test]
    fn a_call_during_the_look_is_not_given_up() {
        let slot = SlotState::default();
        claim([&slot].into_iter(), &AtomicBool::new(false), u32::MAX);
        slot.occupy(u32::MAX, 1);
        let counted = slot.calls();
        slot.call(u32::MAX);
        slot.give_up(counted);
        assert!(slot.is_wanted());
        slot.give_up(counted + 1);
        assert!(!slot.is_wanted());
        assert_eq!((slot.database(), slot.process()), (Some(u32::MAX), Some(1)));
    }

    #[test]
    fn without_a_free_slot_there_is_none() {
        let slots = [SlotState::default(), SlotState::default()];
        let lock = AtomicBool::new(false);
        let claimed = [7, 8, 7, 9].map(|database| claim(slots.iter(), &lock, database));
        assert_eq!(claimed, [Some(0), Some(1), Some(0), None]);
    }

    /// Sessions call, a launcher starts and releases, workers come and go at random: there are never
    /// two workers of a database, and the last call of each was seen by a worker that looked after it.
    #[test]
    fn databases_never_have_two_workers_and_no_call_is_missed() {
        const DATABASES: usize = 3;
        const CALLS: u64 = 3000;
        // One slot less than databases: a session waits until another database's is released.
        let slots: [SlotState; DATABASES - 1] = Default::default();
        let lock = AtomicBool::new(false);
        let workers: [AtomicI32; DATABASES] = Default::default();
        // What is queued, and what a worker has seen of it.
        let queued: [AtomicU64; DATABASES] = Default::default();
        let seen: [AtomicU64; DATABASES] = Default::default();
        let processes = AtomicI32::new(1);
        let worker = |slot: &SlotState, database: usize| {
            let process = processes.fetch_add(1, SeqCst);
            if !slot.occupy(database as u32 + 1, process) {
                return;
            }
            assert_eq!(workers[database].fetch_add(1, SeqCst), 0, "two workers");
            let counted = slot.calls();
            seen[database].fetch_max(queued[database].load(SeqCst), SeqCst);
            // Some end without an answer, as if by an error.
            if process % 3 != 0 {
                slot.give_up(counted);
            }
            workers[database].fetch_sub(1, SeqCst);
            slot.vacate(process);
        };
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            let sessions: Vec<_> = (0..2 * DATABASES)
                .map(|session| {
                    let (slots, lock, queued) = (&slots, &lock, &queued);
                    scope.spawn(move || {
                        let database = session % DATABASES;
                        for _ in 0..CALLS {
                            queued[database].fetch_add(1, SeqCst);
                            let call = || {
                                let slot = claim(slots.iter(), lock, database as u32 + 1)?;
                                slots[slot].call(database as u32 + 1)
                            };
                            while call().is_none() {
                                thread::yield_now();
                            }
                        }
                    })
                })
                .collect();
            // Each starts workers as it likes, as if the launcher were impatient.
            for _ in 0..3 {
                scope.spawn(|| {
                    while !is_over.load(SeqCst) {
                        for slot in &slots {
                            let Some(database) = slot.database() else {
                                continue;
                            };
                            if slot.is_wanted() && slot.process().is_none() {
                                worker(slot, database as usize - 1);
                            } else {
                                slot.release(database);
                            }
                        }
                        thread::yield_now();
                    }
                });
            }
            for session in sessions {
                session.join().expect("a session");
            }
            while slots.iter().any(|slot| slot.database().is_some()) {
                thread::yield_now();
            }
            is_over.store(true, SeqCst);
        });
        for (queued, seen) in queued.iter().zip(&seen) {
            assert_eq!(queued.load(SeqCst), 2 * CALLS);
            assert_eq!(seen.load(SeqCst), 2 * CALLS);
        }
    }
}
