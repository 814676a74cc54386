# SPDX-License-Identifier: BSD-3-Clause
"""Parameter files."""

from __future__ import annotations

import math
import subprocess
import sys

import pytest

import broadpeak as bp
from broadpeak._store.par import (
    ComponentParameters,
    Member,
    Parameters,
    ParRange,
    read_par,
    write_par,
)
from broadpeak.errors import ParamError, ParFileError

RANGES = {
    "cycle": ParRange(30, 10, 100, 5),
    "stop": ParRange(3, 1, 10, 0.5, -3, integer=True),
}
TRAINED = Parameters(
    {
        "AAPL": ComponentParameters(
            {"cycle": 33.04, "stop": 10.0}, 1.1123, frozenset({"stop"}), RANGES
        ),
        "IBM:fast": ComponentParameters({"cycle": 41.5, "stop": 1 / 3}, -0.25, ranges=RANGES),
    },
    "trend",
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "trend.par"


def put(path, text):
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_format(path):
    write_par(path, TRAINED)
    assert path.read_text(encoding="utf-8").splitlines() == [
        "# broadpeak parameters",
        "# strategy trend",
        '# parameter "cycle" default=30 min=10 max=100 step=5 bias=0 integer=no',
        '# parameter "stop" default=3 min=1 max=10 step=0.5 bias=-3 integer=yes',
        "AAPL 33.04 +10 => 1.1123",
        "IBM:fast 41.5 0.3333333333333333 => -0.25",
    ]


def test_round_trip(path):
    assert read_par(write_par(path, TRAINED)) == TRAINED
    assert TRAINED.write(path) == path


SET = (Member({"x": 1.0, "y": 2.0}, 0.75, 1.5), Member({"x": 1.5, "y": 2.0}, 0.25, 1.25))


def test_format_of_an_ensemble(path):
    centre = ComponentParameters({"x": 1.0, "y": 2.0}, 1.5, frozenset({"y"}), members=SET)
    write_par(path, Parameters({"A": centre, "B": ComponentParameters({"x": 3.0}, 2.0)}))
    assert path.read_text(encoding="utf-8").splitlines() == [
        "# broadpeak parameters",
        '# parameter "x"',
        '# parameter "y"',
        "# weight 0.75",
        "A 1 +2 => 1.5",
        "# weight 0.25",
        "A 1.5 2 => 1.25",
        '# parameter "x"',
        "B 3 => 2",
    ]


@pytest.mark.parametrize("centre", [SET[0].params, SET[1].params, {"x": 1.2, "y": 2.0}])
def test_round_trip_of_an_ensemble(path, centre):
    """The centre is the first line: a member, or one of weight 0 that is not traded."""
    line = ComponentParameters(centre, 1.5, frozenset({"x"}), members=SET)
    whole = Parameters({"A": line, "B": ComponentParameters({"z": 3.0}, 2.0)}, "s")
    assert read_par(write_par(path, whole)) == whole
    is_first_member = centre == SET[0].params
    assert ("# weight 0\n" in path.read_text()) is not is_first_member


def test_an_ensemble_of_one_stays_one(path):
    line = ComponentParameters({"x": 1.0}, 2.0, members=(Member({"x": 1.0}, 1.0, 2.0),))
    assert read_par(write_par(path, Parameters({"A": line}))).components["A"] == line


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("# weight 0.5\nA 1 => 2\n# weight 0.4\nA 2 => 2", "weights of 'A' must add up to 1"),
        ("# weight 0.5\nA 1 => 2\nA 2 => 2", "line 4: component 'A' must occur once, or have"),
        ("A 1 => 2\n# weight 0.5\nA 2 => 2", "line 4: component 'A' must occur once, or have"),
        ("# weight half\nA 1 => 2", "line 2: a weight must be a number from 0 to 1, got 'half'"),
        ("# weight 1.5\nA 1 => 2", "line 2: a weight must be a number from 0 to 1, got '1.5'"),
        ("# weight -1\nA 1 => 2", "got '-1'"),
        ("# weight nan\nA 1 => 2", "got 'nan'"),
        ("# weight 0.5\n# weight 0.5\nA 1 => 2", "line 3: .*must follow each weight"),
        ("A 1 => 2\n# weight 0.5\n", "last line: the line of a component must follow"),
        ("# weight 0\nA 1 => 2", "weights of 'A' must add up to 1, got 0"),
        ("# weight 0.5\nA 1 => 2\n# weight 0.5\nA 2 3 => 2", "have the parameters of its centre"),
    ],
    ids=range(11),
)
def test_damaged_ensembles(path, lines, message):
    with pytest.raises(ParFileError, match=message):
        read_par(put(path, f"# broadpeak parameters\n{lines}"))


