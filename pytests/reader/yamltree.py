"""YAML as a tree of plain mappings, lists and marked scalars.

Scalars stay text: what a scalar means depends on the place where it stands
(LANGUAGE.md, section 1), so nothing is resolved to booleans or dates here.
"""

import yaml

BARE_WORDS = frozenset(["on", "off", "yes", "no", "y", "n"])


class SpecError(Exception):
    """A spec says something that the language does not allow."""


class Scalar(str):
    """The text of a scalar, whether it stood bare, and its place."""

    def __new__(cls, text, plain, line):
        """Make a scalar that is a string in every other respect."""
        self = super().__new__(cls, text)
        self.plain = plain
        self.line = line
        return self


class _Loader(yaml.SafeLoader):
    """A composer that refuses what makes YAML surprising."""

    def compose_node(self, parent, index):
        """Compose a node; aliases are refused."""
        if self.check_event(yaml.AliasEvent):
            raise SpecError("line %d: aliases are not allowed" % (self.peek_event().start_mark.line + 1))
        event = self.peek_event()
        if getattr(event, "tag", None) is not None or getattr(event, "anchor", None) is not None:
            raise SpecError("line %d: tags and anchors are not allowed" % (event.start_mark.line + 1))
        return super().compose_node(parent, index)


def _scalar(node):
    plain = node.style is None
    line = node.start_mark.line + 1
    if plain and node.value.lower() in BARE_WORDS:
        raise SpecError("line %d: the bare word %r would be a boolean elsewhere: quote it" % (line, node.value))
    return Scalar(node.value, plain, line)


def _mapping(node):
    tree = {}
    for key_node, value_node in node.value:
        key = _tree(key_node)
        if not isinstance(key, str):
            raise SpecError("line %d: a key must be a name" % (key_node.start_mark.line + 1))
        if key in tree or key == "<<":
            raise SpecError("line %d: %r stands twice, or is a merge key" % (key.line, key))
        tree[key] = _tree(value_node)
    return tree


def _tree(node):
    if isinstance(node, yaml.ScalarNode):
        return _scalar(node)
    if isinstance(node, yaml.SequenceNode):
        return [_tree(item) for item in node.value]
    return _mapping(node)


def parse(text):
    """The tree of one YAML document."""
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
    except yaml.YAMLError as error:
        raise SpecError(str(error)) from error
    finally:
        loader.dispose()
    if node is None:
        raise SpecError("the document is empty")
    return _tree(node)
