//! Journeys through the whole cloud: see `tests/it`.
