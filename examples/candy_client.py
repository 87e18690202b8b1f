"""The candy factory's original client interface, on top of the generated client.

    assay gen python spec/candy.yaml -o examples/generated

    client = CandyClient("127.0.0.1", 8080)
    client.fetch_candy(12, CANDY_OPT("SQUARE"))     # 144
"""

import enum
import sys

from generated.candy_client import CallFailed, Client, ClientError, Kind


class CANDY_OPT(enum.Enum):
    """The kinds of candy, by the names of the original."""

    SQUARE = "SQUARE"
    BAR = "BAR"
    DOZEN = "DOZEN"


class CandyClient:
    """One connection to a factory; a factory that speaks the unframed, original form is understood with legacy=True."""

    def __init__(self, host="127.0.0.1", port=8080, legacy=False):
        self._client = Client(host, port, lenient=("segments",) if legacy else ())

    def fetch_candy(self, n, kind=CANDY_OPT.SQUARE):
        """The number of candies for an order of n; raises CallFailed with the factory's text if it cannot be met."""
        return self._client.fetch_candy(n, Kind[kind.value])

    def close(self):
        self._client.close()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()


def main(argv):
    """candy_client.py HOST PORT SQUARE|BAR|DOZEN COUNT..."""
    if len(argv) < 5 or argv[3] not in CANDY_OPT.__members__:
        print("usage:", main.__doc__, file=sys.stderr)
        return 2
    failed = False
    try:
        with CandyClient(argv[1], int(argv[2])) as client:
            for count in argv[4:]:
                try:
                    print(client.fetch_candy(int(count), CANDY_OPT(argv[3])))
                except CallFailed as refusal:
                    print("refused:", refusal.detail, file=sys.stderr)
                    failed = True
    except ClientError as error:
        print(error, file=sys.stderr)
        failed = True
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
