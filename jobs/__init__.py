"""What happens on the clock: each job loads, calls and records, and decides nothing itself."""
