"""Names for containers that were given none: an adjective and a maker of vessels or of computing. Pure."""

from __future__ import annotations

_ADJECTIVES = (
    "agile", "amber", "ample", "apt", "bold", "brave", "breezy", "bright", "brisk", "calm", "candid", "clear", "clever",
    "cosy", "crisp", "curious", "dapper", "deft", "eager", "early", "easy", "exact", "fair", "fast", "fine", "firm",
    "fond", "frank", "fresh", "gentle", "glad", "golden", "good", "grand", "happy", "honest", "jolly", "keen",
    "kind", "light", "lively", "loyal", "lucid", "mellow", "merry", "modest", "neat", "nimble", "noble",
    "open", "patient", "placid", "plain", "polite", "prompt", "proud", "quick", "quiet", "rapid", "ready", "robust",
    "rosy", "sane", "serene", "sharp", "silent", "simple", "smart", "snug", "sober", "solid", "sound", "spry", "stable",
    "steady", "sunny", "sure", "swift", "tidy", "true", "vivid", "warm", "wise", "witty", "zesty",
)  # fmt: skip
_NOUNS = (
    "barrel", "basket", "beaker", "bottle", "bowl", "box", "bucket", "butt", "cask", "chest", "cooper", "crate", "cup",
    "drum", "ewer", "flagon", "flask", "goblet", "hamper", "hogshead", "jar", "jug", "keg", "kettle", "kilderkin",
    "ladle", "lovelace", "mug", "pail", "pan", "phial", "pin", "pitcher", "pot", "puncheon", "rundlet",
    "stein", "tankard", "tierce", "trunk", "tub", "tumbler", "tun", "turing", "urn", "vase", "vat", "vial", "hopper",
    "dijkstra", "ritchie", "thompson", "kernighan", "liskov", "knuth", "backus", "hoare",
)  # fmt: skip


def generate(random: bytes, attempt: int = 0) -> str:
    """Return ``adjective_noun`` chosen by ``random`` (4 bytes); after three attempts with a number behind it."""
    value = int.from_bytes(random, "little")
    name = f"{_ADJECTIVES[value % len(_ADJECTIVES)]}_{_NOUNS[value // 1000 % len(_NOUNS)]}"
    return f"{name}{value % 1000}" if attempt > 2 else name
