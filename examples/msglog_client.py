"""The message log's original client interface, on top of the generated client.

    assay gen python spec/msglog.yaml -o examples/generated

    log = client("MyUser", "MyPassword", defer=True)
    log.connect()
    log.msg("hello")
    log.disconnect()
"""

import sys

from generated.msglog_client import Client, ClientError


class client:
    """A user of a log. Name and password may be changed between connections; each connect() is a new session."""

    def __init__(self, name, password, host="127.0.0.1", port=5555, defer=False):
        self.name, self.password = name, password
        self._client = Client(host, port, defer=True)
        if not defer:
            self.connect()

    def connect(self):
        """Begin a session under the present name."""
        self._client.open()
        try:
            self._client.connect(self.name, self.password)
        except ClientError:
            self._client.close()
            raise

    def msg(self, text):
        """Append a message, text or bytes; it is on disk when this returns."""
        self._client.msg(text)

    def disconnect(self):
        """End the session; does nothing without one."""
        if self._client.connected:
            self._client.disconnect()
        self._client.close()

    @property
    def connected(self):
        return self._client.connected

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.disconnect()


def main(argv):
    """msglog_client.py HOST PORT NAME PASSWORD MESSAGE..."""
    if len(argv) < 6:
        print("usage:", main.__doc__, file=sys.stderr)
        return 2
    try:
        with client(argv[3], argv[4], argv[1], int(argv[2])) as log:
            for message in argv[5:]:
                log.msg(message)
    except ClientError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
