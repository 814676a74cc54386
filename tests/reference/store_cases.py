"""Small programs with one change each, for tests of what tells stored calls apart.

A program is a text: its name after ``##``, ``main.py`` with a function ``run(x)``, further files after
``--- name``. ``⟦2→3⟧`` is 2 before the change and 3 after it.
"""

from __future__ import annotations

import re

SLOT = re.compile(r"⟦(.*?)→(.*?)⟧", re.DOTALL)


def programs(text: str) -> dict[str, dict[str, str]]:
    """Return name → file → source, both states still in it."""
    found = {}
    for part in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        name, _, body = part.partition("\n")
        main, *others = re.split(r"^--- ", body, flags=re.MULTILINE)
        files = {"main.py": main}
        for other in others:
            file, _, source = other.partition("\n")
            files[file.strip()] = source
        found[name.strip()] = files
    return found


def state(source: str, after: bool) -> str:
    """Return a source before or after the change."""
    return SLOT.sub(lambda slot: slot[2 if after else 1], source)


FUNCTIONS = """
## own code
def run(x): return x * ⟦2→3⟧
## operator
def run(x): return x ⟦+→-⟧ 2
## constant type
def run(x): return x * ⟦1→1.0⟧
## constant sign of zero
def run(x): return str(x * ⟦0.0→-0.0⟧)
## constant tuple
def run(x): return (1, ⟦2→3⟧)[1] * x
## constant set
def run(x): return x in {1, ⟦2→1⟧, 5} and len({1, ⟦2→7⟧}) * x + ⟦0→1⟧
## default
def run(x, k=⟦2→3⟧): return x * k
## keyword-only default
def run(x, *, k=⟦2→3⟧): return x * k
## mutable default
def run(x, k=[⟦2→3⟧]): return x * k[0]
## closure
def make(k):
    def run(x): return x * k
    return run
run = make(⟦2→3⟧)
## closure over a function
def make(f): return lambda x: f(x)
run = make(lambda x: x * ⟦2→3⟧)
## nested function
def run(x):
    def inner(y): return y * ⟦2→3⟧
    return inner(x)
## nested function default
def run(x):
    def inner(y, k=⟦2→3⟧): return y * k
    return inner(x)
## lambda
run = lambda x: x * ⟦2→3⟧
## comprehension
def run(x): return sum([x * ⟦2→3⟧ for _ in range(2)])
## global number
K = ⟦2→3⟧
def run(x): return x * K
## global string
K = "⟦a→ab⟧"
def run(x): return x * len(K)
## global in a nested function
K = ⟦2→3⟧
def run(x): return (lambda y: y * K)(x)
## global in a comprehension
K = ⟦2→3⟧
def run(x): return sum(x * K for _ in range(2))
## global in a nested class
K = ⟦2→3⟧
def run(x):
    class Inner:
        k = K
    return x * Inner.k
## helper
def helper(x): return x * ⟦2→3⟧
def run(x): return helper(x)
## helper of a helper
def far(x): return x * ⟦2→3⟧
def near(x): return far(x)
def run(x): return near(x)
## mutual recursion
def odd(n): return n and even(n - 1)
def even(n): return ⟦2→3⟧ if n == 0 else odd(n - 1)
def run(x): return even(2 * x)
## function attribute
def run(x): return x * run.k
run.k = ⟦2→3⟧
## function in a dict
def low(x): return x * ⟦2→3⟧
TABLE = {"low": low}
def run(x): return TABLE["low"](x)
## function in a set
def low(x): return x * ⟦2→3⟧
def high(x): return x * 9 + len(ALL)
ALL = {low, high}
def run(x): return min(f(x) for f in ALL)
## function in a list
STEPS = [lambda x: x + 1, lambda x: x * ⟦2→3⟧]
def run(x):
    for step in STEPS: x = step(x)
    return x
## other function of the name
def low(x): return x
def high(x): return x * 9
pick = ⟦low→high⟧
def run(x): return pick(x)
## decorator
def twice(f): return lambda x: ⟦2→3⟧ * f(x)
@twice
def run(x): return x
## decorator with wraps
import functools
def twice(f):
    @functools.wraps(f)
    def call(x): return ⟦2→3⟧ * f(x)
    return call
@twice
def run(x): return x
## decorated helper
import functools
def plain(f):
    @functools.wraps(f)
    def call(x): return f(x)
    return call
@plain
def helper(x): return x * ⟦2→3⟧
def run(x): return helper(x)
## lru_cache
import functools
@functools.lru_cache
def helper(x): return x * ⟦2→3⟧
def run(x): return helper(x)
## partial
import functools
def base(k, x): return k * x
run = functools.partial(base, ⟦2→3⟧)
## partial keyword
import functools
def base(x, k): return k * x
run = functools.partial(base, k=⟦2→3⟧)
## partial function
import functools
def base(k, x): return k * x + ⟦0→1⟧
run = functools.partial(base, 2)
## global partial
import functools
twice = functools.partial(pow, ⟦2→3⟧)
def run(x): return twice(x)
## singledispatch
import functools
@functools.singledispatch
def helper(x): return x
@helper.register(int)
def _(x): return x * ⟦2→3⟧
def run(x): return helper(x)
## contextmanager
from contextlib import contextmanager
@contextmanager
def factor(): yield ⟦2→3⟧
def run(x):
    with factor() as k: return x * k
## numba
import numba
@numba.njit
def helper(x): return x * ⟦2→3⟧
def run(x): return helper(x)
## numba option
import numba
@numba.njit(error_model="⟦python→numpy⟧")
def helper(x): return 1.0 / x
def run(x):
    try: return helper(x - x)
    except ZeroDivisionError: return -1
## np.vectorize
import numpy as np
@np.vectorize
def helper(x): return x * ⟦2→3⟧
def run(x): return int(helper(x))
## generator function
def numbers(x):
    yield x * ⟦2→3⟧
def run(x): return sum(numbers(x))
## own operator key
from operator import itemgetter
get = itemgetter(⟦0→1⟧)
def run(x): return x * get((2, 3))
## eval of a text
K = ⟦2→3⟧
def run(x): return eval("K") * x
## name in a query
import pandas as pd
LIMIT = ⟦1→2⟧
def run(x): return len(pd.DataFrame({"a": [1, 2, 3]}).query("a > @LIMIT")) * x
## globals
K = ⟦2→3⟧
def run(x): return globals()["K"] * x
## docstring that is read
def helper(): "⟦two→three⟧"
def run(x): return x * len(helper.__doc__)
## annotation that is read
def helper(a: "⟦int→float⟧"): ...
def run(x): return x * len(helper.__annotations__["a"])
## builtin that is covered
⟦_ = 0→abs = lambda x: 7⟧
def run(x): return abs(x)
## name bound late
def run(x): return x * LATE
LATE = ⟦2→3⟧
## global it writes to
settings = {"k": ⟦2→3⟧}
def run(x):
    settings["x"] = x
    return settings["x"] * settings["k"]
## global it declares
k = ⟦2→3⟧
def run(x):
    global k
    k += 0
    return x * k
## environment
import os
os.environ["STORE_CASE"] = "⟦2→3⟧"
def run(x): return x * int(os.environ["STORE_CASE"])
## environment by getenv
import os
os.environ["STORE_CASE"] = "⟦2→3⟧"
def run(x): return x * int(os.getenv("STORE_CASE", "1"))
"""

