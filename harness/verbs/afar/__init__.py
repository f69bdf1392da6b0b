"""A run whose attempts are made on other machines: the driver's side and the workers'."""
