//! The timers of all groups: one heap and one map. To set a timer again, as every heartbeat does, costs a look into the map; the
//! heap notices when the earlier time comes.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::effects::{Timer, TimerChange};

/// Whose timer it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct TimerKey {
    /// The partition of `__consumer_offsets`.
    pub partition: i32,
    pub group: Arc<str>,
    pub timer: Timer,
}

/// Deadlines on a clock that never jumps: a wall clock that is set ends nobody's session.
#[derive(Debug, Default)]
pub(super) struct Timers {
    deadlines: HashMap<TimerKey, Instant>,
    /// Each key with the deadline it had when it was put here; the map has the true one.
    heap: BinaryHeap<Reverse<Entry>>,
}

#[derive(Debug, PartialEq, Eq)]
struct Entry {
    at: Instant,
    key: TimerKey,
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.at.cmp(&other.at)
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Timers {
    /// Carries a change out; true if the earliest deadline may have come nearer.
    pub(super) fn change(&mut self, partition: i32, group: &Arc<str>, change: TimerChange, now: Instant) -> bool {
        match change {
            TimerChange::ScheduleIfAbsent(timer, delay_ms) => {
                let key = TimerKey { partition, group: Arc::clone(group), timer };
                let is_there = self.deadlines.contains_key(&key);
                !is_there && self.change(partition, group, TimerChange::Schedule(key.timer, delay_ms), now)
            }
            TimerChange::Schedule(timer, delay_ms) => {
                let delay = Duration::from_millis(u64::try_from(delay_ms).unwrap_or(0));
                let at = now + delay;
                let key = TimerKey { partition, group: Arc::clone(group), timer };
                let earlier = self.deadlines.insert(key.clone(), at);
                if earlier.is_some_and(|earlier| earlier <= at) {
                    return false;
                }
                let is_first = self.heap.peek().is_none_or(|Reverse(first)| at < first.at);
                self.heap.push(Reverse(Entry { at, key }));
                is_first
            }
            TimerChange::Cancel(timer) => {
                self.deadlines.remove(&TimerKey { partition, group: Arc::clone(group), timer });
                false
            }
        }
    }

    /// When to look again: no timer runs out before.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse(first)| first.at)
    }

    /// Timers that have run out. Each stays until it is [`Timers::take`]n, since it may be set again meanwhile.
    pub(super) fn due(&mut self, now: Instant) -> Vec<TimerKey> {
        let mut due = Vec::new();
        while self.heap.peek().is_some_and(|Reverse(first)| first.at <= now) {
            let Some(Reverse(Entry { key, .. })) = self.heap.pop() else { break };
            match self.deadlines.get(&key) {
                Some(at) if *at <= now => due.push(key),
                Some(at) => self.heap.push(Reverse(Entry { at: *at, key })),
                None => {}
            }
        }
        due
    }

    /// Removes a timer that has run out; false if it was set again or cancelled since. The caller holds the group.
    pub(super) fn take(&mut self, key: &TimerKey, now: Instant) -> bool {
        match self.deadlines.get(key) {
            Some(at) if *at <= now => self.deadlines.remove(key).is_some(),
            Some(at) => {
                self.heap.push(Reverse(Entry { at: *at, key: key.clone() }));
                false
            }
            None => false,
        }
    }

    /// Forgets all timers of a partition.
    pub(super) fn cancel_partition(&mut self, partition: i32) {
        self.deadlines.retain(|key, _| key.partition != partition);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(member: &str, delay_ms: i64) -> TimerChange {
        TimerChange::Schedule(Timer::Session(member.into()), delay_ms)
    }

    fn members(due: &[TimerKey]) -> Vec<&Timer> {
        due.iter().map(|key| &key.timer).collect()
    }

    #[test]
    fn a_timer_runs_out_once_at_its_last_time() {
        let (start, group) = (Instant::now(), Arc::from("g"));
        let at = |ms| start + Duration::from_millis(ms);
        let mut timers = Timers::default();
        assert!(timers.change(0, &group, schedule("m", 100), start));
        assert!(!timers.change(0, &group, schedule("m", 100), at(50)), "later is not nearer");
        assert!(timers.due(at(100)).is_empty(), "it was set again");
        let due = timers.due(at(150));
        assert_eq!(members(&due), [&Timer::Session("m".into())]);
        assert!(timers.take(&due[0], at(150)) && !timers.take(&due[0], at(150)));
        assert!(timers.due(at(1_000)).is_empty());
        assert_eq!(timers.next_deadline(), None);
    }

    #[test]
    fn a_timer_may_come_nearer() {
        let (start, group) = (Instant::now(), Arc::from("g"));
        let mut timers = Timers::default();
        timers.change(0, &group, schedule("m", 100), start);
        assert!(timers.change(0, &group, schedule("m", 10), start));
        let due = timers.due(start + Duration::from_millis(10));
        assert_eq!(due.len(), 1);
        assert!(timers.take(&due[0], start + Duration::from_millis(10)));
        assert!(timers.due(start + Duration::from_millis(100)).is_empty(), "once is enough");
    }

    #[test]
    fn a_timer_that_is_set_only_once_keeps_its_time() {
        let (start, group) = (Instant::now(), Arc::from("g"));
        let join = |delay_ms| TimerChange::ScheduleIfAbsent(Timer::MemberJoin("m".into()), delay_ms);
        let mut timers = Timers::default();
        assert!(timers.change(0, &group, join(100), start));
        assert!(!timers.change(0, &group, join(200), start));
        assert_eq!(timers.due(start + Duration::from_millis(100)).len(), 1);
    }

    #[test]
    fn what_is_set_again_between_due_and_taken_goes_on() {
        let (start, group) = (Instant::now(), Arc::from("g"));
        let later = start + Duration::from_millis(20);
        let mut timers = Timers::default();
        timers.change(0, &group, schedule("m", 10), start);
        let due = timers.due(later);
        timers.change(0, &group, schedule("m", 10), later);
        assert!(!timers.take(&due[0], later));
        assert_eq!(timers.due(later + Duration::from_millis(10)).len(), 1);
    }

    #[test]
    fn cancelled_timers_do_not_run_out() {
        let (start, group) = (Instant::now(), Arc::from("g"));
        let mut timers = Timers::default();
        timers.change(0, &group, schedule("a", 10), start);
        timers.change(1, &group, schedule("a", 10), start);
        timers.change(1, &group, TimerChange::Cancel(Timer::Session("a".into())), start);
        timers.cancel_partition(0);
        assert!(timers.due(start + Duration::from_secs(1)).is_empty());
    }
}
