# SPDX-License-Identifier: BSD-3-Clause
# The table of names of `broadpeak.testing`, as the stub beside it is for `broadpeak`.
from .engine_contract import EngineContract as EngineContract
from .reducer_contract import ReducerContract as ReducerContract
from .searcher_contract import SearcherContract as SearcherContract

__all__: list[str]
