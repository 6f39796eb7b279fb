//! Which worker a call goes to.

use concurry_core::balancing::LoadBalancing;
use concurry_core::clock::Timestamp;

use super::stats::WorkerStates;

/// The workers of a pool, as far as the choice between them, and their number, needs it.
pub(super) struct Workers {
    balancing: LoadBalancing,
    /// By number.
    loads: Vec<Load>,
    /// Those that are there.
    there: usize,
    /// Those that have left, and not ended yet.
    leaving: usize,
    /// Those that are on their way to a call: they start, or were woken.
    coming: usize,
    turn: usize,
    random: u64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Load {
    presence: Presence,
    is_coming: bool,
    /// Since when it finds no call.
    idle_since: Option<Timestamp>,
    /// Calls that wait for it or run there.
    active: usize,
    /// Calls that run there.
    running: usize,
    /// Calls that it was given so far, and those that the one with the fewest had been given when it came.
    total: u64,
    /// It has not looked for a call yet.
    is_new: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Presence {
    #[default]
    Absent,
    There,
    /// It takes no more calls.
    Leaving,
}

impl Workers {
    pub(super) fn new(balancing: LoadBalancing) -> Self {
        let random = 0x9E37_79B9_7F4A_7C15;
        Self { balancing, loads: Vec::new(), there: 0, leaving: 0, coming: 0, turn: 0, random }
    }

    /// How many have not ended.
    pub(super) fn alive(&self) -> usize {
        self.there + self.leaving
    }

    /// How many take calls.
    #[inline]
    pub(super) fn there(&self) -> usize {
        self.there
    }

    pub(super) fn is_there(&self, number: usize) -> bool {
        self.loads.get(number).is_some_and(|load| load.presence == Presence::There)
    }

    pub(super) fn is_absent(&self, number: usize) -> bool {
        self.loads.get(number).is_none_or(|load| load.presence == Presence::Absent)
    }

    /// How many are on their way to a call.
    #[inline]
    pub(super) fn coming(&self) -> usize {
        self.coming
    }

    pub(super) fn started(&mut self, number: usize) {
        if self.loads.len() <= number {
            self.loads.resize(number + 1, Load::default());
        }
        // One that began with none would be given every call until it has as many as the others.
        let total = self.numbers().map(|number| self.loads[number].total).min().unwrap_or(0);
        self.there += 1;
        self.coming += 1;
        let presence = Presence::There;
        self.loads[number] = Load { presence, is_coming: true, is_new: true, total, ..Load::default() };
    }

    /// The number of a new worker, which counts as being there from now on.
    pub(super) fn hire(&mut self) -> usize {
        let free = self.loads.iter().position(|load| load.presence == Presence::Absent);
        let number = free.unwrap_or(self.loads.len());
        self.started(number);
        number
    }

    /// A worker takes no more calls.
    pub(super) fn leaves(&mut self, number: usize) {
        self.is_busy(number);
        self.loads[number].presence = Presence::Leaving;
        self.there -= 1;
        self.leaving += 1;
    }

    /// A worker is no more; whether it had looked for calls.
    pub(super) fn ended(&mut self, number: usize) -> bool {
        let has_worked = self.loads.get(number).is_some_and(|load| !load.is_new);
        self.is_busy(number);
        match std::mem::take(&mut self.loads[number].presence) {
            Presence::There => self.there -= 1,
            Presence::Leaving => self.leaving -= 1,
            Presence::Absent => {}
        }
        has_worked
    }

    /// A worker was woken to look for a call.
    #[inline]
    pub(super) fn sets_out(&mut self, number: usize) {
        if let Some(load) = self.loads.get_mut(number) {
            self.coming += usize::from(!std::mem::replace(&mut load.is_coming, true));
        }
    }

    /// A worker looks for a call.
    #[inline]
    pub(super) fn arrives(&mut self, number: usize) {
        if let Some(load) = self.loads.get_mut(number) {
            self.coming -= usize::from(std::mem::take(&mut load.is_coming));
            load.is_new = false;
        }
    }

    /// A worker has found a call, or leaves.
    #[inline]
    pub(super) fn is_busy(&mut self, number: usize) {
        self.arrives(number);
        if let Some(load) = self.loads.get_mut(number) {
            load.idle_since = None;
        }
    }

    /// Since when a worker finds no call.
    pub(super) fn idle_since(&mut self, number: usize, now: Timestamp) -> Timestamp {
        self.loads.get_mut(number).map_or(now, |load| *load.idle_since.get_or_insert(now))
    }

    /// The worker for a call, if it is to go to a certain one. Calls of one affinity go to one worker as long as the pool's
    /// workers stay the same.
    #[inline]
    pub(super) fn choose(&mut self, affinity: Option<u64>) -> Option<usize> {
        if affinity.is_none() && self.balancing == LoadBalancing::SharedQueue {
            return None;
        }
        let there = u64::try_from(self.there).unwrap_or(u64::MAX);
        if there == 0 {
            return None;
        }
        let number = match (affinity, self.balancing) {
            (Some(hash), _) => self.nth(hash % there),
            (None, LoadBalancing::LeastActive) => self.least(|load| u64::try_from(load.active).unwrap_or(0)),
            (None, LoadBalancing::LeastTotal) => self.least(|load| load.total),
            (None, LoadBalancing::Random) => {
                let random = self.next_random();
                self.nth(random % there)
            }
            (None, _) => {
                self.turn = self.turn.wrapping_add(1);
                self.nth(u64::try_from(self.turn).unwrap_or(0).wrapping_sub(1) % there)
            }
        }?;
        self.loads[number].active += 1;
        self.loads[number].total += 1;
        Some(number)
    }

    /// A worker takes a call, which was its own before or `was_free`.
    #[inline]
    pub(super) fn takes(&mut self, number: usize, was_free: bool) {
        if let Some(load) = self.loads.get_mut(number) {
            load.active += usize::from(was_free);
            load.running += 1;
        }
    }

    /// A call that a worker took has ended.
    #[inline]
    pub(super) fn ran(&mut self, number: usize) {
        if let Some(load) = self.loads.get_mut(number) {
            load.active = load.active.saturating_sub(1);
            load.running = load.running.saturating_sub(1);
            // One whose methods run beside each other has looked for calls meanwhile.
            load.idle_since = None;
        }
    }

    /// Whether calls run there.
    pub(super) fn is_at_work(&self, number: usize) -> bool {
        self.loads.get(number).is_some_and(|load| load.running > 0)
    }

    /// How many there are in each state.
    pub(super) fn states(&self) -> WorkerStates {
        let mut states = WorkerStates::default();
        for load in &self.loads {
            let state = match load.presence {
                Presence::Absent => continue,
                Presence::Leaving => &mut states.leaving,
                Presence::There if load.is_new => &mut states.starting,
                Presence::There if load.running > 0 => &mut states.busy,
                Presence::There => &mut states.idle,
            };
            *state += 1;
        }
        states
    }

    /// A call that was given to a worker is taken out.
    pub(super) fn relieved(&mut self, number: usize) {
        if let Some(load) = self.loads.get_mut(number) {
            load.active = load.active.saturating_sub(1);
        }
    }

    /// A call that was given to a worker comes back to it, if it is there.
    pub(super) fn returns_to(&mut self, number: usize) -> bool {
        let is_there = self.is_there(number);
        if is_there {
            self.loads[number].active += 1;
        }
        is_there
    }

    /// The numbers of those that take calls.
    pub(super) fn numbers(&self) -> impl Iterator<Item = usize> {
        self.loads
            .iter()
            .enumerate()
            .filter(|(_, load)| load.presence == Presence::There)
            .map(|(number, _)| number)
    }

    fn nth(&self, place: u64) -> Option<usize> {
        self.numbers().nth(usize::try_from(place).unwrap_or(0))
    }

    fn least(&self, of: impl Fn(&Load) -> u64) -> Option<usize> {
        self.numbers().min_by_key(|number| of(&self.loads[*number]))
    }

    /// The xorshift generator of Marsaglia (2003), with 64 bits.
    fn next_random(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workers(balancing: LoadBalancing) -> Workers {
        let mut workers = Workers::new(balancing);
        (0..3).for_each(|number| workers.started(number));
        workers
    }

    fn choices(workers: &mut Workers, count: usize) -> Vec<usize> {
        (0..count).filter_map(|_| workers.choose(None)).collect()
    }

    #[test]
    fn in_turn_and_over_those_that_are_alive() {
        let mut workers = workers(LoadBalancing::RoundRobin);
        assert_eq!(choices(&mut workers, 4), [0, 1, 2, 0]);
        workers.ended(1);
        let next = choices(&mut workers, 4);
        assert!(!next.contains(&1) && next.contains(&0) && next.contains(&2), "{next:?}");
    }

    #[test]
    fn the_least_active_one_is_the_one_whose_calls_have_ended() {
        let mut workers = workers(LoadBalancing::LeastActive);
        assert_eq!(choices(&mut workers, 3), [0, 1, 2]);
        workers.relieved(1);
        assert_eq!(choices(&mut workers, 1), [1]);
    }

    #[test]
    fn the_least_total_counts_what_has_ended_too() {
        let mut workers = workers(LoadBalancing::LeastTotal);
        assert_eq!(choices(&mut workers, 3), [0, 1, 2]);
        workers.relieved(2);
        assert_eq!(choices(&mut workers, 1), [0]);
    }

    #[test]
    fn the_least_total_begins_with_a_new_one_where_the_others_are() {
        let mut workers = workers(LoadBalancing::LeastTotal);
        assert_eq!(choices(&mut workers, 300).len(), 300);
        workers.started(3);
        assert_eq!(choices(&mut workers, 8), [0, 1, 2, 3, 0, 1, 2, 3]);
        workers.ended(1);
        assert_eq!(workers.hire(), 1);
        assert_eq!(choices(&mut workers, 8), [0, 1, 2, 3, 0, 1, 2, 3]);
    }

    #[test]
    fn by_chance_each_has_its_share() {
        let mut workers = workers(LoadBalancing::Random);
        let chosen = choices(&mut workers, 3_000);
        for number in 0..3 {
            let count = chosen.iter().filter(|chosen| **chosen == number).count();
            assert!((800..1_200).contains(&count), "{count} of 3000 went to {number}");
        }
    }

    #[test]
    fn one_affinity_is_one_worker_whatever_the_balancing() {
        let mut workers = workers(LoadBalancing::SharedQueue);
        assert_eq!(workers.choose(None), None);
        let first = workers.choose(Some(77));
        assert!(first.is_some() && (0..10).all(|_| workers.choose(Some(77)) == first));
    }
}
