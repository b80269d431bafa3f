// A tile of the result is 2 x 2 pixels. With V the transformed 4 x 4 pixels that it sees (B^T d B),
// U the transformed weights (G g G^T) and M = the products of both for each of 16 points, summed
// over the inputs, the tile is A^T M A:
//
//   B^T = 1  0 -1  0     G = 1    0    0      A^T = 1  1  1  0
//         0  1  1  0         1/2  1/2  1/2          0  1 -1 -1
//         0 -1  1  0         1/2 -1/2  1/2
//         0  1  0 -1         0    0    1
//
// Of a doubled picture the pixels of a tile are a b b c along each axis: the third row of B^T gives
// nothing, and with the factor 2 of the second moved into G three points are left, a - b, b and
// b - c.
//
// Blocks of tiles are done one after the other by each thread: all points of V, then the products
// point by point, then all points of M.
#include "core/cpu/picture/winograd.h"

#include "core/cpu/parallel.h"
#include "core/cpu/picture/winograd_task.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/cpu/picture/winograd.cpp"
#include <hwy/foreach_target.h>

#include "core/cpu/picture/activate-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edt {
namespace HWY_NAMESPACE {
namespace {

constexpr int kPanelVecs = 2;
// Rows of the products that are summed at once: with two vectors of columns as many sums as
// registers hold beside the operands.
constexpr int kMostRows = HWY_MAX_BYTES == 64 || HWY_ARCH_ARM_A64 ? 12 : 6;

std::int64_t PanelWidth() { return kPanelVecs * Lanes(); }

// out[k] of in[k * stride]: one axis of B^T d B.
template <bool kDoubled>
HWY_INLINE void Seen(const FloatVec* in, int stride, FloatVec* out) {
  if constexpr (kDoubled) {
    const FloatVec a = in[0], b = in[stride], c = in[2 * stride];
    out[0] = hn::Sub(a, b);
    out[stride] = b;
    out[2 * stride] = hn::Sub(b, c);
  } else {
    const FloatVec a = in[0], b = in[stride], c = in[2 * stride], d = in[3 * stride];
    out[0] = hn::Sub(a, c);
    out[stride] = hn::Add(b, c);
    out[2 * stride] = hn::Sub(c, b);
    out[3 * stride] = hn::Sub(b, d);
  }
}

// One axis of A^T M A: two results of the points in[k * stride].
template <bool kDoubled>
HWY_INLINE void Result(const FloatVec* in, int stride, FloatVec& first, FloatVec& second) {
  if constexpr (kDoubled) {
    first = hn::Add(in[0], in[stride]);
    second = hn::Sub(in[stride], in[2 * stride]);
  } else {
    first = hn::Add(hn::Add(in[0], in[stride]), in[2 * stride]);
    second = hn::Sub(hn::Sub(in[stride], in[2 * stride]), in[3 * stride]);
  }
}

// Tile `t` of the result, over the pictures of the batch.
struct Place {
  std::int64_t picture, row, column;

  Place(const WinogradTask& task, std::int64_t t)
      : picture(t / (task.tile_rows * task.tile_columns)),
        row(t / task.tile_columns % task.tile_rows),
        column(t % task.tile_columns) {}
};

// v [points, tiles, inputs] of tiles first ... first + tiles.
template <bool kDoubled>
void TransformPixels(const WinogradTask& task, std::int64_t first, std::int64_t tiles, float* v) {
  constexpr int kSide = kDoubled ? 3 : 4;
  const std::int64_t inputs = task.inputs, step = kDoubled ? 1 : 2;
  for (std::int64_t t = 0; t < tiles; ++t) {
    const Place place(task, first + t);
    const float* pixels[kSide * kSide];
    for (int i = 0; i < kSide; ++i) {
      const std::int64_t row = place.row * step - task.before + i;
      for (int j = 0; j < kSide; ++j) {
        const std::int64_t column = place.column * step - task.before + j;
        const bool inside = row >= 0 && row < task.height && column >= 0 && column < task.width;
        pixels[i * kSide + j] =
            inside ? task.x + ((place.picture * task.height + row) * task.width + column) * inputs
                   : task.zeros;
      }
    }
    for (std::int64_t c = 0; c < inputs; c += Lanes()) {
      FloatVec d[kSide * kSide];
      for (int k = 0; k < kSide * kSide; ++k) d[k] = LoadVec(pixels[k] + c, inputs - c);
      for (int j = 0; j < kSide; ++j) Seen<kDoubled>(d + j, kSide, d + j);
      for (int i = 0; i < kSide; ++i) Seen<kDoubled>(d + i * kSide, 1, d + i * kSide);
      for (int k = 0; k < kSide * kSide; ++k) {
        StoreVec(d[k], v + (k * tiles + t) * inputs + c, inputs - c);
      }
    }
  }
}

// Sums of kRows rows, one by one: of an array the compiler would keep a copy in memory.
template <int kRows>
struct Sums {
  Sums<kRows - 1> before;
  FloatVec left, right;

