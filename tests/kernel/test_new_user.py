"""What somebody does first, from the README alone and offline: ask, bring a table, get objects, mend an error, see the cost."""

from __future__ import annotations

from tests.kernel.conftest import Kernel, complaints, kinds, outputs

CELLS = [
    "%load_ext nbgemini\n%gemini demo fast",
    "%%gemini\nWhy is the sky blue?",
    "import pandas as pd\nsales = pd.DataFrame({'city': ['Paris', 'Rome'], 'sold': [3, 5]})",
    "%%gemini\nWhich city sold most? {sales}",
    "from pydantic import BaseModel\nclass City(BaseModel):\n    name: str\n    sold: int",
    "%%gemini --schema list[City] -o cities\nList the cities of {sales}",
    "total = sum(sales['sould'])",
    "%gemini fix --wait",
    "%gemini usage",
]


def test_nine_cells(python, tmp_path):
    kernel = Kernel(python, JUPYTER_DATA_DIR=str(tmp_path))
    try:
        shown = []
        for number, code in enumerate(CELLS):
            messages = kernel.run(code, sits=False)
            shown.append(
                outputs(messages, next(m["parent_header"]["msg_id"] for m in messages if m["msg_type"] == "execute_input"))
            )
            assert bool(complaints(messages)) == (number == 6)
        assert kinds(shown[1]) == ["thought", "answer", "thought", "answer", "status"]
        assert "| city | sold |" in str(shown[3])
        assert kernel.text("print(type(cities.parsed[0]).__name__, len(cities.parsed) > 0)") == "City True\n"
        assert "total = sum(sales['sold'])" in shown[7][1]["data"]["text/plain"]
        assert "gemini-3.8-flash (offline)" in str(shown[8])
    finally:
        kernel.close()
