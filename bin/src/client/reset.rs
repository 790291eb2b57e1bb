//! Where a group is to go on reading: what each partition's offset becomes. Source: `ConsumerGroupCommand`'s `resetByScenario`.

use std::collections::BTreeMap;

use super::{Client, OffsetAt, Place, Result};

/// Where to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ResetTo {
    Earliest,
    Latest,
    /// Where it is; the end where nothing is committed, and the nearest offset there is where that is gone.
    Current,
    Offset(i64),
    /// So many records on from where it is; back, if negative.
    Shift(i64),
    /// The first record of that time or later, in milliseconds since the epoch; the end if there is none.
    Timestamp(i64),
}

/// A partition's offset before and after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reset {
    pub(crate) place: Place,
    pub(crate) from: Option<i64>,
    pub(crate) to: i64,
    /// What was asked for, if the partition does not reach that far: `to` is the nearest offset then.
    pub(crate) asked: Option<i64>,
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ResetError {
    #[error("cannot shift {0}: nothing is committed there")]
    NothingToShift(Place),
    #[error("there is no partition {0}")]
    UnknownPartition(Place),
    #[error(transparent)]
    Client(#[from] super::ClientError),
}

impl Client {
    /// What a reset of `places` would do, by topic and partition; nothing is changed.
    ///
    /// # Errors
    /// [`ResetError`].
    pub(crate) fn plan_reset(
        &mut self,
        committed: &BTreeMap<Place, i64>,
        places: &[Place],
        to: ResetTo,
    ) -> std::result::Result<Vec<Reset>, ResetError> {
        let earliest = self.list_offsets(places, OffsetAt::Earliest)?;
        let latest = self.list_offsets(places, OffsetAt::Latest)?;
        let by_time = match to {
            ResetTo::Timestamp(timestamp) => self.list_offsets(places, OffsetAt::Timestamp(timestamp))?,
            _ => BTreeMap::new(),
        };
        let mut plan = Vec::new();
        for place in places {
            let unknown = || ResetError::UnknownPartition(place.clone());
            let first = *earliest.get(place).ok_or_else(unknown)?;
            let end = *latest.get(place).ok_or_else(unknown)?;
            let from = committed.get(place).copied();
            let asked = match to {
                ResetTo::Earliest => first,
                ResetTo::Latest => end,
                ResetTo::Current => from.unwrap_or(end),
                ResetTo::Offset(offset) => offset,
                ResetTo::Shift(count) => {
                    from.ok_or_else(|| ResetError::NothingToShift(place.clone()))?.saturating_add(count)
                }
                ResetTo::Timestamp(_) => by_time.get(place).copied().unwrap_or(end),
            };
            plan.push(within(place, from, asked, first..=end));
        }
        plan.sort_unstable_by(|a, b| a.place.cmp(&b.place));
        Ok(plan)
    }

    /// As [`Self::plan_reset`], with an offset for each partition.
    ///
    /// # Errors
    /// [`ResetError::UnknownPartition`], [`ResetError::Client`].
    pub(crate) fn plan_import(
        &mut self,
        committed: &BTreeMap<Place, i64>,
        offsets: &BTreeMap<Place, i64>,
    ) -> std::result::Result<Vec<Reset>, ResetError> {
        let places: Vec<Place> = offsets.keys().cloned().collect();
        let earliest = self.list_offsets(&places, OffsetAt::Earliest)?;
        let latest = self.list_offsets(&places, OffsetAt::Latest)?;
        let plan = offsets.iter().map(|(place, asked)| {
            let unknown = || ResetError::UnknownPartition(place.clone());
            let range = *earliest.get(place).ok_or_else(unknown)?..=*latest.get(place).ok_or_else(unknown)?;
            Ok(within(place, committed.get(place).copied(), *asked, range))
        });
        plan.collect()
    }

    /// Does what was planned.
    ///
    /// # Errors
    /// The broker's refusal, or [`super::ClientError`].
    pub(crate) fn carry_out_reset(&mut self, group: &str, plan: &[Reset]) -> Result<()> {
        let offsets = plan.iter().map(|reset| (reset.place.clone(), reset.to)).collect();
        self.commit_offsets(group, &offsets)
    }
}

fn within(place: &Place, from: Option<i64>, asked: i64, range: std::ops::RangeInclusive<i64>) -> Reset {
    let to = asked.clamp(*range.start(), (*range.end()).max(*range.start()));
    Reset { place: place.clone(), from, to, asked: (asked != to).then_some(asked) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_beyond_the_partition_becomes_the_nearest() {
        let place = Place { topic: "t".to_owned(), partition: 0 };
        let reset = |asked| {
            let reset = within(&place, Some(1), asked, 10..=20);
            (reset.to, reset.asked)
        };
        assert_eq!(
            [reset(15), reset(20), reset(21), reset(-5)],
            [(15, None), (20, None), (20, Some(21)), (10, Some(-5))]
        );
    }
}