  HWY_INLINE Sums() : left(Zero()), right(Zero()) {}
  HWY_INLINE void Add(const float* v, std::int64_t inputs, FloatVec u0, FloatVec u1) {
    before.Add(v, inputs, u0, u1);
    const FloatVec value = Set(v[(kRows - 1) * inputs]);
    left = hn::MulAdd(value, u0, left);
    right = hn::MulAdd(value, u1, right);
  }
  HWY_INLINE void Store(float* m, std::int64_t stride) const {
    before.Store(m, stride);
    StoreVec(left, m + (kRows - 1) * stride);
    StoreVec(right, m + (kRows - 1) * stride + Lanes());
  }
};
template <>
struct Sums<0> {
  HWY_INLINE Sums() {}
  HWY_INLINE void Add(const float*, std::int64_t, FloatVec, FloatVec) {}
  HWY_INLINE void Store(float*, std::int64_t) const {}
};

// m [kRows, panel] of v [kRows, inputs] and u [inputs, panel]; rows of m lie `stride` apart.
template <int kRows>
HWY_NOINLINE void Products(const float* v, std::int64_t inputs, const float* u, float* m,
                           std::int64_t stride) {
  Sums<kRows> sums;
  for (std::int64_t k = 0; k < inputs; ++k) {
    const float* row = u + k * kPanelVecs * Lanes();
    sums.Add(v + k, inputs, LoadVec(row), LoadVec(row + Lanes()));
  }
  sums.Store(m, stride);
}

// The same for any number of rows.
void ProductsOfRows(const float* v, std::int64_t rows, std::int64_t inputs, const float* u,
                    float* m, std::int64_t stride) {
  std::int64_t r = 0;
  const auto take = [&]<int kRows>() {
    for (; r + kRows <= rows; r += kRows) {
      Products<kRows>(v + r * inputs, inputs, u, m + r * stride, stride);
    }
  };
  take.template operator()<kMostRows>();
  take.template operator()<4>();
  take.template operator()<1>();
}

// From m [points, tiles, columns] to the pixels of the result.
template <bool kDoubled>
void FinishTiles(const WinogradTask& task, std::int64_t first, std::int64_t tiles, const float* m) {
  constexpr int kSide = kDoubled ? 3 : 4;
  const std::int64_t outputs = task.outputs, columns = task.panels * task.panel;
  for (std::int64_t t = 0; t < tiles; ++t) {
    const Place place(task, first + t);
    float* pixels[4];
    for (int k = 0; k < 4; ++k) {
      const std::int64_t row = 2 * place.row + k / 2, column = 2 * place.column + k % 2;
      const bool inside = row < task.result_height && column < task.result_width;
      pixels[k] =
          inside
              ? task.y + ((place.picture * task.result_height + row) * task.result_width + column) *
                             outputs
              : nullptr;
    }
    for (std::int64_t c = 0; c < outputs; c += Lanes()) {
      FloatVec points[kSide * kSide], halves[2 * kSide], results[4];
      for (int k = 0; k < kSide * kSide; ++k) {
        points[k] = LoadVec(m + (k * tiles + t) * columns + c);
      }
      for (int j = 0; j < kSide; ++j) {
        Result<kDoubled>(points + j, kSide, halves[j], halves[kSide + j]);
      }
      Result<kDoubled>(halves, 1, results[0], results[1]);
      Result<kDoubled>(halves + kSide, 1, results[2], results[3]);
      const FloatVec bias = LoadVec(task.bias + c);
      for (int k = 0; k < 4; ++k) {
        if (pixels[k] == nullptr) continue;
        FloatVec value = hn::Add(results[k], bias);
        if (task.end.add) value = hn::Add(value, LoadVec(pixels[k] + c, outputs - c));
        StoreVec(Activated(task.end.activation, value), pixels[k] + c, outputs - c);
      }
    }
  }
}

template <bool kDoubled>
void DoTiles(const WinogradTask& task, std::int64_t first, std::int64_t tiles, float* v, float* m) {
  constexpr int kPoints = kDoubled ? 9 : 16;
  const std::int64_t columns = task.panels * task.panel;
  TransformPixels<kDoubled>(task, first, tiles, v);
  for (std::int64_t point = 0; point < kPoints; ++point) {
    for (std::int64_t panel = 0; panel < task.panels; ++panel) {
      ProductsOfRows(v + point * tiles * task.inputs, tiles, task.inputs,
                     task.weights + (point * task.panels + panel) * task.inputs * task.panel,
                     m + point * tiles * columns + panel * task.panel, columns);
    }
  }
  FinishTiles<kDoubled>(task, first, tiles, m);
}

void Tiles(const WinogradTask& task, std::int64_t first, std::int64_t tiles, float* v, float* m) {
  task.doubled ? DoTiles<true>(task, first, tiles, v, m) : DoTiles<false>(task, first, tiles, v, m);
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace edt
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace edt {
namespace {
HWY_EXPORT(PanelWidth);
HWY_EXPORT(Tiles);

// Tiles of a block: enough rows for products to read the weights seldom, few enough for a point of
// V to stay in cache.
constexpr std::int64_t kMostTiles = 72;

// One axis of G g G^T: taps -> points.
std::vector<double> points_of(const double (&taps)[3], bool doubled) {
  const auto [a, b, c] = taps;
  if (doubled) return {a, a + b + c, c};
  return {a, (a + b + c) / 2, (a - b + c) / 2, c};
}

// weight [3, 3] -> [points]
std::vector<double> transformed(const float* weight, bool doubled) {
  std::vector<std::vector<double>> columns;  // by column of the weight, points of its rows
  for (int j = 0; j < 3; ++j) {
    columns.push_back(points_of({weight[j], weight[3 + j], weight[6 + j]}, doubled));
  }
  std::vector<double> points;
  for (std::size_t i = 0; i < columns[0].size(); ++i) {
    for (const double value : points_of({columns[0][i], columns[1][i], columns[2][i]}, doubled)) {
      points.push_back(value);
    }
  }
  return points;
}

}  // namespace

bool WinogradConvolution::takes(const ConvolutionForm& form) {
  constexpr std::int64_t kLeast = 16;
  const bool fits = form.shape == KernelShape::kSquare && form.kernel == 3 && form.stride == 1 &&
                    form.groups == 1 && form.inputs >= kLeast && form.outputs >= kLeast;
  return fits && (!form.doubled || (form.before == 1 && form.after == 1));
}

WinogradConvolution::WinogradConvolution(const ConvolutionForm& form, std::span<const float> weight,
                                         std::span<const float> bias)
    : form_(form),
      panel_(HWY_DYNAMIC_DISPATCH(PanelWidth)()),
      panels_((form.outputs + panel_ - 1) / panel_),
      bias_(static_cast<std::size_t>(panels_ * panel_)),
      zeros_(static_cast<std::size_t>(form.inputs)) {
  const std::int64_t points = form.doubled ? 9 : 16, each = panels_ * form.inputs * panel_;
  weights_ = Block(host_memory(), static_cast<std::size_t>(points * each) * sizeof(float));
  auto* to = static_cast<float*>(weights_.data());
  std::fill_n(to, points * each, 0.f);
  std::ranges::copy(bias, bias_.begin());
  parallel_ranges(form.outputs, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t out = begin; out < end; ++out) {
      for (std::int64_t in = 0; in < form.inputs; ++in) {
        const auto values = transformed(weight.data() + (out * form.inputs + in) * 9, form.doubled);
        float* place = to + (out / panel_ * form.inputs + in) * panel_ + out % panel_;
        for (std::size_t point = 0; point < values.size(); ++point) {
          place[static_cast<std::int64_t>(point) * each] = static_cast<float>(values[point]);
        }
      }
    }
  });
}

void WinogradConvolution::run(const Shape& shape, const float* x, float* y,
                              const ConvolutionEnd& end, Scratch& scratch) const {
  const Shape result = form_.result_of(shape);
  WinogradTask task{.x = x,
                    .weights = static_cast<const float*>(weights_.data()),
                    .bias = bias_.data(),
                    .zeros = zeros_.data(),
                    .y = y,
                    .height = shape[1],
                    .width = shape[2],
                    .inputs = form_.inputs,
                    .before = form_.before,
                    .result_height = result[1],
                    .result_width = result[2],
                    .outputs = form_.outputs,
                    .tile_rows = (result[1] + 1) / 2,
                    .tile_columns = (result[2] + 1) / 2,
                    .panel = panel_,
                    .panels = panels_,
                    .doubled = form_.doubled,
                    .end = end};
  const std::int64_t tiles = result[0] * task.tile_rows * task.tile_columns;
  const std::int64_t threads = std::min(thread_count(), tiles);
  const std::int64_t rounds = (tiles + threads * kMostTiles - 1) / (threads * kMostTiles);
  const std::int64_t blocks = threads * rounds, most = (tiles + blocks - 1) / blocks;
  const std::int64_t points = form_.doubled ? 9 : 16;
  const std::int64_t room = points * most * (form_.inputs + panels_ * panel_);
  float* memory = scratch.floats(Slot::kPicture, threads * room);
  parallel_parts(threads, 1, [&](std::int64_t, Range own) {
    for (std::int64_t thread = own.begin; thread < own.end; ++thread) {
      float *v = memory + thread * room, *m = v + points * most * form_.inputs;
      for (std::int64_t i = thread * rounds; i < (thread + 1) * rounds; ++i) {
        const Range block = part_of(tiles, blocks, i);
        HWY_DYNAMIC_DISPATCH(Tiles)(task, block.begin, block.size(), v, m);
      }
    }
  });
}

}  // namespace edt
#endif
