"""The broker: a server that speaks the Kafka protocol over the log.

Start reading at `server` (the whole), `connection` (bytes to requests and back), `handlers` (one file per API) and
`groups` (the group coordinator, pure). `process.run_broker` runs one in this process; `Broker` runs one in a child.
What is left out on purpose stands in NOT_SUPPORTED.md.
"""

from yeoul.broker.child import Broker
from yeoul.broker.config import BrokerConfig

__all__ = ["Broker", "BrokerConfig"]
