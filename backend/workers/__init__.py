"""What runs beside the web: jobs that were asked for, and what the clock asks for."""
