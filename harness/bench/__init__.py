"""What a restart costs the users: a constant arrival rate, restarts at chosen moments, and what became of each request."""
