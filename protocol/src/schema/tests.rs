//! Tests of the schema macro.
