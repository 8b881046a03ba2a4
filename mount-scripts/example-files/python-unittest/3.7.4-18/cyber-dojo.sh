set -e
python -m unittest --verbose
