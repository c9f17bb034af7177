"""The doctor: gathers evidence about every sign-in and mail path, and judges it."""
