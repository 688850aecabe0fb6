"""How long the README's first command takes: from a clean clone to messages that were sent.

In a folder of its own, with what pip has cached already, as on the machine of whoever tries one
package after another; the packages come from wherever pip gets them.

    python -m benchmarks.first_command
"""

import re
import subprocess
import tempfile
import time
from pathlib import Path

from benchmarks import measured
from benchmarks.measured import Figure

ROOT = Path(__file__).resolve().parent.parent
SECONDS = 120.0
COMMAND = re.compile(r"^python3 -m venv .*tox run -e demo$", re.MULTILINE)


def first_command() -> str:
    """Return the command, as the README has it."""
    return COMMAND.search((ROOT / "README.md").read_text(encoding="utf-8"))[0]


def follow() -> float:
    """Run the command in a clean clone; return how long it took, in seconds."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["git", "clone", "-q", ROOT, folder], check=True)
        began = time.perf_counter()
        subprocess.run(
            ["bash", "-c", first_command()], cwd=folder, check=True, stdout=subprocess.DEVNULL
        )
        return time.perf_counter() - began


def main():
    parser = measured.parser(__doc__)
    parser.add_argument("--times", type=int, default=2)
    options = parser.parse_args()
    took = [follow() for _time in range(options.times)]
    figure = Figure.of("the README's first command", "a run", took, unit="s", at_most=SECONDS)
    measured.tell(options, [figure], size=f"{options.times} times")


if __name__ == "__main__":
    main()
