"""The doors for outgoing mail: how a message is built, and how a server is made to accept it."""
