//! The load: producers, consumer groups, and the final drain.
