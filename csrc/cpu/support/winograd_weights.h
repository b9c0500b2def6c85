// U = G w G^T: the weights as Winograd's products take them, panel by panel.
#pragma once
#include "cpu/support/transpose.h"
#include "cpu/support/winograd_transform.h"

namespace lamina::LAMINA_ISA {

/// A convolution's weights: rows (channels) and columns (filters) of one group. F = 3, 5: rows (forward) or columns
/// (turned) of four phases.
template <int F, class T>
struct WinogradWeights {
  static constexpr int R = KERNEL<F>, A = F + R - 1, SIDE = PHASED<F> ? 4 : 3;
  const T* w;   // (SIDE, SIDE, channels of a group, pitch); turned: (SIDE, SIDE, filters of a group, pitch)
  bool turned;  // by 180 degrees, and rows for columns: the gradient to the input
  int64_t channels, filters, pitch;
  int64_t stride;  // of u, from xi to xi

  int64_t phase_depth() const { return round_up(channels, CB<T>); }
  int64_t phase_columns() const { return round_up(filters, lanes<T>); }
  /// Of a product: the channels, of one phase or of four, filled up to whole blocks; and the filters.
  int64_t depth() const { return phase_depth() * (PHASED<F> && !turned ? 4 : 1); }
  int64_t columns() const { return PHASED<F> && turned ? 4 * phase_columns() : filters; }

  /// Channels c .. c + CB of a panel of the group's product, to u[xi][c][NR].
  void transform(int64_t group, int64_t panel, int64_t c, T* u) const {
    if constexpr (PHASED<F>)
      transform_phases(panel, c, u);
    else
      transform_whole(group, panel, c, u);
  }

 private:
  /// G g G^T of one vector of kernels, g[column][row], to u[xi].
  INLINE void transform_kernel(const V<T> (&g)[R][R], T* u) const {
    V<T> half[A][R];
    unroll<R>([&](auto q) INLINE_LAMBDA {
      V<T> column[A];
      Winograd<F>::template weights<T>(g[q], column);
      unroll<A>([&](auto a) INLINE_LAMBDA { half[a][q] = column[a]; });
    });
    unroll<A>([&](auto a) INLINE_LAMBDA {
      V<T> row[A];
      Winograd<F>::template weights<T>(half[a], row);
      unroll<A>([&](auto b) INLINE_LAMBDA { store(u + (a * A + b) * stride, row[b]); });
    });
  }
  /// to[j][l] = line l's value j, for those that exist, and 0: a gather across w would fight over a few cache sets.
  template <int N>
  static void turn(const T* from, int64_t pitch, int64_t lines, int64_t values, T (&to)[CB<T>][N]) {
    if (lines >= N && values >= CB<T>) {
      for (int j = 0; j < CB<T>; j += lanes<T>)
        for (int l = 0; l < N; l += lanes<T>) {
          const T* line[lanes<T>];
          for (int r = 0; r < lanes<T>; ++r) line[r] = from + (l + r) * pitch + j;
          transpose_block(&to[j][l], N, line);
        }
      return;
    }
    for (int j = 0; j < CB<T>; ++j)
      for (int l = 0; l < N; ++l) to[j][l] = j < values && l < lines ? from[l * pitch + j] : T(0);
  }

  void transform_whole(int64_t group, int64_t panel, int64_t c, T* u) const {
    const int64_t k = panel * NR<T>, rows = min_of(CB<T>, channels - c);
    alignas(64) T rotated[9][CB<T>][NR<T>];
    for (int i = 0; turned && i < 9; ++i) {
      const T* const from = w + ((8 - i) * filters + k) * pitch + group * channels + c;
      turn(from, pitch, filters - k, rows, rotated[i]);
    }
    for (int64_t j = 0; j < CB<T>; ++j)
      for (int64_t l = 0; l < NR<T>; l += lanes<T>) {
        const Mask<T> exist = first<T>(j < rows ? filters - k - l : 0);
        V<T> g[R][R];
        unroll<R * R>([&](auto i) INLINE_LAMBDA {
          g[i % R][i / R] = turned ? load(&rotated[i][j][l])
                                   : load(w + (i * channels + c + j) * pitch + group * filters + k + l, exist);
        });
        transform_kernel(g, u + (c + j) * NR<T> + l);
      }
  }

  /// 2x2 kernels: taps f and f + 2 along each axis. Forward, a block of rows belongs to one phase f; turned, a vector
  /// of columns does.
  void transform_phases(int64_t panel, int64_t c, T* u) const {
    const int64_t each = turned ? phase_columns() : phase_depth();
    alignas(64) T rotated[4][CB<T>][lanes<T>];
    for (int64_t l = 0; l < NR<T>; l += lanes<T>) {
      const int64_t column = panel * NR<T> + l, at = turned ? column : c, phase = at / each, from_row = at % each;
      const T* from[4];  // in the order of the rows and columns that the taps meet
      for (int i = 0; i < 4; ++i) {
        const int64_t row = turned ? 1 - i / 2 : i / 2, line = turned ? 1 - i % 2 : i % 2;
        const int64_t tap = min_of(phase / 2 + 2 * row, SIDE - 1) * SIDE + phase % 2 + 2 * line;
        from[i] = w + tap * (turned ? filters : channels) * pitch;
        if (turned)  // no line of a vector that is beyond the columns
          turn(from[i] + from_row * pitch + c, pitch, column < columns() ? filters - from_row : 0, channels - c,
               rotated[i]);
      }
      for (int64_t j = 0; j < CB<T>; ++j) {
        const int64_t row = from_row + j;
        const Mask<T> exist = first<T>(row < channels ? filters - column : 0);
        V<T> g[R][R];
        unroll<R * R>([&](auto i) INLINE_LAMBDA {
          g[i % R][i / R] = turned ? load(rotated[i][j]) : load(from[i] + row * pitch + column, exist);
        });
        transform_kernel(g, u + (c + j) * NR<T> + l);
      }
    }
  }
};

}  // namespace lamina::LAMINA_ISA
