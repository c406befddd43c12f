"""What applications asked for: the exchanges of one lookup as one row whose time adds up."""
