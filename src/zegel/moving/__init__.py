"""Moving in and out: the tables of OpenDKIM and rspamd, read and written."""
