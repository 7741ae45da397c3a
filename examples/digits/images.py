"""The SQL function ``read_pixels``: an image file to the numbers that the model takes.

``headgate run`` registers it, and Flink's Python workers call it; pillow comes by the resource's ``requirements``.
"""

from __future__ import annotations

import numpy as np
from PIL import Image
from pyflink.table import DataTypes
from pyflink.table.udf import udf


@udf(result_type=DataTypes.ARRAY(DataTypes.FLOAT()))
def read_pixels(path: str) -> list[float] | None:
    """The image at ``path``, grey, 8 x 8, row by row, each pixel from 0 (paper) to 1 (ink).

    None, and so a dead letter, for a file that is not a readable image.
    """
    try:
        with Image.open(path) as image:
            small = image.convert("L").resize((8, 8), Image.Resampling.BOX)
    except (OSError, SyntaxError, ValueError):  # SyntaxError: pillow's word for a broken PNG chunk
        return None
    return (np.asarray(small, dtype=np.float32).ravel() / 240).tolist()
