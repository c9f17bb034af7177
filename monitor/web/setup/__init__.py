"""The set-up pages: who may use them, and the steps from nothing to a proven tenant."""
