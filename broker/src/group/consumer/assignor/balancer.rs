//! The least and the most loaded of some members, while partitions go from one to the other.
//! Source: `UniformHeterogeneousAssignmentBuilder.MemberAssignmentBalancer`.
//!
//! ```text
//!            least loaded         most loaded
//!                ▼                    ▼
//! partitions                      ┌───────┐#     those behind the range
//!            ┌───────┐    # # # # │##←    │#     have nothing to give
//!            │##→    │# # # # # # │#######│#
//!            └───────┘            └───────┘
//!             members, by how many partitions they have
//! ```
//! All members of a range began with as many partitions; it grows by those that it reaches.

use super::uniform_heterogeneous::MemberIndex;

pub(super) struct Balancer {
    /// By number of partitions, then by place.
    members: Vec<MemberIndex>,
    /// The least loaded members are those before this one.
    least_end: usize,
    /// How many partitions each of them had when the present round began.
    least_level: i64,
    next_least: usize,
    /// The most loaded members are those from here on…
    most_start: usize,
    /// … to here, exclusive.
    most_end: usize,
    most_level: i64,
    /// One more than the place of the next of them, so that it can be before the first.
    next_most: usize,
}

fn level(size: usize) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

impl Balancer {
    /// Of at least one member.
    pub(super) fn new(members: &[MemberIndex], sizes: &[usize]) -> Self {
        let mut members = members.to_vec();
        members.sort_by_key(|member| (sizes[*member], *member));
        let bound = |member: Option<&MemberIndex>| member.map_or(0, |member| level(sizes[*member]));
        Self {
            least_end: 0,
            least_level: bound(members.first()) - 1,
            next_least: 0,
            most_start: members.len(),
            most_end: members.len(),
            most_level: bound(members.last()) + 1,
            next_most: members.len(),
            members,
        }
    }

    /// By how many partitions the most loaded has more than the least loaded, before any was moved.
    pub(super) fn imbalance(&self, sizes: &[usize]) -> usize {
        let size = |member: Option<&MemberIndex>| member.map_or(0, |member| sizes[*member]);
        size(self.members.last()) - size(self.members.first())
    }

    /// The member that gets the next partition.
    pub(super) fn next_least_loaded(&mut self, sizes: &[usize]) -> MemberIndex {
        if self.next_least >= self.least_end {
            self.least_level += 1;
            let is_reached = |member: &MemberIndex| level(sizes[*member]) == self.least_level;
            self.least_end += self.members[self.least_end..].iter().take_while(|member| is_reached(member)).count();
            self.next_least = 0;
        }
        let least = self.members[self.next_least];
        self.next_least += 1;
        least
    }

    /// The member that gives the next partition up; `None` if nobody has one.
    pub(super) fn next_most_loaded(&mut self, sizes: &[usize]) -> Option<MemberIndex> {
        if self.next_most <= self.most_start {
            if self.most_end <= self.most_start && self.most_start > 0 {
                // All of the range were excluded: it begins anew with those before.
                self.most_level = level(sizes[self.members[self.most_start - 1]]);
            } else {
                self.most_level -= 1;
            }
            let is_reached = |member: &MemberIndex| level(sizes[*member]) == self.most_level;
            let before = self.members[..self.most_start].iter().rev();
            self.most_start -= before.take_while(|member| is_reached(member)).count();
            self.next_most = self.most_end;
        }
        self.next_most = self.next_most.checked_sub(1)?;
        Some(self.members[self.next_most])
    }

    /// The member named last by [`Balancer::next_most_loaded`] has nothing to give up.
    pub(super) fn exclude_most_loaded(&mut self) {
        self.most_end -= 1;
        self.members.swap(self.next_most, self.most_end);
    }

    pub(super) fn is_balanced(&self) -> bool {
        self.most_level - self.least_level <= 1
    }
}
