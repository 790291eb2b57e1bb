//! What the topic says of one partition's segments, and what it should say: a pure function of what is remote.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use protocol::ids::Uuid;
use protocol::remote_log_record::RemoteLogSegmentState as State;
use protocol::remote_log_record::RemoteLogSegmentState::{
    CopySegmentFinished, CopySegmentStarted, DeleteSegmentFinished, DeleteSegmentStarted,
};
use storage::remote_log::{RemoteSegment, RemoteView};

/// In the order in which a segment passes them.
const STATES: [State; 4] = [CopySegmentStarted, CopySegmentFinished, DeleteSegmentStarted, DeleteSegmentFinished];

/// A change that the topic does not tell of yet.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Event {
    pub(super) id: Uuid,
    pub(super) state: State,
    /// What is told of a segment when it is first told of.
    pub(super) segment: Option<Arc<RemoteSegment>>,
}

/// The last state that the topic tells of every segment that is not gone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct States(BTreeMap<Uuid, State>);

impl States {
    /// Takes over what the topic tells. A state that comes again, or late, changes nothing.
    pub(super) fn replay(&mut self, id: Uuid, state: State) {
        if state == DeleteSegmentFinished {
            self.0.remove(&id);
        } else {
            let known = self.0.entry(id).or_insert(state);
            *known = state.max(*known);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What is to be told, in order, so that the topic tells of `view` and of the segment that is being copied.
    pub(super) fn missing(&self, view: &RemoteView, copied: Option<&Arc<RemoteSegment>>) -> Vec<Event> {
        let mut events = Vec::new();
        let there: BTreeSet<Uuid> = view.segments.iter().chain(copied).map(|segment| segment.id).collect();
        for id in self.0.keys().filter(|id| !there.contains(*id)) {
            self.tell(&mut events, *id, DeleteSegmentFinished, None);
        }
        let live_from = view.segments.len() - view.live().len();
        for (at, segment) in view.segments.iter().enumerate() {
            let state = if at < live_from { DeleteSegmentStarted } else { CopySegmentFinished };
            self.tell(&mut events, segment.id, state, Some(segment));
        }
        if let Some(segment) = copied {
            self.tell(&mut events, segment.id, CopySegmentStarted, Some(segment));
        }
        events
    }

    /// The states between what is known and `state`.
    fn tell(&self, events: &mut Vec<Event>, id: Uuid, state: State, segment: Option<&Arc<RemoteSegment>>) {
        let known = self.0.get(&id).copied();
        let is_missing = |next: &State| known.is_none_or(|known| *next > known) && *next <= state;
        // Of one that is nowhere it is not known that its copy was ever finished.
        let was_copied = |next: &State| segment.is_some() || *next != CopySegmentFinished;
        for state in STATES.into_iter().filter(is_missing).filter(was_copied) {
            let segment = segment.filter(|_| state == CopySegmentStarted).cloned();
            events.push(Event { id, state, segment });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segments(bases: &[i64]) -> Vec<Arc<RemoteSegment>> {
        let segment = |base: &i64| RemoteSegment {
            id: Uuid::from_u128(base.unsigned_abs().into()),
            base_offset: *base,
            end_offset: base + 10,
            ..RemoteSegment::default()
        };
        bases.iter().map(segment).map(Arc::new).collect()
    }

    fn view(log_start_offset: i64, bases: &[i64]) -> RemoteView {
        RemoteView { log_start_offset, segments: segments(bases) }
    }

    /// Tells what is missing, and returns it as base offset and state.
    fn tell(states: &mut States, view: &RemoteView, copied: Option<i64>) -> Vec<(u128, State)> {
        let copied = copied.map(|base| segments(&[base]).remove(0));
        let events = states.missing(view, copied.as_ref());
        for event in &events {
            assert_eq!(event.segment.is_some(), event.state == CopySegmentStarted, "{event:?}");
            states.replay(event.id, event.state);
        }
        assert_eq!(states.missing(view, copied.as_ref()), [], "all is told");
        events.iter().map(|event| (event.id.as_u128(), event.state)).collect()
    }

    #[test]
    fn a_segment_passes_its_states_in_order() {
        let mut states = States::default();
        assert_eq!(tell(&mut states, &view(0, &[]), Some(10)), [(10, CopySegmentStarted)]);
        assert_eq!(tell(&mut states, &view(0, &[10]), None), [(10, CopySegmentFinished)]);
        assert_eq!(tell(&mut states, &view(20, &[10]), None), [(10, DeleteSegmentStarted)]);
        assert_eq!(tell(&mut states, &view(20, &[]), None), [(10, DeleteSegmentFinished)]);
        assert!(states.is_empty());
    }

    #[test]
    fn what_a_crash_left_untold_is_told_later() {
        let mut states = States::default();
        let expected = [
            (10, CopySegmentStarted),
            (10, CopySegmentFinished),
            (10, DeleteSegmentStarted),
            (20, CopySegmentStarted),
            (20, CopySegmentFinished),
        ];
        assert_eq!(tell(&mut states, &view(20, &[10, 20]), None), expected);
        assert_eq!(
            tell(&mut states, &view(30, &[]), None),
            [(10, DeleteSegmentFinished), (20, DeleteSegmentStarted), (20, DeleteSegmentFinished)]
        );
    }

    #[test]
    fn a_copy_that_failed_is_told_to_be_gone() {
        let mut states = States::default();
        tell(&mut states, &view(0, &[]), Some(10));
        let expected = [(10, DeleteSegmentStarted), (10, DeleteSegmentFinished), (11, CopySegmentStarted)];
        assert_eq!(tell(&mut states, &view(0, &[]), Some(11)), expected);
    }
}