MODULES = """
## imported name
from helper import weight
def run(x): return x * weight()
--- helper.py
def weight(): return ⟦2→3⟧
## attribute of a module
import helper
def run(x): return x * helper.weight()
--- helper.py
def weight(): return ⟦2→3⟧
## constant of a module
import helper
def run(x): return x * helper.K
--- helper.py
K = ⟦2→3⟧
## constant of a constant
import helper
def run(x): return x * helper.K
--- helper.py
from deep import K
--- deep.py
K = ⟦2→3⟧
## module under another name
import helper as h
def run(x): return x * h.K
--- helper.py
K = ⟦2→3⟧
## module in a local name
import helper
def run(x):
    h = helper
    return x * h.K
--- helper.py
K = ⟦2→3⟧
## attribute by computed name
import helper
def run(x): return x * getattr(helper, "K" + "")
--- helper.py
K = ⟦2→3⟧
## module as argument
import helper
def read(m): return m.K
def run(x): return x * read(helper)
--- helper.py
K = ⟦2→3⟧
## module as default
import helper
def run(x, m=helper): return x * m.K
--- helper.py
K = ⟦2→3⟧
## vars of a module
import helper
def run(x): return x * vars(helper)["K"]
--- helper.py
K = ⟦2→3⟧
## dict of a module
import helper
def run(x): return x * helper.__dict__["K"]
--- helper.py
K = ⟦2→3⟧
## star import
from helper import *
def run(x): return x * K
--- helper.py
K = ⟦2→3⟧
## submodule
import pkg.sub
def run(x): return x * pkg.sub.K
--- pkg/__init__.py
--- pkg/sub.py
K = ⟦2→3⟧
## package re-export
import pkg
def run(x): return x * pkg.weight()
--- pkg/__init__.py
from .sub import weight
--- pkg/sub.py
def weight(): return ⟦2→3⟧
## namespace package
from space.sub import weight
def run(x): return x * weight()
--- space/sub.py
def weight(): return ⟦2→3⟧
## helper's global
from helper import weight
def run(x): return x * weight()
--- helper.py
K = ⟦2→3⟧
def weight(): return K
## helper's helper
from helper import weight
def run(x): return x * weight()
--- helper.py
from deep import base
def weight(): return base()
--- deep.py
def base(): return ⟦2→3⟧
## import inside
def run(x):
    import helper
    return x * helper.weight()
--- helper.py
def weight(): return ⟦2→3⟧
## from import inside
def run(x):
    from helper import weight as w
    return x * w()
--- helper.py
def weight(): return ⟦2→3⟧
## dotted import inside
def run(x):
    import pkg.sub as s, pkg.sub
    return x * pkg.sub.K + 0 * s.K
--- pkg/__init__.py
--- pkg/sub.py
K = ⟦2→3⟧
## import inside for a nested function
def run(x):
    import helper
    return (lambda: helper.K)() * x
--- helper.py
K = ⟦2→3⟧
## import inside a helper
from helper import weight
def run(x): return x * weight()
--- helper.py
def weight():
    from deep import K
    return K
--- deep.py
K = ⟦2→3⟧
## relative import inside
from pkg.sub import weight
def run(x): return x * weight()
--- pkg/__init__.py
--- pkg/sub.py
def weight():
    from . import other
    return other.K
--- pkg/other.py
K = ⟦2→3⟧
## import_module
import importlib
def run(x): return x * importlib.import_module("helper").K
--- helper.py
K = ⟦2→3⟧
## sys.modules
import helper, sys
def run(x): return x * sys.modules["helper"].K
--- helper.py
K = ⟦2→3⟧
## module getattr
import helper
def run(x): return x * helper.anything
--- helper.py
def __getattr__(name):
    if name.startswith("__"): raise AttributeError(name)
    return ⟦2→3⟧
## class of a module
from helper import Model
def run(x): return Model().value() * x
--- helper.py
class Model:
    def value(self): return ⟦2→3⟧
## base in another module
from helper import Base
class Model(Base): ...
def run(x): return Model().value() * x
--- helper.py
class Base:
    def value(self): return ⟦2→3⟧
## patched module
import helper
helper.weight = lambda: ⟦2→3⟧
def run(x): return x * helper.weight()
--- helper.py
def weight(): return 1
## patched package
import math
math.weight = lambda: ⟦2→3⟧
def run(x): return x * math.weight()
## optional import
try:
    from helper import weight
except ImportError:
    weight = lambda: 3
def run(x): return x * weight()
--- helper.py
⟦def weight(): return 2→raise ImportError⟧
## name of a standard module
from statistics import weight
def run(x): return x * weight()
--- statistics.py
def weight(): return ⟦2→3⟧
## file that code names
import helper
def run(x): return x * len(helper.NAME)
--- helper.py
NAME = "⟦a→ab⟧"
"""

