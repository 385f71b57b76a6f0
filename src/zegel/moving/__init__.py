"""Moving in and out: the configurations of OpenDKIM and rspamd, read and written.

The readers (:mod:`~zegel.moving.opendkim`, :mod:`~zegel.moving.rspamd`) turn texts into :class:`~zegel.moving.model.Found`: which From is
signed with which key, and what has no equal here. :mod:`~zegel.moving.plan` holds that against the store, :mod:`~zegel.moving.bring` does
it in one transaction. Only :mod:`~zegel.moving.disk` touches files.
"""
