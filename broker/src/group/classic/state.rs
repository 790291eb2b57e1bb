//! The states of a group of the classic protocol. Source: `ClassicGroupState`.
//!
//! ```text
//!  Empty ──join──► PreparingRebalance ──all joined──► CompletingRebalance ──assigned──► Stable
//!    ▲                 │      ▲  ▲                          │                             │
//!    └──all are gone───┘      │  └────────a change──────────┘                             │
//!                             └──────────────────────────a change─────────────────────────┘
//! ```

/// Where a group is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GroupState {
    /// It has no members, and offsets perhaps.
    #[default]
    Empty,
    /// Members are asked to join again.
    PreparingRebalance,
    /// The leader assigns.
    CompletingRebalance,
    /// Everybody has its assignment.
    Stable,
}

impl GroupState {
    /// Kafka's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::PreparingRebalance => "PreparingRebalance",
            Self::CompletingRebalance => "CompletingRebalance",
            Self::Stable => "Stable",
        }
    }
}
