"""What the hand-written programs of this folder share: one deliberate fault at a time."""

import argparse
import sys


def parser(doc, faults):
    """A command line with --wrong FAULT, which may be left out: then the program is right."""
    p = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--wrong", choices=sorted(faults), metavar="FAULT", help="; ".join(f"{k}: {v}" for k, v in sorted(faults.items())))
    p.add_argument("--faults", action="store_true", help="list the faults and end")
    return p


def parse(p, faults, argv=None):
    """The arguments; ends after listing the faults if that was asked for."""
    if "--faults" in (sys.argv[1:] if argv is None else argv):
        print("\n".join(sorted(faults)))
        raise SystemExit(0)
    return p.parse_args(argv)
