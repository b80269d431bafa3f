// y[n, r, c, o] = bias[o] + sum over i, j and the input channels of o's group of
// x[n, r s + i - top, c s + j - left, .] weight[o, ., i, j], zero outside of the picture.
#include "core/reference/doubles.h"
#include "core/reference/kernels.h"
#include "core/reference/picture/activate.h"

namespace edt {
namespace {

struct ReferenceConvolution final : PackedConvolution {
  using PackedConvolution::PackedConvolution;
  Doubles weight, bias;
};

}  // namespace

std::unique_ptr<PackedConvolution> ReferenceBackend::pack_convolution(const ConvolutionForm& form,
                                                                      std::span<const float> weight,
                                                                      std::span<const float> bias,
                                                                      DType dtype) {
  EDT_ASSERT(static_cast<std::int64_t>(weight.size()) == form.weights());
  auto packed = std::make_unique<ReferenceConvolution>(form, dtype);
  for (const float value : weight) {
    packed->weight.push_back(dtype == DType::kBFloat16 ? static_cast<float>(bfloat16(value))
                                                       : value);
  }
  packed->bias.assign(bias.begin(), bias.end());
  packed->bias.resize(static_cast<std::size_t>(form.outputs));
  return packed;
}

void ReferenceBackend::convolution(const PackedConvolution& weights, T x, T y,
                                   const ConvolutionEnd& end) {
  const auto& packed = dynamic_cast<const ReferenceConvolution&>(weights);
  const ConvolutionForm& form = packed.form();
  const Doubles in = load(x);
  Doubles out = end.add ? load(y) : Doubles(static_cast<std::size_t>(y.elements()));
  const std::int64_t factor = form.doubled ? 2 : 1;
  const std::int64_t height = factor * x.shape[1], width = factor * x.shape[2];
  const std::int64_t depth = form.inputs / form.groups, filters = form.outputs / form.groups;
  const std::int64_t rows = form.kernel_rows(), columns = form.kernel_columns();
  std::size_t at = 0;
  for (std::int64_t n = 0; n < y.shape[0]; ++n) {
    for (std::int64_t r = 0; r < y.shape[1]; ++r) {
      for (std::int64_t c = 0; c < y.shape[2]; ++c) {
        for (std::int64_t o = 0; o < form.outputs; ++o, ++at) {
          double sum = packed.bias[static_cast<std::size_t>(o)];
          for (std::int64_t i = 0; i < rows; ++i) {
            const std::int64_t row = r * form.stride + i - form.top();
            if (row < 0 || row >= height) continue;
            for (std::int64_t j = 0; j < columns; ++j) {
              const std::int64_t column = c * form.stride + j - form.left();
              if (column < 0 || column >= width) continue;
              const double* pixel =
                  in.data() +
                  ((n * x.shape[1] + row / factor) * x.shape[2] + column / factor) * form.inputs +
                  o / filters * depth;
              const double* filter = packed.weight.data() + (o * depth * rows + i) * columns + j;
              for (std::int64_t d = 0; d < depth; ++d) sum += pixel[d] * filter[d * rows * columns];
            }
          }
          out[at] = activated(end.activation, out[at] + sum);
        }
      }
    }
  }
  store(out, y);
}

}  // namespace edt
