//! The faults: resolve a target, inject, prove, heal.
