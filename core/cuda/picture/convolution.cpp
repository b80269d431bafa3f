// A convolution is a product of what each pixel of the result sees with the weights. That matrix is
// never whole: bands of pixels are laid out and multiplied one after the other. 1x1 convolutions
// need no layout, those in groups (small in all networks here) have a kernel of their own.
#include "core/cuda/backend.h"
#include "core/cuda/kernels/elementwise.h"
#include "core/cuda/kernels/picture.h"
#include "core/cuda/typed.h"

namespace edt {
namespace {

constexpr std::int64_t kBandBytes = std::int64_t{64} << 20;

struct CudaConvolution final : PackedConvolution {
  using PackedConvolution::PackedConvolution;
  Block weight_memory, bias_memory;
  Tensor weight, bias;  // bias undefined: none
};

// [O, D, k, k] as rows of a product's factor, [O, k, k, D], or for kernels in groups [k, k, D, O].
std::vector<float> reordered(const ConvolutionForm& form, std::span<const float> weight) {
  const std::int64_t depth = form.inputs / form.groups,
                     places = form.kernel_rows() * form.kernel_columns();
  std::vector<float> result(weight.size());
  for (std::int64_t o = 0; o < form.outputs; ++o) {
    for (std::int64_t d = 0; d < depth; ++d) {
      for (std::int64_t place = 0; place < places; ++place) {
        const std::int64_t to = form.groups == 1 ? (o * places + place) * depth + d
                                                 : (place * depth + d) * form.outputs + o;
        result[static_cast<std::size_t>(to)] =
            weight[static_cast<std::size_t>((o * depth + d) * places + place)];
      }
    }
  }
  return result;
}

Tensor uploaded(Backend& backend, std::span<const float> values, const Shape& shape, DType dtype,
                Block& memory) {
  Tensor tensor{nullptr, shape, dtype};
  memory = Block(backend.memory(), tensor.bytes());
  tensor.data = memory.data();
  backend.upload_floats(values, tensor);
  return tensor;
}

PatchesCall patches_of(const ConvolutionForm& form, const Tensor& x, const Tensor& y) {
  return {.dtype = element_of(x),
          .x = x.data,
          .height = x.shape[1],
          .width = x.shape[2],
          .channels = x.shape[3],
          .kernel_rows = form.kernel_rows(),
          .kernel_columns = form.kernel_columns(),
          .stride = form.stride,
          .top = form.top(),
          .left = form.left(),
          .doubled = form.doubled,
          .out_height = y.shape[1],
          .out_width = y.shape[2],
          .first = 0,
          .rows = y.shape.rows()};
}

bool is_pointwise(const ConvolutionForm& form) {
  return form.kernel == 1 && form.stride == 1 && form.before == 0 && form.after == 0 &&
         !form.doubled;
}

}  // namespace

std::unique_ptr<PackedConvolution> CudaBackend::pack_convolution(const ConvolutionForm& form,
                                                                 std::span<const float> weight,
                                                                 std::span<const float> bias,
                                                                 DType dtype) {
  EDT_ASSERT(static_cast<std::int64_t>(weight.size()) == form.weights());
  auto packed = std::make_unique<CudaConvolution>(form, dtype);
  packed->weight =
      uploaded(*this, reordered(form, weight), {form.outputs, form.weights() / form.outputs}, dtype,
               packed->weight_memory);
  element_of(packed->weight);
  if (!bias.empty()) {
    packed->bias = uploaded(*this, bias, {form.outputs}, dtype, packed->bias_memory);
  }
  return packed;
}

// y (+)= a weight^T + bias, in one product where the library fuses that.
void CudaBackend::multiply_patches(const void* a, std::int64_t rows, T weight, T bias, void* y,
                                   bool add) {
  Gemm gemm{.m = rows,
            .n = weight.shape[0],
            .k = weight.shape[1],
            .a = a,
            .b = weight.data,
            .b_transposed = true,
            .in = weight.dtype,
            .y = y,
            .out = weight.dtype,
            .accumulate = add};
  if (bias.defined()) {
    gemm.epilogue = Epilogue::kBias;
    gemm.bias = bias.data;
    if (matmul_.try_run(gemm)) return;
    gemm.epilogue = Epilogue::kNone;
    gemm.bias = nullptr;
    launch_add_rows(stream(), weight.dtype, add ? y : nullptr, {bias.data}, y, gemm.m, gemm.n);
    gemm.accumulate = true;
  }
  matmul_.run(gemm);
}

void CudaBackend::convolution(const PackedConvolution& weights, T x, T y,
                              const ConvolutionEnd& end) {
  const auto& packed = dynamic_cast<const CudaConvolution&>(weights);
  const ConvolutionForm& form = packed.form();
  PatchesCall patches = patches_of(form, x, y);
  if (form.groups > 1) {
    launch_grouped_convolution(stream(), {.patches = patches,
                                          .outputs = form.outputs,
                                          .groups = form.groups,
                                          .weight = packed.weight.data,
                                          .bias = packed.bias.data,
                                          .y = y.data,
                                          .add = end.add,
                                          .activation = end.activation});
    return;
  }
  const std::int64_t rows = patches.rows;
  if (is_pointwise(form)) {
    multiply_patches(x.data, rows, packed.weight, packed.bias, y.data, end.add);
  } else {
    const std::int64_t columns = packed.weight.shape[1];
    const auto size = static_cast<std::int64_t>(size_of(x.dtype));
    const std::int64_t band = std::clamp<std::int64_t>(kBandBytes / (columns * size), 1, rows);
    void* matrix =
        scratch_.bytes(ScratchSlot::kPatches, static_cast<std::size_t>(band * columns * size));
    for (; patches.first < rows; patches.first += band) {
      patches.rows = std::min(band, rows - patches.first);
      launch_patches(stream(), patches, matrix);
      multiply_patches(matrix, patches.rows, packed.weight, packed.bias,
                       static_cast<std::byte*>(y.data) + patches.first * form.outputs * size,
                       end.add);
    }
  }
  if (end.activation == PictureActivation::kNone) return;
  launch_picture_activation(stream(), y.dtype, end.activation, y.data, y.elements());
}

}  // namespace edt
