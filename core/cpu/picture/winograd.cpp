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
// b - c. Tiles of 4 x 4 pixels see 6 x 6 and take 36 points, by the matrices of section 4.3.
//
// Blocks of tiles are done one after the other by each thread: all points of V, then the products
// point by point, then all points of M. All of it is float32, whatever the pictures are.
#include "core/cpu/picture/winograd.h"

#include <algorithm>
#include <array>

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

// One axis: which pixels a tile sees, from `before` in front of step * its number, and how pixels
// become points (B^T) and points results (A^T). What lies along it is `stride` apart.
struct TilesOf2 {
  static constexpr int kPoints = 4, kSide = 2, kStep = 2;

  static HWY_INLINE void ToPoints(FloatVec* d, int stride) {
    const FloatVec a = d[0], b = d[stride], c = d[2 * stride], e = d[3 * stride];
    d[0] = hn::Sub(a, c);
    d[stride] = hn::Add(b, c);
    d[2 * stride] = hn::Sub(c, b);
    d[3 * stride] = hn::Sub(b, e);
  }
  static HWY_INLINE void ToResults(const FloatVec* m, int stride, FloatVec* y) {
    y[0] = hn::Add(hn::Add(m[0], m[stride]), m[2 * stride]);
    y[1] = hn::Sub(hn::Sub(m[stride], m[2 * stride]), m[3 * stride]);
  }
};

struct TilesOfDoubled {
  static constexpr int kPoints = 3, kSide = 2, kStep = 1;

  static HWY_INLINE void ToPoints(FloatVec* d, int stride) {
    d[0] = hn::Sub(d[0], d[stride]);
    d[2 * stride] = hn::Sub(d[stride], d[2 * stride]);
  }
  static HWY_INLINE void ToResults(const FloatVec* m, int stride, FloatVec* y) {
    y[0] = hn::Add(m[0], m[stride]);
    y[1] = hn::Sub(m[stride], m[2 * stride]);
  }
};

struct TilesOf4 {
  static constexpr int kPoints = 6, kSide = 4, kStep = 4;

  static HWY_INLINE void ToPoints(FloatVec* d, int stride) {
    const FloatVec a = d[0], b = d[stride], c = d[2 * stride], e = d[3 * stride], f = d[4 * stride],
                   g = d[5 * stride];
    const FloatVec two = Set(2.f), four = Set(4.f), minus_five = Set(-5.f);
    const FloatVec even = hn::NegMulAdd(four, c, f), odd = hn::NegMulAdd(four, b, e);
    const FloatVec difference = hn::Sub(f, c), twice = hn::Mul(two, hn::Sub(e, b));
    d[0] = hn::MulAdd(minus_five, c, hn::MulAdd(four, a, f));
    d[stride] = hn::Add(even, odd);
    d[2 * stride] = hn::Sub(even, odd);
    d[3 * stride] = hn::Add(difference, twice);
    d[4 * stride] = hn::Sub(difference, twice);
    d[5 * stride] = hn::MulAdd(minus_five, e, hn::MulAdd(four, b, g));
  }
  static HWY_INLINE void ToResults(const FloatVec* m, int stride, FloatVec* y) {
    const FloatVec sum = hn::Add(m[stride], m[2 * stride]),
                   difference = hn::Sub(m[stride], m[2 * stride]);
    const FloatVec sum2 = hn::Add(m[3 * stride], m[4 * stride]),
                   difference2 = hn::Sub(m[3 * stride], m[4 * stride]);
    y[0] = hn::Add(m[0], hn::Add(sum, sum2));
    y[1] = hn::MulAdd(Set(2.f), difference2, difference);
    y[2] = hn::MulAdd(Set(4.f), sum2, sum);
    y[3] = hn::MulAdd(Set(8.f), difference2, hn::Add(difference, m[5 * stride]));
  }
};

// Tile `t` of the result, over the pictures of the batch.
struct Place {
  std::int64_t picture, row, column;

  Place(const WinogradTask& task, std::int64_t t)
      : picture(t / (task.tile_rows * task.tile_columns)),
        row(t / task.tile_columns % task.tile_rows),
        column(t % task.tile_columns) {}
};

