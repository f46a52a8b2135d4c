"""What a restart costs the users: requests at a constant rate, restarts at chosen moments, and what became of each."""