def test_remarks_are_no_weights(path):
    put(path, "# broadpeak parameters\n# weight of evidence\nA 1 => 2")
    assert read_par(path).params == {"A": {"p1": 1}}
    put(path, "# weight 70\nA 1 => 2")  # a file of others
    assert read_par(path).components["A"].members == ()


@pytest.mark.parametrize(
    "members",
    [
        (SET[0],),
        (Member({"x": 1.0}, 1.0),),
        (Member({"x": 1.0, "y": 2.0}, 1.5), Member({"x": 1.0, "y": 2.0}, -0.5)),
        ("x",),
        (Member({"x": 1.0, "y": 2.0}, None),),
    ],
    ids=["sum", "parameters", "negative", "kind", "none"],
)
def test_members_that_are_no_set_are_refused(members):
    with pytest.raises(ParamError, match="'A' must"):
        Parameters({"A": ComponentParameters({"x": 1.0, "y": 2.0}, members=members)})


def test_components_with_other_parameters(path):
    several = Parameters(
        {
            "A": ComponentParameters({"x": 1.0}, 2.0),
            "B": ComponentParameters({"x": 1.0, "y": 2.0}, 2.0, ranges={"y": ParRange(1, 0, 3)}),
            "C": ComponentParameters({}, 0.5),
            "D": ComponentParameters({"p1": 4.0}, 0.5, named=False),
        }
    )
    assert read_par(write_par(path, several)) == several


def test_strange_names(path):
    strange = Parameters(
        {
            "BRK B": ComponentParameters({'a "b"\n#': 1.0}, 1.0),
            "#1": ComponentParameters({"x y": 1.0}, 1.0),
            "50%": ComponentParameters({"größe": 1.0}, 1.0),
            "X:": ComponentParameters({"=>": 1.0}, 1.0),
            "=>": ComponentParameters({"=>": -0.0}, math.inf),
            "é\u2028:a\tb": ComponentParameters({"n": 1e-300}, 1.0),
        },
        "my strategy",
    )
    assert read_par(write_par(path, strange)) == strange


def test_files_of_others(path):
    put(path, "EURUSD 0.504 2.00 +3.01=> 1.112\r\nAUDUSD:TRND +10 120 3.5=> .96\r\n\r\n")
    read = read_par(path)
    assert read.params == {
        "EURUSD": {"p1": 0.504, "p2": 2, "p3": 3.01},
        "AUDUSD:TRND": {"p1": 10, "p2": 120, "p3": 3.5},
    }
    assert read.components["EURUSD"].at_edge == {"p3"}
    assert read.components["AUDUSD:TRND"].at_edge == {"p1"}
    assert read.components["EURUSD"].objective == 1.112
    assert not read.components["EURUSD"].named
    assert read.components["EURUSD"].ranges == {}
    assert read.strategy == ""


@pytest.mark.parametrize(
    ("line", "values", "edges"),
    [
        ("EURUSD: 1 2 => 3", [1, 2], set()),
        ("  A\t1   2=>3 ", [1, 2], set()),
        ("A 1e-3 +2.5E+4 => -1e2", [0.001, 25000], {"p2"}),
        ("A -1 +-2 => 0", [-1, -2], {"p2"}),
        ("A ++1 .5 => 0", [1, 0.5], {"p1"}),
        ("A 1. 2 => nan", [1, 2], set()),
        ("50%25 1 2 => 3", [1, 2], set()),
    ],
)
def test_lines(path, line, values, edges):
    (component,) = read_par(put(path, line)).components.values()
    assert list(component.params.values()) == values
    assert component.at_edge == edges


