"""A second, independent reader of protocol specs.

It is written from spec/LANGUAGE.md alone and shares neither code nor generated
files with the C side, so that a bug of one reader cannot hide in the other.
"""
