"""The fast JSON door says what the standard library says."""

import json
import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firkin.wire import json as fast

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(values)
def test_what_goes_in_comes_out(value):
    assert fast.loads(fast.dumps(value)) == value
    assert json.loads(fast.dumps(value)) == value
    assert fast.loads(json.dumps(value, indent=1)) == value


@pytest.mark.parametrize(
    "text", ["", " ", "{", "[1,", '{"a" 1}', "1 2", "tru", '"\x01"', "{'a':1}", "[1]x", '"\\x"']
)
def test_malformed_text_is_a_value_error(text):
    with pytest.raises(ValueError):
        fast.loads(text)


@pytest.mark.parametrize("text", ["{", "[1", '{"starts": 1', '"ab', '{"a" 1}'])
def test_torn_text_is_a_value_error_where_the_standard_json_is_not_loaded(text):
    """As in the product: then _json finds no JSONDecodeError to raise, and says so with a SystemError."""
    code = (
        "import sys; sys.path.append(sys.argv[1]); from firkin.wire import json\n"
        "try: json.loads(sys.argv[2])\nexcept ValueError: print('ValueError')"
    )
    source = os.path.join(os.path.dirname(__file__), "../../../src")
    argv = [sys.executable, "-I", "-S", "-c", code, source, text]
    assert subprocess.run(argv, capture_output=True, text=True, check=True).stdout == "ValueError\n"


def test_what_json_does_not_know_is_refused():
    with pytest.raises(TypeError):
        fast.dumps({"a": object()})
    loop = []
    loop.append(loop)
    with pytest.raises(ValueError):
        fast.dumps(loop)


def test_it_loads_neither_json_nor_re():
    code = (
        f"import sys; sys.path[:0]={sys.path!r}; from firkin.wire import json as j; assert j.loads(j.dumps([1,{{}}]))==[1,{{}}];"
        "print(sorted({'json','re','enum'} & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