VALUES = """
## frame
import pandas as pd
T = pd.DataFrame({"close": [⟦2.0→3.0⟧]})
def run(x): return float(T["close"].sum() * x)
## frame column name
import pandas as pd
T = pd.DataFrame({"⟦a→ab⟧": [1]})
def run(x): return x * len(T.columns[0])
## frame index
import pandas as pd
T = pd.DataFrame({"a": [1]}, index=[⟦2→3⟧])
def run(x): return x * int(T.index[0])
## index name
import pandas as pd
T = pd.Series([1], index=pd.Index([1], name="⟦a→ab⟧"))
def run(x): return x * len(T.index.name)
## level name
import pandas as pd
T = pd.Series([1], index=pd.MultiIndex.from_tuples([(1, 2)], names=["a", "⟦b→bb⟧"]))
def run(x): return x * len(T.index.names[1])
## series
import pandas as pd
T = pd.Series([1, ⟦2→3⟧])
def run(x): return x * int(T.sum())
## series name
import pandas as pd
T = pd.Series([1], name="⟦a→ab⟧")
def run(x): return x * len(T.name)
## series dtype
import pandas as pd
T = pd.Series([1, 2], dtype="⟦int64→int8⟧")
def run(x): return x * T.dtype.itemsize
## frame attrs
import pandas as pd
T = pd.DataFrame({"a": [1]})
T.attrs["k"] = ⟦2→3⟧
def run(x): return x * T.attrs["k"]
## missing values
import numpy as np, pandas as pd
T = pd.array([1.0, ⟦None→2.0⟧], dtype="Float64")
def run(x): return x * int(T.isna().sum())
## categories
import pandas as pd
T = pd.Series(pd.Categorical(["a"], categories=["a"⟦→, "b"⟧]))
def run(x): return x * len(T.cat.categories)
## time zone
import pandas as pd
T = pd.DatetimeIndex(["2020-01-01 12:00"], tz="⟦UTC→Asia/Tokyo⟧")
def run(x): return x * int(T[0].utcoffset().total_seconds())
## frequency
import pandas as pd
T = pd.date_range("2020-01-01", periods=1, freq="⟦D→h⟧")
def run(x): return x * T.freq.nanos
## timestamp
import pandas as pd
T = pd.Timestamp("2020-01-0⟦2→3⟧")
def run(x): return x * T.day
## prices
import broadpeak as bp
DATA = bp.Data.sample("⟦IBM→AAPL⟧")
def run(x): return float(DATA.close.iloc[0] * x)
## costs
import broadpeak as bp
C = bp.Costs(fees=0.00⟦2→3⟧)
def run(x): return C.fees * x
## array
import numpy as np
A = np.array([1, ⟦2→3⟧])
def run(x): return x * int(A.sum())
## array dtype
import numpy as np
A = np.zeros(2, dtype=np.float⟦64→32⟧)
def run(x): return x * A.itemsize
## array shape
import numpy as np
A = np.zeros(⟦(2, 3)→(3, 2)⟧)
def run(x): return x * A.shape[0]
## object array
import numpy as np
A = np.array([⟦2→3⟧, "a"], dtype=object)
def run(x): return x * A[0]
## structured array
import numpy as np
A = np.array([(1, ⟦2.0→3.0⟧)], dtype=[("a", "i1"), ("b", "f8")])
def run(x): return float(x * A["b"][0])
## masked array
import numpy as np
A = np.ma.array([1, 2], mask=[False, ⟦True→False⟧])
def run(x): return x * int(A.sum())
## long double
import numpy as np
A = np.array([1], dtype=np.longdouble) * ⟦2→3⟧
def run(x): return x * float(A[0])
## numpy scalar
import numpy as np
K = np.float64(⟦2→3⟧)
def run(x): return float(x * K)
## numpy scalar type
import numpy as np
K = np.int⟦64→8⟧(2)
def run(x): return x * K.itemsize
## numpy date
import numpy as np
K = np.datetime64("2020-01-01", "⟦D→s⟧")
def run(x): return x * int(K.astype(int))
## set
S = {1, ⟦2→3⟧}
def run(x): return x * sum(S)
## frozenset
S = frozenset([1, ⟦2→3⟧])
def run(x): return x * sum(S)
## list
S = [1, ⟦2→3⟧]
def run(x): return x * sum(S)
## nesting of lists
S = ⟦[[1], [2, 3]]→[[1, 2], [3]]⟧
def run(x): return x * len(S[0])
## cut of strings
S = ⟦("a", "bc")→("ab", "c")⟧
def run(x): return x * len(S[0])
## dict value
D = {"k": ⟦2→3⟧}
def run(x): return x * D["k"]
## dict key type
D = {⟦1→"1"⟧: 2}
def run(x): return x * D.get(1, 7)
## dict order
D = {⟦"a": 2, "b": 3→"b": 3, "a": 2⟧}
def run(x): return x * list(D.values())[0]
## namespace
from types import SimpleNamespace
S = SimpleNamespace(k=⟦2→3⟧)
def run(x): return x * S.k
## mapping proxy
from types import MappingProxyType
S = MappingProxyType({"k": ⟦2→3⟧})
def run(x): return x * S["k"]
## deque
from collections import deque
S = deque([1, 2, 3], maxlen=⟦2→3⟧)
def run(x): return x * len(S)
## defaultdict
from collections import defaultdict
S = defaultdict(lambda: ⟦2→3⟧)
def run(x): return x * dict.get(S, "k", S.default_factory())
## OrderedDict
from collections import OrderedDict
S = OrderedDict(k=⟦2→3⟧)
def run(x): return x * S["k"]
## Counter
from collections import Counter
S = Counter("a" * ⟦2→3⟧)
def run(x): return x * S["a"]
## ChainMap
from collections import ChainMap
S = ChainMap({}, {"k": ⟦2→3⟧})
def run(x): return x * S["k"]
## bytearray
S = bytearray([⟦2→3⟧])
def run(x): return x * S[0]
## memoryview
S = memoryview(bytes([⟦2→3⟧]))
def run(x): return x * S[0]
## path
from pathlib import Path
S = Path("⟦a→ab⟧")
def run(x): return x * len(S.name)
## regular expression
import re
S = re.compile("⟦a→a+⟧")
def run(x): return x * len(S.match("aaa")[0])
## regular expression flags
import re
S = re.compile("A"⟦→, re.IGNORECASE⟧)
def run(x): return x * (S.match("a") is None)
## datetime
from datetime import datetime
S = datetime(2020, 1, ⟦2→3⟧)
def run(x): return x * S.day
## time zone of a datetime
from datetime import datetime, timedelta, timezone
S = datetime(2020, 1, 2, tzinfo=timezone(timedelta(hours=⟦2→3⟧)))
def run(x): return x * S.utcoffset().seconds
## decimal
from decimal import Decimal
S = Decimal("⟦2.0→2.00⟧")
def run(x): return len(str(x * S))
## complex
S = complex(1, ⟦2→3⟧)
def run(x): return x * S.imag
## random generator
import random
S = random.Random(⟦2→3⟧)
def run(x): return S.random() * x
## NumPy generator
import numpy as np
S = np.random.default_rng(⟦2→3⟧)
def run(x): return float(S.random() * x)
## NumPy generator moved on
import numpy as np
S = np.random.default_rng(2)
⟦→S.random()⟧
def run(x): return float(S.random() * x)
## iterator
S = iter([⟦2→3⟧])
def run(x): return x * next(S)
## value that holds itself
S = [⟦2→3⟧]
S.append(S)
def run(x): return x * S[1][0]
"""

