"""What each verb of the command line does, and the one place that builds the parts."""
