//! A run: start, warm up, disturb, heal, drain, stop.