CLASSES = """
## method
class Model:
    def value(self): return ⟦2→3⟧
def run(x): return x * Model().value()
## class attribute
class Model:
    k = ⟦2→3⟧
def run(x): return x * Model.k
## class attribute set later
class Model: ...
Model.k = ⟦2→3⟧
def run(x): return x * Model.k
## property
class Model:
    @property
    def k(self): return ⟦2→3⟧
def run(x): return x * Model().k
## property setter
class Model:
    @property
    def k(self): return self._k
    @k.setter
    def k(self, value): self._k = value * ⟦2→3⟧
def run(x):
    model = Model()
    model.k = x
    return model.k
## cached_property
import functools
class Model:
    @functools.cached_property
    def k(self): return ⟦2→3⟧
def run(x): return x * Model().k
## static method
class Model:
    @staticmethod
    def k(): return ⟦2→3⟧
def run(x): return x * Model.k()
## class method
class Model:
    @classmethod
    def k(cls): return ⟦2→3⟧
def run(x): return x * Model.k()
## partialmethod
import functools
class Model:
    def of(self, k): return k
    k = functools.partialmethod(of, ⟦2→3⟧)
def run(x): return x * Model().k()
## descriptor
class Two:
    def __get__(self, owner, kind=None): return ⟦2→3⟧
class Model:
    k = Two()
def run(x): return x * Model().k
## state of a descriptor
class Const:
    def __init__(self, k): self.k = k
    def __get__(self, owner, kind=None): return self.k
class Model:
    k = Const(⟦2→3⟧)
def run(x): return x * Model().k
## base
class Base:
    def k(self): return ⟦2→3⟧
class Model(Base): ...
def run(x): return x * Model().k()
## bases in another order
class A:
    k = 2
class B:
    k = 3
class Model(⟦A, B→B, A⟧): ...
def run(x): return x * Model.k
## metaclass
class Meta(type):
    @property
    def k(cls): return ⟦2→3⟧
class Model(metaclass=Meta): ...
def run(x): return x * Model.k
## operator method
class Model:
    def __mul__(self, x): return x * ⟦2→3⟧
def run(x): return Model() * x
## nested class
class Model:
    class Inner:
        k = ⟦2→3⟧
def run(x): return x * Model.Inner.k
## abstract base
import abc
class Base(abc.ABC):
    @abc.abstractmethod
    def k(self): ...
    def twice(self): return ⟦2→3⟧ * self.k()
class Model(Base):
    def k(self): return 1
def run(x): return x * Model().twice()
## what a method reaches
K = ⟦2→3⟧
class Model:
    def k(self): return K
def run(x): return x * Model().k()
## instance state
class Model:
    def __init__(self, k): self.k = k
M = Model(⟦2→3⟧)
def run(x): return x * M.k
## instance of a changed class
class Model:
    def k(self): return ⟦2→3⟧
M = Model()
def run(x): return x * M.k()
## slots
class Model:
    __slots__ = ("k",)
M = Model()
M.k = ⟦2→3⟧
def run(x): return x * M.k
## bound method
class Model:
    def __init__(self, k): self.k = k
    def value(self, x): return x * self.k
run = Model(⟦2→3⟧).value
## callable object
class Model:
    def __init__(self, k): self.k = k
    def __call__(self, x): return x * self.k
run = Model(⟦2→3⟧)
## code of a callable object
class Model:
    def __call__(self, x): return x * ⟦2→3⟧
run = Model()
## own pickling
class Model:
    def __init__(self, k): self.k = k
    def __reduce__(self): return Model, (self.k,)
M = Model(⟦2→3⟧)
def run(x): return x * M.k
## own fingerprint
import threading
class Model:
    def __init__(self, k): self.k, self.lock = k, threading.Lock()
    def fingerprint(self): return self.k
M = Model(⟦2→3⟧)
def run(x): return x * M.k
## subclass of int
class Count(int):
    def twice(self): return self * ⟦2→3⟧
C = Count(1)
def run(x): return x * int(C.twice())
## subclass of list
class Many(list): ...
M = Many([⟦2→3⟧])
def run(x): return x * M[0]
## subclass of dict
class Many(dict):
    def __missing__(self, key): return ⟦2→3⟧
M = Many()
def run(x): return x * M["k"]
## dataclass default
from dataclasses import dataclass
@dataclass
class Model:
    k: int = ⟦2→3⟧
def run(x): return x * Model().k
## dataclass instance
from dataclasses import dataclass
@dataclass(frozen=True)
class Model:
    k: int
M = Model(⟦2→3⟧)
def run(x): return x * M.k
## dataclass factory
from dataclasses import dataclass, field
@dataclass
class Model:
    k: list = field(default_factory=lambda: [⟦2→3⟧])
def run(x): return x * Model().k[0]
## dataclass annotations
from dataclasses import dataclass, fields
@dataclass
class Model:
    k: "⟦int→float⟧" = 2
def run(x): return x * len(fields(Model)[0].type)
## dataclass order of fields
from dataclasses import dataclass
@dataclass
class Model:
    ⟦a→b⟧: int
    ⟦b→a⟧: int
def run(x): return x * Model(2, 3).a
## enumeration
from enum import Enum
class Side(Enum):
    LONG = ⟦2→3⟧
def run(x): return x * Side.LONG.value
## enumeration member
from enum import Enum
class Side(Enum):
    LONG = 2
    SHORT = 3
S = Side.⟦LONG→SHORT⟧
def run(x): return x * S.value
## enumeration method
from enum import Enum
class Side(Enum):
    LONG = 1
    def k(self): return ⟦2→3⟧
S = Side.LONG
def run(x): return x * S.k()
## named tuple
from typing import NamedTuple
class Model(NamedTuple):
    k: int = ⟦2→3⟧
def run(x): return x * Model().k
## named tuple instance
from collections import namedtuple
Model = namedtuple("Model", "k")
M = Model(⟦2→3⟧)
def run(x): return x * M.k
## class decorator
def add(kind):
    kind.k = ⟦2→3⟧
    return kind
@add
class Model: ...
def run(x): return x * Model.k
## class of an exception
class Stop(Exception):
    k = ⟦2→3⟧
def run(x):
    try: raise Stop
    except Stop as stop: return x * stop.k
## instances that hold each other
class Node:
    def __init__(self, k): self.k, self.other = k, None
A, B = Node(1), Node(⟦2→3⟧)
A.other, B.other = B, A
def run(x): return x * A.other.k
## graph of many instances
class Node:
    def __init__(self, k): self.k, self.others = k, []
NODES = [Node(k) for k in [*range(29), ⟦2→3⟧]]
for node in NODES: node.others.extend(NODES)
def run(x): return x * NODES[0].others[-1].k
## strategy settings
import broadpeak as bp
@bp.strategy(lookback=⟦20→30⟧)
def trend(s): ...
def run(x): return x * trend.lookback
## sweep inside
import broadpeak as bp
@bp.parameterized(merge_func="concat")
def inner(a): return a * ⟦2→3⟧
def run(x): return int(inner(bp.Param([x, 1])).sum())
"""

