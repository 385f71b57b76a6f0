"""Where other programs hand over mail: the sendmail command and the e-mail back end of Django."""
