import unittest

import hiker


class HikerTest(unittest.TestCase):
    def test_life_the_universe_and_everything(self):
        self.assertEqual(42, hiker.answer())


if __name__ == "__main__":
    unittest.main()