def test_escapes_are_only_ours(path):
    assert list(read_par(put(path, "A%20B 1 => 1"))) == ["A%20B"]


def test_byte_order_mark_and_comments(path):
    put(path, b"\xef\xbb\xbf# made by hand\n#\nA 1 => 2\n# end")
    assert read_par(path).params == {"A": {"p1": 1}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("A 1 2\n", "line 1: a line must read ASSET v1 v2"),
        ("A 1 => 2\nB 1 =>\n", "line 2: a line must read"),
        ("A 1 => 2 3\n", "line 1: a line must read"),
        ("=> 2\n", "line 1: a line must read"),
        ("A 1 => good\n", "line 1: a line must read"),
        ("\n\nA 1,5 => 2\n", "line 3: every value must be a finite number.*got '1,5'"),
        ("A 5+ => 2\n", "got '5[+]'"),
        ("A nan => 2\n", "got 'nan'"),
        ("A 1e999 => 2\n", "got '1e999'"),
        ("A + 1 => 2\n", "got '[+]'"),
        ("A 1 => 2\nA 3 => 4\n", "line 2: component 'A' must occur once"),
        ('# parameter "x"\n# parameter "y"\nA 1 => 2\n', r"2 parameters \(x, y\), got 1"),
        (
            '# parameter "x"\n# parameter "x"\nA 1 2 => 2\n',
            "line 2: parameter 'x' must be declared",
        ),
        ('# parameter "x" min=low\nA 1 => 2\n', "line 1: a declaration must read"),
        ("# nothing\n", "at least one line with a component, got none"),
        ("", "at least one line with a component, got none"),
        (b"A \xff 1 => 2", "must be a readable text file"),
        (b"PK\x03\x04\x00\x00", "line 1: a line must read"),
    ],
    ids=range(18),
)
def test_damaged_files(path, text, message):
    with pytest.raises(ParFileError, match=message):
        read_par(put(path, text))


def test_missing_file(path):
    with pytest.raises(ParFileError, match="there is none"):
        read_par(path)
    with pytest.raises(FileNotFoundError, match="there is none"):
        read_par(path)


def test_folder_instead_of_file(tmp_path):
    with pytest.raises(ParFileError, match="must be a readable text file"):
        read_par(tmp_path)


@pytest.mark.parametrize(
    ("key", "params"),
    [("A", {"x": math.nan}), ("A", {"x": math.inf}), ("", {"x": 1}), ("A", {"": 1})],
    ids=["nan", "inf", "key", "name"],
)
def test_what_cannot_be_written(path, key, params):
    write_par(path, TRAINED)
    with pytest.raises(ParFileError, match="must be"):
        write_par(path, Parameters({key: ComponentParameters(params, 1.0)}))
    assert read_par(path) == TRAINED


def test_a_failed_write_leaves_the_old_file(path, monkeypatch):
    write_par(path, TRAINED)

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("broadpeak._store.par.os.fsync", full)
    with pytest.raises(ParFileError, match=r"No space left on device.*unchanged"):
        write_par(path, Parameters({"B": ComponentParameters({"x": 1.0})}))
    assert read_par(path) == TRAINED
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_folders_are_made(tmp_path):
    path = tmp_path / "runs" / "demo" / "trend.par"
    assert read_par(str(write_par(str(path), TRAINED))) == TRAINED


def test_access():
    assert TRAINED["AAPL"] == {"cycle": 33.04, "stop": 10}
    assert list(TRAINED) == ["AAPL", "IBM:fast"]
    assert len(TRAINED) == 2
    assert bp.Parameters is Parameters


def test_reading_loads_neither_pandas_nor_numba():
    code = "import sys, broadpeak as bp; bp.read_par; print({'numba', 'pandas'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
