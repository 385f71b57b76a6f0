"""The daemon: the rooms that build objects, and the parts that run beside one another until it stops."""

from zegel.app.daemon import Daemon, serve
from zegel.app.listening import ListenError
from zegel.app.opening import make_resolver, open_store, read_config
from zegel.app.shared import record_rules

__all__ = ["Daemon", "ListenError", "make_resolver", "open_store", "read_config", "record_rules", "serve"]
