"""Correlation: weighted sums of shifted rows."""


def correlate_taps(source, rows, columns, weights, target, row_stride, step, channels):  # type: ignore[no-untyped-def]
    """Add to `target` (R, S) the sum over taps t of weights[t] * source[i*row_stride + rows[t], columns[t] + ...].

    `source` (padded rows, any number type) holds interleaved pixels. Output element j*channels + c of a row reads source element
    j*step + c behind the tap's column, so channels = step = C keeps C channels apart at stride 1, step = s*C at stride s, and
    channels = 1, step = C sums over the channels that the taps' columns select. `target` and `weights` have the accumulator's type.
    """
    length = target.shape[1]
    taps = weights.shape[0]
    for i in range(target.shape[0]):
        out = target[i]
        top = i * row_stride
        t = 0
        if step == channels:
            while t + 4 <= taps:  # four taps per pass over an accumulator row that stays in cache
                w0, w1, w2, w3 = weights[t], weights[t + 1], weights[t + 2], weights[t + 3]
                r0 = source[top + rows[t]][columns[t] : columns[t] + length]
                r1 = source[top + rows[t + 1]][columns[t + 1] : columns[t + 1] + length]
                r2 = source[top + rows[t + 2]][columns[t + 2] : columns[t + 2] + length]
                r3 = source[top + rows[t + 3]][columns[t + 3] : columns[t + 3] + length]
                for j in range(length):
                    out[j] += w0 * r0[j] + w1 * r1[j] + w2 * r2[j] + w3 * r3[j]
                t += 4
            while t < taps:
                w0, r0 = weights[t], source[top + rows[t]][columns[t] : columns[t] + length]
                for j in range(length):
                    out[j] += w0 * r0[j]
                t += 1
        else:
            while t < taps:
                w0 = weights[t]
                for c in range(channels):
                    r0, to = source[top + rows[t]][columns[t] + c :], out[c:]
                    for j in range(length // channels):
                        to[j * channels] += w0 * r0[j * step]
                t += 1