HARMLESS = """
## comment
⟦→# a comment⟧
def run(x):
    ⟦→# another⟧
    return x * 2
## blank lines
def run(x):
⟦→


⟧    return x * 2
## docstring of the function
def run(x):
    "⟦Twice.→The double of x.⟧"
    return x * 2
## new docstring
def run(x):
    ⟦→"The double of x, or nothing."⟧
    return (x or None) * 2
## docstring of a helper and its module
import helper
def run(x): return x * helper.weight()
--- helper.py
⟦→"A module."⟧
def weight():
    "⟦A→One⟧"
    return 2
## docstring of a class
class Model:
    "⟦A→One⟧ model."
    def k(self):
        "⟦A→One⟧ factor."
        return 2
def run(x): return x * Model().k()
## unrelated function
def run(x): return x * 2
⟦→def other(x): return x⟧
## unrelated class
⟦→class Other: ...⟧
def run(x): return x * 2
## unrelated global
UNUSED = ⟦2→3⟧
def run(x): return x * 2
## unrelated function of a helper
import helper
def run(x): return x * helper.weight()
--- helper.py
def weight(): return 2
def other(): return ⟦2→3⟧
## unrelated function of a module imported inside
def run(x):
    import helper
    return x * helper.weight()
--- helper.py
def weight(): return 2
⟦→def other(): return 1⟧
## unrelated module
import helper⟦→, other⟧
def run(x): return x * helper.K
--- helper.py
K = 2
--- other.py
K = ⟦2→3⟧
## attribute named as a global
weight = ⟦2→3⟧
class Model:
    weight = 2
def run(x): return x * Model.weight
## local named as a global
weight = ⟦2→3⟧
def run(x):
    weight = 2
    return x * weight
## order of definitions
⟦→def run(x): return helper(x)⟧
def helper(x): return x * 2
⟦def run(x): return helper(x)→⟧
## order of methods
class Model:
    ⟦def a(self): return 1→def b(self): return 2⟧
    ⟦def b(self): return 2→def a(self): return 1⟧
def run(x): return x * Model().b()
## formatting
def run(x): return ⟦x*2+1→(
        x * 2
        + 1
    )⟧
## quotes
def run(x): return x * len(⟦'ab'→"ab"⟧)
## annotations of a function
def run(x⟦→: int⟧)⟦→ -> int⟧: return x * 2
## annotations as text
⟦→from __future__ import annotations⟧
def run(x: int) -> int: return x * 2
## order in which a set is built
S = {⟦1, 2, 300→300, 2, 1⟧}
def run(x): return x * sum(S)
## spelling of a constant
K = ⟦0.1→1e-1⟧
def run(x): return x * K
## dict built otherwise
D = ⟦{"a": 1, "b": 2}→dict(a=1, b=2)⟧
def run(x): return x * D["a"]
## edited test beside it
def run(x): return x * 2
--- test_main.py
def test_run(): assert ⟦True→1⟧
## name in the file of the run
def run(x): return x * 2
if __name__ == "⟦nothing→another⟧": print(run(1))
## kind of import
⟦import helper→import helper, sys⟧
def run(x): return x * helper.K
--- helper.py
K = 2
"""

