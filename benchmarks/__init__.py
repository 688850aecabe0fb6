"""How fast the app is, and beside what: each script measures one thing, the command all of them.

python -m benchmarks
python -m benchmarks.send_cost
"""
