import unittest

import hiker


class TestHiker(unittest.TestCase):
    def test_life_the_universe_and_everything(self):
        """simple example to start you off"""
        self.assertEqual(42, hiker.answer())


if __name__ == "__main__":
    unittest.main()
