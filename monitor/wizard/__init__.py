"""The guided set-up: what is asked, what is checked, and how a tenant comes of it."""
