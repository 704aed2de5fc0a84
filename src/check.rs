//! Checkers over a recorded history, one anomaly family a file. Pure.
