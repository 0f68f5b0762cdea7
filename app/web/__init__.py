"""What any such service answers: problems, probes, its version and its description."""
