"""The status page, the API and the metrics: everything that speaks HTTP to people and scripts."""
