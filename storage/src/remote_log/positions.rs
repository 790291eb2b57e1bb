//! Where consumers are in the objects that they read, and how fast: which pieces will be used again, and how soon.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use object_store::path::Path;

use super::cache::PieceKey;

/// A piece that is used later than that is not waited for, and who has not read for so long is gone.
const HORIZON: Duration = Duration::from_secs(1);
/// A piece takes so long until it is known better.
const FIRST_PACE: Duration = Duration::from_millis(5);
/// So many objects are known before those that nobody reads any more are looked for.
const MANY: usize = 256;

/// A consumer of one partition is told from others by its address.
#[derive(Default)]
pub(super) struct Positions {
    objects: HashMap<Path, Vec<Position>>,
    /// How many there were when that was last done.
    left: usize,
}

#[derive(Clone, Copy)]
struct Position {
    consumer: SocketAddr,
    /// The piece that it reads; below zero before the object's first.
    piece: i64,
    /// How long it takes for one.
    pace: Duration,
    /// When it came to that piece.
    since: Instant,
    /// When it last read.
    seen: Instant,
}

impl Positions {
    /// A consumer reads piece `number` of `object`, and will read `following` after so many pieces more.
    pub(super) fn note(
        &mut self,
        consumer: SocketAddr,
        (object, number): &PieceKey,
        following: Option<(&Path, u64)>,
        now: Instant,
    ) {
        // Twice as many, so that it costs a reader little where very many are read.
        if self.objects.len() > MANY.max(self.left.saturating_mul(2)) {
            self.objects.retain(|_, positions| positions.iter().any(|position| position.is_fresh(now)));
            self.left = self.objects.len();
        }
        let pace = self.moves(consumer, object, i64::try_from(*number).unwrap_or(i64::MAX), FIRST_PACE, now);
        if let Some((following, left)) = following {
            self.moves(consumer, following, i64::try_from(left).map_or(i64::MIN, |left| -left), pace, now);
        }
    }

    /// How long until a consumer is done with a piece that it comes to; `None` if none does within the horizon.
    pub(super) fn next_use(&self, (object, number): &PieceKey, now: Instant) -> Option<Duration> {
        let number = i64::try_from(*number).unwrap_or(i64::MAX);
        let positions = self.objects.get(object)?.iter().filter(|position| position.is_fresh(now));
        positions.filter_map(|position| position.reaches(number)).min().filter(|time| *time <= HORIZON)
    }

    /// Returns how long it takes for a piece.
    fn moves(&mut self, consumer: SocketAddr, object: &Path, piece: i64, pace: Duration, now: Instant) -> Duration {
        if !self.objects.contains_key(object) {
            self.objects.insert(object.clone(), Vec::new());
        }
        let Some(positions) = self.objects.get_mut(object) else { return pace };
        if let Some(known) = positions.iter_mut().find(|known| known.consumer == consumer) {
            known.move_to(piece, now);
            return known.pace;
        }
        positions.retain(|position| position.is_fresh(now));
        positions.push(Position { consumer, piece, pace, since: now, seen: now });
        pace
    }
}

impl Position {
    fn move_to(&mut self, piece: i64, now: Instant) {
        self.seen = now;
        let Some(pieces) = u32::try_from(piece.saturating_sub(self.piece)).ok() else {
            // It has begun anew.
            (self.piece, self.since) = (piece, now);
            return;
        };
        if pieces > 0 {
            self.pace = (self.pace * 3 + (now - self.since) / pieces) / 4;
            (self.piece, self.since) = (piece, now);
        }
    }

    /// How long until it is done with a piece; `None` if it is behind it.
    fn reaches(&self, number: i64) -> Option<Duration> {
        let pieces = u32::try_from(number.saturating_sub(self.piece).saturating_add(1)).ok()?;
        (pieces > 0).then(|| self.pace.saturating_mul(pieces))
    }

    fn is_fresh(&self, now: Instant) -> bool {
        now - self.seen <= HORIZON
    }
}