REFUSED = """
## lock
import threading
L = threading.Lock()
def run(x):
    with L: return x
## open file
F = open(__file__)
def run(x): return x * len(F.name)
## generator
G = (k for k in [2])
def run(x): return x * next(G)
## socket
import socket
S = socket.socket()
S.close()
def run(x): return x * S.family
## weak reference
import weakref
class Model:
    k = 2
M = Model()
W = weakref.ref(M)
def run(x): return x * W().k
## lock in an object
import threading
class Model:
    def __init__(self): self.lock = threading.Lock()
M = Model()
def run(x):
    with M.lock: return x
## lock of a helper module
import helper
def run(x): return x * helper.weight()
--- helper.py
import threading
L = threading.Lock()
def weight():
    with L: return 2
## computed import
import importlib
NAME = "helper"
def run(x): return x * importlib.import_module(NAME).K
--- helper.py
K = 2
## computed part of an import
import importlib
END = "er"
def run(x): return x * importlib.import_module("help" + END).K
--- helper.py
K = 2
## computed code
TEXT = "x * 2"
def run(x): return eval(TEXT)
## file run as code
import runpy
from pathlib import Path
def run(x): return x * runpy.run_path(Path(__file__).with_name("helper.py"))["K"]
--- helper.py
K = 2
## whole environment
import os
def run(x): return x * len(dict(os.environ))
## hidden function
import numpy as np
twice = np.frompyfunc(lambda x: x * 2, 1, 1)
def run(x): return int(twice(x))
## module with a lock, taken whole
import helper
def run(x): return x * getattr(helper, "K" + "")
--- helper.py
import threading
L = threading.Lock()
K = 2
"""

CHANGES = {
    **programs(FUNCTIONS),
    **programs(MODULES),
    **programs(VALUES),
    **programs(CLASSES),
}
UNCHANGED = programs(HARMLESS)
UNSTORABLE = programs(REFUSED)
