"""Results as data (`result`) and as text (`console`)."""
