//! `wiber-chaos`: parse, dispatch, exit code.

fn main() {}
