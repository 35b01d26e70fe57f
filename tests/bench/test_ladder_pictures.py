"""The pictures of a ladder's rungs are as good as those of the ffmpeg command line with the same encoder settings: a small film, the bench's way of comparing."""
import os
import unittest

import ladder
from common import Folder

SIZE = (960, 540)
RUNGS = ((360, 700), (270, 450), (180, 250))  # the last is scaled from the first, the others from the source
WORST_DB = 0.3


class LadderPictures(unittest.TestCase):
    def test_each_rung_is_as_good_as_ffmpegs(self):
        with Folder() as folder:
            film = os.path.join(folder, "film.flv")
            ladder.make_film(film, 3, SIZE, 2500)
            for latency in ("low", "normal"):
                for height, ours, theirs, our_bytes, their_bytes in ladder.compare_pictures(film, "veryfast", latency, RUNGS, SIZE):
                    with self.subTest(latency=latency, height=height):
                        print(f"{latency} {height}p: PSNR {ours:.2f} dB in {our_bytes} bytes, ffmpeg {theirs:.2f} dB in {their_bytes}")
                        self.assertGreater(theirs, 25)  # pictures were compared with their own source
                        self.assertGreater(ours, theirs - WORST_DB)
                        self.assertLess(our_bytes, their_bytes * 1.05)


if __name__ == "__main__":
    unittest.main()