// v [points, tiles, inputs] of tiles first ... first + tiles.
template <class Way, class T>
void TransformPixels(const WinogradTask& task, std::int64_t first, std::int64_t tiles, float* v) {
  constexpr int kSide = Way::kPoints;
  const std::int64_t inputs = task.inputs;
  const T *x = static_cast<const T*>(task.x), *zeros = static_cast<const T*>(task.zeros);
  for (std::int64_t t = 0; t < tiles; ++t) {
    const Place place(task, first + t);
    const T* pixels[kSide * kSide];
    for (int i = 0; i < kSide; ++i) {
      const std::int64_t row = place.row * Way::kStep - task.before + i;
      for (int j = 0; j < kSide; ++j) {
        const std::int64_t column = place.column * Way::kStep - task.before + j;
        const bool inside = row >= 0 && row < task.height && column >= 0 && column < task.width;
        pixels[i * kSide + j] =
            inside ? x + ((place.picture * task.height + row) * task.width + column) * inputs
                   : zeros;
      }
    }
    for (std::int64_t c = 0; c < inputs; c += Lanes()) {
      FloatVec d[kSide * kSide];
      for (int k = 0; k < kSide * kSide; ++k) d[k] = LoadVec(pixels[k] + c, inputs - c);
      for (int j = 0; j < kSide; ++j) Way::ToPoints(d + j, kSide);
      for (int i = 0; i < kSide; ++i) Way::ToPoints(d + i * kSide, 1);
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
template <class Way, class T>
void FinishTiles(const WinogradTask& task, std::int64_t first, std::int64_t tiles, const float* m) {
  constexpr int kPoints = Way::kPoints, kSide = Way::kSide;
  const std::int64_t outputs = task.outputs, columns = task.panels * task.panel;
  T* y = static_cast<T*>(task.y);
  for (std::int64_t t = 0; t < tiles; ++t) {
    const Place place(task, first + t);
    T* pixels[kSide * kSide];
    for (int k = 0; k < kSide * kSide; ++k) {
      const std::int64_t row = kSide * place.row + k / kSide,
                         column = kSide * place.column + k % kSide;
      const bool inside = row < task.result_height && column < task.result_width;
      pixels[k] =
          inside ? y + ((place.picture * task.result_height + row) * task.result_width + column) *
                           outputs
                 : nullptr;
    }
    for (std::int64_t c = 0; c < outputs; c += Lanes()) {
      FloatVec points[kPoints * kPoints], halves[kPoints * kSide], results[kSide * kSide];
      for (int k = 0; k < kPoints * kPoints; ++k) {
        points[k] = LoadVec(m + (k * tiles + t) * columns + c);
      }
      // Columns of points become columns of results, kept side by side; then each row.
      for (int j = 0; j < kPoints; ++j) Way::ToResults(points + j, kPoints, halves + j * kSide);
      for (int i = 0; i < kSide; ++i) Way::ToResults(halves + i, kSide, results + i * kSide);
      const FloatVec bias = LoadVec(task.bias + c);
      for (int k = 0; k < kSide * kSide; ++k) {
        if (pixels[k] == nullptr) continue;
        FloatVec value = hn::Add(results[k], bias);
        if (task.end.add) value = hn::Add(value, LoadVec(pixels[k] + c, outputs - c));
        StoreVec(Activated(task.end.activation, value), pixels[k] + c, outputs - c);
      }
    }
  }
}

template <class Way, class T>
void DoTiles(const WinogradTask& task, std::int64_t first, std::int64_t tiles, float* v, float* m) {
  constexpr int kPoints = Way::kPoints * Way::kPoints;
  const std::int64_t columns = task.panels * task.panel;
  TransformPixels<Way, T>(task, first, tiles, v);
  for (std::int64_t point = 0; point < kPoints; ++point) {
    for (std::int64_t panel = 0; panel < task.panels; ++panel) {
      ProductsOfRows(v + point * tiles * task.inputs, tiles, task.inputs,
                     task.weights + (point * task.panels + panel) * task.inputs * task.panel,
                     m + point * tiles * columns + panel * task.panel, columns);
    }
  }
  FinishTiles<Way, T>(task, first, tiles, m);
}

void Tiles(const WinogradTask& task, std::int64_t first, std::int64_t tiles, float* v, float* m) {
  switch (task.way) {
    case WinogradWay::kOf2:
      return DoTiles<TilesOf2, float>(task, first, tiles, v, m);
    case WinogradWay::kOfDoubled:
      return DoTiles<TilesOfDoubled, float>(task, first, tiles, v, m);
    case WinogradWay::kOf4:
      return DoTiles<TilesOf4, bfloat16>(task, first, tiles, v, m);
  }
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

struct WayFacts {
  std::int64_t points, side;  // along an axis: of V, and of a tile of the result
  // Tiles of a block: enough rows for products to read the weights seldom, few enough for V and M
  // to stay near.
  std::int64_t most_tiles;
};

WayFacts facts_of(WinogradWay way) {
  switch (way) {
    case WinogradWay::kOf2:
      return {4, 2, 72};
    case WinogradWay::kOfDoubled:
      return {3, 2, 72};
    default:
      return {6, 4, 36};
  }
}

constexpr std::size_t kMostPoints = 6;
using AxisPoints = std::array<double, kMostPoints>;  // the first ones, as many as the way has

// One axis of G g G^T: taps -> points.
AxisPoints points_of(double a, double b, double c, WinogradWay way) {
  switch (way) {
    case WinogradWay::kOf2:
      return {a, (a + b + c) / 2, (a - b + c) / 2, c};
    case WinogradWay::kOfDoubled:
      return {a, a + b + c, c};
    default:
      return {a / 4,
              -(a + b + c) / 6,
              -(a - b + c) / 6,
              (a + 2 * b + 4 * c) / 24,
              (a - 2 * b + 4 * c) / 24,
              c};
  }
}

// weight [3, 3] -> [points, points] of `points` on each axis; called for millions of weights.
std::array<double, kMostPoints * kMostPoints> transformed(const float* weight, std::size_t points,
                                                          WinogradWay way) {
  std::array<AxisPoints, 3> columns;  // by column of the weight, points of its rows
  for (std::size_t j = 0; j < 3; ++j) {
    columns[j] = points_of(weight[j], weight[3 + j], weight[6 + j], way);
  }
  std::array<double, kMostPoints * kMostPoints> all;
  for (std::size_t i = 0; i < points; ++i) {
    const AxisPoints row = points_of(columns[0][i], columns[1][i], columns[2][i], way);
    std::copy_n(row.begin(), points, all.begin() + static_cast<std::ptrdiff_t>(i * points));
  }
  return all;
}

}  // namespace

std::optional<WinogradWay> WinogradConvolution::way_of(const ConvolutionForm& form, DType dtype) {
  constexpr std::int64_t kLeast = 16;
  // The library multiplies bf16 twice as fast, and 36 points for each weight are many: they pay
  // where pictures are large, which have few channels.
  constexpr std::int64_t kMostInBFloat16 = 512 * 256 * 9;
  const bool fits = form.shape == KernelShape::kSquare && form.kernel == 3 && form.stride == 1 &&
                    form.groups == 1 && form.inputs >= kLeast && form.outputs >= kLeast;
  if (!fits) return std::nullopt;
  if (dtype == DType::kBFloat16) {
    if (form.doubled || form.weights() > kMostInBFloat16) return std::nullopt;
    return WinogradWay::kOf4;
  }
  if (!form.doubled) return WinogradWay::kOf2;
  if (form.before != 1 || form.after != 1) return std::nullopt;
  return WinogradWay::kOfDoubled;
}

WinogradConvolution::WinogradConvolution(const ConvolutionForm& form, WinogradWay way,
                                         std::span<const float> weight, std::span<const float> bias)
    : form_(form),
      way_(way),
      panel_(HWY_DYNAMIC_DISPATCH(PanelWidth)()),
      panels_((form.outputs + panel_ - 1) / panel_),
      bias_(static_cast<std::size_t>(panels_ * panel_)),
      zeros_(static_cast<std::size_t>(form.inputs)) {
  const WayFacts facts = facts_of(way);
  const std::int64_t points = facts.points * facts.points, each = panels_ * form.inputs * panel_;
  weights_ = Block(host_memory(), static_cast<std::size_t>(points * each) * sizeof(float));
  auto* to = static_cast<float*>(weights_.data());
  std::fill_n(to, points * each, 0.f);
  std::ranges::copy(bias, bias_.begin());
  parallel_ranges(form.outputs, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t out = begin; out < end; ++out) {
      for (std::int64_t in = 0; in < form.inputs; ++in) {
        const auto values = transformed(weight.data() + (out * form.inputs + in) * 9,
                                        static_cast<std::size_t>(facts.points), way);
        float* place = to + (out / panel_ * form.inputs + in) * panel_ + out % panel_;
        for (std::int64_t point = 0; point < points; ++point) {
          place[point * each] = static_cast<float>(values[static_cast<std::size_t>(point)]);
        }
      }
    }
  });
}

void WinogradConvolution::run(const Shape& shape, const void* x, void* y, const ConvolutionEnd& end,
                              Scratch& scratch) const {
  const Shape result = form_.result_of(shape);
  const WayFacts facts = facts_of(way_);
  const WinogradTask task{.way = way_,
                          .x = x,
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
                          .tile_rows = (result[1] + facts.side - 1) / facts.side,
                          .tile_columns = (result[2] + facts.side - 1) / facts.side,
                          .panel = panel_,
                          .panels = panels_,
                          .end = end};
  const std::int64_t tiles = result[0] * task.tile_rows * task.tile_columns;
  const std::int64_t threads = std::min(thread_count(), tiles);
  const std::int64_t rounds =
      (tiles + threads * facts.most_tiles - 1) / (threads * facts.most_tiles);
  const std::int64_t blocks = threads * rounds, most = (tiles + blocks - 1) / blocks;
  const std::int64_t points = facts.points * facts.points;
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
