//! The cluster under test, behind one trait.
