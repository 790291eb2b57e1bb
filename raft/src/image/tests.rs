//! Tests of images: replay, snapshots, deltas, size.
