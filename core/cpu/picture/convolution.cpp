// Convolutions by oneDNN, and by Winograd's ways where they are faster. That of a doubled
// picture needs 4 of 9 products of the library: a pixel of the result sees at most 2 x 2 different
// pixels, so each of its four places in the doubled grid is a 2 x 2 convolution of the small
// picture with sums of the weights.
#include <optional>

#include "core/cpu/kernels.h"
#include "core/cpu/parallel.h"
#include "core/cpu/picture/onednn_convolution.h"
#include "core/cpu/picture/winograd.h"
#include "core/cpu/typed.h"

namespace edt {
namespace {

class CpuConvolution final : public PackedConvolution {
 public:
  CpuConvolution(const ConvolutionForm& form, std::span<const float> weight,
                 std::span<const float> bias, DType dtype, DType operands);

  DType operands() const { return operands_; }
  // Instead of the library's parts, where it is there.
  const std::optional<WinogradConvolution>& winograd() const { return winograd_; }
  // One, or those of the four places of a doubled picture. Running them makes primitives.
  std::vector<OneDnnConvolution>& parts() const { return parts_; }

 private:
  DType operands_;
  std::optional<WinogradConvolution> winograd_;
  mutable std::vector<OneDnnConvolution> parts_;
};

// weight [O I, 3, 3] -> [O I, 2, 2] for the pixels in odd or even rows and columns.
std::vector<float> weights_at(std::span<const float> weight, bool odd_row, bool odd_column) {
  const auto tap = [](std::int64_t i, bool odd) { return odd ? (i == 2) : (i >= 1); };
  std::vector<float> sums(weight.size() / 9 * 4);
  for (std::size_t filter = 0; filter < weight.size() / 9; ++filter) {
    double part[2][2] = {};
    for (std::int64_t i = 0; i < 3; ++i) {
      for (std::int64_t j = 0; j < 3; ++j) {
        part[tap(i, odd_row)][tap(j, odd_column)] +=
            weight[filter * 9 + static_cast<std::size_t>(i * 3 + j)];
      }
    }
    for (std::size_t i = 0; i < 4; ++i)
      sums[filter * 4 + i] = static_cast<float>(part[i / 2][i % 2]);
  }
  return sums;
}

CpuConvolution::CpuConvolution(const ConvolutionForm& form, std::span<const float> weight,
                               std::span<const float> bias, DType dtype, DType operands)
    : PackedConvolution(form, dtype), operands_(operands) {
  if (const auto way = WinogradConvolution::way_of(form, operands)) {
    winograd_.emplace(form, *way, weight, bias);
    return;
  }
  if (!form.doubled) {
    parts_.emplace_back(ConvolutionGeometry(form), weight, bias, operands);
    return;
  }
  require<NotImplemented>(form.shape == KernelShape::kSquare && form.kernel == 3 &&
                              form.stride == 1 && form.groups == 1 && form.before == 1 &&
                              form.after == 1,
                          "cpu", "convolution of a doubled picture: {} with {} + {} zeros",
                          to_string(form), form.before, form.after);
  for (const bool odd_row : {false, true}) {
    for (const bool odd_column : {false, true}) {
      ConvolutionGeometry part(form);
      part.rows = part.columns = 2;
      part.top = odd_row ? 0 : 1;
      part.bottom = odd_row ? 1 : 0;
      part.left = odd_column ? 0 : 1;
      part.right = odd_column ? 1 : 0;
      parts_.emplace_back(part, weights_at(weight, odd_row, odd_column), bias, operands);
    }
  }
}

// Pixel (i, j) of `part` [N, h, w, C] to pixel (2 i + row, 2 j + column) of y [N, 2 h, 2 w, C].
void interleave(const Shape& part, Span from, Span to, std::int64_t row, std::int64_t column,
                bool add) {
  const std::int64_t width = part[2], channels = part[3];
  parallel_ranges(part[0] * part[1], 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      for (std::int64_t j = 0; j < width; ++j) {
        convert(from.from((i * width + j) * channels),
                to.from(((2 * i + row) * 2 * width + 2 * j + column) * channels), channels, add);
      }
    }
  });
}

}  // namespace

std::unique_ptr<PackedConvolution> CpuBackend::pack_convolution(const ConvolutionForm& form,
                                                                std::span<const float> weight,
                                                                std::span<const float> bias,
                                                                DType dtype) {
  with_float_type(dtype, [](auto) {});
  EDT_ASSERT(static_cast<std::int64_t>(weight.size()) == form.weights());
  return std::make_unique<CpuConvolution>(form, weight, bias, dtype, matmul_.operand_dtype(dtype));
}

void CpuBackend::convolution(const PackedConvolution& weights, T x, T y,
                             const ConvolutionEnd& end) {
  const auto& packed = dynamic_cast<const CpuConvolution&>(weights);
  const DType type = packed.operands();
  // Where the processor does not multiply bf16, all is done in float32 and rounded at the end.
  const auto as_operand = [&](T t, Slot slot, bool read) -> Span {
    const Span there{t.data, t.dtype};
    if (t.dtype == type) return there;
    const Span copy{scratch_.floats(slot, t.elements()), DType::kFloat32};
    if (read) {
      parallel_ranges(t.elements(), 16384, [&](std::int64_t begin, std::int64_t last) {
        convert(there.from(begin), copy.from(begin), last - begin);
      });
    }
    return copy;
  };
  const Span in = as_operand(x, Slot::kConvertedX, true);
  const Span out = as_operand(y, Slot::kResult, end.add);
  auto& parts = packed.parts();
  if (packed.winograd()) {
    packed.winograd()->run(x.shape, in.data, out.data, end, scratch_);
  } else if (parts.size() == 1) {
    parts[0].run(x.shape, in, out, end);
  } else {
    EDT_ASSERT(!end.add || end.activation == PictureActivation::kNone);
    const Shape shape = parts[0].geometry().result_of(x.shape);
    const Span part{scratch_.floats(Slot::kPicture, shape.elements()), type};
    for (std::size_t i = 0; i < parts.size(); ++i) {
      parts[i].run(x.shape, in, part, {.add = false, .activation = end.activation});
      interleave(shape, part, out, static_cast<std::int64_t>(i / 2),
                 static_cast<std::int64_t>(i % 2), end.add);
    }
  }
  if (y.dtype == type) return;
  parallel_ranges(y.elements(), 16384, [&](std::int64_t begin, std::int64_t last) {
    convert(out.from(begin), Span{y.data, y.dtype}.from(begin), last - begin);
  });
}

}  // namespace edt
