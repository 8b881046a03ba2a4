set -e
python test_hiker.py
