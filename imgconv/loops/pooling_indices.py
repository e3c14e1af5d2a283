"""Where the largest or smallest cell of each window lies."""


def extreme_cells(largest):  # type: ignore[no-untyped-def]
    """The loop that finds the largest (or, with 0, smallest) cell of every window, and its place."""

    def loop(source, first, count, row_step, plane, left, width, column_step, target, indices):  # type: ignore[no-untyped-def]
        """Fill `target` and `indices` (R, w_out).

        Window (i, j) sees rows first[i], first[i] + row_step, ... (count[i] of them) of `source` (rows, W) and columns left[j],
        left[j] + column_step, ... (width[j]). Its plane starts at row plane[i]; indices count the plane's cells row by row. As in
        torch the first of equal cells wins, and the last NaN. A window without cells keeps what `target` and `indices` hold.
        """
        for i in range(target.shape[0]):
            for j in range(target.shape[1]):
                where, best = -1, target[i, j]
                for u in range(count[i]):
                    y = first[i] + u * row_step
                    row = source[y]
                    for v in range(width[j]):
                        x = left[j] + v * column_step
                        value = row[x]
                        if where < 0 or (value > best if largest else value < best) or value != value:
                            best = value
                            where = (y - plane[i]) * source.shape[1] + x
                if where >= 0:
                    target[i, j] = best
                    indices[i, j] = where

    return loop
