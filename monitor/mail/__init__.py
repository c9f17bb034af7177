"""What a mail says, before it is rendered: words, dates, guides, and the parts of each kind."""
