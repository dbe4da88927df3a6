"""What `%gemini fix` tells of a notebook, on each kernel: the cell that failed and what it names, and nothing else."""

from __future__ import annotations

from tests.kernel.conftest import complaints

ASKED = "print(*[part.get('text') for part in _gemini.exchange.asked.parts])"


def test_the_cell_and_its_names_are_told_and_no_others(kernel):
    kernel.run("password = 'hunter2'\nstock = {'apples': 3}")
    kernel.run("stock['pears']")
    assert complaints(kernel.run("%gemini fix --once --wait")) == []
    asked = kernel.text(ASKED)
    assert "stock['pears']" in asked
    assert "KeyError" in asked
    assert "apples" in asked
    assert "hunter2" not in asked


def test_the_function_of_another_cell_and_its_variables_are_told(kernel):
    kernel.run("def share(sum, people):\n    part = sum / people\n    return part")
    kernel.run("password = 'hunter2'\nshare(12, 0)")
    assert complaints(kernel.run("%gemini fix --once --wait")) == []
    asked = kernel.text(ASKED)
    assert "part = sum / people" in asked
    assert "Cell In[" in asked
    assert "in share: people" in asked
    assert "'hunter2'\nshare(12, 0)" in asked  # it stands in the failing cell itself
